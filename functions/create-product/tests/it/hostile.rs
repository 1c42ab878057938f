//! The binary survives any input, and its log discloses nothing of callers and operators.

use local::LocalDynamoDb;
use serde_json::{Value, json};
use tests::{Fault, Faulty, Lambda, create_event, is_acknowledged, product};

const BINARY: &str = env!("CARGO_BIN_EXE_create-product");

/// Text that must not be disclosed.
const CANARY: &str = "canary\r\n\u{1b}[2J2026-01-01T00:00:00Z INFO forged=true";

fn event(body: &str, is_base64: bool) -> String {
    let mut event = create_event(body);
    event["isBase64Encoded"] = is_base64.into();
    event["path"] = format!("/{CANARY}").into();
    event["queryStringParameters"] = json!({ CANARY: CANARY });
    event["multiValueHeaders"]["User-Agent"] = json!([CANARY]);
    event["multiValueHeaders"]["Authorization"] = json!(["Bearer canary"]);
    event["multiValueHeaders"]["X-Api-Key"] = json!(["canary"]);
    event.to_string()
}

#[tokio::test]
async fn it_survives_and_logs_no_product_and_no_secret() {
    let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    // Fails the first request that reaches DynamoDB.
    let fault = Fault::Error("AccessDeniedException");
    let faulty = Faulty::start(&dynamodb, fault, 1).await;
    let mut function = Lambda::start_over(BINARY, faulty.url()).await;
    let sent = product("canary", CANARY, CANARY, "1.00").to_string();
    for (event, status) in [
        (event(&sent, false), Some(500)),
        (event(CANARY, true), Some(400)),
        (event(CANARY, false), Some(400)),
        (event(r#"{"canary":1}"#, false), Some(422)),
        (
            json!({ "Records": [{ "canary": CANARY }] }).to_string(),
            None,
        ),
        ("canary".to_owned(), None),
    ] {
        match (function.invoke(&event).await, status) {
            (Ok(response), Some(status)) => {
                assert_eq!(response["statusCode"], status, "{response}");
            }
            (Err(error), None) => assert!(!error.to_string().contains("canary"), "{error}"),
            (response, _) => panic!("{event} got {response:?}"),
        }
    }
    // A byte that is not UTF-8, and half a surrogate pair.
    let half = event(r"\ud800", false).replace(r"\\ud800", r"\ud800");
    let invalid = event("canary", false)
        .replace("canary", "canary\u{1}")
        .into_bytes();
    let invalid: Vec<_> = invalid
        .into_iter()
        .map(|byte| if byte == 1 { 0xff } else { byte })
        .collect();
    for event in [half.as_bytes(), &invalid] {
        let response = function.invoke(event).await.expect("a response");
        assert_eq!(response["statusCode"], 400, "{response}");
    }
    let created = function.insist(&event(&sent, false)).await;
    let created = created.expect("a response");
    assert!(is_acknowledged(&created), "{created}");

    let log = function.kill().await;
    for secret in ["canary", "forged", "\u{1b}[2J", Lambda::SECRET] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
    // It is really the log that was searched: it contains the failed request, and the reason.
    let failed: Value = serde_json::from_str(&event("", false)).expect("JSON");
    let request_id = failed["requestContext"]["requestId"]
        .as_str()
        .expect("an id");
    assert!(log.contains(request_id), "{log}");
    assert!(log.contains("AccessDeniedException"), "{log}");
}
