//! The targets of this service, and whether it meets them.

use bench::Call;

use crate::figures::{Under, What};
use crate::markdown::{head, megabytes, number, row};
use crate::run::Run;
use crate::subject::Subject;

/// In MB.
const MEMORY: f64 = 8.0;
const ZIP: f64 = 2.8;
/// How much more than find create may take.
const MORE_FOR_CREATE: f64 = 1.1;

/// A figure by which this service is compared with the other subjects.
#[derive(Clone, Copy)]
pub struct Figure {
    pub name: &'static str,
    pub what: What,
    pub under: Under,
    pub unit: &'static str,
}

const FIRST_RESPONSE: Figure = figure("start to first response", What::FirstResponse, "ms");
const FIRST_CALL: Figure = Figure {
    under: Under::Memory(128),
    ..figure("first call with the CPU of 128 MB", What::First, "ms")
};
const WARM_CALL: Figure = figure("warm call", What::Warm, "ms");
const PEAK_MEMORY: Figure = figure("peak RSS", What::Memory, "MB");

/// All of them.
pub const FIGURES: [Figure; 4] = [FIRST_RESPONSE, FIRST_CALL, WARM_CALL, PEAK_MEMORY];

const fn figure(name: &'static str, what: What, unit: &'static str) -> Figure {
    Figure {
        name,
        what,
        under: Under::Nothing,
        unit,
    }
}

/// How many times as much as this service another subject takes, at least.
const BARS: [(Figure, Subject, f64); 8] = [
    (FIRST_RESPONSE, Subject::Documentation, 10.0),
    (FIRST_CALL, Subject::Documentation, 100.0),
    (FIRST_RESPONSE, Subject::OneLine, 1.5),
    (WARM_CALL, Subject::OneLine, 2.0),
    (FIRST_CALL, Subject::OneLine, 8.0),
    (PEAK_MEMORY, Subject::OneLine, 2.4),
    (FIRST_RESPONSE, Subject::Node, 15.0),
    (FIRST_RESPONSE, Subject::Python, 25.0),
];

/// A row for each bar.
pub fn table(run: &Run) -> String {
    let calls = [
        (Call::FOUND.name, 1.0),
        (Call::CREATED.name, MORE_FOR_CREATE),
    ];
    let mut table = head(["target", "find", "met", "create", "met"]);
    let mut add = |target: String, measured: &dyn Fn(&str, f64) -> (String, bool)| {
        let columns = calls.into_iter().flat_map(|(call, more)| {
            let (text, is_met) = measured(call, more);
            [text, if is_met { "yes" } else { "**no**" }.to_owned()]
        });
        table += &row([target].into_iter().chain(columns));
    };
    add(format!("peak RSS at most {MEMORY:.2} MB"), &|call, more| {
        let (ours, what) = (Subject::Ours, What::Memory);
        let most = run
            .figures
            .percentile(ours, call, Under::Nothing, what, 100);
        (format!("{most:.2} MB"), most <= MEMORY * more)
    });
    add(format!("zip at most {ZIP:.2} MB"), &|call, more| {
        let zip = megabytes(run.sizes[&(Subject::Ours, call)].1);
        (format!("{zip:.2} MB"), zip <= ZIP * more)
    });
    for (figure, than, times) in BARS {
        let target = format!("{} at most 1/{times} of {}", figure.name, than.name());
        add(target, &|call, more| {
            compared(run, call, &figure, than, times / more)
        });
    }
    table
}

/// Both figures and their ratio, and whether it is at least this one.
fn compared(run: &Run, call: &str, figure: &Figure, than: Subject, times: f64) -> (String, bool) {
    let Figure {
        what, under, unit, ..
    } = *figure;
    if !run.figures.has(under) {
        return ("not measured".to_owned(), false);
    }
    let of = |subject| run.figures.p50(subject, call, under, what);
    let (ours, theirs) = (of(Subject::Ours), of(than));
    let measured = theirs / ours;
    let text = [ours, theirs, measured].map(number);
    (
        format!("{} of {} {unit}: 1/{}", text[0], text[1], text[2]),
        measured >= times,
    )
}

#[cfg(test)]
mod tests {
    use bench::Call;

    use super::{FIRST_CALL, WARM_CALL, compared};
    use crate::figures::{Under, What};
    use crate::run::Run;
    use crate::subject::Subject;

    #[test]
    fn a_target_is_met_from_its_ratio_on() {
        let call = Call::FOUND.name;
        for (ours, text, is_met) in [
            (0.25, "0.25 of 0.50 ms: 1/2.00", true),
            (0.26, "0.26 of 0.50 ms: 1/1.92", false),
        ] {
            let mut run = Run::default();
            for (subject, value) in [(Subject::Ours, ours), (Subject::OneLine, 0.5)] {
                run.figures
                    .add(subject, call, Under::Nothing, What::Warm, value);
            }
            let result = compared(&run, call, &WARM_CALL, Subject::OneLine, 2.0);
            assert_eq!(result, (text.to_owned(), is_met));
        }
    }

    #[test]
    fn a_target_that_was_not_measured_is_not_met() {
        let run = Run::default();
        let result = compared(&run, Call::FOUND.name, &FIRST_CALL, Subject::OneLine, 8.0);
        assert_eq!(result, ("not measured".to_owned(), false));
    }
}
