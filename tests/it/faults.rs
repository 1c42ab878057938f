//! What a caller sees when DynamoDB throttles, fails, loses a response or is unreachable.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use catalog::{ProductRepository, Reaction};
use expect_test::expect;
use local::{Function, LocalDynamoDb};
use reqwest::RequestBuilder;
use serde_json::Value;
use tests::{ALWAYS, Catalog, Fault, Faulty, find_event, transcript};
use tokio::net::TcpListener;
use tokio::time::{Duration, Instant};
use tracing_subscriber::fmt;

const ECHO: &str =
    r#"{"id":"1001","title":"Amazon Echo","description":"canary in a product","price":"89.99"}"#;

const UNAVAILABLE: &str = r#"503 Service Unavailable
cache-control: no-store
retry-after: 2
{"type":"urn:problem-type:product-catalog:unavailable","title":"The catalog is unavailable","status":503,"detail":"the request is valid; retry it later","requestId":"<request id>"}
"#;

const OUR_MISTAKE: &str = r#"500 Internal Server Error
cache-control: no-store
{"type":"urn:problem-type:product-catalog:internal-error","title":"Internal error","status":500,"detail":"report the request id","requestId":"<request id>"}
"#;

/// Serves `app` on a free port, and returns its URL.
pub async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async { axum::serve(listener, app).await });
    url
}

/// A DynamoDB that gives every call the same response, and the number of calls.
async fn always(status: u16, body: &'static str) -> (String, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let app = Router::new().fallback(async move || {
        counted.fetch_add(1, SeqCst);
        (StatusCode::from_u16(status).expect("a status"), body)
    });
    (serve(app).await, calls)
}

fn both(catalog: &Catalog) -> [RequestBuilder; 2] {
    [catalog.create(ECHO), catalog.find("1001")]
}

