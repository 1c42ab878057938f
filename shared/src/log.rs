use std::env;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use lambda_http::{Body, Request, Response};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt;

use crate::request_id;

/// Whether this process has answered nobody yet.
static COLD: AtomicBool = AtomicBool::new(true);

/// Starts the log of a function on its standard output, as Lambda's [logging
/// controls](https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html) say: in JSON or in
/// text, from a level on, which is `INFO` if it is none that `tracing` has.
///
/// # Panics
///
/// When the process has a log already.
pub fn init_log() {
    let level = env::var("AWS_LAMBDA_LOG_LEVEL").ok();
    let level = level.and_then(|level| level.parse().ok());
    let log = fmt()
        .with_max_level(level.unwrap_or(LevelFilter::INFO))
        .with_target(false);
    if env::var("AWS_LAMBDA_LOG_FORMAT").is_ok_and(|format| format == "JSON") {
        log.json().flatten_event(true).with_span_list(false).init();
    } else {
        // Lambda puts the time before a line of text.
        log.with_ansi(false).without_time().init();
    }
}

/// Waits for the answer of `function` to `request` and writes one line about it to the log, with nothing in it
/// that the caller sent.
pub async fn logged(
    function: &str,
    request: &Request,
    answer: impl Future<Output = Response<Body>>,
) -> Response<Body> {
    let begin = Instant::now();
    let response = answer.await;
    tracing::info!(
        request_id = request_id(request),
        function,
        status = response.status().as_u16(),
        // To the microsecond.
        latency_ms = (begin.elapsed().as_secs_f64() * 1e6).round() / 1e3,
        cold_start = COLD.swap(false, Relaxed),
        "answered"
    );
    response
}
