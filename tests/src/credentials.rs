use local::LocalDynamoDb;

use crate::{Fault, Faulty, Lambda};

/// Checks that the binary responds to `event` with 503 and then exits if DynamoDB rejects its
/// credentials: Lambda replaces a process that exits, and the next one has new credentials.
pub async fn ends_after_its_response(binary: &str, event: &str) {
    let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    let fault = Fault::Error("ExpiredTokenException");
    let faulty = Faulty::start(&dynamodb, fault, 1).await;
    let mut function = Lambda::start_over(binary, faulty.url()).await;
    let response = function.invoke(event).await.expect("a response");
    assert_eq!(response["statusCode"], 503, "{response}");
    let (status, events, log) = function.ended().await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert_eq!(events, 1, "it must not ask for another event");
    assert!(log.contains("DynamoDB rejected its credentials"), "{log}");
}
