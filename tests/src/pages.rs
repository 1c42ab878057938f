use local::LocalDynamoDb;

use crate::invoke;

/// Checks that pages of the origin in the binary's environment can read its responses to `event`
/// and to one that is malformed.
pub async fn responds_to_pages(binary: &str, event: &str) {
    let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    let variables = [
        ("ALLOW_ORIGIN", "https://shop.example.com"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_ENDPOINT_URL", &dynamodb.url()),
        ("AWS_REGION", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("DYNAMODB_TABLE", LocalDynamoDb::TABLE),
        ("EXPOSE_HEADERS", "ETag, Location"),
    ];
    let malformed = r#"{"requestContext":{"apiId":"a","requestId":"b"},"body":1}"#;
    let responses = invoke(binary, &variables, &[event, malformed]).await;
    assert_eq!(responses[1]["statusCode"], 400);
    for response in responses {
        let headers = &response["headers"];
        for (name, value) in [
            ("access-control-allow-origin", "https://shop.example.com"),
            ("access-control-expose-headers", "ETag, Location"),
            ("vary", "Accept-Encoding, Origin"),
        ] {
            assert_eq!(headers[name], value, "{response}");
        }
    }
}
