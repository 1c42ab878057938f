//! The responses agree with openapi.yaml: each documented status is seen, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use catalog::Outcome;
use reqwest::{Method, RequestBuilder, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tests::{Catalog, Client, echo, product};
use tokio::net::TcpListener;

const CREATE: (&str, &str) = ("post", "/product/create");
const FIND: (&str, &str) = ("get", "/product/find/{id}");

/// `openapi.yaml`, read as JSON.
struct Contract(Value);

impl Contract {
    fn read() -> Self {
        Self(serde_yaml_ng::from_str(include_str!("../../openapi.yaml")).expect("YAML"))
    }

    /// The same without undeclared members: callers ignore them, so that we can add some, but then
    /// we declare them.
    fn closed() -> Self {
        let mut contract = Self::read();
        let schemas = contract.0["components"]["schemas"].as_object_mut();
        for schema in schemas.expect("schemas").values_mut() {
            if schema["type"] == "object" {
                schema["additionalProperties"] = false.into();
            }
        }
        contract
    }

    /// The documented responses of an operation, by status.
    fn responses(&self, (method, path): (&str, &str)) -> &serde_json::Map<String, Value> {
        self.0["paths"][path][method]["responses"]
            .as_object()
            .expect("responses")
    }

    /// The examples of a response, and the schema that they must have.
    fn examples<'a>(&'a self, response: &'a Value) -> impl Iterator<Item = (&'a Value, &'a Value)> {
        let content = self.resolve(response)["content"].as_object();
        content.into_iter().flatten().flat_map(|(_, media)| {
            let named = media["examples"].as_object().into_iter().flatten();
            let named = named.map(|(_, example)| &self.resolve(example)["value"]);
            let examples = named.chain(media.get("example"));
            examples.map(|example| (&media["schema"], example))
        })
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

    /// Sends the request and holds its response to the contract; gives its status and its problem.
    async fn hold(&self, operation: (&str, &str), request: RequestBuilder) -> Told {
        let response = send(request).await;
        let status = response.status().as_u16().to_string();
        let at = format!("{operation:?} {status}");
        let documented = self.resolve(self.responses(operation).get(&status).expect(&at));

        for (name, header) in documented["headers"].as_object().into_iter().flatten() {
            let header = self.resolve(header);
            let value = match response.headers().get(name) {
                None if header["required"] != true => continue,
                value => value.expect(&at).to_str().expect("text"),
            };
            let number = value
                .parse::<i64>()
                .ok()
                .filter(|_| header["schema"]["type"] == "integer");
            let value = number.map_or_else(|| json!(value), |number| json!(number));
            self.check(&header["schema"], &value, &at);
        }
        let media_type = response
            .headers()
            .get("content-type")
            .map(|value| value.to_str().expect("text").to_owned());
        let body = response.text().await.expect("text");
        let problem = match (documented["content"].as_object(), media_type) {
            // API Gateway gives every response a media type, also where there is nothing.
            (None, _) => {
                assert_eq!(body, "", "{at}");
                None
            }
            (Some(content), Some(media_type)) => {
                let body = serde_json::from_str(&body).expect("JSON");
                self.check(&content.get(&media_type).expect(&at)["schema"], &body, &at);
                Problem::name_in(&body)
            }
            (documented, sent) => panic!("{at}: {documented:?} documented, {sent:?} sent"),
        };
        (status, problem)
    }
}

/// Sends the request, and again after a 429: a deployed stage that is open to everyone allows few
/// requests in a second.
async fn send(request: RequestBuilder) -> Response {
    let mut attempts = 0;
    loop {
        let again = request.try_clone().expect("a body in memory");
        let response = again.send().await.expect("a response");
        attempts += 1;
        if response.status() != StatusCode::TOO_MANY_REQUESTS || attempts == 10 {
            return response;
        }
        // A real second, which tokio's paused clock would skip.
        std::thread::sleep(Duration::from_secs(1));
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

/// A status, and the name of the problem if it is one.
type Told = (String, Option<String>);

/// The responses that were seen, by operation.
type Seen = BTreeSet<((&'static str, &'static str), Told)>;

/// Gets every response that depends on nothing but the request.
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
        seen.insert((operation, contract.hold(operation, request).await));
    }
    seen
}

/// Every response in the contract, but for those that API Gateway alone gives.
fn documented(contract: &Contract) -> Seen {
    let of_functions: BTreeSet<_> = problems_of_functions()
        .map(|problem| problem.name)
        // No caller can cause it.
        .filter(|name| name != Outcome::MalformedRequest.name())
        .collect();
    let mut documented = Seen::new();
    for operation in [CREATE, FIND] {
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

/// A kind of problem, as its `type`, status and title tell it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    name: String,
    status: u64,
    title: String,
}

impl Problem {
    const PREFIX: &str = "urn:problem-type:product-catalog:";

    /// Its name in a body, if that is one.
    fn name_in(body: &Value) -> Option<String> {
        Some(
            body["type"]
                .as_str()?
                .strip_prefix(Self::PREFIX)?
                .to_owned(),
        )
    }
}

/// The problems among the outcomes of the functions.
fn problems_of_functions() -> impl Iterator<Item = Problem> {
    Outcome::ALL.into_iter().filter_map(|outcome| {
        Some(Problem {
            name: outcome.name().to_owned(),
            status: outcome.status().as_u16().into(),
            title: outcome.title()?.to_owned(),
        })
    })
}

/// What `serverless.yml` has under this name in `custom`. Read by itself: the functions of
/// CloudFormation around it are no JSON.
fn custom<T: DeserializeOwned>(name: &str) -> T {
    let stack: serde_yaml_ng::Value = serde_yaml_ng::from_str(include_str!("../../serverless.yml"))
        .expect("serverless.yml is YAML");
    serde_yaml_ng::from_value(stack["custom"][name].clone()).expect(name)
}

/// What API Gateway responses with by itself.
fn problems_of_api_gateway() -> Vec<Problem> {
    #[derive(Deserialize)]
    struct Response {
        problem: String,
        status: u64,
        title: String,
    }
    let responses: BTreeMap<String, Response> = custom("gatewayResponses");
    let problem = |response: Response| Problem {
        name: response.problem,
        status: response.status,
        title: response.title,
    };
    responses.into_values().map(problem).collect()
}

/// A stage lets in everyone, a signature or a key, and each is in the contract.
#[test]
fn what_a_stage_can_require_is_a_security_scheme() {
    #[derive(Deserialize)]
    struct Authorization {
        authorizer: String,
        private: bool,
    }
    let authorizations: BTreeMap<String, Authorization> = custom("authorization");
    let required = authorizations.values().map(|authorization| {
        let scheme = match (authorization.authorizer.as_str(), authorization.private) {
            ("", false) => return vec![],
            ("", true) => json!(["apiKey", "header", "X-Api-Key", null]),
            ("aws_iam", false) => json!(["apiKey", "header", "Authorization", "awsSigv4"]),
            unknown => panic!("{unknown:?}"),
        };
        vec![scheme.to_string()]
    });

    let contract = Contract::read().0;
    let schemes = &contract["components"]["securitySchemes"];
    let alternatives = contract["security"].as_array().expect("alternatives");
    let documented = alternatives.iter().map(|alternative| {
        let names = alternative.as_object().expect("schemes").keys();
        let members = ["type", "in", "name", "x-amazon-apigateway-authtype"];
        let schemes = names.map(|name| json!(members.map(|member| &schemes[name][member])));
        schemes.map(|scheme| scheme.to_string()).collect()
    });
    let documented: BTreeSet<Vec<_>> = documented.collect();
    assert_eq!(documented, required.collect());
}

/// The reference has a line and a schema for each problem that the functions and
/// API Gateway have, and for no other.
#[test]
fn every_problem_is_documented_and_no_other() {
    let contract = Contract::read();
    let reference = contract.0["info"]["description"].as_str().expect("a text");
    assert!(reference.contains(Problem::PREFIX));
    let documented: BTreeSet<_> = reference
        .split("\n- `")
        .skip(1)
        .map(|line| {
            let (name, line) = line.split_once("` (").expect("a name");
            let (status, line) = line.split_once("): ").expect("a status");
            let (happened, to_do) = line.split_once(". *").expect("what to do");
            assert!(!happened.is_empty() && to_do.contains(".*"), "{line}");
            (name.to_owned(), status.parse().expect("a status"))
        })
        .collect();
    let answered: BTreeSet<_> = problems_of_functions()
        .chain(problems_of_api_gateway())
        .map(|problem| (problem.name, problem.status))
        .collect();
    assert_eq!(documented, answered);

    let schemas = contract.0["components"]["schemas"].as_object();
    let constants = schemas.expect("schemas").values().filter_map(|schema| {
        let members = &schema["properties"];
        let name = Problem::name_in(&json!({ "type": members["type"]["const"] }))?;
        Some((name, members["status"]["const"].as_u64().expect("a status")))
    });
    assert_eq!(constants.collect::<BTreeSet<_>>(), answered);
}

#[tokio::test(start_paused = true)]
async fn every_documented_answer_is_given_and_no_other() {
    let contract = Contract::closed();
    let busy = refusing(StatusCode::BAD_REQUEST, "ThrottlingException").await;
    let forbidden = refusing(StatusCode::BAD_REQUEST, "AccessDeniedException").await;
    let echo = echo("1001").to_string();

    let catalog = Catalog::start().await;
    let mut seen = responses(&contract, &catalog).await;
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
#[tokio::test(start_paused = true)]
#[ignore = "needs CATALOG_URL, the address of a deployed API"]
async fn a_deployed_api_keeps_the_contract() {
    let url = std::env::var("CATALOG_URL").expect("CATALOG_URL must be set");
    let contract = Contract::closed();
    let client = Client::of(&url);

    let seen = responses(&contract, &client).await;
    // A DynamoDB that refuses cannot be had there.
    let mut expected = documented(&contract);
    expected.retain(|(_, (status, _))| !status.starts_with('5'));
    assert_eq!(seen, expected);

    draws_the_line_where_the_contract_does(&contract, &client).await;
}

/// Each response shows a body or a header, and each problem is shown with each of its titles.
#[test]
fn every_response_and_every_problem_has_an_example_and_it_is_true() {
    let contract = Contract::closed();
    let mut shown = BTreeSet::new();
    for operation in [CREATE, FIND] {
        for (status, response) in contract.responses(operation) {
            let at = format!("{operation:?} {status}");
            let mut examples = 0;
            let headers = contract.resolve(response)["headers"].as_object();
            for header in headers.into_iter().flatten() {
                let header = contract.resolve(header.1);
                contract.check(&header["schema"], &header["example"], &at);
                examples += 1;
            }
            for (schema, example) in contract.examples(response) {
                contract.check(schema, example, &at);
                examples += 1;
                if let Some(name) = Problem::name_in(example) {
                    assert_eq!(example["status"].to_string(), *status, "{at}");
                    shown.insert(Problem {
                        name,
                        status: status.parse().expect("a status"),
                        title: example["title"].as_str().expect("a title").to_owned(),
                    });
                }
            }
            assert!(examples > 0, "{at}");
        }
    }
    let answered = problems_of_functions().chain(problems_of_api_gateway());
    assert_eq!(shown, answered.collect());
}

/// RFC 9457 asks clients to ignore members that they do not know. In a request, they are mistakes.
#[test]
fn responses_are_open_for_clients_and_closed_for_us_and_requests_are_closed() {
    let (contract, closed) = (Contract::read(), Contract::closed());
    let mut examples = vec![(
        json!({ "$ref": "#/components/schemas/NewProduct" }),
        echo("1001"),
    )];
    for operation in [CREATE, FIND] {
        for (_, response) in contract.responses(operation) {
            let response = contract.examples(response);
            examples.extend(response.map(|(schema, example)| (schema.clone(), example.clone())));
        }
    }
    for (schema, example) in examples {
        let is_request = schema["$ref"] == "#/components/schemas/NewProduct";
        for object in ["", "/errors/0"] {
            let mut extended = example.clone();
            let Some(object) = extended.pointer_mut(object) else {
                continue;
            };
            object["colour"] = "red".into();
            let is_open = contract.errors(&schema, &extended).is_empty();
            assert_eq!(is_open, !is_request, "{schema} {extended}");
            let is_closed = !closed.errors(&schema, &extended).is_empty();
            assert!(is_closed, "{schema} {extended}");
        }
    }
}

#[tokio::test(start_paused = true)]
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
        let response = send(client.create(body.to_string())).await;
        let errors = contract.errors(&schema, &body);
        assert_eq!(
            response.status() == 201,
            errors.is_empty(),
            "{body}: {} {errors:?}",
            response.status()
        );
        taken.push(errors.is_empty());
    }
    assert!(taken.contains(&true) && taken.contains(&false));
}
