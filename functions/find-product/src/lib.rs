//! `GET /product/find/{id}`: returns a product of the catalog.

mod etag;

use catalog::{Outcome, Problem, ProductId, ProductRepository, empty, json};
use lambda_http::http::header::{CACHE_CONTROL, ETAG, HeaderValue};
use lambda_http::{Body, Request, RequestExt, Response};

/// The method and resource that the function serves.
pub const ROUTE: &str = "GET /product/find/{id}";

/// Finds the product whose id is in the path, or responds with 304 if the caller already has it.
///
/// # Errors
///
/// The problem to respond with, if there is no such product or it cannot be read.
pub async fn find(
    products: &ProductRepository,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let id = id(request).ok_or_else(|| Problem::new(Outcome::ProductNotFound))?;
    let product = products.find(&id).await?;
    let mut response = json(Outcome::Found, &product);
    let etag = etag::of(response.body());
    if etag::matches(&etag, request.headers()) {
        response = empty(Outcome::NotModified);
    }
    // An administrator can change a product, so a cache must revalidate it each time.
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(ETAG, etag);
    Ok(response)
}

/// The id in the path, or `None` if no product can have it.
fn id(request: &Request) -> Option<ProductId> {
    let parameters = request.path_parameters_ref()?;
    ProductId::parse(parameters.first("id")?).ok()
}
