//! The reference of the API, as a page that can try it.
//!
//! By Scalar, of the renderers that try a request from the page the one that
//! reads best: the problems as a chapter, the examples beside the schemas.
//! Its own crate brings it as one script; nothing is fetched, neither by the
//! build nor by the page. Swagger UI would be a third of the size.

use std::sync::LazyLock;

use axum::Router;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Redirect};
use axum::routing::get;
use serde_json::json;
use serde_yaml_ng::Value;

/// What the page may load and whom it may ask: nobody but the server that it came from.
const ONLY_FROM_HERE: &str = "default-src 'self'; font-src 'self' data:; img-src 'self' data:; \
    script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'";

/// `/docs`, what it loads, and the way there from `/`.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/", get(async || Redirect::temporary("/docs")))
        .route("/docs", get(page))
        .route("/docs/openapi.json", get(contract))
        .route("/docs/scalar.js", get(script))
}

async fn page() -> impl IntoResponse {
    let configuration = json!({
        "url": "/docs/openapi.json",
        "favicon": "data:,",
        "metaData": { "title": "Product catalog" },
        "orderSchemaPropertiesBy": "preserve",
        // What talks to Scalar's servers, or looks as if it did.
        "agent": { "disabled": true },
        "hideClientButton": true,
        "mcp": { "disabled": true },
        "showDeveloperTools": "never",
        "telemetry": false,
        "withDefaultFonts": false,
    });
    let page = scalar_api_reference::scalar_html(&configuration, Some("/docs/scalar.js"));
    ([(CONTENT_SECURITY_POLICY, ONLY_FROM_HERE)], Html(page))
}

async fn script() -> impl IntoResponse {
    static SCRIPT: LazyLock<Vec<u8>> =
        LazyLock::new(|| scalar_api_reference::get_asset("scalar.js").expect("its script"));
    ([(CONTENT_TYPE, "text/javascript")], SCRIPT.as_slice())
}

/// `openapi.yaml`, with this server as the only one: whatever its
/// port and by whatever name the caller knows it.
async fn contract() -> impl IntoResponse {
    static CONTRACT: LazyLock<String> = LazyLock::new(|| {
        let contract = include_str!("../../openapi.yaml");
        let mut contract: Value = serde_yaml_ng::from_str(contract).expect("openapi.yaml is YAML");
        let here = json!([{ "url": "/", "description": "`cargo run`" }]);
        contract["servers"] = serde_yaml_ng::to_value(here).expect("YAML");
        // Straight from YAML, which keeps the order of the fields.
        serde_json::to_string(&contract).expect("JSON")
    });
    ([(CONTENT_TYPE, "application/json")], CONTRACT.as_str())
}
