//! Unusual and damaged events, and events that are not from API Gateway.

use catalog::ProductRepository;
use local::{Function, LocalDynamoDb};
use serde_json::{Value, json};
use tests::{product, products_at};

pub const CREATE: &str = include_str!("../events/create-on-DEV.json");
pub const FIND: &str = include_str!("../events/find-on-DEV.json");
pub const FIND_ON_AN_HTTP_API: &str = include_str!("../events/find-on-an-http-api.json");

pub async fn products() -> ProductRepository {
    let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    products_at(&dynamodb.url())
}

/// An event with some values replaced; the last name in a pointer may be new.
pub fn with(event: &str, changes: &[(&str, Value)]) -> String {
    let mut event: Value = serde_json::from_str(event).expect("JSON");
    for (pointer, value) in changes {
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        event.pointer_mut(parent).expect("a parent")[name] = value.clone();
    }
    event.to_string()
}

/// The status, the problem's name if it is one, and the whole response.
pub async fn outcome_of(
    function: Function,
    products: &ProductRepository,
    event: &str,
) -> (String, Value) {
    let response = function.invoke(products, event).await.expect("a response");
    // A 304 has none.
    let body = response["body"].as_str().filter(|body| !body.is_empty());
    let body: Value = serde_json::from_str(body.unwrap_or("null")).expect("JSON");
    let name = body["type"]
        .as_str()
        .and_then(|name| name.split(':').next_back());
    let outcome = format!("{} {}", response["statusCode"], name.unwrap_or_default());
    (outcome.trim_end().to_owned(), response)
}

#[tokio::test(start_paused = true)]
async fn bodies_can_be_base64_and_invalid_base64_is_rejected() {
    let products = &products().await;
    for (base64, response) in [
        // {"id":"1","title":"t","description":"","price":1}
        (
            "eyJpZCI6IjEiLCJ0aXRsZSI6InQiLCJkZXNjcmlwdGlvbiI6IiIsInByaWNlIjoxfQ==",
            "201",
        ),
        // "\xff", an overlong "/", a surrogate in UTF-8, and nothing.
        ("Iv8i", "400 malformed-body"),
        ("IsCvIg==", "400 malformed-body"),
        ("Iu2ggCI=", "400 malformed-body"),
        ("", "400 malformed-body"),
        // Invalid base64: alphabet, padding, length.
        ("{}", "400 malformed-request"),
        ("e30", "400 malformed-request"),
        ("e30=e30=", "400 malformed-request"),
        ("e", "400 malformed-request"),
        ("é", "400 malformed-request"),
    ] {
        let changes = [("/body", base64.into()), ("/isBase64Encoded", true.into())];
        let (got, refused) = outcome_of(Function::Create, products, &with(CREATE, &changes)).await;
        assert_eq!(got, response, "{base64}");
        let media_type = &refused["headers"]["content-type"];
        let expected = if response == "201" {
            "application/json"
        } else {
            "application/problem+json"
        };
        assert_eq!(media_type, expected, "{base64}");
    }
}

