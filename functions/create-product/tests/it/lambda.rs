//! The binary, started as Lambda starts it and configured as it configures every AWS SDK.

use local::LocalDynamoDb;
use tests::{is_acknowledged, refuses_to_start};

const BINARY: &str = env!("CARGO_BIN_EXE_create-product");
const EVENT: &str = include_str!("../../../../tests/events/create-on-DEV.json");

#[tokio::test]
async fn it_creates_what_its_events_ask_for() {
    let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    let variables = [
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_ENDPOINT_URL", &dynamodb.url()),
        ("AWS_REGION", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("DYNAMODB_TABLE", LocalDynamoDb::TABLE),
    ];
    let responses = tests::invoke(BINARY, &variables, &[EVENT, EVENT]).await;
    assert!(is_acknowledged(&responses[0]), "{}", responses[0]);
    assert_eq!(
        responses[1]["statusCode"], 200,
        "it continues, and the product exists"
    );
}

/// A misconfigured function exits before its first event, and says why in one sentence.
#[test]
fn without_its_variables_it_exits_and_says_why() {
    let variables = [
        ("ALLOW_ORIGIN", "https://shop.example.com"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_REGION", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("DYNAMODB_TABLE", LocalDynamoDb::TABLE),
        ("EXPOSE_HEADERS", "ETag"),
    ];
    for (name, value) in [
        ("ALLOW_ORIGIN", "*"),
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_REGION", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("DYNAMODB_TABLE", ""),
        ("EXPOSE_HEADERS", ""),
        ("AWS_ENDPOINT_URL", "localhost:8000"),
        ("AWS_CA_BUNDLE", "/no/such/file"),
    ] {
        refuses_to_start(BINARY, &variables, name, value);
    }
}

#[tokio::test]
async fn with_expired_credentials_it_responds_and_then_exits() {
    tests::ends_after_its_response(env!("CARGO_BIN_EXE_create-product"), EVENT).await;
}

#[tokio::test]
async fn pages_of_the_allowed_origin_can_read_its_responses() {
    tests::responds_to_pages(BINARY, EVENT).await;
}
