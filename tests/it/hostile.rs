//! Hostile input from callers: named cases. laws.rs generates arbitrary events.

use std::collections::BTreeMap;

use local::Function;
use serde_json::{Value, json};
use tests::{Catalog, product};

use crate::events::{CREATE, outcome_of, products, with};

/// Each body gets its outcome, and the function continues.
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
        // Duplicate keys, including ones that are escaped differently.
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
        // NUL, escaped and not.
        (title("\0"), "400 malformed-body"),
        (
            r#"{"id":"\u0000","title":"t","description":"","price":1}"#.to_owned(),
            "422 invalid-product",
        ),
        ("\0".to_owned(), "400 malformed-body"),
        // One byte order mark, which is ignored, and two, which are not JSON.
        ("\u{feff}{}".to_owned(), "422 invalid-product"),
        ("\u{feff}\u{feff}{}".to_owned(), "400 malformed-body"),
        ("\u{feff}".to_owned(), "400 malformed-body"),
        // 10 MB.
        (title(&"x".repeat(10 * 1024 * 1024)), "413 too-large"),
        (" ".repeat(10 * 1024 * 1024), "413 too-large"),
        // Special names in other formats.
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

/// API Gateway decodes a body before it calls the function, and may leave the header.
#[tokio::test(start_paused = true)]
async fn a_content_coding_is_rejected_only_if_the_body_is_not_json() {
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
    // API Gateway would not route this path; the function must not depend on it.
    let path = json!("/é\r\nset-cookie: b/product/create");
    let event = with(CREATE, &[("/requestContext/path", path)]);
    let (got, created) = outcome_of(Function::Create, &products().await, &event).await;
    assert_eq!(got, "201");
    assert_eq!(
        created["headers"]["location"],
        "/%C3%A9%0D%0Aset-cookie: b/product/find/a%20b%2F1001"
    );
}

/// Every response has `nosniff`, and says whether it may be cached.
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
    // A found product may be cached but must be revalidated; a new one must not be stored.
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
