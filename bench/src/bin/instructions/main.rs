//! `hold ARCHITECTURE`: holds the release binaries to bench/limits.toml, with the instructions of
//! init, of a first and a warm call by curl, and of a warm call by a browser, and with the size of
//! the zip. `profile FOLDER`: writes callgrind's profiles to a folder.

mod callgrind;
mod counter;
mod slow;
mod tools;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs};

use bench::{Call, Canned, zip_size};
use counter::Counter;
use tests::release;

/// Two runs differ by a few per mille: hash maps are seeded.
const TOLERANCE_PERCENT: u64 = 1;

/// A limit by architecture, package and part.
type Limits = BTreeMap<String, BTreeMap<String, BTreeMap<String, u64>>>;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["hold", architecture @ ("arm64" | "x86_64")] => hold(architecture).await,
        ["profile", folder] => callgrind::profile(Path::new(folder)).await,
        _ => {
            Err("usage: instructions hold arm64|x86_64, or instructions profile FOLDER".to_owned())
        }
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

/// Fails when anything is over its limit.
async fn hold(architecture: &str) -> Result<ExitCode, String> {
    let counter = Counter::new(architecture)?;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("limits.toml");
    let text = fs::read_to_string(&file).expect("bench/limits.toml");
    let limits: Limits = toml::from_str(&text).expect("limits");
    let dynamodb = Canned::start(Duration::ZERO).await;
    let mut result = ExitCode::SUCCESS;
    for call in [Call::FOUND, Call::CREATED] {
        let package = call.package;
        let [init, first, warm] = counter.count(&dynamodb, &call).await;
        let [_, _, browser] = counter.count(&dynamodb, &call.clone().by_browser()).await;
        let zip = zip_size(&release(package)).await;
        for (part, measured, unit) in [
            ("init", init, "instructions"),
            ("first", first, "instructions"),
            ("warm", warm, "instructions"),
            ("browser", browser, "instructions"),
            ("zip", zip, "bytes"),
        ] {
            let limit = limits[architecture][package][part];
            let tolerance = limit * TOLERANCE_PERCENT / 100;
            let verdict = if measured > limit + tolerance {
                result = ExitCode::FAILURE;
                "OVER THE LIMIT"
            } else if measured < limit - tolerance {
                "lower the limit in bench/limits.toml"
            } else {
                "within the limit"
            };
            println!("{package:<14} {part:<7} {measured:>9} of {limit:>9} {unit}: {verdict}");
        }
    }
    Ok(result)
}
