//! What the binary does before its first event.

use tests::primed;

/// A call that reads nothing and may be denied. The start does not depend on its result.
#[tokio::test]
async fn it_connects_to_dynamodb_and_starts_whatever_the_result() {
    let event = include_str!("../../../../tests/events/find-on-DEV.json");
    let (call, statuses) = primed(env!("CARGO_BIN_EXE_find-product"), event).await;
    assert_eq!(
        call,
        r#"DynamoDB_20120810.GetItem {"TableName":"PRODUCT_CATALOG","Key":{"id":{"S":""}}}"#
    );
    assert_eq!(statuses, [500, 503, 503]);
}
