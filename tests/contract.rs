//! The answers agree with openapi.yaml: each documented status is seen, and nothing else.

use std::collections::BTreeSet;

use axum::Router;
use axum::http::StatusCode;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tests::{Catalog, Client, product};
use tokio::net::TcpListener;

const CREATE: (&str, &str) = ("post", "/product/create");
const FIND: (&str, &str) = ("get", "/product/find/{id}");

/// `openapi.yaml`, read as JSON.
struct Contract(Value);

impl Contract {
    fn read() -> Self {
        Self(serde_yaml_ng::from_str(include_str!("../openapi.yaml")).expect("YAML"))
    }

    /// The documented answers of an operation, by status.
    fn answers(&self, (method, path): (&str, &str)) -> &serde_json::Map<String, Value> {
        self.0["paths"][path][method]["responses"]
            .as_object()
            .expect("responses")
    }

    /// `value`, or what it refers to.
    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => self
                .0
                .pointer(reference.trim_start_matches('#'))
                .expect("a target"),
            None => value,
        }
    }

    /// Holds `value` to a schema of the contract.
    fn check(&self, schema: &Value, value: &Value, at: &str) {
        assert!(
            self.errors(schema, value).is_empty(),
            "{at}: {value}: {:?}",
            self.errors(schema, value)
        );
    }

    fn errors(&self, schema: &Value, value: &Value) -> Vec<String> {
        let mut schema = schema.clone();
        schema["components"] = self.0["components"].clone();
        let validator = jsonschema::options()
            .should_validate_formats(true)
            .build(&schema)
            .expect("a schema");
        validator
            .iter_errors(value)
            .map(|error| error.to_string())
            .collect()
    }

    /// Sends the request and holds its answer to the contract; gives its status.
    async fn hold(&self, operation: (&str, &str), request: RequestBuilder) -> String {
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16().to_string();
        let at = format!("{operation:?} {status}");
        let documented = self.resolve(self.answers(operation).get(&status).expect(&at));

        for (name, header) in documented["headers"].as_object().into_iter().flatten() {
            let value = answer
                .headers()
                .get(name)
                .expect(&at)
                .to_str()
                .expect("text");
            let number = value
                .parse::<i64>()
                .ok()
                .filter(|_| header["schema"]["type"] == "integer");
            let value = number.map_or_else(|| json!(value), |number| json!(number));
            self.check(&header["schema"], &value, &at);
        }
        let media_type = answer
            .headers()
            .get("content-type")
            .map(|value| value.to_str().expect("text").to_owned());
        let body = answer.text().await.expect("text");
        match (documented["content"].as_object(), media_type) {
            // API Gateway gives every answer a media type, also where there is nothing.
            (None, _) => assert_eq!(body, "", "{at}"),
            (Some(content), Some(media_type)) => {
                let body = serde_json::from_str(&body).expect("JSON");
                self.check(&content.get(&media_type).expect(&at)["schema"], &body, &at);
            }
            (documented, sent) => panic!("{at}: {documented:?} documented, {sent:?} sent"),
        }
        status
    }
}

/// A DynamoDB that refuses every call in this way.
async fn refusing(status: StatusCode, code: &'static str) -> Catalog {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let app = Router::new().fallback(async move || (status, json!({ "__type": code }).to_string()));
    tokio::spawn(async { axum::serve(listener, app).await });
    Catalog::start_with(&url).await
}

/// What was answered: an operation, and a status of it.
type Seen = BTreeSet<((&'static str, &'static str), String)>;

