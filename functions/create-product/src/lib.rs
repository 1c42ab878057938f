//! `POST /product/create`: takes a product into the catalog.

use std::pin::pin;

use catalog::{Created, Problem, Product, ProductRepository, json, logged};
use lambda_http::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use lambda_http::http::{HeaderMap, StatusCode};
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt, Response};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// Answers a request to create the product in its body; every failure is an answer, too.
pub async fn handle(products: &ProductRepository, request: Request) -> Response<Body> {
    // Pinned, because it is large, and would be moved from each function to the next.
    let answer = pin!(async {
        create(products, &request)
            .await
            .unwrap_or_else(|problem| problem.into_response(&request))
    });
    logged("POST /product/create", &request, answer).await
}

async fn create(
    products: &ProductRepository,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    require_json(request.headers())?;
    require_size(request.body())?;
    let product = Product::from_json(request.body())?;
    Ok(match products.create(&product).await? {
        Created::Now => with_header(
            json(StatusCode::CREATED, "created", &product),
            LOCATION,
            location(request, &product),
        ),
        Created::Before => with_header(
            json(StatusCode::OK, "replayed", &product),
            IDEMPOTENT_REPLAYED,
            "true".to_owned(),
        ),
    })
}

/// Says that the answer is that of an earlier, equal request. A custom of payment APIs.
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The longest body that can hold a product: DynamoDB's 400 KB for an item, each byte of it
/// written in six, as `\u0041` is.
const MAX_BODY_BYTES: usize = 6 * 400 * 1024;

/// A body without a content type is taken as JSON: the original's callers never sent one.
fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let is_json = |value: &HeaderValue| {
        let media_type = value
            .to_str()
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default();
        media_type.trim().eq_ignore_ascii_case("application/json")
    };
    match headers.get(CONTENT_TYPE) {
        Some(value) if !is_json(value) => Err(Problem::unsupported_media_type()),
        _ => Ok(()),
    }
}

fn require_size(body: &[u8]) -> Result<(), Problem> {
    if body.len() > MAX_BODY_BYTES {
        Err(Problem::too_large())
    } else {
        Ok(())
    }
}

fn with_header(mut response: Response<Body>, name: HeaderName, value: String) -> Response<Body> {
    let value = HeaderValue::try_from(value).expect("visible ASCII");
    response.headers_mut().insert(name, value);
    response
}

/// Where the product is found, beside the path that the caller used: that one has the stage on
/// API Gateway's own domain, a base path on a custom one, and neither on a developer's machine.
fn location(request: &Request, product: &Product) -> String {
    /// All but the unreserved characters: <https://www.rfc-editor.org/rfc/rfc3986#section-2.3>
    const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');

    let path = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV1(context)) => context.path.as_deref(),
        Some(RequestContext::ApiGatewayV2(context)) => context.http.path.as_deref(),
        _ => None,
    };
    let base = path
        .and_then(|path| path.trim_end_matches('/').strip_suffix("/product/create"))
        .unwrap_or_default();
    format!(
        "{}/product/find/{}",
        utf8_percent_encode(base, CONTROLS),
        utf8_percent_encode(product.id.as_str(), RESERVED)
    )
}
