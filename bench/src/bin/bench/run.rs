//! What a run has measured, as the page, the charts and the bars show it.

use std::collections::BTreeMap;

use bench::Call;

use crate::figures::Figures;
use crate::subject::Subject;

/// The figures of a run, and the circumstances that the page mentions.
#[derive(Default)]
pub struct Run {
    pub figures: Figures,
    /// The bytes of what is deployed: as it is, and as a zip.
    pub sizes: BTreeMap<(Subject, &'static str), (u64, u64)>,
    /// Where and when it was: a name and a value of each fact.
    pub place_and_time: Vec<(&'static str, String)>,
    pub rounds: usize,
    pub delay: u64,
    /// How many certificates the system has.
    pub roots: usize,
    /// Why the subjects could not be limited to a share of a CPU.
    pub no_quota: Option<String>,
}

/// The function that serves a call, as a row names it.
pub fn function(call: &str) -> &'static str {
    if call == Call::FOUND.name {
        "find"
    } else {
        "create"
    }
}
