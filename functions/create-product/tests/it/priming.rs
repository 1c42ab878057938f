//! What the binary does before its first event.

use tests::primed;

/// A call that writes nothing and may be denied. The start does not depend on its result.
#[tokio::test]
async fn it_connects_to_dynamodb_and_starts_whatever_the_result() {
    let event = include_str!("../../../../tests/events/create-on-DEV.json");
    let (call, statuses) = primed(env!("CARGO_BIN_EXE_create-product"), event).await;
    assert_eq!(
        call,
        r#"DynamoDB_20120810.PutItem {"TableName":"PRODUCT_CATALOG","Item":{}}"#
    );
    assert_eq!(statuses, [500, 503, 503]);
}
