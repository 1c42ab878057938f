//! The API reference, as a page that can send requests.
//!
//! Scalar renders it: of the renderers that can send requests, it is the most readable, with the
//! problems as a chapter and the examples next to the schemas. Its crate contains it as one script,
//! so neither the build nor the page downloads anything. Swagger UI would be a third of the size.

use std::io::Read;
use std::sync::LazyLock;

use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    VARY,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use flate2::read::GzDecoder;
use serde_json::json;
use serde_yaml_ng::Value;

use crate::accept_encoding::codings;

/// What the page can load, and where it can send requests: only this server.
const ONLY_FROM_HERE: &str = "default-src 'self'; font-src 'self' data:; img-src 'self' data:; \
    script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'";

/// Scalar's script, which `build.rs` compresses.
const SCRIPT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/scalar.js.gz"));

/// `/docs`, what it loads, and a redirect from `/`.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/", get(async || Redirect::temporary("/docs")))
        .route("/docs", get(page))
        .route("/docs/", get(page))
        .route("/docs/openapi.json", get(contract))
        .route("/docs/scalar.js", get(script))
}

async fn page() -> impl IntoResponse {
    let page = Html(include_str!("docs.html"));
    ([(CONTENT_SECURITY_POLICY, ONLY_FROM_HERE)], page)
}

async fn script(request: HeaderMap) -> Response {
    // gzip ends with the checksum and the length of the original. The tag is weak because it is the
    // same with and without gzip.
    static ETAG_OF_SCRIPT: LazyLock<HeaderValue> = LazyLock::new(|| {
        let end = SCRIPT.last_chunk().copied().map(u64::from_be_bytes);
        let tag = format!("W/\"{:016x}\"", end.expect("gzip has 18 bytes or more"));
        HeaderValue::try_from(tag).expect("hex digits in quotes")
    });
    let headers = [
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (CONTENT_TYPE, HeaderValue::from_static("text/javascript")),
        (ETAG, ETAG_OF_SCRIPT.clone()),
        (VARY, HeaderValue::from_static("accept-encoding")),
    ];
    // Browsers send only the tag that they have, never a list.
    if request.get(IF_NONE_MATCH) == Some(&ETAG_OF_SCRIPT) {
        (StatusCode::NOT_MODIFIED, headers).into_response()
    } else if accepts_gzip(&request) {
        (headers, [(CONTENT_ENCODING, "gzip")], SCRIPT).into_response()
    } else {
        let mut script = Vec::new();
        let mut gzip = GzDecoder::new(SCRIPT);
        gzip.read_to_end(&mut script).expect("what was compressed");
        (headers, script).into_response()
    }
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    codings(headers).any(|(name, q)| name.eq_ignore_ascii_case("gzip") && q > 0.0)
}

/// `openapi.yaml` with this server as the only one, under the host and port in the browser's
/// address.
async fn contract() -> impl IntoResponse {
    static CONTRACT: LazyLock<String> = LazyLock::new(|| {
        let contract = include_str!("../../openapi.yaml");
        let mut contract: Value = serde_yaml_ng::from_str(contract).expect("openapi.yaml is YAML");
        let here = json!([{ "url": "/", "description": "`cargo run`" }]);
        contract["servers"] = serde_yaml_ng::to_value(here).expect("YAML");
        // Converted from YAML directly, which keeps the order of the fields.
        serde_json::to_string(&contract).expect("JSON")
    });
    ([(CONTENT_TYPE, "application/json")], CONTRACT.as_str())
}
