//! Responses conform to openapi.yaml: every documented response occurs, and no other.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::StatusCode;
use catalog::{Cors, Outcome};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tests::{Catalog, Client, Signer, echo, product};

use crate::openapi::{CREATE, Contract, FIND, Problem, problems_of_functions};

/// Sends the request, and checks that its response is documented.
async fn check(
    contract: &Contract,
    client: &Client,
    operation: (&str, &str),
    request: RequestBuilder,
) -> Kind {
    let response = send(client, request).await;
    let status = response.status().as_u16().to_string();
    let at = format!("{operation:?} {status}");
    let documented = contract.resolve(contract.responses(operation).get(&status).expect(&at));

    for (name, header) in documented["headers"].as_object().into_iter().flatten() {
        let header = contract.resolve(header);
        let value = match response.headers().get(name) {
            None if header["required"] != true => continue,
            value => value.expect(&at).to_str().expect("text"),
        };
        let number = value
            .parse::<i64>()
            .ok()
            .filter(|_| header["schema"]["type"] == "integer");
        let value = number.map_or_else(|| json!(value), |number| json!(number));
        contract.check(&header["schema"], &value, &at);
    }
    let media_type = response
        .headers()
        .get("content-type")
        .map(|value| value.to_str().expect("text").to_owned());
    let body = response.text().await.expect("text");
    let problem = match (documented["content"].as_object(), media_type) {
        // API Gateway adds a media type to every response, even to an empty one.
        (None, _) => {
            assert_eq!(body, "", "{at}");
            None
        }
        (Some(content), Some(media_type)) => {
            let body = serde_json::from_str(&body).expect("JSON");
            contract.check(&content.get(&media_type).expect(&at)["schema"], &body, &at);
            Problem::name_in(&body)
        }
        (documented, sent) => panic!("{at}: {documented:?} documented, {sent:?} sent"),
    };
    (status, problem)
}

/// Sends the request, and retries it after a 429: a deployed stage that is open to everyone has a
/// low request limit.
async fn send(client: &Client, request: RequestBuilder) -> Response {
    let mut attempts = 0;
    loop {
        let again = request.try_clone().expect("a body in memory");
        let response = client.send(again).await;
        attempts += 1;
        if response.status() != StatusCode::TOO_MANY_REQUESTS || attempts == 10 {
            return response;
        }
        // A real second, which tokio's paused clock would skip.
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// A kind of response: its status, and its problem's name if it is one.
type Kind = (String, Option<String>);

/// The responses that were seen, by operation.
type Seen = BTreeSet<((&'static str, &'static str), Kind)>;

/// Sends a request for every response that depends only on the request.
async fn responses(contract: &Contract, client: &Client) -> Seen {
    let new = echo("contract").to_string();
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
        seen.insert((operation, check(contract, client, operation, request).await));
    }
    seen
}

/// Every response in the contract that a function sends.
fn documented(contract: &Contract) -> Seen {
    let of_functions: BTreeSet<_> = problems_of_functions()
        .map(|problem| problem.name)
        // No caller can cause it.
        .filter(|name| name != Outcome::MalformedRequest.name())
        .collect();
    let mut documented = Seen::new();
    let operations = [CREATE, FIND];
    assert_eq!(contract.operations(), operations, "each has its requests");
    for operation in operations {
        for (status, response) in contract.responses(operation) {
            let bodies: Vec<_> = contract.examples(response).map(|(_, body)| body).collect();
            let mut problems = bodies
                .iter()
                .map(|body| Problem::name_in(body))
                .collect::<Vec<_>>();
            if problems.is_empty() {
                problems.push(None);
            }
            problems.retain(|name| name.as_ref().is_none_or(|name| of_functions.contains(name)));
            documented.extend(
                problems
                    .into_iter()
                    .map(|name| (operation, (status.clone(), name))),
            );
        }
    }
    documented
}

#[tokio::test(start_paused = true)]
async fn every_documented_response_is_sent_and_no_other() {
    let contract = Contract::closed();
    let busy = Catalog::failing("ThrottlingException", Cors::default()).await;
    let forbidden = Catalog::failing("AccessDeniedException", Cors::default()).await;
    let echo = echo("1001").to_string();

    let catalog = Catalog::start().await;
    let mut seen = responses(&contract, &catalog).await;
    for (operation, failing, request) in [
        (CREATE, &busy, busy.create(echo.clone())),
        (CREATE, &forbidden, forbidden.create(echo)),
        (FIND, &busy, busy.find("1001")),
        (FIND, &forbidden, forbidden.find("1001")),
    ] {
        let kind = check(&contract, failing, operation, request).await;
        seen.insert((operation, kind));
    }
    assert_eq!(seen, documented(&contract));
}

/// The pipeline runs this in STAGE, and `make rehearse` against an emulated API Gateway. It signs
/// requests with the AWS credentials in the environment, if there are any. Products are never
/// deleted: the first run creates them, and later runs send the same ones again.
#[tokio::test(start_paused = true)]
#[ignore = "needs CATALOG_URL, the address of a deployed API"]
async fn a_deployed_api_conforms_to_the_contract() {
    let url = std::env::var("CATALOG_URL").expect("CATALOG_URL must be set");
    let contract = Contract::closed();
    let client = Client::of(&url).signing(Signer::from_environment());

    let mut seen = responses(&contract, &client).await;
    seen.remove(&(CREATE, ("201".to_owned(), None)));
    // Its DynamoDB does not fail.
    let mut expected = documented(&contract);
    expected.retain(|(_, (status, _))| !status.starts_with('5') && status != "201");
    assert_eq!(seen, expected);

    draws_the_line_where_the_contract_does(&contract, &client).await;
}

#[tokio::test(start_paused = true)]
async fn exactly_what_the_contract_defines_as_a_product_is_accepted() {
    let catalog = Catalog::start().await;
    draws_the_line_where_the_contract_does(&Contract::read(), &catalog).await;
}

/// The schema of a new product and `Product::from_json` accept the same bodies.
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
        let response = send(client, client.create(body.to_string())).await;
        let errors = contract.errors(&schema, &body);
        assert_eq!(
            // A deployed API may already have the product, or a different one with its id.
            [200, 201, 409].contains(&response.status().as_u16()),
            errors.is_empty(),
            "{body}: {} {errors:?}",
            response.status()
        );
        taken.push(errors.is_empty());
    }
    assert!(taken.contains(&true) && taken.contains(&false));
}
