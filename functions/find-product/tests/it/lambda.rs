//! The binary, started as Lambda starts it and configured as it configures every AWS SDK.

use local::{Function, LocalDynamoDb};
use serde_json::Value;

const CREATE: &str = include_str!("../../../../tests/events/create-on-DEV.json");
const FIND: &str = include_str!("../../../../tests/events/find-on-DEV.json");

#[tokio::test]
async fn it_finds_what_its_events_ask_for() {
    let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    let variables = [
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_ENDPOINT_URL", &dynamodb.url()),
        ("AWS_REGION", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("DYNAMODB_TABLE", LocalDynamoDb::TABLE),
    ];
    let created = Function::Create
        .invoke(&dynamodb.products(), CREATE)
        .await
        .expect("a response");
    let responses = tests::invoke(
        env!("CARGO_BIN_EXE_find-product"),
        &variables,
        &[FIND, FIND],
    )
    .await;
    for response in responses {
        assert_eq!(response["statusCode"], Value::from(200));
        assert_eq!(response["body"], created["body"]);
    }
}

#[tokio::test]
async fn with_expired_credentials_it_responds_and_then_exits() {
    tests::ends_after_its_response(env!("CARGO_BIN_EXE_find-product"), FIND).await;
}

#[tokio::test]
async fn pages_of_the_allowed_origin_can_read_its_responses() {
    tests::responds_to_pages(env!("CARGO_BIN_EXE_find-product"), FIND).await;
}
