//! The reference of the API, as a page that can send requests.
//!
//! Scalar renders it: of the renderers that can send requests, it reads best, with the problems as
//! a chapter and the examples next to the schemas. Its crate contains it as one script, so that
//! neither the build nor the page downloads anything. Swagger UI would be a third of the size.

use std::sync::LazyLock;

use axum::Router;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Redirect};
use axum::routing::get;
use serde_json::json;
use serde_yaml_ng::Value;

/// What the page can load, and where it can send requests: only this server.
const ONLY_FROM_HERE: &str = "default-src 'self'; font-src 'self' data:; img-src 'self' data:; \
    script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'";

/// `/docs`, what it loads, and a redirect from `/`.
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
        // Parts that call Scalar's servers, or look as if they did.
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

/// `openapi.yaml` with this server as the only one, whatever its port and the name in the browser.
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
