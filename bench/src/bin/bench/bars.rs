//! The targets of this service, and whether it meets them.

use bench::Call;

use crate::figures::{Under, What};
use crate::markdown::{megabytes, number};
use crate::run::{Run, function};
use crate::subject::Subject;

/// In MB.
const MEMORY: f64 = 8.0;
const ZIP: f64 = 2.8;
/// How much more of both create may have.
const MORE_FOR_CREATE: f64 = 1.1;
/// How many times as fast as the documentation's Rust the first call is with the CPU of 128 MB.
const FIRST_CALL: f64 = 100.0;
/// How many times as fast as these this service gives its first response.
const FIRST_ANSWER: [(Subject, f64); 3] = [
    (Subject::Documentation, 5.0),
    (Subject::Node, 15.0),
    (Subject::Python, 25.0),
];

/// A row for each bar and function.
pub fn table(run: &Run) -> String {
    let mut table = "| target | function | measured | met |\n|---|---|---|---|\n".to_owned();
    for call in [Call::FOUND.name, Call::CREATED.name] {
        let mut add = |bar: String, measured: String, is_met: bool| {
            let met = if is_met { "yes" } else { "**no**" };
            table.extend([
                "| ",
                &bar,
                " | ",
                function(call),
                " | ",
                &measured,
                " | ",
                met,
                " |\n",
            ]);
        };
        let figures = &run.figures;
        let more = if call == Call::CREATED.name {
            MORE_FOR_CREATE
        } else {
            1.0
        };
        let (memory_bar, zip_bar) = (MEMORY * more, ZIP * more);
        let memory = figures.percentile(Subject::Ours, call, Under::Nothing, What::Memory, 100);
        add(
            format!("peak RSS at most {memory_bar:.2} MB"),
            format!("{memory:.2} MB"),
            memory <= memory_bar,
        );
        let zip = megabytes(run.sizes[&(Subject::Ours, call)].1);
        add(
            format!("zip at most {zip_bar:.2} MB"),
            format!("{zip:.2} MB"),
            zip <= zip_bar,
        );
        let times_as_fast = |than: Subject, under, what| {
            let ours = figures.p50(Subject::Ours, call, under, what);
            let theirs = figures.p50(than, call, under, what);
            (
                theirs / ours,
                format!(
                    "{} of {} ms: 1/{}",
                    number(ours),
                    number(theirs),
                    number(theirs / ours)
                ),
            )
        };
        let bar = format!(
            "first call with the CPU of 128 MB at most 1/{FIRST_CALL} of documentation's Rust"
        );
        let under = Under::Memory(128);
        if figures.has(under) {
            let (times, text) = times_as_fast(Subject::Documentation, under, What::First);
            add(bar, text, times >= FIRST_CALL);
        } else {
            add(bar, "not measured".to_owned(), false);
        }
        for (than, bar) in FIRST_ANSWER {
            let (times, text) = times_as_fast(than, Under::Nothing, What::FirstResponse);
            add(
                format!("start to first response at most 1/{bar} of {}", than.name()),
                text,
                times >= bar,
            );
        }
    }
    table
}
