//! The API as API Gateway sees it: events in, proxy responses out.

use expect_test::{Expect, expect};
use local::{Function, LocalDynamoDb};
use serde_json::Value;
use tests::products_at;

/// Sends the events in order to the functions with a new table, and compares the responses.
async fn check<const N: usize>(events: [(Function, &str); N], responses: Expect) {
    let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    let products = products_at(&dynamodb.url());
    let mut all = String::new();
    for (function, event) in events {
        let response = function.invoke(&products, event).await.expect("a response");
        all = format!("{all}{response:#}\n");
    }
    responses.assert_eq(&all);
}

/// The id is `a b/1001`: API Gateway sends it percent-encoded, and `Location` contains it in the
/// same form.
#[tokio::test(start_paused = true)]
async fn a_rest_api_responds_under_its_stage() {
    check(
        [
            (Function::Create, include_str!("../events/create-on-DEV.json")),
            (Function::Find, include_str!("../events/find-on-DEV.json")),
        ],
        expect![[r#"
            {
              "body": "{\"id\":\"a b/1001\",\"title\":\"Amazon Echo\",\"description\":\"Smart speaker\",\"price\":\"89.99\"}",
              "headers": {
                "cache-control": "no-store",
                "content-type": "application/json",
                "location": "/DEV/product/find/a%20b%2F1001",
                "vary": "Accept-Encoding",
                "x-content-type-options": "nosniff"
              },
              "isBase64Encoded": false,
              "statusCode": 201
            }
            {
              "body": "{\"id\":\"a b/1001\",\"title\":\"Amazon Echo\",\"description\":\"Smart speaker\",\"price\":\"89.99\"}",
              "headers": {
                "cache-control": "no-cache",
                "content-type": "application/json",
                "etag": "W/\"af229eaf547f3979e936799d359af4af\"",
                "vary": "Accept-Encoding",
                "x-content-type-options": "nosniff"
              },
              "isBase64Encoded": false,
              "statusCode": 200
            }
        "#]],
    )
    .await;
}

/// Every path of this stage begins like a route: `/product`.
#[tokio::test(start_paused = true)]
async fn a_stage_may_be_called_product() {
    check(
        [
            (
                Function::Create,
                include_str!("../events/create-on-product.json"),
            ),
            (Function::Find, include_str!("../events/find-on-product.json")),
        ],
        expect![[r#"
            {
              "body": "{\"id\":\"a b/1001\",\"title\":\"Amazon Echo\",\"description\":\"Smart speaker\",\"price\":\"89.99\"}",
              "headers": {
                "cache-control": "no-store",
                "content-type": "application/json",
                "location": "/product/product/find/a%20b%2F1001",
                "vary": "Accept-Encoding",
                "x-content-type-options": "nosniff"
              },
              "isBase64Encoded": false,
              "statusCode": 201
            }
            {
              "body": "{\"id\":\"a b/1001\",\"title\":\"Amazon Echo\",\"description\":\"Smart speaker\",\"price\":\"89.99\"}",
              "headers": {
                "cache-control": "no-cache",
                "content-type": "application/json",
                "etag": "W/\"af229eaf547f3979e936799d359af4af\"",
                "vary": "Accept-Encoding",
                "x-content-type-options": "nosniff"
              },
              "isBase64Encoded": false,
              "statusCode": 200
            }
        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_custom_domain_keeps_its_base_path() {
    check(
        [(
            Function::Create,
            include_str!("../events/create-on-a-custom-domain.json"),
        )],
        expect![[r#"
            {
              "body": "{\"id\":\"a b/1001\",\"title\":\"Amazon Echo\",\"description\":\"Smart speaker\",\"price\":\"89.99\"}",
              "headers": {
                "cache-control": "no-store",
                "content-type": "application/json",
                "location": "/shop/product/find/a%20b%2F1001",
                "vary": "Accept-Encoding",
                "x-content-type-options": "nosniff"
              },
              "isBase64Encoded": false,
              "statusCode": 201
            }
        "#]],
    )
    .await;
}

/// API Gateway sends bodies like this if the API has binary media types.
#[tokio::test(start_paused = true)]
async fn a_body_in_base64_is_decoded() {
    check(
        [(
            Function::Create,
            include_str!("../events/create-in-base64.json"),
        )],
        expect![[r#"
            {
              "body": "{\"id\":\"a b/1001\",\"title\":\"Amazon Echo\",\"description\":\"Smart speaker\",\"price\":\"89.99\"}",
              "headers": {
                "cache-control": "no-store",
                "content-type": "application/json",
                "location": "/DEV/product/find/a%20b%2F1001",
                "vary": "Accept-Encoding",
                "x-content-type-options": "nosniff"
              },
              "isBase64Encoded": false,
              "statusCode": 201
            }
        "#]],
    )
    .await;
}

/// An HTTP API has decoded the id; `cargo lambda watch` sends the same kind of event.
#[tokio::test(start_paused = true)]
async fn an_http_api_has_decoded_the_path() {
    check(
        [
            (Function::Create, include_str!("../events/create-on-DEV.json")),
            (
                Function::Find,
                include_str!("../events/find-on-an-http-api.json"),
            ),
        ],
        expect![[r#"
            {
              "body": "{\"id\":\"a b/1001\",\"title\":\"Amazon Echo\",\"description\":\"Smart speaker\",\"price\":\"89.99\"}",
              "headers": {
                "cache-control": "no-store",
                "content-type": "application/json",
                "location": "/DEV/product/find/a%20b%2F1001",
                "vary": "Accept-Encoding",
                "x-content-type-options": "nosniff"
              },
              "isBase64Encoded": false,
              "statusCode": 201
            }
            {
              "body": "{\"id\":\"a b/1001\",\"title\":\"Amazon Echo\",\"description\":\"Smart speaker\",\"price\":\"89.99\"}",
              "cookies": [],
              "headers": {
                "cache-control": "no-cache",
                "content-type": "application/json",
                "etag": "W/\"af229eaf547f3979e936799d359af4af\"",
                "vary": "Accept-Encoding",
                "x-content-type-options": "nosniff"
              },
              "isBase64Encoded": false,
              "statusCode": 200
            }
        "#]],
    )
    .await;
}

/// In a REST event, a percent sign in an id is encoded once more; it is decoded once.
#[tokio::test(start_paused = true)]
async fn the_path_is_decoded_once() {
    let event = |file: &str, id: &str| {
        let mut event: Value = serde_json::from_str(file).expect("JSON");
        event["pathParameters"]["id"] = id.into();
        event.to_string()
    };
    let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    let products = products_at(&dynamodb.url());
    let body = r#"{"id":"100%25","title":"t","description":"","price":1}"#;
    let mut create: Value =
        serde_json::from_str(include_str!("../events/create-on-DEV.json")).expect("JSON");
    create["body"] = body.into();
    let created = Function::Create
        .invoke(&products, &create.to_string())
        .await
        .expect("a response");
    assert_eq!(created["headers"]["location"], "/DEV/product/find/100%2525");

    let rest = include_str!("../events/find-on-DEV.json");
    let http = include_str!("../events/find-on-an-http-api.json");
    for (event, status) in [
        (event(rest, "100%2525"), 200),
        (event(rest, "100%25"), 404),
        (event(http, "100%25"), 200),
        (event(http, "100%"), 404),
    ] {
        let found = Function::Find
            .invoke(&products, &event)
            .await
            .expect("a response");
        assert_eq!(found["statusCode"], status, "{event}");
    }
}
