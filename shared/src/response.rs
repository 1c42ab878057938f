use lambda_http::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS,
};
use lambda_http::http::{HeaderMap, StatusCode};
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::Product;

/// What became of a request, in a word, for the log and the metrics.
#[derive(Clone, Copy)]
struct Outcome(&'static str);

pub(crate) fn outcome(response: &Response<Body>) -> &'static str {
    let outcome = response.extensions().get::<Outcome>();
    outcome.expect("every answer is made here").0
}

/// An answer with `body` as JSON, not to be cached, and with what became of the request, in a word.
///
/// # Panics
///
/// When `body` cannot be written as JSON, such as a map whose keys are no strings.
pub fn json(status: StatusCode, outcome: &'static str, body: &impl Serialize) -> Response<Body> {
    let body = serde_json::to_string(body).expect("an answer can be written as JSON");
    let mut response = Response::new(Body::Text(body));
    *response.status_mut() = status;
    response.extensions_mut().insert(Outcome(outcome));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The answer to a caller who asked for `product`: 200, or 304 when the caller has it already.
///
/// Caches may keep it and must ask each time, because a product can change in the table.
#[must_use]
pub fn found(product: &Product, asked: &HeaderMap) -> Response<Body> {
    let mut response = json(StatusCode::OK, "found", product);
    let etag = etag(response.body());
    if has_already(asked, &etag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.extensions_mut().insert(Outcome("not-modified"));
        *response.body_mut() = Body::Empty;
        response.headers_mut().remove(CONTENT_TYPE);
    }
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(ETAG, etag);
    response
}

/// Half a SHA-256 of the body: the same on every build and machine,
/// which `std`'s hashers don't promise.
fn etag(body: &[u8]) -> HeaderValue {
    let hash = Sha256::digest(body);
    let half = hash
        .first_chunk()
        .copied()
        .map(u128::from_be_bytes)
        .expect("SHA-256 has 32 bytes");
    HeaderValue::try_from(format!("\"{half:032x}\"")).expect("hex digits in quotes")
}

/// `If-None-Match` compares weakly: <https://www.rfc-editor.org/rfc/rfc9110#field.if-none-match>
fn has_already(asked: &HeaderMap, etag: &HeaderValue) -> bool {
    asked
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == "*" || tag == etag)
}

/// The id that Lambda gave the invocation. There is none on a developer's machine.
pub(crate) fn invocation_id(request: &Request) -> Option<&str> {
    let id = &request.lambda_context_ref()?.request_id;
    (!id.is_empty()).then_some(id)
}

/// The id that API Gateway gave the request and tells its caller in `x-amzn-RequestId`.
pub fn request_id(request: &Request) -> Option<&str> {
    match request.request_context_ref()? {
        RequestContext::ApiGatewayV1(context) => context.request_id.as_deref(),
        RequestContext::ApiGatewayV2(context) => context.request_id.as_deref(),
        _ => None,
    }
}
