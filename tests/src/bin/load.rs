//! Sends requests to `cargo run` from 64 concurrent callers for a minute, four finds for each
//! create: `make load`.
//!
//! The catalog is in a file, because a table in memory grows with every product. A caller retries
//! after a 503, as every client should. On a busy machine, an SDK attempt can exceed its time-out
//! of a second. Each unusual response is printed, with the API's log lines about it.

use std::env;
use std::error::Error;
use std::fs;
use std::iter;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use reqwest::RequestBuilder;
use serde_json::Value;
use tests::{Client, echo, hold};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::sleep;

const CALLERS: usize = 64;
const TIME: Duration = Duration::from_mins(1);
/// By then, all one-time allocations have happened.
const WARM: Duration = Duration::from_secs(10);
const FINDS_PER_CREATE: usize = 4;

static CREATED: AtomicUsize = AtomicUsize::new(0);
static FOUND: AtomicUsize = AtomicUsize::new(0);
static SENT_AGAIN: AtomicUsize = AtomicUsize::new(0);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let binary = env::args().nth(1).expect("the path of `local`");
    let folder = env::temp_dir().join(format!("product-catalog-load-{}", std::process::id()));
    fs::create_dir(&folder).expect("a folder");
    let (process, url) = start(&binary, &folder.join("catalog.db")).await;

    let begin = Instant::now();
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let client = Client::of(&url);
        callers.spawn(async move { call(&client, caller, begin).await });
    }
    sleep(WARM).await;
    let warm = peak_memory(&process);
    let results = callers.join_all().await;
    let end = peak_memory(&process);

    let mut failures: Vec<_> = results
        .iter()
        .flat_map(|(_, failures)| failures.clone())
        .collect();
    let client = Client::of(&url);
    let acknowledged: Vec<_> = results
        .into_iter()
        .flat_map(|(products, _)| products)
        .collect();
    for product in &acknowledged {
        failures.extend(lost(&client, product).await);
    }
    println!(
        "created {}, found {} in {TIME:?}, {} of them retried after a 503; peak memory {warm} KB after {WARM:?}, {end} KB at the end",
        CREATED.load(SeqCst),
        FOUND.load(SeqCst),
        SENT_AGAIN.load(SeqCst)
    );
    drop(process);
    fs::remove_dir_all(&folder).expect("it is gone");

    let under = format!("{CALLERS} callers at once for {} s", TIME.as_secs());
    let cases = CREATED.load(SeqCst) + FOUND.load(SeqCst);
    hold(
        "a call succeeds, or gets a 503 and succeeds when it is retried; nothing acknowledged is lost",
        &under,
        cases,
        &failures,
    );
    let grown = (end * 10 > warm * 11).then(|| format!("from {warm} KB to {end} KB"));
    hold(
        "peak memory grows by at most 10 % after the first 10 s",
        &under,
        1,
        &Vec::from_iter(grown),
    );
}

/// Starts the API as `cargo run` does, and returns its URL.
async fn start(binary: &str, data: &Path) -> (Child, String) {
    let mut process = Command::new(binary)
        .args(["--port", "0", "--data"])
        .arg(data)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("a process");
    let mut output = BufReader::new(process.stdout.take().expect("its output")).lines();
    while let Some(line) = output.next_line().await.expect("text") {
        if let Some((_, rest)) = line.split_once("listens on ") {
            let url = rest.split(' ').next().expect("a URL");
            let url = url.to_owned();
            // A program blocks if nobody reads its output.
            tokio::spawn(async move {
                while let Ok(Some(line)) = output.next_line().await {
                    if line.contains("WARN") || line.contains("ERROR") {
                        println!("{line}");
                    }
                }
            });
            return (process, url);
        }
    }
    panic!("it ended without a welcome");
}

/// One caller, which repeatedly creates a product and then finds four of its products.
async fn call(client: &Client, caller: usize, begin: Instant) -> (Vec<Value>, Vec<String>) {
    let (mut acknowledged, mut failures) = (Vec::new(), Vec::new());
    while begin.elapsed() < TIME {
        let n = acknowledged.len();
        let sent = echo(&format!("{caller}-{n}"));
        match response_of(|| client.create(sent.to_string())).await {
            (201, _) => acknowledged.push(sent),
            (200, body) => {
                // An attempt timed out after it had stored the product.
                println!("200, not 201: {body}");
                acknowledged.push(sent);
            }
            other => {
                failures.push(format!("create {caller}-{n}: {other:?}"));
                break;
            }
        }
        CREATED.fetch_add(1, SeqCst);
        for step in 1..=FINDS_PER_CREATE {
            let wanted = &acknowledged[n * step / FINDS_PER_CREATE];
            failures.extend(lost(client, wanted).await);
            FOUND.fetch_add(1, SeqCst);
        }
    }
    (acknowledged, failures)
}

/// What is wrong with an acknowledged product, if anything is.
async fn lost(client: &Client, product: &Value) -> Option<String> {
    let id = product["id"].as_str().expect("an id");
    let (status, body) = response_of(|| client.find(id)).await;
    let found: Option<Value> = serde_json::from_str(&body).ok();
    (found.as_ref() != Some(product)).then(|| format!("find {id}: {status} {body}"))
}

/// The status and body of the first response that is not a 503, or of the tenth; 0 and the causes
/// if there is no response.
async fn response_of(request: impl Fn() -> RequestBuilder) -> (u16, String) {
    let mut sent = 0;
    loop {
        sent += 1;
        let since = Instant::now();
        let (status, retry_after, body) = match response(request()).await {
            Ok(response) => response,
            Err(error) => (0, None, causes(&error)),
        };
        if ![200, 201].contains(&status) {
            println!("{status} after {:?}: {body}", since.elapsed());
        }
        match retry_after {
            Some(seconds) if status == 503 && sent < 10 => {
                SENT_AGAIN.fetch_add(1, SeqCst);
                sleep(Duration::from_secs(seconds)).await;
            }
            _ => return (status, body),
        }
    }
}

async fn response(request: RequestBuilder) -> reqwest::Result<(u16, Option<u64>, String)> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    let retry_after = response.headers().get("retry-after");
    let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
    Ok((status, retry_after, response.text().await?))
}

/// An error with all its causes.
fn causes(error: &dyn Error) -> String {
    let causes = iter::successors(Some(error), |&error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// The peak memory of a process so far, in KB (Linux).
fn peak_memory(process: &Child) -> u64 {
    let id = process.id().expect("it runs");
    let status = fs::read_to_string(format!("/proc/{id}/status")).expect("Linux");
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("a peak");
    peak.trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number")
}
