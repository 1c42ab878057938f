//! `POST /product/create`: adds a product to the catalog.

use catalog::{Created, Outcome, Problem, Product, ProductRepository, json};
use lambda_http::http::HeaderMap;
use lambda_http::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt, Response};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// The method and resource that the function serves.
pub const ROUTE: &str = "POST /product/create";

/// Marks the response to a request that repeats an earlier one. A convention of payment APIs.
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The longest body to read, in bytes: a product of DynamoDB's 400 KB with each byte written as
/// six, such as `\u0041`. Only white space or zeros at the end of a price could make a body longer.
const MAX_BODY_BYTES: usize = 6 * 400 * 1024;

/// Creates the product in the body of the request.
///
/// # Errors
///
/// The problem to respond with, if the request is not valid or the product cannot be stored.
pub async fn create(
    products: &ProductRepository,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    require_json(request.headers())?;
    require_size(request.body())?;
    let product = Product::from_json(request.body())?;
    Ok(match products.create(&product).await? {
        Created::Now => with_header(
            json(Outcome::Created, &product),
            LOCATION,
            location(request, &product),
        ),
        Created::Before => with_header(
            json(Outcome::Replayed, &product),
            IDEMPOTENT_REPLAYED,
            "true".to_owned(),
        ),
    })
}

/// Takes a body without a content type as JSON: callers of the original never sent one.
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
        Some(value) if !is_json(value) => Err(Problem::new(Outcome::UnsupportedMediaType)),
        _ => Ok(()),
    }
}

fn require_size(body: &[u8]) -> Result<(), Problem> {
    if body.len() > MAX_BODY_BYTES {
        Err(Problem::new(Outcome::TooLarge))
    } else {
        Ok(())
    }
}

fn with_header(mut response: Response<Body>, name: HeaderName, value: String) -> Response<Body> {
    let value = HeaderValue::try_from(value).expect("visible ASCII");
    response.headers_mut().insert(name, value);
    response
}

/// The path of the product, relative to the path that the caller used: that one includes the stage
/// on API Gateway's own domain, a base path on a custom domain, and neither on a developer's
/// machine.
fn location(request: &Request, product: &Product) -> String {
    /// Everything but the unreserved characters: <https://www.rfc-editor.org/rfc/rfc3986#section-2.3>
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
