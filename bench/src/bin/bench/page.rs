//! The blocks that a run writes into docs/performance.md and README.md, and the pictures.

use std::fs;
use std::path::{Path, PathBuf};

use bench::Call;

use crate::bars::{FIGURES, Figure};
use crate::blocks::filled;
use crate::figures::{Figures, Under, What};
use crate::markdown::{head, megabytes, number, row};
use crate::quota::{MEMORIES, PERIOD, share};
use crate::run::{Run, function};
use crate::subject::Subject;
use crate::{ITEMS, SIZES, WARM, WARM_OF_A_SIZE, WARM_UNDER_A_QUOTA, bars, chart};

/// The name of a block, and what makes its content.
type Block = (&'static str, fn(&Run) -> String);

const PAGES: [(&str, &[Block]); 2] = [
    (
        "docs/performance.md",
        &[
            ("run", facts),
            ("targets", bars::table),
            ("starts", starts),
            ("responses", responses),
            ("shares of a CPU", throttled),
            ("sizes", grown),
            ("items", tables),
        ],
    ),
    ("README.md", &[("summary", summary)]),
];

/// Looks whether the pages have a place for each block, before an hour is spent on measuring.
///
/// # Errors
///
/// The page and what is wrong with it.
pub fn check() -> Result<(), String> {
    pages(|_| String::new()).map(drop)
}

/// Writes the pages and the pictures.
///
/// # Errors
///
/// The page and what is wrong with it. Nothing is written then.
pub fn write(run: &Run) -> Result<(), String> {
    let mut files = pages(|content| content(run))?;
    let pictures = [
        ("docs/performance-start.svg", chart::start(&run.figures)),
        ("docs/performance-size.svg", chart::size(&run.figures)),
    ];
    files.extend(pictures.map(|(path, picture)| (in_repository(path), picture)));
    for (path, text) in files {
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// Prints the blocks.
pub fn print(run: &Run) {
    for (name, content) in PAGES.into_iter().flat_map(|(_, blocks)| blocks) {
        println!("{name}\n\n{}", content(run));
    }
}

/// Each page with its blocks filled.
fn pages(content: impl Fn(fn(&Run) -> String) -> String) -> Result<Vec<(PathBuf, String)>, String> {
    let pages = PAGES.into_iter().map(|(path, blocks)| {
        let file = in_repository(path);
        let blocks: Vec<_> = blocks
            .iter()
            .map(|(name, make)| (*name, content(*make)))
            .collect();
        let page = fs::read_to_string(&file).map_err(|error| error.to_string());
        page.and_then(|page| filled(&page, blocks))
            .map(|page| (file, page))
            .map_err(|error| format!("{path}: {error}"))
    });
    pages.collect()
}

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn both(figures: &Figures, subject: Subject, call: &str, under: Under, what: What) -> String {
    let of = |percent| number(figures.percentile(subject, call, under, what, percent));
    format!("{} / {}", of(50), of(99))
}

/// Every subject with every function it has.
fn subjects() -> impl Iterator<Item = (Subject, &'static str)> {
    [Call::FOUND, Call::CREATED].into_iter().flat_map(|call| {
        let all = Subject::WITH_PRODUCTS.into_iter();
        all.map(move |subject| (subject, call.name))
    })
}

fn name(subject: Subject, call: &str) -> String {
    if subject == Subject::Hello {
        subject.name().to_owned()
    } else {
        format!("{}: {}", function(call), subject.name())
    }
}

/// Where, when and how often it was measured.
fn facts(run: &Run) -> String {
    let mut facts = run.place_and_time.clone();
    facts.extend([
        ("rounds", run.rounds.to_string()),
        (
            "warm calls of a subject in a round",
            format!(
                "{WARM}; {WARM_OF_A_SIZE} with each size of a product; {WARM_UNDER_A_QUOTA} with \
                 each share of a CPU"
            ),
        ),
        (
            "a share of a CPU is given anew",
            format!("every {} ms", PERIOD.as_millis()),
        ),
        ("certificates in the system's file", run.roots.to_string()),
        (
            "DynamoDB's time for a response",
            format!("{} ms", run.delay),
        ),
    ]);
    let rows = facts
        .into_iter()
        .map(|(name, value)| row([name.to_owned(), value]));
    head(["this run", ""]) + &rows.collect::<String>()
}

/// The figures that most readers compare, for find.
fn summary(run: &Run) -> String {
    let names = FIGURES.map(|figure| figure.name);
    let mut table = head([""].into_iter().chain(names));
    for subject in Subject::WITH_PRODUCTS {
        let cells = FIGURES.map(|figure| {
            let Figure {
                what, under, unit, ..
            } = figure;
            if run.figures.has(under) {
                let value = run.figures.p50(subject, Call::FOUND.name, under, what);
                format!("{} {unit}", number(value))
            } else {
                "not measured".to_owned()
            }
        });
        table += &row([subject.name().to_owned()].into_iter().chain(cells));
    }
    table
}

fn starts(run: &Run) -> String {
    let columns = [
        ("start to first `/next`", What::Init),
        ("start to first response", What::FirstResponse),
        ("first call", What::First),
        ("its CPU", What::FirstCpu),
        ("warm call", What::Warm),
        ("its CPU", What::WarmCpu),
        ("peak RSS, MB", What::Memory),
    ];
    let names = columns.map(|column| column.0);
    let mut table = head([""].into_iter().chain(names).chain(["code, KB", "zip, KB"]));
    for (subject, call) in subjects().chain([(Subject::Hello, Call::FOUND.name)]) {
        let (code, zip) = run.sizes[&(subject, call)];
        let measured =
            columns.map(|(_, what)| both(&run.figures, subject, call, Under::Nothing, what));
        let sizes = [code, zip].map(|bytes| number(1000.0 * megabytes(bytes)));
        table += &row([name(subject, call)]
            .into_iter()
            .chain(measured)
            .chain(sizes));
    }
    table
}

fn responses(run: &Run) -> String {
    let columns = [What::FirstResponse, What::First, What::Warm, What::WarmCpu];
    let mut table = head([
        "response",
        "start to first response",
        "first call",
        "warm call",
        "its CPU",
    ]);
    for (call, status) in Call::ALL.into_iter().zip([201, 409, 200, 404]) {
        let measured =
            columns.map(|what| both(&run.figures, Subject::Ours, call.name, Under::Nothing, what));
        let cell = format!("{status}, {}", call.name);
        table += &row([cell].into_iter().chain(measured));
    }
    table
}

fn throttled(run: &Run) -> String {
    if let Some(error) = &run.no_quota {
        return format!("Not measured: no control group is available ({error}).\n");
    }
    let unders: Vec<_> = MEMORIES
        .map(Under::Memory)
        .into_iter()
        .chain([Under::Nothing])
        .collect();
    let names = unders.iter().flat_map(|under| match under {
        Under::Memory(memory) => {
            let percent = 100.0 * share(*memory);
            [
                format!("{memory} MB, {percent:.1} %: first call"),
                "warm call".to_owned(),
            ]
        }
        _ => ["a whole CPU: first call", "warm call"].map(ToOwned::to_owned),
    });
    let names: Vec<_> = names.collect();
    let mut table = head([""].into_iter().chain(names.iter().map(String::as_str)));
    for (subject, call) in subjects().chain([(Subject::Hello, Call::FOUND.name)]) {
        let measured = unders.iter().flat_map(|under| {
            [What::First, What::Warm].map(|what| both(&run.figures, subject, call, *under, what))
        });
        table += &row([name(subject, call)].into_iter().chain(measured));
    }
    table
}

/// Warm calls by the size of the product.
fn grown(run: &Run) -> String {
    let sizes = SIZES.map(|size| format!("{size} KB"));
    let mut table = head(
        [""].into_iter()
            .chain(sizes.iter().flat_map(|size| [size.as_str(), "its CPU"])),
    );
    for (subject, call) in subjects() {
        let measured = SIZES.into_iter().flat_map(|size| {
            [What::Warm, What::WarmCpu]
                .map(|what| both(&run.figures, subject, call, Under::Size(size), what))
        });
        table += &row([name(subject, call)].into_iter().chain(measured));
    }
    table
}

/// Warm calls of this service by the size of the table.
fn tables(run: &Run) -> String {
    let figures = &run.figures;
    let mut table = head(["items", "find, warm", "its CPU", "create, warm", "its CPU"]);
    for items in ITEMS
        .into_iter()
        .filter(|items| figures.has(Under::Items(*items)))
    {
        let measured = [Call::FOUND, Call::CREATED].into_iter().flat_map(|call| {
            [What::Warm, What::WarmCpu]
                .map(|what| both(figures, Subject::Ours, call.name, Under::Items(items), what))
        });
        let text = match items {
            1_000_000.. => format!("{} million", items / 1_000_000),
            _ => items.to_string(),
        };
        table += &row([text].into_iter().chain(measured));
    }
    table
}
