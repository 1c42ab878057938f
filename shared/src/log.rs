use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use lambda_http::{Body, Request, Response, tracing};

use crate::request_id;

/// Whether this process has answered nobody yet.
static COLD: AtomicBool = AtomicBool::new(true);

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
        latency_ms = begin.elapsed().as_secs_f64() * 1000.0,
        cold_start = COLD.swap(false, Relaxed),
        "answered"
    );
    response
}