/// API Gateway passes a caller's header on, which may not be text, or may have several lines.
#[tokio::test(start_paused = true)]
async fn headers_that_are_not_text_are_dropped_and_all_lines_of_one_are_read() {
    let products = &products().await;
    outcome_of(Function::Create, products, CREATE).await;
    for value in ["é", "\u{0}", "a\r\nset-cookie: b", "\u{202e}", "\u{7f}"] {
        for (form, value) in [
            ("/headers/X-Name", json!(value)),
            ("/multiValueHeaders/X-Name", json!([value, "a"])),
        ] {
            let (got, _) = outcome_of(
                Function::Find,
                products,
                &with(FIND, &[(form, value.clone())]),
            )
            .await;
            assert_eq!(got, "200", "{form} {value}");
        }
        let event = with(FIND_ON_AN_HTTP_API, &[("/headers/x-name", value.into())]);
        assert_eq!(
            outcome_of(Function::Find, products, &event).await.0,
            "200",
            "{value}"
        );
    }
    let bad_name = with(FIND, &[("/headers/a b", "c".into())]);
    assert_eq!(
        outcome_of(Function::Find, products, &bad_name).await.0,
        "200"
    );

    let etag = "\"af229eaf547f3979e936799d359af4af\"";
    for lines in [json!([etag, "\"other\""]), json!(["\"other\"", etag])] {
        let last = lines[1].clone();
        let changes = [
            ("/headers/If-None-Match", last),
            ("/multiValueHeaders/If-None-Match", lines),
        ];
        assert_eq!(
            outcome_of(Function::Find, products, &with(FIND, &changes))
                .await
                .0,
            "304"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_unusual_request_gets_a_response() {
    let products = &products().await;
    outcome_of(Function::Create, products, CREATE).await;
    for (event, changes, expected) in [
        (FIND, vec![("/headers/Host", json!("a b/@:99999"))], "200"),
        (
            FIND,
            vec![
                ("/requestContext/domainName", json!("[")),
                ("/multiValueHeaders/Host", json!([])),
                ("/headers", json!({})),
            ],
            "200",
        ),
        (
            FIND_ON_AN_HTTP_API,
            vec![("/headers/host", json!("["))],
            "200",
        ),
        (
            FIND,
            vec![("/httpMethod", json!(7))],
            "400 malformed-request",
        ),
        (
            FIND_ON_AN_HTTP_API,
            vec![("/requestContext/http/path", json!(7))],
            "400 malformed-request",
        ),
        (
            FIND,
            vec![("/pathParameters", json!(7))],
            "400 malformed-request",
        ),
        (
            FIND,
            vec![("/isBase64Encoded", json!("no"))],
            "400 malformed-request",
        ),
        // A WebSocket API's, but for its headers.
        (
            FIND_ON_AN_HTTP_API,
            vec![("/requestContext/http", Value::Null)],
            "400 malformed-request",
        ),
        (
            FIND,
            vec![("/pathParameters", Value::Null)],
            "404 product-not-found",
        ),
        (
            FIND,
            vec![("/pathParameters/id", json!("%ff"))],
            "404 product-not-found",
        ),
        (
            FIND,
            vec![("/pathParameters/id", json!("%"))],
            "404 product-not-found",
        ),
        (
            FIND,
            vec![("/pathParameters/id", json!("%00"))],
            "404 product-not-found",
        ),
        (
            FIND,
            vec![("/pathParameters/id", json!("../../etc/passwd"))],
            "404 product-not-found",
        ),
        (
            FIND,
            vec![("/pathParameters/id", json!("x".repeat(1_000_000)))],
            "404 product-not-found",
        ),
    ] {
        let (got, response) = outcome_of(Function::Find, products, &with(event, &changes)).await;
        assert_eq!(got, expected, "{changes:?}");
        // In the format that both kinds of API accept.
        assert!(response["headers"]["content-type"].is_string());
    }
}

/// Half a surrogate pair is valid JSON but not valid text. API Gateway passes it on.
#[tokio::test(start_paused = true)]
async fn half_a_surrogate_pair_is_malformed_wherever_it_is() {
    let products = &products().await;
    outcome_of(Function::Create, products, CREATE).await;
    for (function, event, pointer) in [
        (Function::Create, CREATE, "/body"),
        (Function::Create, CREATE, "/headers/X-Name"),
        (Function::Create, CREATE, "/requestContext/path"),
        (Function::Find, FIND, "/pathParameters/id"),
        (Function::Find, FIND, "/queryStringParameters"),
        (Function::Find, FIND_ON_AN_HTTP_API, "/rawPath"),
        (Function::Find, FIND_ON_AN_HTTP_API, "/requestContext/http"),
    ] {
        for half in [r"\ud800", r"\udc00", r"\ud800\ud800", r"\udc00\ud800"] {
            let event = with(event, &[(pointer, "here".into())]);
            let event = event.replace("\"here\"", &format!("\"{half}\""));
            let (got, _) = outcome_of(function, products, &event).await;
            assert_eq!(got, "400 malformed-request", "{pointer} {half}");
        }
    }
}

/// An HTTP API decodes the path even if it uses the format of a REST API's events.
#[tokio::test(start_paused = true)]
async fn an_id_is_decoded_once_whatever_the_format_of_the_event() {
    let products = &products().await;
    for (stored, parameter, version) in [
        ("100% wool", "100% wool", Some("1.0")),
        ("a%20b", "a%20b", Some("1.0")),
        ("a%20b", "a%2520b", None),
        ("a b", "a%20b", None),
        ("%", "%25", None),
        ("%25", "%25", Some("1.0")),
    ] {
        let body = product(stored, stored, "", "1").to_string();
        outcome_of(
            Function::Create,
            products,
            &with(CREATE, &[("/body", body.into())]),
        )
        .await;
        let mut changes = vec![("/pathParameters/id", json!(parameter))];
        changes.extend(version.map(|version| ("/version", json!(version))));
        let (got, found) = outcome_of(Function::Find, products, &with(FIND, &changes)).await;
        assert_eq!(got, "200", "{parameter} {version:?}");
        let found: Value =
            serde_json::from_str(found["body"].as_str().expect("a body")).expect("JSON");
        assert_eq!(found["id"], stored, "{parameter} {version:?}");
    }
}

/// Found by the fuzzer: an event with a duplicate name still gets a response.
#[tokio::test(start_paused = true)]
async fn an_event_with_a_duplicate_name_gets_a_response() {
    let twice =
        |event: &str| event.replacen("\"requestId\"", "\"requestId\": \"1\", \"requestId\"", 1);
    let products = &products().await;
    for event in [FIND, FIND_ON_AN_HTTP_API] {
        let (response, _) = outcome_of(Function::Find, products, &twice(event)).await;
        assert_eq!(response, "404 product-not-found");
    }
}

/// A function with another event source reports an error and continues: a response would hide the
/// mistake.
#[tokio::test(start_paused = true)]
async fn an_event_of_another_kind_is_an_error() {
    let products = &products().await;
    let alb = r#"{"requestContext":{"elb":{"targetGroupArn":"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/a/b"}},"httpMethod":"GET","path":"/","queryStringParameters":{},"headers":{"host":"a"},"body":"","isBase64Encoded":false}"#;
    let s3 = r#"{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"canary"}}}]}"#;
    for function in Function::ALL {
        for event in [
            alb,
            s3,
            "{}",
            "[]",
            "null",
            "\"\"",
            "1",
            r#"{"requestContext":null}"#,
        ] {
            let error = function
                .invoke(products, event)
                .await
                .expect_err(event)
                .to_string();
            assert!(
                error.contains("expects a JSON payload from Amazon API Gateway"),
                "{error}"
            );
            assert!(!error.contains("canary"), "{error}");
        }
        for no_json in ["", "{", "\0", "{\"a\":\"\u{1}\"}"] {
            function.invoke(products, no_json).await.expect_err(no_json);
        }
    }
    // A function URL sends an HTTP API's events, but has no routes, so no path parameters.
    let url = with(
        FIND_ON_AN_HTTP_API,
        &[
            ("/pathParameters", Value::Null),
            ("/routeKey", "$default".into()),
        ],
    );
    assert_eq!(
        outcome_of(Function::Find, products, &url).await.0,
        "404 product-not-found"
    );
}
