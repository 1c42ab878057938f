//! Prints the possible log contents as JSON, for tests in other languages: every outcome and, if
//! `AWS_LAMBDA_LOG_FORMAT` is `JSON`, a line with every field and one about a panic.

use catalog::{Cors, Outcome, init_log, serve};
use create_product::{ROUTE, create};
use lambda_runtime::{Context, LambdaEvent};
use local::LocalDynamoDb;
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    init_log();
    let outcomes = Outcome::ALL.map(|outcome| {
        json!({
            "name": outcome.name(),
            "status": outcome.status().as_u16(),
            "title": outcome.title(),
        })
    });
    println!("{}", json!(outcomes));

    let event = include_str!("../../events/create-on-product.json");
    let mut context = Context::default();
    context.request_id = 1.to_string();
    context.xray_trace_id = Some("Root=1-2-3".to_owned());
    let event = LambdaEvent::new(serde_json::from_str(event).expect("JSON"), context);
    let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    serve(ROUTE, &Cors::default(), &dynamodb.products(), event, create)
        .await
        .expect("an event of API Gateway");
    let panicked = tokio::spawn(async { panic_on_purpose() });
    panicked.await.expect_err("a panic");
}

#[inline(never)]
fn panic_on_purpose() {
    panic!("on purpose");
}
