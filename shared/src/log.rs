use std::env;
use std::io::{Write, stdout};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::primitives::{DateTime, DateTimeFormat};
use lambda_http::{Body, Request, RequestExt, Response};
use serde::Serialize;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt;

use crate::metrics::Metadata;
use crate::observe::{Call, observed};
use crate::request_id;
use crate::response::{invocation_id, outcome};
use crate::trace::{trace_call, trace_id};

/// Whether this process has answered nobody yet.
static COLD: AtomicBool = AtomicBool::new(true);

/// Whether the log is JSON.
static JSON: OnceLock<bool> = OnceLock::new();

/// Starts the log of a function on its standard output, as Lambda's
/// [logging controls](https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html)
/// say: in JSON or in text, from a level on, which is `INFO` if it is none that `tracing` has.
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
    let json = env::var("AWS_LAMBDA_LOG_FORMAT").is_ok_and(|format| format == "JSON");
    if json {
        log.json().flatten_event(true).with_span_list(false).init();
    } else {
        // Lambda puts the time before a line of text.
        log.with_ansi(false).without_time().init();
    }
    JSON.set(json).expect("one log");
}

/// Waits for the answer to `request` on `route` and writes one line about
/// it to the log, with nothing in it that the caller sent. In JSON, the
/// line has the metrics in it, and is written whatever the level.
pub async fn logged(
    route: &'static str,
    request: &Request,
    answer: impl Future<Output = Response<Body>>,
) -> Response<Body> {
    let begin = Instant::now();
    let (response, call) = observed(answer).await;
    let line = Line::of(route, request, &response, call.as_ref(), begin.elapsed());
    if JSON.get() == Some(&true) {
        line.write_as_json();
    } else {
        line.write_as_text();
    }
    if let (Some(call), Some(trace)) = (call, trace(request)) {
        trace_call(trace, &call);
    }
    response
}

/// X-Ray's header for the invocation.
fn trace(request: &Request) -> Option<&str> {
    request.lambda_context_ref()?.xray_trace_id.as_deref()
}

/// An answer, in the fields of Lambda's own lines, and with its metrics.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    timestamp: String,
    level: &'static str,
    message: &'static str,
    /// Lambda's, which its lines about the start and the end of the invocation have, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    /// API Gateway's, which the caller has.
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
    fn of(
        route: &'static str,
        request: &'a Request,
        response: &Response<Body>,
        call: Option<&Call>,
        latency: Duration,
    ) -> Self {
        let context = request.lambda_context_ref();
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |now| now.as_millis().try_into().unwrap_or_default());
        let cold_start = COLD.swap(false, Relaxed);
        Self {
            timestamp: DateTime::from_millis(now)
                .fmt(DateTimeFormat::DateTime)
                .expect("a time in this millennium"),
            level: "INFO",
            message: "answered",
            request_id: invocation_id(request),
            api_request_id: request_id(request),
            xray_trace_id: trace(request).and_then(trace_id),
            route,
            status: response.status().as_u16(),
            cold_start,
            function_name: context.map_or("", |context| &context.env_config.function_name),
            outcome: outcome(response),
            requests: 1,
            cold_starts: cold_start.into(),
            latency: milliseconds(latency),
            dynamodb_latency: call.map(|call| milliseconds(call.latency())),
            dynamodb_retries: call.map(Call::retries),
            metadata: Metadata::of(now, call.is_some()),
        }
    }

    fn write_as_json(&self) {
        let line = serde_json::to_string(self).expect("a line can be written as JSON");
        // Where nobody reads the log, callers get their answers all the same.
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
