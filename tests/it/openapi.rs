//! Reads openapi.yaml for the tests, and checks the document itself.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::repeat;

use catalog::Outcome;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tests::echo;

pub const CREATE: (&str, &str) = ("post", "/product/create");
pub const FIND: (&str, &str) = ("get", "/product/find/{id}");

/// `openapi.yaml`, read as JSON.
pub struct Contract(Value);

impl Contract {
    pub fn read() -> Self {
        Self(serde_yaml_ng::from_str(include_str!("../../openapi.yaml")).expect("YAML"))
    }

    /// The description of the whole API, each paragraph on one line.
    pub fn description(&self) -> String {
        let text = self.0["info"]["description"].as_str().expect("text");
        text.replace("\n\n", "\r")
            .replace('\n', " ")
            .replace('\r', "\n")
    }

    /// The contract with all objects closed. Callers ignore undeclared members, so that we can add
    /// one, but we must declare it.
    pub fn closed() -> Self {
        let mut contract = Self::read();
        let schemas = contract.0["components"]["schemas"].as_object_mut();
        for schema in schemas.expect("schemas").values_mut() {
            if schema["type"] == "object" {
                schema["additionalProperties"] = false.into();
            }
        }
        contract
    }

    /// All operations.
    pub fn operations(&self) -> Vec<(&str, &str)> {
        let paths = self.0["paths"].as_object().expect("paths");
        paths
            .iter()
            .flat_map(|(path, item)| item.as_object().into_iter().flatten().zip(repeat(path)))
            .map(|((method, _), path)| (method.as_str(), path.as_str()))
            .collect()
    }

    /// The documented responses of an operation, by status.
    pub fn responses(&self, (method, path): (&str, &str)) -> &serde_json::Map<String, Value> {
        self.0["paths"][path][method]["responses"]
            .as_object()
            .expect("responses")
    }

    /// The examples of a response, and the schema that they must have.
    pub fn examples<'a>(
        &'a self,
        response: &'a Value,
    ) -> impl Iterator<Item = (&'a Value, &'a Value)> {
        let content = self.resolve(response)["content"].as_object();
        content.into_iter().flatten().flat_map(|(_, media)| {
            let named = media["examples"].as_object().into_iter().flatten();
            let named = named.map(|(_, example)| &self.resolve(example)["value"]);
            let examples = named.chain(media.get("example"));
            examples.map(|example| (&media["schema"], example))
        })
    }

    /// `value`, or the target of its `$ref`.
    pub fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => self
                .0
                .pointer(reference.trim_start_matches('#'))
                .expect("a target"),
            None => value,
        }
    }

    /// Checks `value` against a schema of the contract.
    pub fn check(&self, schema: &Value, value: &Value, at: &str) {
        assert!(
            self.errors(schema, value).is_empty(),
            "{at}: {value}: {:?}",
            self.errors(schema, value)
        );
    }

    pub fn errors(&self, schema: &Value, value: &Value) -> Vec<String> {
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
}

/// A kind of problem: the name in its `type`, its status and its title.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    pub name: String,
    status: u64,
    title: String,
}

impl Problem {
    pub const PREFIX: &str = "urn:problem-type:product-catalog:";

    /// Its name in a body, if that is one.
    pub fn name_in(body: &Value) -> Option<String> {
        Some(
            body["type"]
                .as_str()?
                .strip_prefix(Self::PREFIX)?
                .to_owned(),
        )
    }
}

/// The problems among the outcomes of the functions.
pub fn problems_of_functions() -> impl Iterator<Item = Problem> {
    Outcome::ALL.into_iter().filter_map(|outcome| {
        Some(Problem {
            name: outcome.name().to_owned(),
            status: outcome.status().as_u16().into(),
            title: outcome.title()?.to_owned(),
        })
    })
}

/// The value of this name in `custom` of `serverless.yml`. Read separately, because the
/// CloudFormation functions in the file are not JSON.
fn custom<T: DeserializeOwned>(name: &str) -> T {
    let stack: serde_yaml_ng::Value = serde_yaml_ng::from_str(include_str!("../../serverless.yml"))
        .expect("serverless.yml is YAML");
    serde_yaml_ng::from_value(stack["custom"][name].clone()).expect(name)
}

/// API Gateway's own problems.
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

#[test]
fn the_contract_has_the_version_of_the_code() {
    let contract = Contract::read().0;
    assert_eq!(contract["info"]["version"], env!("CARGO_PKG_VERSION"));
}

/// A stage requires nothing, a signature or a key, and the contract documents all three.
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

/// The contract has a line and a schema for each problem of the functions and of API Gateway, and
/// for no other.
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
    let sent: BTreeSet<_> = problems_of_functions()
        .chain(problems_of_api_gateway())
        .map(|problem| (problem.name, problem.status))
        .collect();
    assert_eq!(documented, sent);

    let schemas = contract.0["components"]["schemas"].as_object();
    let constants = schemas.expect("schemas").values().filter_map(|schema| {
        let members = &schema["properties"];
        let name = Problem::name_in(&json!({ "type": members["type"]["const"] }))?;
        Some((name, members["status"]["const"].as_u64().expect("a status")))
    });
    assert_eq!(constants.collect::<BTreeSet<_>>(), sent);
}

/// Each response has an example of its body or a header, and each problem one for each of its
/// titles.
#[test]
fn every_response_and_every_problem_has_a_correct_example() {
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
    let sent = problems_of_functions().chain(problems_of_api_gateway());
    assert_eq!(shown, sent.collect());
}

/// RFC 9457 requires clients to ignore unknown members. In a request, they are mistakes.
#[test]
fn only_responses_may_have_unknown_members_and_ours_never_do() {
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
