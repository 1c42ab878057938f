//! `POST /product/create`: adds a product to the catalog.

use catalog::{Created, Outcome, Problem, Product, ProductRepository, Rejection, json};
use lambda_http::http::HeaderMap;
use lambda_http::http::header::{
    CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION,
};
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt, Response};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// The method and resource that the function serves.
pub const ROUTE: &str = "POST /product/create";

/// Marks the response to a repeated request. A convention of payment APIs.
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The longest body to parse, in KB: a product of DynamoDB's 400 KB in which each byte is escaped
/// as six, such as `\u0041`. A longer body contains a larger product, or mostly white space.
const MAX_BODY_KB: usize = 6 * 400;

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
    let product = Product::from_json(request.body())
        .map_err(|rejection| not_a_product(rejection, request.headers()))?;
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

/// A body without a content type counts as JSON, because callers of the original never sent one.
fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let is_json = |value: &HeaderValue| {
        let media_type = value.to_str().ok().and_then(|text| text.split(';').next());
        let media_type = media_type.map(str::trim);
        media_type
            .is_some_and(|text| text.is_empty() || text.eq_ignore_ascii_case("application/json"))
    };
    if headers.get(CONTENT_TYPE).is_none_or(is_json) {
        Ok(())
    } else {
        Err(Problem::new(Outcome::UnsupportedMediaType))
    }
}

fn require_size(body: &[u8]) -> Result<(), Problem> {
    if body.len() > MAX_BODY_KB * 1024 {
        let detail = format!("a body has at most {MAX_BODY_KB} KB");
        Err(Problem::new(Outcome::TooLarge).with_detail(detail))
    } else {
        Ok(())
    }
}

/// The problem for a body that is not a product. API Gateway decodes compressed bodies but may keep
/// the header, so a content coding is an error only if the body is not JSON.
fn not_a_product(rejection: Rejection, headers: &HeaderMap) -> Problem {
    let is_identity = |value: &HeaderValue| {
        value.to_str().is_ok_and(|codings| {
            let mut codings = codings.split(',').map(str::trim);
            codings.all(|coding| coding.is_empty() || coding.eq_ignore_ascii_case("identity"))
        })
    };
    let is_encoded = !headers.get_all(CONTENT_ENCODING).iter().all(is_identity);
    if is_encoded && matches!(rejection, Rejection::NotJson(_)) {
        Problem::new(Outcome::UnsupportedMediaType)
            .with_detail("send it without a content coding")
            .with_header("accept-encoding", "identity")
    } else {
        rejection.into()
    }
}

fn with_header(mut response: Response<Body>, name: HeaderName, value: String) -> Response<Body> {
    let value = HeaderValue::try_from(value).expect("visible ASCII");
    response.headers_mut().insert(name, value);
    response
}

/// The path of the product, derived from the path that the caller used, which includes the stage on
/// API Gateway's own domain, a base path on a custom domain, and neither on a developer's machine.
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
    // API Gateway ignores trailing and repeated slashes when it routes, but passes them on.
    let base = path
        .and_then(|path| path.trim_end_matches('/').strip_suffix("/create"))
        .and_then(|path| path.trim_end_matches('/').strip_suffix("/product"))
        .map(|path| path.trim_end_matches('/'))
        .unwrap_or_default();
    format!(
        "{}/product/find/{}",
        utf8_percent_encode(base, CONTROLS),
        utf8_percent_encode(product.id.as_str(), RESERVED)
    )
}
