//! What both functions have in common.

use lambda_http::{Body, Error, Response};
use serde::{Deserialize, Serialize};

/// A product of the catalog.
#[derive(Deserialize, Serialize)]
pub struct Product {
    pub id: String,
    pub title: String,
    pub description: String,
    pub price: String,
}

/// A response in JSON.
pub fn respond(status: u16, body: String) -> Result<Response<Body>, Error> {
    Ok(Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(body.into())?)
}
