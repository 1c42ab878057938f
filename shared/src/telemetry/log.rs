use std::env;
use std::io::{Write, stdout};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::primitives::{DateTime, DateTimeFormat};
use serde::Serialize;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt;

use super::call::Call;
use super::metrics::Metadata;
use super::panic::log_panics;
use super::trace::trace_id;

/// True until the first response of this process.
static COLD: AtomicBool = AtomicBool::new(true);

/// Whether the log is JSON.
static JSON: OnceLock<bool> = OnceLock::new();

/// Starts a function's log on standard output, in the format and from the level set by Lambda's
/// [logging controls](https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html).
/// A level that `tracing` lacks means `INFO`. Panics are logged from then on, too.
///
/// # Panics
///
/// If the process already has a log.
pub fn init_log() {
    let level = env::var("AWS_LAMBDA_LOG_LEVEL").ok();
    let level = level.and_then(|level| level.parse().ok());
    let log = fmt()
        .with_max_level(level.unwrap_or(LevelFilter::INFO))
        .with_target(false);
    let json = env::var("AWS_LAMBDA_LOG_FORMAT").is_ok_and(|format| format == "JSON");
    if json {
        log.json().flatten_event(true).with_span_list(false).init();
    } else {
        // Lambda prefixes each line of text with the time.
        log.with_ansi(false).without_time().init();
    }
    JSON.set(json).expect("one log");
    log_panics();
}

/// The log entry of one response.
pub(crate) struct Entry<'a> {
    pub route: &'static str,
    pub status: u16,
    pub outcome: &'static str,
    pub function_name: &'a str,
    /// Lambda's id of the invocation.
    pub request_id: Option<&'a str>,
    /// API Gateway's id of the request.
    pub api_request_id: Option<&'a str>,
    /// X-Ray's trace header.
    pub trace_header: Option<&'a str>,
    pub latency: Duration,
    pub call: Option<&'a Call>,
}

/// Writes one line about a response, without anything that the caller sent. In JSON, the line
/// includes the metrics, and is written at any log level.
pub(crate) fn write(entry: &Entry) {
    let line = Line::of(entry);
    if JSON.get() == Some(&true) {
        line.write_as_json();
    } else {
        line.write_as_text();
    }
}

/// A log line: the fields of Lambda's own lines, and the metrics.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    timestamp: String,
    level: &'static str,
    message: &'static str,
    /// Lambda's own lines about the invocation have this id, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    /// The id that the caller gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    api_request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    xray_trace_id: Option<&'a str>,
    route: &'static str,
    status: u16,
    cold_start: bool,
    #[serde(rename = "FunctionName")]
    function_name: &'a str,
    #[serde(rename = "Outcome")]
    outcome: &'static str,
    #[serde(rename = "Requests")]
    requests: u8,
    #[serde(rename = "ColdStarts")]
    cold_starts: u8,
    #[serde(rename = "Latency")]
    latency: f64,
    #[serde(rename = "DynamoDBLatency", skip_serializing_if = "Option::is_none")]
    dynamodb_latency: Option<f64>,
    #[serde(rename = "DynamoDBRetries", skip_serializing_if = "Option::is_none")]
    dynamodb_retries: Option<u32>,
    #[serde(rename = "_aws")]
    metadata: Metadata,
}

impl<'a> Line<'a> {
    fn of(entry: &Entry<'a>) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |now| now.as_millis().try_into().unwrap_or_default());
        let cold_start = COLD.swap(false, Relaxed);
        let call = entry.call;
        Self {
            timestamp: DateTime::from_millis(now)
                .fmt(DateTimeFormat::DateTime)
                .expect("a time in this millennium"),
            level: "INFO",
            message: "responded",
            request_id: entry.request_id,
            api_request_id: entry.api_request_id,
            xray_trace_id: entry.trace_header.and_then(trace_id),
            route: entry.route,
            status: entry.status,
            cold_start,
            function_name: entry.function_name,
            outcome: entry.outcome,
            requests: 1,
            cold_starts: cold_start.into(),
            latency: milliseconds(entry.latency),
            dynamodb_latency: call.map(|call| milliseconds(call.latency())),
            dynamodb_retries: call.map(Call::retries),
            metadata: Metadata::of(now, call.is_some()),
        }
    }

    fn write_as_json(&self) {
        let line = serde_json::to_string(self).expect("a line can be written as JSON");
        // Callers get their responses even if the log cannot be written.
        writeln!(stdout(), "{line}").ok();
    }

    fn write_as_text(&self) {
        tracing::info!(
            apiRequestId = self.api_request_id,
            coldStart = self.cold_start,
            latency_ms = self.latency,
            dynamodb_ms = self.dynamodb_latency,
            dynamodb_retries = self.dynamodb_retries,
            "{} {} {}",
            self.route,
            self.status,
            self.outcome,
        );
    }
}

/// To the microsecond.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