#[tokio::test(start_paused = true)]
async fn a_transient_error_is_retried_and_then_unavailable() {
    for (status, body) in [
        (
            400,
            r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"canary"}"#,
        ),
        (
            400,
            r#"{"__type":"com.amazon.coral.availability#ThrottlingException","message":"canary"}"#,
        ),
        (
            400,
            r#"{"__type":"com.amazonaws.dynamodb.v20120810#RequestLimitExceeded","message":"canary"}"#,
        ),
        (
            500,
            r#"{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"canary"}"#,
        ),
        (503, "canary"),
        // From something in front of DynamoDB.
        (404, "canary"),
        (429, "canary"),
        (200, ""),
        (200, "canary"),
    ] {
        let (url, calls) = always(status, body).await;
        let catalog = Catalog::start_with(&url).await;
        for request in both(&catalog) {
            calls.store(0, SeqCst);
            assert_eq!(transcript(request).await, UNAVAILABLE, "{body}");
            assert!(calls.load(SeqCst) > 3, "{body}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_dynamodb_is_unavailable() {
    // A port on which nobody can listen; another test could have taken a free one by now.
    let catalog = Catalog::start_with("http://127.0.0.1:1").await;
    for request in both(&catalog) {
        assert_eq!(transcript(request).await, UNAVAILABLE);
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_not_json_is_unavailable() {
    let (url, _) = always(200, "canary").await;
    let catalog = Catalog::start_with(&url).await;
    for request in both(&catalog) {
        let response = transcript(request).await;
        assert!(
            response.starts_with("503 Service Unavailable\n"),
            "{response}"
        );
        assert!(!response.contains("canary"), "{response}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_dynamodb_is_given_up_at_the_deadline() {
    // Connections wait in its queue forever.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    let products = LocalDynamoDb::products_at(&url);
    for (function, event) in [
        (
            Function::Create,
            include_str!("../events/create-on-DEV.json"),
        ),
        (Function::Find, include_str!("../events/find-on-DEV.json")),
    ] {
        let start = Instant::now();
        let response = function.invoke(&products, event).await.expect("a response");
        let took = start.elapsed();
        assert_eq!(response["statusCode"], 503, "{response}");
        // Tokio's timers are exact to a millisecond.
        let late = took.abs_diff(ProductRepository::DEADLINE);
        assert!(late < Duration::from_millis(5), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_that_only_we_can_fix_is_internal() {
    for body in [
        r#"{"__type":"com.amazonaws.dynamodb.v20120810#AccessDeniedException","message":"canary"}"#,
        r#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"canary"}"#,
        r#"{"__type":"com.amazon.coral.validate#ValidationException","message":"canary"}"#,
    ] {
        let (url, calls) = always(400, body).await;
        let catalog = Catalog::start_with(&url).await;
        for request in both(&catalog) {
            calls.store(0, SeqCst);
            assert_eq!(transcript(request).await, OUR_MISTAKE, "{body}");
            assert_eq!(calls.load(SeqCst), 1, "{body}");
        }
    }
}

/// The put succeeds, its response is lost, and the SDK's retry is rejected because the product
/// exists.
#[tokio::test(start_paused = true)]
async fn a_write_whose_response_is_lost_succeeds() {
    let behind = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    let url = behind.url();
    let client = reqwest::Client::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let lossy = Router::new().fallback(async move |headers: HeaderMap, body: Bytes| {
        let response = client
            .post(&url)
            .headers(headers)
            .body(body)
            .send()
            .await
            .expect("a response");
        let (status, body) = (response.status(), response.bytes().await.expect("a body"));
        if calls.fetch_add(1, SeqCst) == 0 {
            assert_eq!(status, 200, "the first put succeeded");
            return (StatusCode::INTERNAL_SERVER_ERROR, Bytes::new());
        }
        (status, body)
    });
    let catalog = Catalog::start_with(&serve(lossy).await).await;
    expect![[r#"
        200 OK
        cache-control: no-store
        idempotent-replayed: true
        {"id":"1001","title":"Amazon Echo","description":"canary in a product","price":"89.99"}
    "#]]
    .assert_eq(&transcript(catalog.create(ECHO)).await);
    assert!(
        transcript(catalog.find("1001"))
            .await
            .contains("canary in a product")
    );
}

/// A store that is compatible with DynamoDB, but does not return the existing item when it rejects
/// a write.
#[tokio::test(start_paused = true)]
async fn a_rejected_write_without_the_stored_item_is_compared_with_it() {
    let behind = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    let direct = Catalog::start_with(&behind.url()).await;
    let url = behind.url();
    let client = reqwest::Client::new();
    // Deletes this product as soon as it has rejected the write.
    let deleted = Arc::new(AtomicUsize::new(0));
    let is_deleted = Arc::clone(&deleted);
    let forgetful = Router::new().fallback(async move |headers: HeaderMap, body: Bytes| {
        let is_get = headers["x-amz-target"]
            .to_str()
            .expect("text")
            .ends_with("GetItem");
        if is_get && is_deleted.load(SeqCst) == 1 {
            return (StatusCode::OK, Bytes::from_static(b"{}"));
        }
        let response = client.post(&url).headers(headers).body(body).send().await;
        let response = response.expect("a response");
        let (status, body) = (response.status(), response.bytes().await.expect("a body"));
        let mut error: Value = serde_json::from_slice(&body).expect("JSON");
        if status == 400 {
            error.as_object_mut().expect("an object").remove("Item");
            return (status, error.to_string().into());
        }
        (status, body)
    });
    let catalog = Catalog::start_with(&serve(forgetful).await).await;

    let status = async |request: RequestBuilder| request.send().await.expect("a response").status();
    assert_eq!(status(catalog.create(ECHO)).await, 201);
    let again = catalog.create(ECHO).send().await.expect("a response");
    assert_eq!(again.status(), 200);
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    let other = ECHO.replace("89.99", "1.00");
    assert_eq!(status(catalog.create(other.clone())).await, 409);
    assert_eq!(status(direct.find("1001")).await, 200);
    deleted.store(1, SeqCst);
    assert_eq!(transcript(catalog.create(other)).await, UNAVAILABLE);
}

/// The clock advances only for time-outs, so that other work on this machine does not count.
#[tokio::test(start_paused = true)]
async fn priming_takes_at_most_200_ms_of_an_init() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    let products = ProductRepository::new(LocalDynamoDb::config_at(&url), LocalDynamoDb::TABLE);
    let begin = Instant::now();
    products.prime_create().await;
    let created = begin.elapsed();
    products.prime_find().await;
    let found = begin.elapsed().saturating_sub(created);
    for took in [created, found] {
        assert!((100..200).contains(&took.as_millis()), "{took:?}");
    }
}

/// What was written to the log so far.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps the log of the whole process: tracing asks for each line's subscriber once. Another test's
/// thread has none; if it reached a line first, it would disable the line.
fn log_of_the_process() -> Log {
    let log = Log::default();
    let written = log.clone();
    let writer = move || log.clone();
    fmt()
        .with_writer(writer)
        .with_ansi(false)
        .without_time()
        .init();
    written
}

fn request_id(response: &reqwest::Response) -> String {
    let id = response.headers()["x-amzn-requestid"].to_str();
    id.expect("text").to_owned()
}

#[tokio::test(start_paused = true)]
async fn the_log_has_the_cause_and_the_request_id_but_no_product() {
    let written = log_of_the_process();
    let (forbidden, _) = always(
        400,
        r#"{"__type":"com.amazonaws.dynamodb.v20120810#AccessDeniedException","message":"not authorized"}"#,
    )
    .await;
    let (broken, _) = always(
        200,
        r#"{"Item":{"id":{"S":"1001"},"title":{"S":"canary in a product"},"price":{"N":"89.99"}}}"#,
    )
    .await;
    let (busy, _) = always(
        400,
        r#"{"__type":"com.amazon.coral.availability#ThrottlingException","message":"too fast"}"#,
    )
    .await;
    let mut request_ids = Vec::new();
    for (url, status) in [
        (&forbidden, 500),
        (&broken, 500),
        (&busy, 503),
        // A URL without a scheme.
        (&busy.replace("http://", ""), 500),
    ] {
        let catalog = Catalog::start_with(url).await;
        let request = if url == &broken {
            catalog.find("1001")
        } else {
            catalog.create(ECHO)
        };
        let response = request.send().await.expect("a response");
        assert_eq!(response.status(), status, "{url}");
        request_ids.push(request_id(&response));
    }
    // The deadline interrupts an attempt; earlier attempts show what is wrong.
    let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    let silent = Faulty::start(&dynamodb, Fault::Silence, ALWAYS).await;
    let mut event = find_event("1001");
    event["requestContext"]["requestId"] = "interrupted".into();
    let response = Function::Find
        .invoke(&silent.products(), &event.to_string())
        .await;
    assert_eq!(response.expect("a response")["statusCode"], 503);
    request_ids.push("interrupted".to_owned());
    // Each error of DynamoDB, by its code.
    let mut of_dynamodb = Vec::new();
    for (code, _) in Reaction::BY_CODE {
        let error =
            format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"m"}}"#);
        let (url, _) = always(400, error.leak()).await;
        let catalog = Catalog::start_with(&url).await;
        let response = catalog.find("1001").send().await.expect("a response");
        of_dynamodb.push((code, request_id(&response)));
    }
    // Operators need not know that the SDK closes a connection.
    let (failing, _) = always(503, "").await;
    let catalog = Catalog::start_with(&failing).await;
    catalog.find("1001").send().await.expect("a response");

    let mut log = String::from_utf8(written.0.lock().expect("not poisoned").clone()).expect("text");
    assert!(
        !log.contains("canary in a product"),
        "a product is in the log:\n{log}"
    );
    assert!(!log.contains("connection for closure"), "{log}");
    for (code, request_id) in of_dynamodb {
        let errors = log
            .lines()
            .filter(|line| line.starts_with("ERROR") && line.contains(&request_id));
        let errors: Vec<_> = errors.collect();
        assert!(
            errors.len() == 1 && errors[0].contains(code),
            "{code}: {errors:?}"
        );
    }
    for (n, request_id) in request_ids.iter().enumerate() {
        log = log.replace(request_id, &format!("<request {n}>"));
    }
    // Omits the lines of other tests, and the cold start and latency, which vary between runs.
    let log: String = log
        .lines()
        .filter(|line| line.contains("<request "))
        .map(|line| {
            line.split(" coldStart=")
                .next()
                .unwrap_or_default()
                .to_owned()
                + "\n"
        })
        .collect();
    expect![[r#"
        ERROR catalog::http::problem: Internal error apiRequestId="<request 0>" error="DynamoDB refused the call: service error: unhandled error (AccessDeniedException): Error { code: \"AccessDeniedException\", message: \"not authorized\" }"
         INFO catalog::telemetry::log: POST /product/create 500 internal-error apiRequestId="<request 0>"
        ERROR catalog::http::problem: Internal error apiRequestId="<request 1>" error="the stored item has no valid description"
         INFO catalog::telemetry::log: GET /product/find/{id} 500 internal-error apiRequestId="<request 1>"
        ERROR catalog::http::problem: The catalog is unavailable apiRequestId="<request 2>" error="DynamoDB is not available: operation timeout (all attempts including retries) occurred after 5s" lastAttempt="ThrottlingException: too fast"
         INFO catalog::telemetry::log: POST /product/create 503 unavailable apiRequestId="<request 2>"
        ERROR catalog::http::problem: Internal error apiRequestId="<request 3>" error="DynamoDB refused the call: endpoint must contain scheme"
         INFO catalog::telemetry::log: POST /product/create 500 internal-error apiRequestId="<request 3>"
        ERROR catalog::http::problem: The catalog is unavailable apiRequestId="<request 4>" error="DynamoDB is not available: operation timeout (all attempts including retries) occurred after 5s" lastAttempt="operation attempt timeout (single attempt) occurred after 1s"
         INFO catalog::telemetry::log: GET /product/find/{id} 503 unavailable apiRequestId="<request 4>"
    "#]].assert_eq(&log);
}
