//! The CORS headers with which a browser lets pages of another origin read a response.

use std::collections::BTreeMap;

use catalog::Cors;
use local::{LocalDynamoDb, cors};
use reqwest::{Method, RequestBuilder, Response};
use tests::{Catalog, echo, product};

const SHOP: &str = "https://shop.example.com";

/// The headers of a response that decide this.
fn for_browsers(response: &Response) -> BTreeMap<&str, &str> {
    let headers = response.headers().iter();
    headers
        .filter(|(name, _)| name.as_str().starts_with("access-control-") || *name == "vary")
        .map(|(name, value)| (name.as_str(), value.to_str().expect("text")))
        .collect()
}

/// What every response has.
fn everywhere() -> BTreeMap<&'static str, &'static str> {
    BTreeMap::from([
        ("access-control-allow-origin", SHOP),
        (
            "access-control-expose-headers",
            "ETag, Idempotent-Replayed, Location, Retry-After, x-amzn-requestid",
        ),
        ("vary", "Accept-Encoding, Origin"),
    ])
}

/// Requests for every kind of response, from the functions and from API Gateway, with its status.
fn requests(catalog: &Catalog) -> Vec<(u16, RequestBuilder)> {
    let create = || catalog.create(echo("1001").to_string());
    let find = || catalog.find("1001");
    let text = catalog.request(Method::POST, "/product/create");
    vec![
        (201, create()),
        (200, create()),
        (200, find()),
        (304, find().header("if-none-match", "*")),
        (404, catalog.find("1002")),
        (
            409,
            catalog.create(product("1001", "Another", "", "1").to_string()),
        ),
        (400, catalog.create("")),
        (415, text.header("content-type", "text/plain").body("{}")),
        (422, catalog.create("{}")),
        // From API Gateway itself.
        (404, catalog.request(Method::GET, "/nothing")),
        (404, catalog.request(Method::DELETE, "/product/create")),
        (404, catalog.request(Method::OPTIONS, "/product")),
        (415, create().header("content-encoding", "br")),
        (413, catalog.create(vec![b' '; 10 * 1024 * 1024 + 1])),
    ]
}

/// Every kind of response of an API with `cors`.
async fn responses(cors: Cors) -> Vec<Response> {
    let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    let url = dynamodb.url();
    let catalog = Catalog::over(dynamodb, &url, cors.clone()).await;
    let throttled = Catalog::failing("ThrottlingException", cors.clone()).await;
    let forbidden = Catalog::failing("AccessDeniedException", cors).await;
    let mut requests = requests(&catalog);
    requests.push((503, throttled.find("1001")));
    requests.push((500, forbidden.find("1001")));
    let mut responses = Vec::new();
    for (status, request) in requests {
        let response = request.send().await.expect("a response");
        assert_eq!(response.status(), status, "{}", response.url());
        responses.push(response);
    }
    responses
}

#[tokio::test(start_paused = true)]
async fn pages_of_the_allowed_origin_can_read_every_response() {
    for response in responses(cors(SHOP).expect("an origin")).await {
        assert_eq!(for_browsers(&response), everywhere(), "{response:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn by_default_pages_of_other_origins_can_read_no_response() {
    let everywhere = BTreeMap::from([("vary", "Accept-Encoding")]);
    for response in responses(Cors::default()).await {
        assert_eq!(for_browsers(&response), everywhere, "{response:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn api_gateway_responds_to_preflights() {
    let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    let url = dynamodb.url();
    let shop = cors(SHOP).expect("an origin");
    let catalog = Catalog::over(dynamodb, &url, shop).await;
    let closed = Catalog::start().await;
    for (method, path) in [
        ("POST", "/product/create"),
        ("GET", "/product/find/1001"),
        ("GET", "//product/find/1001/"),
    ] {
        let response = catalog.request(Method::OPTIONS, path).send().await;
        let response = response.expect("a response");
        let mut expected = everywhere();
        expected.extend([
            (
                "access-control-allow-headers",
                "Authorization, Content-Type, If-None-Match, X-Amz-Content-Sha256, X-Amz-Date, \
                    X-Amz-Security-Token, X-Api-Key",
            ),
            ("access-control-allow-methods", method),
            ("access-control-max-age", "7200"),
        ]);
        assert_eq!(response.status(), 200);
        assert_eq!(for_browsers(&response), expected);
        assert_eq!(response.text().await.expect("text"), "");

        let refused = closed.request(Method::OPTIONS, path).send().await;
        assert_eq!(refused.expect("a response").status(), 404);
    }
}
