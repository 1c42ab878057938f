//! `make bench`: starts the release binaries, and the same functions written in other ways, as
//! Lambda does, and prints what a start and a call cost, or writes it into docs/performance.md and
//! README.md.

mod bars;
mod blocks;
mod chart;
mod figures;
mod files;
mod life;
mod markdown;
mod page;
mod quota;
mod run;
mod subject;
mod table;

use std::collections::BTreeMap;
use std::time::Duration;

use bench::{Call, Canned};
use clap::Parser;
use figures::{Figures, Under, What, milliseconds};
use life::Life;
use quota::{MEMORIES, Quota};
use run::Run;
use subject::{Roots, Subject};
use table::Table;

/// Warm calls in each round.
const WARM: usize = 50;
const WARM_UNDER_A_QUOTA: usize = 5;
/// Of products, in KB.
const SIZES: [usize; 4] = [1, 10, 100, 300];
const WARM_OF_A_SIZE: usize = 10;
/// Of tables.
const ITEMS: [usize; 3] = [1, 1_000, 1_000_000];

/// Measures this service beside other ways to write it.
#[derive(Parser)]
struct Options {
    /// Measures so many times.
    #[arg(long, default_value_t = 20)]
    rounds: usize,

    /// Milliseconds that DynamoDB takes for a response.
    #[arg(long, default_value_t = 0)]
    delay: u64,

    /// Writes docs/performance.md, its pictures and README.md, instead of printing the tables; and
    /// measures the largest table, too.
    #[arg(long)]
    write: bool,
}

#[tokio::main]
async fn main() -> Result<(), String> {
    let options = Options::parse();
    if options.write {
        page::check()?;
    }
    let place_and_time = files::place_and_time().await;
    let dynamodb = Canned::start(Duration::from_millis(options.delay)).await;
    let roots = Roots::of(&dynamodb);
    let quotas = MEMORIES.map(|memory| Quota::of(memory).map(|quota| (memory, quota)));
    let quotas: Result<Vec<_>, _> = quotas.into_iter().collect();
    if let Err(error) = &quotas {
        eprintln!("no control group for a share of a CPU can be had here: {error}");
    }
    let mut tables = Vec::new();
    for items in ITEMS
        .into_iter()
        .filter(|items| options.write || *items <= 1_000)
    {
        tables.push(Table::of(items).await);
    }

    let mut figures = Figures::default();
    let mut order = Subject::ALL;
    for round in 1..=options.rounds {
        eprintln!("round {round} of {}", options.rounds);
        for subject in order {
            measure(subject, &roots, &mut figures).await;
        }
        for (memory, quota) in quotas.iter().flatten() {
            for subject in order {
                throttle(subject, &roots, *memory, quota, &mut figures).await;
            }
        }
        for table in &mut tables {
            let variables = roots.variables(Subject::Ours);
            table.measure(&variables, &mut figures).await;
        }
        // So that nobody is always measured after the same neighbour's end.
        order.rotate_left(1);
    }

    let mut sizes = BTreeMap::new();
    for subject in Subject::ALL {
        for call in calls(subject) {
            let size = files::sizes(subject, &call).await;
            sizes.insert((subject, call.name), size);
        }
    }
    let run = Run {
        figures,
        sizes,
        place_and_time,
        rounds: options.rounds,
        delay: options.delay,
        roots: roots.count,
        no_quota: quotas.as_ref().err().map(ToString::to_string),
    };
    if options.write {
        return page::write(&run);
    }
    page::print(&run);
    Ok(())
}

/// The calls of a subject that both succeed everywhere.
fn calls(subject: Subject) -> Vec<Call> {
    if subject == Subject::Hello {
        vec![Call::FOUND]
    } else {
        vec![Call::FOUND, Call::CREATED]
    }
}

async fn measure(subject: Subject, roots: &Roots<'_>, figures: &mut Figures) {
    let calls = if subject == Subject::Ours {
        Call::ALL.to_vec()
    } else {
        calls(subject)
    };
    for call in calls {
        let mut add = |what, value| figures.add(subject, call.name, Under::Nothing, what, value);
        let mut life = Life::start(subject, &roots.variables(subject), &call, None).await;
        let first = life.call(&call).await;
        add(What::Init, milliseconds(life.init));
        add(What::FirstResponse, milliseconds(life.init + first.wall));
        figures.time(subject, call.name, Under::Nothing, true, first);
        for _ in 0..WARM {
            let timing = life.call(&call).await;
            figures.time(subject, call.name, Under::Nothing, false, timing);
        }
        let memory = life.peak_memory();
        figures.add(
            subject,
            call.name,
            Under::Nothing,
            What::Memory,
            markdown::megabytes(memory),
        );
        if subject != Subject::Hello && matches!(call.name, "found" | "created") {
            for size in SIZES {
                let call = call.clone().sized(size);
                life.call(&call).await;
                for _ in 0..WARM_OF_A_SIZE {
                    let timing = life.call(&call).await;
                    figures.time(subject, call.name, Under::Size(size), false, timing);
                }
            }
        }
        life.end().await;
    }
}

async fn throttle(
    subject: Subject,
    roots: &Roots<'_>,
    memory: u32,
    quota: &Quota,
    figures: &mut Figures,
) {
    for call in calls(subject) {
        let variables = roots.variables(subject);
        let mut life = Life::start(subject, &variables, &call, Some(quota)).await;
        for number in 0..=WARM_UNDER_A_QUOTA {
            let timing = life.call(&call).await;
            figures.time(
                subject,
                call.name,
                Under::Memory(memory),
                number == 0,
                timing,
            );
        }
        life.end().await;
    }
}
