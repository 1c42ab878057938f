use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::release::release;

/// The file for the rows of `docs/reliability.md` under `make reliability`, which runs every case.
fn is_full() -> Option<String> {
    std::env::var("RELIABILITY").ok()
}

/// How many of `all` cases to run: all under `make reliability`, otherwise a twentieth, at least
/// one.
#[must_use]
pub fn share(all: usize) -> usize {
    if is_full().is_some() {
        all
    } else {
        all.div_ceil(20)
    }
}

/// A function's binary as built by `cargo test`, or, under `make reliability`, the release binary.
#[must_use]
pub fn binary(built_by_test: &str) -> PathBuf {
    let built_by_test = Path::new(built_by_test);
    if is_full().is_some() {
        release(built_by_test.file_name().expect("a name"))
    } else {
        built_by_test.to_owned()
    }
}

/// Reports the number of cases of a promise under a fault, and panics if any failed.
pub fn hold(promise: &str, under: &str, cases: usize, failures: &[String]) {
    println!(
        "{promise} | {under} | {cases} cases | {} failures",
        failures.len()
    );
    if let Some(file) = is_full() {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(file)
            .expect("a file");
        let row = format!("| {promise} | {under} | {cases} | {} |\n", failures.len());
        file.write_all(row.as_bytes()).expect("written");
    }
    assert!(cases > 0, "{promise}: no case was run");
    assert!(failures.is_empty(), "{promise}, {under}: {failures:#?}");
}
