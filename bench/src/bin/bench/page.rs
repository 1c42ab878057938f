//! docs/performance.md: what stands between its markers.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use bench::Call;

use crate::figures::{Figures, Under, What};
use crate::markdown::{head, megabytes, number, row, wrapped};
use crate::quota::{MEMORIES, PERIOD, share};
use crate::run::{Run, function};
use crate::subject::Subject;
use crate::{ITEMS, SIZES, WARM, WARM_OF_A_SIZE, WARM_UNDER_A_QUOTA, bars};

const BEGIN: &str = "<!-- `make bench` writes what follows. -->\n";
const END: &str = "<!-- The end of what `make bench` writes. -->\n";

/// Puts what was measured in the place of what was there.
pub fn write(page: &str, start: &str, size: &str) {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let put = |name: &str, text: &str| fs::write(docs.join(name), text).expect("written");
    let before = fs::read_to_string(docs.join("performance.md")).expect("docs/performance.md");
    put("performance.md", &with(&before, page));
    put("performance-start.svg", start);
    put("performance-size.svg", size);
}

/// The text with the page between its markers, and all else as it was.
fn with(text: &str, page: &str) -> String {
    let (before, rest) = text
        .split_once(BEGIN)
        .expect("the first marker in docs/performance.md");
    let (_, after) = rest
        .split_once(END)
        .expect("the second marker in docs/performance.md");
    format!("{before}{BEGIN}\n{page}\n{END}{after}")
}

/// The text between the markers.
pub fn page(run: &Run) -> String {
    let mut text = format!(
        "{} {} rounds; in each, the subjects run one after the other, with {WARM} warm calls. Each figure is p50 / p99, \
         in milliseconds unless it says otherwise; of {} starts, p99 is the slowest. KB and MB are 1,000 and 1,000,000 \
         bytes.",
        run.machine, run.rounds, run.rounds
    );
    if run.delay > 0 {
        write!(text, " DynamoDB took {} ms for each response.", run.delay).expect("text");
    }
    let mut page = wrapped(&text);
    page += "\n## Targets\n\n";
    page += &bars::table(run);
    page += "\n## A start and its calls, with a whole CPU\n\n";
    page += &starts(run);
    page += "\n![From start to first response](performance-start.svg)\n";
    page += "\n";
    page += &wrapped(&beside(run.roots));
    page += "\n## Each kind of response\n\n";
    page += &paths(&run.figures);
    page += "\n## With the CPU of a small function\n\n";
    let throttled = match &run.no_quota {
        None => throttled(&run.figures),
        Some(error) => format!("Not measured: no control group is available ({error}).\n"),
    };
    page += &throttled;
    page += "\n## Growing with the product\n\n";
    page += &grown(&run.figures);
    page += "\n![A warm call by the size of the product](performance-size.svg)\n";
    page += "\n## Growing with the table\n\n";
    page += &tables(&run.figures);
    page
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

fn paths(figures: &Figures) -> String {
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
            columns.map(|what| both(figures, Subject::Ours, call.name, Under::Nothing, what));
        let cell = format!("{status}, {}", call.name);
        table += &row([cell].into_iter().chain(measured));
    }
    table
}

fn throttled(figures: &Figures) -> String {
    let unders: Vec<_> = MEMORIES
        .map(Under::Memory)
        .into_iter()
        .chain([Under::Nothing])
        .collect();
    let names = unders.iter().flat_map(|under| match under {
        Under::Memory(memory) => [format!("first at {memory} MB"), "warm".to_owned()],
        _ => ["first with a whole CPU".to_owned(), "warm".to_owned()],
    });
    let names: Vec<_> = names.collect();
    let mut table = head([""].into_iter().chain(names.iter().map(String::as_str)));
    for (subject, call) in subjects().chain([(Subject::Hello, Call::FOUND.name)]) {
        let measured = unders.iter().flat_map(|under| {
            [What::First, What::Warm].map(|what| both(figures, subject, call, *under, what))
        });
        table += &row([name(subject, call)].into_iter().chain(measured));
    }
    let shares = MEMORIES.map(|memory| format!("{:.1} %", 100.0 * share(memory)));
    table
        + "\n"
        + &wrapped(&format!(
            "Lambda gives a function of 1,769 MB one CPU, and a smaller one a proportional share: {}. A control group limits \
             the share in each period of {} ms, from the first `/next` on: init has a whole CPU. AWS does not document \
             the period on Lambda. Each round has {WARM_UNDER_A_QUOTA} warm calls, far enough apart not to affect each \
             other.",
            shares.join(", "),
            PERIOD.as_millis(),
        ))
}

fn grown(figures: &Figures) -> String {
    let sizes = SIZES.map(|size| format!("{size} KB"));
    let mut table = head(
        [""].into_iter()
            .chain(sizes.iter().flat_map(|size| [size.as_str(), "its CPU"])),
    );
    for (subject, call) in subjects() {
        let measured = SIZES.into_iter().flat_map(|size| {
            [What::Warm, What::WarmCpu]
                .map(|what| both(figures, subject, call, Under::Size(size), what))
        });
        table += &row([name(subject, call)].into_iter().chain(measured));
    }
    table
        + "\n"
        + &wrapped(&format!(
            "Warm calls, {WARM_OF_A_SIZE} of each size in a round. The size is that of the description."
        ))
}

fn tables(figures: &Figures) -> String {
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
        + "\n"
        + &wrapped(
            "This service with the embedded DynamoDB, without TLS. The CPU time is the function's; the rest of a call is the \
             emulator's, and says nothing about DynamoDB. Each call finds or creates another product.",
        )
}

/// What a reader must know to compare the subjects.
fn beside(roots: usize) -> String {
    format!(
        "Nothing was measured on AWS: Lambda's runtime API is emulated on this machine, and so is a DynamoDB behind TLS \
         that responds at once. There is no network, no sandbox to start and no code to download, which a cold start on \
         Lambda adds for every subject. All are built for x86-64; a deployment's zips, for arm64, differ.

The subjects do different work. This service validates a product, never overwrites one, verifies DynamoDB's checksum, \
         reads consistently, reports every mistake and logs a line for each request. Documentation's Rust is what the \
         documentation of the SDK and of lambda_http shows ([bench/peers](../bench/peers)), with default features and \
         the release profile, whose binary keeps its symbols: it does not validate, and a put overwrites. Node does the \
         same with the SDK bundled by esbuild, and so does Python with boto3, which responds like the original sample: \
         200 and boto3's response, also for a missing product. Both create their client during init; the original \
         sample created one for each request. Their loop over the runtime API is our own, and shorter than Lambda's. \
         Hello world is lambda_runtime without TLS, DynamoDB or products: the lower bound.

Documentation's Rust and Python read the system's {roots} certificates and the test's own, as on Lambda; Node has its \
         roots compiled in, and also reads the test's own. This service has five compiled in, and reads them from a file \
         here, with the test's own. Code is the binary, Node's bundle, or Python's source: boto3 and Node come with \
         Lambda's runtimes."
    )
}

#[cfg(test)]
mod tests {
    use super::{BEGIN, END, with};

    #[test]
    fn what_is_written_by_hand_is_kept() {
        let first = with(&format!("before\n{BEGIN}old\n{END}after\n"), "new");
        assert_eq!(first, format!("before\n{BEGIN}\nnew\n{END}after\n"));
        assert_eq!(with(&first, "new"), first);
    }
}
