//! What is deployed, and where it is measured.

use std::fs;

use bench::{Call, zip_size};
use tokio::process::Command;

use crate::subject::Subject;

/// The size of what is deployed of a subject, in bytes: as it is, and as its zip.
pub async fn sizes(subject: Subject, call: &Call) -> (u64, u64) {
    let file = subject.file(call);
    let size = fs::metadata(&file).expect("a file").len();
    (size, zip_size(&file).await)
}

/// The machine and the day, in a sentence.
pub async fn place_and_time() -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut models = processors
        .lines()
        .filter_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = models.next().map_or("unknown", |(_, model)| model);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown").to_owned();
    format!(
        "{} UTC, {} cores ({model}), {}, {}, Node {}, {}. Before the run, {load} processes wanted a core on average.",
        said("date", &["--utc", "+%F %H:%M"]).await,
        models.count() + 1,
        said("uname", &["--kernel-name", "--kernel-release", "--machine"]).await,
        said("rustc", &["--version"])
            .await
            .split(" (")
            .next()
            .expect("words"),
        said("node", &["--version"]).await,
        said("python3", &["--version"]).await,
    )
}

async fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().await;
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} fails");
    String::from_utf8(output.stdout)
        .expect("text")
        .trim()
        .to_owned()
}
