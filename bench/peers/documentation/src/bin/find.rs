//! `GET /product/find/{id}`, the plain way.

use std::env;

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use documentation::{Product, respond};
use lambda_http::{Body, Error, Request, RequestExt, Response, run, service_fn, tracing};

async fn find(client: &Client, request: Request) -> Result<Response<Body>, Error> {
    let parameters = request.path_parameters();
    let id = parameters.first("id").ok_or("no id")?;
    let found = client
        .get_item()
        .table_name(env::var("DYNAMODB_TABLE")?)
        .key("id", AttributeValue::S(id.to_owned()))
        .send()
        .await?;
    let Some(item) = found.item else {
        return respond(404, r#"{"message":"not found"}"#.to_owned());
    };
    let text = |name: &str| Some(item.get(name)?.as_s().ok()?.clone());
    let product = Product {
        id: text("id").ok_or("no id")?,
        title: text("title").ok_or("no title")?,
        description: text("description").ok_or("no description")?,
        price: item["price"].as_n().map_err(|_| "no price")?.clone(),
    };
    respond(200, serde_json::to_string(&product)?)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let client = &Client::new(&config);
    run(service_fn(move |request| find(client, request))).await
}
