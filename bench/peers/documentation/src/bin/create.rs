//! `POST /product/create`, the plain way.

use std::env;

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use documentation::{Product, respond};
use lambda_http::{Body, Error, Request, Response, run, service_fn, tracing};

async fn create(client: &Client, request: Request) -> Result<Response<Body>, Error> {
    let product: Product = serde_json::from_slice(request.body())?;
    client
        .put_item()
        .table_name(env::var("DYNAMODB_TABLE")?)
        .item("id", AttributeValue::S(product.id.clone()))
        .item("title", AttributeValue::S(product.title.clone()))
        .item(
            "description",
            AttributeValue::S(product.description.clone()),
        )
        .item("price", AttributeValue::N(product.price.clone()))
        .send()
        .await?;
    respond(201, serde_json::to_string(&product)?)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let client = &Client::new(&config);
    run(service_fn(move |request| create(client, request))).await
}
