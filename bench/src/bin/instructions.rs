//! Counts the instructions of init, first and warm call of both release binaries, and holds them against
//! bench/limits.toml: `make bench-instructions`.
//!
//! Callgrind counts them, the same on a busy machine as on a quiet one. What each part costs is the difference
//! between runs that end after it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use std::{env, fs, process};

use bench::{Call, Canned, release};
use tests::Lambda;
use tokio::process::Command;

/// Between two runs a count differs by some per mille: hash maps are seeded.
const TOLERANCE_PERCENT: u64 = 3;
const WARM_CALLS: u64 = 20;

const VALGRIND: &str = "/usr/bin/valgrind";
/// Callgrind is some fifty times slower than the processor, so that priming would be out of time: the function's
/// clock goes as much slower. That costs each call some 30,000 instructions, which the figures have in them.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

type Limits = BTreeMap<String, BTreeMap<String, u64>>;

#[tokio::main]
async fn main() {
    for tool in [VALGRIND, FAKETIME] {
        if !Path::new(tool).exists() {
            eprintln!(
                "error: {tool} is not there: install Debian's valgrind and faketime (x86-64)"
            );
            process::exit(1);
        }
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("limits.toml");
    let text = fs::read_to_string(&file).expect("bench/limits.toml");
    let limits: Limits = toml::from_str(&text).expect("limits");
    let dynamodb = Canned::start(Duration::ZERO).await;
    let mut over = 0;
    for call in [Call::FOUND, Call::CREATED] {
        let init = count(&dynamodb, &call, 0).await;
        let first = count(&dynamodb, &call, 1).await;
        let warm = count(&dynamodb, &call, 1 + WARM_CALLS).await;
        for (part, counted) in [
            ("init", init),
            ("first", first.saturating_sub(init)),
            ("warm", warm.saturating_sub(first) / WARM_CALLS),
        ] {
            let limit = limits[call.package][part];
            let verdict = if counted > limit + limit * TOLERANCE_PERCENT / 100 {
                over += 1;
                "OVER THE LIMIT"
            } else if counted < limit - limit * TOLERANCE_PERCENT / 100 {
                "lower the limit in bench/limits.toml"
            } else {
                "within the limit"
            };
            let package = call.package;
            println!("{package:<14} {part:<5} {counted:>9} of {limit:>9} instructions: {verdict}");
        }
    }
    process::exit(i32::from(over > 0));
}

/// The instructions of a run that ends after so many calls.
async fn count(dynamodb: &Canned, call: &Call, calls: u64) -> u64 {
    let log = env::temp_dir().join(format!("product-catalog-callgrind-{}", process::id()));
    let mut command = Command::new(VALGRIND);
    command
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(format!("--log-file={}", log.display()))
        .arg(release(call.package));
    let slow = [("LD_PRELOAD", FAKETIME), ("FAKETIME", "+0 x0.02")];
    let variables = [&dynamodb.variables()[..], &slow].concat();
    let mut function = Lambda::start_by(command, &variables).await;
    function.asks().await;
    for _ in 0..calls {
        let answer = function.invoke(&call.event()).await.expect("an answer");
        call.check(&answer);
        function.asks().await;
    }
    function.end().await;
    let text = fs::read_to_string(&log).expect("callgrind's log");
    fs::remove_file(&log).expect("it is gone");
    text.lines()
        .find_map(|line| line.split_once("Collected : "))
        .and_then(|(_, count)| count.trim().parse().ok())
        .unwrap_or_else(|| panic!("there is no count in {text}"))
}
