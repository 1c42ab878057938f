//! Counts the instructions of init, first and warm call of both release binaries, and holds them against
//! bench/limits.toml: `make bench-instructions`.
//!
//! Callgrind counts them, the same on a busy machine as on a quiet one. What each part costs is the difference
//! between runs that end after it. A folder, as an argument, keeps their profiles.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use std::{env, fs, process};

use bench::{Call, Canned};
use tests::{Lambda, release};
use tokio::process::Command;

/// Between two runs a count differs by some per mille: hash maps are seeded.
const TOLERANCE_PERCENT: u64 = 3;
const WARM_CALLS: u64 = 20;

const VALGRIND: &str = "/usr/bin/valgrind";
/// Callgrind is some fifty times slower than the processor, so that priming would be out of time: the function's
/// clock goes as much slower. What that costs is left out.
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
    let profile = env::temp_dir().join(format!("product-catalog-callgrind-{}", process::id()));
    let mut command = Command::new(VALGRIND);
    command
        .args(["--quiet", "--tool=callgrind"])
        .arg(format!("--callgrind-out-file={}", profile.display()))
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
    let text = fs::read_to_string(&profile).expect("callgrind's profile");
    if let Some(folder) = env::args_os().nth(1) {
        let kept = format!("callgrind.{}.{calls}", call.package);
        fs::copy(&profile, Path::new(&folder).join(kept)).expect("a copy");
    }
    fs::remove_file(&profile).expect("it is gone");
    instructions(&text)
}

/// All that a profile counts, but for [`FAKETIME`]'s.
/// <https://valgrind.org/docs/manual/cl-format.html>
fn instructions(profile: &str) -> u64 {
    // The first line that names a file gives it a number, and further ones have the number alone.
    let slow = profile.lines().find_map(|line| {
        let line = line.strip_suffix(FAKETIME)?.trim_end();
        line.split_once("ob=").map(|(_, number)| number)
    });
    let (mut all, mut slowing) = (0, 0);
    let (mut is_slow, mut is_called) = (false, false);
    for line in profile.lines() {
        let mut words = line.split(' ');
        let first = words.next().unwrap_or_default();
        if let Some(object) = first.strip_prefix("ob=") {
            is_slow = Some(object) == slow;
        } else if first.starts_with("calls=") {
            // The next line has what the called function took, which is counted there.
            is_called = true;
        } else if first.starts_with([
            '+', '-', '*', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9',
        ]) {
            let count: u64 = words
                .next()
                .and_then(|count| count.parse().ok())
                .expect("a count");
            if !is_called {
                all += count;
                slowing += if is_slow { count } else { 0 };
            }
            is_called = false;
        }
    }
    let summary = profile
        .lines()
        .find_map(|line| line.strip_prefix("summary: "));
    assert_eq!(
        Some(all.to_string().as_str()),
        summary,
        "every line was understood"
    );
    all - slowing
}