/// Gets every answer that depends on nothing but the request.
async fn answers(contract: &Contract, client: &Client) -> Seen {
    let new = product("contract", "Amazon Echo", "Smart speaker", "89.99").to_string();
    let other = product("contract", "Another", "", "1").to_string();
    let large = product("large", "Large", &"x".repeat(400 * 1024), "1").to_string();
    let text = client
        .request(Method::POST, "/product/create")
        .header("content-type", "text/plain");
    let requests = [
        (CREATE, client.create(new.clone())),
        (CREATE, client.create(new.clone())),
        (CREATE, client.create(other)),
        (CREATE, client.create("")),
        (CREATE, client.create(large)),
        (CREATE, text.body(new)),
        (CREATE, client.create(r#"{"id":" ","colour":"red"}"#)),
        (FIND, client.find("contract")),
        (FIND, client.find("contract").header("if-none-match", "*")),
        (FIND, client.find("large")),
    ];
    let mut seen = Seen::new();
    for (operation, request) in requests {
        seen.insert((operation, contract.hold(operation, request).await));
    }
    seen
}

/// Every answer in the contract.
fn documented(contract: &Contract) -> Seen {
    let answers = |operation| {
        contract
            .answers(operation)
            .keys()
            .map(move |status| (operation, status.clone()))
    };
    [CREATE, FIND].into_iter().flat_map(answers).collect()
}

#[tokio::test]
async fn every_documented_answer_is_given_and_no_other() {
    let contract = Contract::read();
    let busy = refusing(StatusCode::BAD_REQUEST, "ThrottlingException").await;
    let forbidden = refusing(StatusCode::BAD_REQUEST, "AccessDeniedException").await;
    let echo = product("1001", "Amazon Echo", "Smart speaker", "89.99").to_string();

    let catalog = Catalog::start().await;
    let mut seen = answers(&contract, &catalog).await;
    for (operation, request) in [
        (CREATE, busy.create(echo.clone())),
        (CREATE, forbidden.create(echo)),
        (FIND, busy.find("1001")),
        (FIND, forbidden.find("1001")),
    ] {
        seen.insert((operation, contract.hold(operation, request).await));
    }
    assert_eq!(seen, documented(&contract));
}

/// `make rehearse` runs it against API Gateway, over a table that is new.
#[tokio::test]
#[ignore = "needs CATALOG_URL, the address of a deployed API"]
async fn a_deployed_api_keeps_the_contract() {
    let url = std::env::var("CATALOG_URL").expect("CATALOG_URL must be set");
    let contract = Contract::read();
    let client = Client::of(&url);

    let seen = answers(&contract, &client).await;
    // A DynamoDB that refuses cannot be had there.
    let mut expected = documented(&contract);
    expected.retain(|(_, status)| !status.starts_with('5'));
    assert_eq!(seen, expected);

    draws_the_line_where_the_contract_does(&contract, &client).await;
}

#[test]
fn every_example_is_what_it_is_an_example_of() {
    let contract = Contract::read();
    let components = &contract.0["components"];
    for (name, response) in components["responses"].as_object().expect("responses") {
        for media in response["content"].as_object().expect("content").values() {
            contract.check(&media["schema"], &media["example"], name);
        }
    }
    let schema = json!({ "$ref": "#/components/schemas/Product" });
    contract.check(&schema, &components["examples"]["Echo"]["value"], "Echo");
}

#[tokio::test]
async fn what_the_contract_calls_a_product_is_taken_and_nothing_else() {
    let catalog = Catalog::start().await;
    draws_the_line_where_the_contract_does(&Contract::read(), &catalog).await;
}

/// The schema of a new product and `Product::from_json` draw the same line.
async fn draws_the_line_where_the_contract_does(contract: &Contract, client: &Client) {
    let schema = json!({ "$ref": "#/components/schemas/NewProduct" });
    let mut taken = Vec::new();
    for (field, value) in [
        ("id", json!("a b")),
        ("id", json!("a/b")),
        ("id", json!("...")),
        ("id", json!("")),
        ("id", json!(" a")),
        ("id", json!("a\u{3000}")),
        ("id", json!("a\u{0}b")),
        ("id", json!("a\u{85}b")),
        ("id", json!(".")),
        ("id", json!("..")),
        ("id", json!("x".repeat(2048))),
        ("id", json!("x".repeat(2049))),
        ("id", json!(1001)),
        ("title", json!(" ")),
        ("title", json!("")),
        ("description", json!("")),
        ("description", Value::Null),
        ("price", json!("0")),
        ("price", json!("0.10")),
        ("price", json!(10)),
        ("price", json!(19.9)),
        ("price", json!(-1)),
        ("price", json!("-1")),
        ("price", json!("01")),
        ("price", json!("1.")),
        ("price", json!(".5")),
        ("price", json!("1e2")),
        ("price", json!("")),
        ("price", json!("9".repeat(38))),
        ("price", json!("9".repeat(39))),
        ("price", json!(true)),
        ("colour", json!("red")),
    ] {
        let mut body = product(&format!("{} {field}", taken.len()), "t", "d", "1.00");
        body[field] = value;
        let answer = client
            .create(body.to_string())
            .send()
            .await
            .expect("an answer");
        let errors = contract.errors(&schema, &body);
        assert_eq!(
            answer.status() == 201,
            errors.is_empty(),
            "{body}: {} {errors:?}",
            answer.status()
        );
        taken.push(errors.is_empty());
    }
    assert!(taken.contains(&true) && taken.contains(&false));
}
