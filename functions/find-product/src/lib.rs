//! `GET /product/find/{id}`: shows a product of the catalog.

use std::pin::pin;

use catalog::{Problem, ProductId, ProductRepository, found, logged};
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt, Response};
use percent_encoding::percent_decode_str;

/// Answers a request for the product named in its path; every failure is an answer, too.
pub async fn handle(products: &ProductRepository, request: Request) -> Response<Body> {
    // Pinned, because it is large, and would be moved from each function to the next.
    let answer = pin!(async {
        find(products, &request)
            .await
            .unwrap_or_else(|problem| problem.into_response(&request))
    });
    logged("GET /product/find/{id}", &request, answer).await
}

async fn find(products: &ProductRepository, request: &Request) -> Result<Response<Body>, Problem> {
    let id = wanted(request).ok_or_else(Problem::product_not_found)?;
    let product = products.find(&id).await?;
    Ok(found(&product, request.headers()))
}

/// The id in the path; none when no product can have it.
fn wanted(request: &Request) -> Option<ProductId> {
    let parameters = request.path_parameters_ref()?;
    let id = parameters.first("id")?;
    let id = match request.request_context_ref()? {
        // A REST API leaves the path as the caller wrote it. An HTTP API decodes it.
        RequestContext::ApiGatewayV1(_) => percent_decode_str(id).decode_utf8().ok()?,
        _ => id.into(),
    };
    ProductId::parse(id).ok()
}
