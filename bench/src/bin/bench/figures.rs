//! The measured times, and their percentiles.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::life::Timing;
use crate::subject::Subject;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// From the start to the first request for an event.
    Init,
    /// From the start to the first response, without the time between init and the event.
    FirstResponse,
    First,
    FirstCpu,
    Warm,
    WarmCpu,
    /// The peak memory of the process, in MB.
    Memory,
}

/// The condition under which it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Under {
    /// A whole CPU.
    Nothing,
    /// The CPU of a function with this many MB.
    Memory(u32),
    /// A product of this many KB.
    Size(usize),
    /// A table with this many items.
    Items(usize),
}

/// All samples, in milliseconds or MB.
#[derive(Default)]
pub struct Figures(BTreeMap<(Subject, &'static str, Under, What), Vec<f64>>);

impl Figures {
    pub fn add(
        &mut self,
        subject: Subject,
        call: &'static str,
        under: Under,
        what: What,
        value: f64,
    ) {
        let samples = self.0.entry((subject, call, under, what)).or_default();
        samples.push(value);
    }

    /// Records the time of a call: the first, or a warm one.
    pub fn time(
        &mut self,
        subject: Subject,
        call: &'static str,
        under: Under,
        first: bool,
        timing: Timing,
    ) {
        let (wall, cpu) = if first {
            (What::First, What::FirstCpu)
        } else {
            (What::Warm, What::WarmCpu)
        };
        self.add(subject, call, under, wall, milliseconds(timing.wall));
        self.add(subject, call, under, cpu, milliseconds(timing.cpu));
    }

    pub fn has(&self, under: Under) -> bool {
        self.0.keys().any(|key| key.2 == under)
    }

    /// The percentile of the samples: this many of a hundred do not exceed it.
    pub fn percentile(
        &self,
        subject: Subject,
        call: &str,
        under: Under,
        what: What,
        percent: usize,
    ) -> f64 {
        let samples = self
            .0
            .iter()
            .find(|(key, _)| **key == (subject, call, under, what));
        let (_, samples) =
            samples.unwrap_or_else(|| panic!("no {what:?} of {subject:?}, {call}, {under:?}"));
        let mut sorted = samples.clone();
        sorted.sort_by(f64::total_cmp);
        // The nearest rank.
        sorted[(sorted.len() * percent).div_ceil(100) - 1]
    }

    pub fn p50(&self, subject: Subject, call: &str, under: Under, what: What) -> f64 {
        self.percentile(subject, call, under, what, 50)
    }
}

pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::{Figures, Under, What};
    use crate::subject::Subject;

    #[test]
    fn a_percentile_is_a_sample_that_so_many_do_not_exceed() {
        let mut figures = Figures::default();
        for value in (1..=200).rev() {
            figures.add(
                Subject::Ours,
                "found",
                Under::Nothing,
                What::Warm,
                f64::from(value),
            );
        }
        let of = |percent| {
            figures.percentile(Subject::Ours, "found", Under::Nothing, What::Warm, percent)
        };
        let text = format!("{} {} {}", of(50), of(99), of(100));
        assert_eq!(text, "100 198 200");
    }
}
