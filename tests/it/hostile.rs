//! Hostile input: named cases. laws.rs has any event at all.

use std::collections::BTreeMap;

use catalog::ProductRepository;
use local::{Function, LocalDynamoDb};
use serde_json::{Value, json};
use tests::{Catalog, product, products_at};

pub const CREATE: &str = include_str!("../events/create-on-DEV.json");
pub const FIND: &str = include_str!("../events/find-on-DEV.json");
pub const FIND_ON_AN_HTTP_API: &str = include_str!("../events/find-on-an-http-api.json");

pub async fn products() -> ProductRepository {
    let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    products_at(&dynamodb.url())
}

/// An event with some of it replaced; a pointer's last name may be new.
fn with(event: &str, changes: &[(&str, Value)]) -> String {
    let mut event: Value = serde_json::from_str(event).expect("JSON");
    for (pointer, value) in changes {
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        event.pointer_mut(parent).expect("a parent")[name] = value.clone();
    }
    event.to_string()
}

/// The status, the problem's name if it is one, and the whole response.
async fn outcome_of(
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

/// Bodies as they come in events: each gets its outcome, and the function continues.
#[tokio::test(start_paused = true)]
async fn a_hostile_body_gets_a_clear_error() {
    let products = &products().await;
    let price =
        |digits: &str| format!(r#"{{"id":"1","title":"t","description":"","price":{digits}}}"#);
    let deep =
        |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
    let title = |text: &str| format!(r#"{{"id":"1","title":"{text}","description":"","price":1}}"#);
    for (body, response) in [
        // Deep nesting, open and closed.
        (deep("[", ""), "400 malformed-body"),
        (deep("[", "]"), "422 invalid-product"),
        (deep(r#"{"a":"#, "}"), "400 malformed-body"),
        (price(&deep("[", "]")), "422 invalid-product"),
        // Huge numbers.
        (price(&"9".repeat(1_000_000)), "422 invalid-product"),
        (price("1e400"), "422 invalid-product"),
        (price("1e-400"), "422 invalid-product"),
        (
            price(&format!("0.{}1", "0".repeat(1_000_000))),
            "422 invalid-product",
        ),
        // Duplicate keys, also when they are written differently.
        (
            r#"{"id":"1","id":"2","title":"t","description":"","price":1}"#.to_owned(),
            "422 invalid-product",
        ),
        (
            r#"{"id":"1","\u0069d":"1","title":"t","description":"","price":1}"#.to_owned(),
            "422 invalid-product",
        ),
        // Surrogates.
        (title(r"\ud800"), "422 invalid-product"),
        (title(r"\udc00\ud800"), "422 invalid-product"),
        (r#"{"\ud800":1}"#.to_owned(), "400 malformed-body"),
        // NUL, in JSON's way and not.
        (title("\0"), "400 malformed-body"),
        (
            r#"{"id":"\u0000","title":"t","description":"","price":1}"#.to_owned(),
            "422 invalid-product",
        ),
        ("\0".to_owned(), "400 malformed-body"),
        // A byte order mark, which is ignored, and two, which are not JSON.
        ("\u{feff}{}".to_owned(), "422 invalid-product"),
        ("\u{feff}\u{feff}{}".to_owned(), "400 malformed-body"),
        ("\u{feff}".to_owned(), "400 malformed-body"),
        // 10 MB.
        (title(&"x".repeat(10 * 1024 * 1024)), "413 too-large"),
        (" ".repeat(10 * 1024 * 1024), "413 too-large"),
        // What other formats make of it.
        (
            r#"{"__proto__":{"id":"1"},"$ref":"file:///etc/passwd"}"#.to_owned(),
            "422 invalid-product",
        ),
        (
            "<?xml version=\"1.0\"?><!DOCTYPE a>".to_owned(),
            "400 malformed-body",
        ),
        ("id=1&title=t".to_owned(), "400 malformed-body"),
        (
            r#"{"id":{"$gt":""},"title":["t"],"description":{"S":"d"},"price":{"N":"1"}}"#
                .to_owned(),
            "422 invalid-product",
        ),
    ] {
        let event = with(CREATE, &[("/body", body.clone().into())]);
        let (got, _) = outcome_of(Function::Create, products, &event).await;
        assert_eq!(got, response, "{}", &body[..body.len().min(100)]);
    }
    let (got, _) = outcome_of(Function::Create, products, CREATE).await;
    assert_eq!(got, "201");
}

#[tokio::test(start_paused = true)]
async fn bytes_come_as_base64_and_broken_base64_is_refused() {
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
        // No base64: its alphabet, its padding, its length.
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

/// What API Gateway sends of a header is the caller's, and may be no text, or several lines.
#[tokio::test(start_paused = true)]
async fn headers_that_are_no_text_are_left_out_and_all_lines_of_one_are_read() {
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
            vec![("/rawPath", json!(7))],
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
        // In the form that both kinds of API take.
        assert!(response["headers"]["content-type"].is_string());
    }
}

/// Half a surrogate pair is JSON, and no text. API Gateway sends what the caller sent.
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

/// An HTTP API that uses the format of a REST API's events decodes the path all the same.
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

/// API Gateway decodes a body before it calls the function, and may leave the header.
#[tokio::test(start_paused = true)]
async fn a_content_coding_is_refused_only_if_the_body_is_not_json() {
    let products = &products().await;
    let gzip = "H4sIAAAAAAAAA6uuBQBDv6ajAgAAAA==";
    for (coding, body, is_base64, expected) in [
        ("gzip", "{}", false, "422 invalid-product"),
        ("br", "{}", false, "422 invalid-product"),
        ("identity", "{", false, "400 malformed-body"),
        ("Identity, identity", "{", false, "400 malformed-body"),
        ("", "{", false, "400 malformed-body"),
        ("gzip", gzip, true, "415 unsupported-media-type"),
        ("identity, gzip", gzip, true, "415 unsupported-media-type"),
        ("br", "\u{b}", false, "415 unsupported-media-type"),
        ("aws-chunked", "{", false, "415 unsupported-media-type"),
    ] {
        let changes = [
            ("/body", json!(body)),
            ("/isBase64Encoded", json!(is_base64)),
            ("/multiValueHeaders/Content-Encoding", json!([coding])),
        ];
        let (got, response) = outcome_of(Function::Create, products, &with(CREATE, &changes)).await;
        assert_eq!(got, expected, "{coding} {body}");
        let accepted = &response["headers"]["accept-encoding"];
        assert_eq!(
            accepted.is_string(),
            got.starts_with("415"),
            "{coding} {body}"
        );
    }
}

/// What the fuzzer found: a name that occurs twice still gets a response.
#[tokio::test(start_paused = true)]
async fn an_event_that_says_a_thing_twice_gets_a_response() {
    let twice =
        |event: &str| event.replacen("\"requestId\"", "\"requestId\": \"1\", \"requestId\"", 1);
    let products = &products().await;
    for event in [FIND, FIND_ON_AN_HTTP_API] {
        let (response, _) = outcome_of(Function::Find, products, &twice(event)).await;
        assert_eq!(response, "404 product-not-found");
    }
}

/// A function that was wired to something else says so, and lives on: a wrong response would look
/// right.
#[tokio::test(start_paused = true)]
async fn an_event_of_another_kind_is_an_error() {
    let products = &products().await;
    let alb = r#"{"requestContext":{"elb":{"targetGroupArn":"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/a/b"}},"httpMethod":"GET","path":"/","queryStringParameters":{},"headers":{"host":"a"},"body":"","isBase64Encoded":false}"#;
    let s3 = r#"{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"canary"}}}]}"#;
    for function in [Function::Create, Function::Find] {
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
    // A function URL sends what an HTTP API sends, but has no routes and so no path parameters.
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

/// Every id that is taken comes back in `Location` as one line of visible ASCII, and leads to its
/// product.
#[tokio::test(start_paused = true)]
async fn no_id_injects_a_header() {
    let catalog = Catalog::start().await;
    for id in [
        "a%0d%0aset-cookie: b",
        "a\u{2028}set-cookie: b",
        "a\u{2029}b",
        "嘊嘍set-cookie",
        "//example.com/",
        "javascript:alert(1)",
        "\u{202e}drowssap",
        "\u{200f}a\u{200e}",
        "<script>",
        "\u{1f50a}",
    ] {
        let sent = product(id, "t", "", "1.00");
        let created = catalog
            .create(sent.to_string())
            .send()
            .await
            .expect("a response");
        assert_eq!(created.status(), 201, "{id:?}");
        assert!(created.headers().get("set-cookie").is_none());
        let location = created.headers()["location"]
            .to_str()
            .expect("visible ASCII")
            .to_owned();
        let id_in_it = location
            .strip_prefix("/product/find/")
            .expect("on this host");
        let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
        assert!(id_in_it.bytes().all(harmless), "{location}");
        let found = catalog
            .request(reqwest::Method::GET, &location)
            .send()
            .await
            .expect("a response");
        let found = found.bytes().await.expect("a body");
        assert_eq!(serde_json::from_slice::<Value>(&found).expect("JSON"), sent);
    }
    for id in [
        "a\r\nset-cookie: b",
        "a\nb",
        "\u{1b}[2J",
        "\u{85}",
        "a\u{0}",
    ] {
        let refused = catalog
            .create(product(id, "t", "", "1").to_string())
            .send()
            .await;
        assert_eq!(refused.expect("a response").status(), 422, "{id:?}");
    }
    // The caller's path is API Gateway's to match, but if it were not:
    let path = json!("/é\r\nset-cookie: b/product/create");
    let event = with(CREATE, &[("/requestContext/path", path)]);
    let (got, created) = outcome_of(Function::Create, &products().await, &event).await;
    assert_eq!(got, "201");
    assert_eq!(
        created["headers"]["location"],
        "/%C3%A9%0D%0Aset-cookie: b/product/find/a%20b%2F1001"
    );
}

/// Every response says that it is what it says, and whether it may be kept.
#[tokio::test(start_paused = true)]
async fn every_response_has_its_security_headers() {
    let catalog = Catalog::start().await;
    let mut seen = BTreeMap::new();
    let sent = || product("1001", "t", "", "1.00").to_string();
    for request in [
        catalog.create(sent()),
        catalog.create(sent()),
        catalog.create(product("1001", "u", "", "1").to_string()),
        catalog.create("{"),
        catalog.create("{}"),
        catalog
            .request(reqwest::Method::POST, "/product/create")
            .header("content-type", "text/plain"),
        catalog.create("x".repeat(3 * 1024 * 1024)),
        catalog.find("1001"),
        catalog.find("1001").header("if-none-match", "*"),
        catalog.find("1002"),
        catalog.request(reqwest::Method::DELETE, "/"),
        Catalog::start_with("http://127.0.0.1:1").await.find("1001"),
    ] {
        let response = request.send().await.expect("a response");
        let header = |name: &str| response.headers()[name].to_str().expect("text").to_owned();
        assert_eq!(header("x-content-type-options"), "nosniff");
        seen.insert(response.status().as_u16(), header("cache-control"));
    }
    let no_store = [201, 400, 404, 409, 413, 415, 422, 503].map(|status| (status, "no-store"));
    // A product may be kept, and asked for each time; one that was
    // just created is the caller's own.
    let expected: BTreeMap<_, _> = no_store
        .into_iter()
        .chain([(200, "no-cache"), (304, "no-cache")])
        .collect();
    assert_eq!(
        seen.iter()
            .map(|(status, kept)| (*status, kept.as_str()))
            .collect::<BTreeMap<_, _>>(),
        expected
    );
}
