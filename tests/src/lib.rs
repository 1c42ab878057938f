//! Shared by the tests: a catalog for each test, a client, faults, and Lambda's Runtime API.

mod authority;
mod clock;
mod credentials;
mod event;
mod fault;
mod faulty;
mod ledger;
mod pages;
mod priming;
mod release;
mod runtime;
mod signature;
mod startup;
mod wire;
mod wrong_clock;

use std::ops::Deref;
use std::time::SystemTime;

use catalog::Cors;
use local::{LocalApi, LocalDynamoDb};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

pub use authority::private_tls;
pub use clock::{config_at, products_at};
pub use credentials::ends_after_its_response;
pub use event::{create_event, find_event, responds_well};
pub use fault::Fault;
pub use faulty::{ALWAYS, Faulty};
pub use ledger::{binary, hold, share};
pub use pages::responds_to_pages;
pub use priming::primed;
pub use release::release;
pub use runtime::{Lambda, invoke, is_acknowledged};
pub use signature::Signer;
pub use startup::refuses_to_start;
pub use wrong_clock::WrongClock;

/// A running API with its own DynamoDB, and a client for it. With a paused clock, no time-out
/// expires.
#[derive(Debug)]
pub struct Catalog {
    /// The DynamoDB behind it.
    pub dynamodb: LocalDynamoDb,
    client: Client,
    #[expect(dead_code, reason = "keeps the faulty DynamoDB alive with the catalog")]
    faulty: Option<Faulty>,
}

impl Catalog {
    /// Starts everything on free ports, in memory.
    pub async fn start() -> Self {
        let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
        let url = dynamodb.url();
        Self::over(dynamodb, &url, Cors::default()).await
    }

    /// The same, but the API uses the DynamoDB at `url`.
    pub async fn start_with(url: &str) -> Self {
        let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
        Self::over(dynamodb, url, Cors::default()).await
    }

    /// The same, also for the pages that `cors` allows.
    pub async fn over(dynamodb: LocalDynamoDb, url: &str, cors: Cors) -> Self {
        let api = LocalApi::start(0, products_at(url), cors).await;
        let client = Client::of(&api.expect("the API starts").url());
        Self {
            dynamodb,
            client,
            faulty: None,
        }
    }

    /// The same, but its DynamoDB returns the error with this code to every request.
    pub async fn failing(code: &'static str, cors: Cors) -> Self {
        let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
        let faulty = Faulty::start(&dynamodb, Fault::Error(code), ALWAYS).await;
        let url = faulty.url().to_owned();
        Self {
            faulty: Some(faulty),
            ..Self::over(dynamodb, &url, cors).await
        }
    }
}

impl Deref for Catalog {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// A client of an API, local or deployed.
#[derive(Debug)]
pub struct Client {
    url: String,
    http: reqwest::Client,
    signer: Option<Signer>,
}

impl Client {
    /// A client of the API at `url`.
    #[must_use]
    pub fn of(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            http: reqwest::Client::new(),
            signer: None,
        }
    }

    /// The same, but `send` signs each request if there is a signer.
    #[must_use]
    pub fn signing(self, signer: Option<Signer>) -> Self {
        Self { signer, ..self }
    }

    /// The response to a request.
    pub async fn send(&self, request: RequestBuilder) -> Response {
        let mut request = request.build().expect("a request");
        if let Some(signer) = &self.signer {
            signer.sign(&mut request, SystemTime::now());
        }
        self.http.execute(request).await.expect("a response")
    }

    /// Any request.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// A request to create the product in `body`, with JSON's content type.
    pub fn create(&self, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.request(Method::POST, "/product/create")
            .header("content-type", "application/json")
            .body(body)
    }

    /// A request to find the product with this id.
    pub fn find(&self, id: &str) -> RequestBuilder {
        self.request(Method::GET, &find_path(id))
    }
}

/// The path of a product, with every byte of its id percent-encoded that can be.
#[must_use]
pub fn find_path(id: &str) -> String {
    format!(
        "/product/find/{}",
        utf8_percent_encode(id, NON_ALPHANUMERIC)
    )
}

/// The JSON of a product, with the contract's field names.
#[must_use]
pub fn product(id: &str, title: &str, description: &str, price: &str) -> Value {
    serde_json::json!({ "id": id, "title": title, "description": description, "price": price })
}

/// The product of the contract's example, with this id.
#[must_use]
pub fn echo(id: &str) -> Value {
    product(id, "Amazon Echo", "Smart speaker", "89.99")
}

/// The response as text: the status, the headers that matter to a caller, and the body.
pub async fn transcript(request: RequestBuilder) -> String {
    /// Except `Content-Type`, which is the same for all responses of one kind.
    const TELLING: [&str; 5] = [
        "cache-control",
        "etag",
        "idempotent-replayed",
        "location",
        "retry-after",
    ];

    let response = request.send().await.expect("a response");
    let status = response.status();
    let headers = response.headers().clone();
    let header = |name: &str| headers.get(name).map(|value| value.to_str().expect("text"));
    let body = response.text().await.expect("a body of text");

    let mut transcript = format!("{status}\n");
    for (name, value) in TELLING
        .iter()
        .filter_map(|name| Some((name, header(name)?)))
    {
        transcript = format!("{transcript}{name}: {value}\n");
    }
    if status.is_success() {
        assert_eq!(header("content-type"), Some("application/json"));
    } else if body.is_empty() {
        assert_eq!(header("content-type"), None);
    } else {
        let request_id = header("x-amzn-requestid").expect("an id");
        assert_eq!(header("content-type"), Some("application/problem+json"));
        assert!(
            body.contains(request_id),
            "a problem must contain its request id: {body}"
        );
        return transcript + &body.replace(request_id, "<request id>") + "\n";
    }
    if body.is_empty() {
        transcript
    } else {
        transcript + &body + "\n"
    }
}
