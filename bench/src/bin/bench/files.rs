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

/// The day, the machine and its programs: a name and a value of each fact.
pub async fn place_and_time() -> Vec<(&'static str, String)> {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut models = processors
        .lines()
        .filter_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = models.next().map_or("unknown", |(_, model)| model);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown").to_owned();
    let date = said("date", &["--utc", "+%F %H:%M UTC"]).await;
    let system = said("uname", &["--kernel-name", "--kernel-release", "--machine"]).await;
    let rust = said("rustc", &["--version"]).await;
    let rust = rust.split(" (").next().expect("words");
    let node = said("node", &["--version"]).await;
    let python = said("python3", &["--version"]).await;
    vec![
        ("date", date),
        (
            "machine",
            format!("{} cores, {model}, {system}", models.count() + 1),
        ),
        ("load before the run, one-minute average", load),
        ("versions", format!("{rust}, Node {node}, {python}")),
    ]
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
