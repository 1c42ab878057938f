//! The binary as an operator sees it: its log, with the metrics, and its traces.

use std::collections::BTreeSet;

use local::LocalDynamoDb;
use serde_json::Value;
use tests::{Fault, Faulty, Lambda, create_event, echo, product};
use tokio::net::UdpSocket;

const BINARY: &str = env!("CARGO_BIN_EXE_create-product");

/// The status of each response, and its log line. `variables` are added to the required ones.
///
/// An event is sent again after a 503, up to ten times: the function's time-outs follow the wall
/// clock, so they can expire on a busy machine.
async fn logged(url: &str, variables: &[(&str, &str)], events: &[Value]) -> Vec<(Value, Value)> {
    let needed = [
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_ENDPOINT_URL", url),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ("AWS_REGION", "local"),
        ("AWS_SECRET_ACCESS_KEY", Lambda::SECRET),
        ("DYNAMODB_TABLE", LocalDynamoDb::TABLE),
    ];
    let mut function = Lambda::start(BINARY, &[&needed, variables].concat()).await;
    let mut statuses = Vec::new();
    for event in events {
        for _ in 0..10 {
            let response = function.invoke(&event.to_string()).await;
            let status = response.expect("a response")["statusCode"].clone();
            statuses.push(status.clone());
            if status != 503 {
                break;
            }
        }
    }
    let log = function.kill().await;
    let lines = log
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    let lines: Vec<_> = lines
        .filter(|line: &Value| line["message"] == "responded")
        .collect();
    assert_eq!(lines.len(), statuses.len(), "one line for each response");
    statuses.into_iter().zip(lines).collect()
}

fn echo_event() -> Value {
    create_event(echo("1001").to_string())
}

/// An event whose body is not what API Gateway says it is.
fn malformed() -> Value {
    let mut event = echo_event();
    event["isBase64Encoded"] = true.into();
    event
}

#[tokio::test]
async fn each_response_is_a_line_of_json_in_the_log() {
    let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    let responses = logged(
        &dynamodb.url(),
        &[],
        &[echo_event(), echo_event(), create_event("{}"), malformed()],
    )
    .await;
    let settled = responses.iter().filter_map(|(status, _)| status.as_u64());
    let settled: Vec<_> = settled.filter(|status| *status != 503).collect();
    // After a time-out, the product may already exist.
    let first = if responses[0].0 == 503 {
        settled[0]
    } else {
        201
    };
    assert!([200, 201].contains(&first), "{settled:?}");
    assert_eq!(settled, [first, 200, 422, 400]);
    for (n, (status, line)) in responses.iter().enumerate() {
        let outcome = match status.as_u64() {
            Some(201) => "created",
            Some(200) => "replayed",
            Some(422) => "invalid-product",
            Some(400) => "malformed-request",
            _ => "unavailable",
        };
        assert_eq!(line["level"], "INFO");
        let timestamp = line["timestamp"].as_str().expect("text");
        assert!(
            timestamp.ends_with('Z') && timestamp.contains('T'),
            "{line}"
        );
        assert_eq!(line["requestId"], "1", "Lambda's");
        assert!(line["apiRequestId"].is_string(), "{line}");
        assert_eq!(line["xrayTraceId"], "1-5759e988-bd862e3fe1be46a994272793");
        assert_eq!(line["route"], "POST /product/create");
        assert_eq!(line["status"], *status);
        assert_eq!(line["coldStart"], n == 0);
        assert_eq!(line["Outcome"], outcome);
        assert_eq!(line["FunctionName"], "function");
    }
}

/// Names and units match the schema, and each line has every metric and dimension that it declares.
#[tokio::test]
async fn each_line_has_its_metrics_as_cloudwatch_reads_them() {
    let schema: Value = serde_json::from_str(include_str!("emf.schema.json")).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    let faulty = Faulty::start(&dynamodb, Fault::Error("InternalServerError"), 2).await;
    // At ERROR, the lines of responses would be dropped, but their metrics must stay.
    let level = [("AWS_LAMBDA_LOG_LEVEL", "ERROR")];
    let responses = logged(
        faulty.url(),
        &level,
        &[echo_event(), echo_event(), create_event("{}")],
    )
    .await;
    let mut attempts = 0;
    for (n, (status, line)) in responses.iter().enumerate() {
        let calls_dynamodb = *status != 422;
        assert!(schema.is_valid(line), "{line}");
        let mut names = BTreeSet::new();
        for directive in line["_aws"]["CloudWatchMetrics"]
            .as_array()
            .expect("a list")
        {
            assert_eq!(directive["Namespace"], "ProductCatalog");
            for dimension in directive["Dimensions"][0].as_array().expect("a list") {
                assert!(
                    line[dimension.as_str().expect("text")].is_string(),
                    "{dimension}"
                );
            }
            for metric in directive["Metrics"].as_array().expect("a list") {
                let name = metric["Name"].as_str().expect("text");
                assert!(line[name].is_number(), "{name}");
                names.insert(name.to_owned());
            }
        }
        let expected: &[&str] = if calls_dynamodb {
            &[
                "ColdStarts",
                "DynamoDBLatency",
                "DynamoDBRetries",
                "Latency",
                "Requests",
            ]
        } else {
            &["ColdStarts", "Latency", "Requests"]
        };
        assert!(names.iter().eq(expected), "{names:?}");
        assert_eq!(line["Requests"], 1);
        assert_eq!(line["ColdStarts"], u8::from(n == 0));
        if calls_dynamodb {
            attempts += 1 + line["DynamoDBRetries"].as_u64().expect("a count");
            assert!(
                line["DynamoDBLatency"].as_f64() <= line["Latency"].as_f64(),
                "{line}"
            );
        }
    }
    assert_eq!(responses[0].1["DynamoDBRetries"], 2);
    assert_eq!(usize::try_from(attempts), Ok(faulty.calls()));
}

/// X-Ray's daemon gets the call as a subsegment of the function.
#[tokio::test]
async fn a_traced_request_shows_its_dynamodb_call_in_x_ray() {
    let daemon = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let address = daemon.local_addr().expect("an address").to_string();
    let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    let variables = [("AWS_XRAY_DAEMON_ADDRESS", address.as_str())];
    let other = create_event(product("1001", "Amazon Echo", "another", "89.99").to_string());
    let responses = logged(
        &dynamodb.url(),
        &variables,
        &[echo_event(), other, create_event("{}")],
    )
    .await;
    // Datagrams arrive in order, so everything that the function sent precedes this one.
    daemon.send_to(b"the end", &address).await.expect("sent");
    let mut datagram = [0; 4096];
    for (response, line) in &responses[..responses.len() - 1] {
        let length = daemon.recv(&mut datagram).await.expect("a datagram");
        let text = str::from_utf8(&datagram[..length]).expect("text");
        let (header, document) = text.split_once('\n').expect("two lines");
        assert_eq!(header, r#"{"format":"json","version":1}"#);
        let document: Value = serde_json::from_str(document).expect("JSON");
        assert_eq!(document["name"], "DynamoDB");
        assert_eq!(document["type"], "subsegment");
        assert_eq!(document["namespace"], "aws");
        assert_eq!(document["trace_id"], "1-5759e988-bd862e3fe1be46a994272793");
        assert_eq!(document["parent_id"], "53995c3f42cd8ad8");
        assert_eq!(document["id"].as_str().map(str::len), Some(16));
        assert_eq!(document["aws"]["operation"], "PutItem");
        assert_eq!(document["aws"]["retries"], line["DynamoDBRetries"]);
        // A call that timed out has no response.
        if *response != 503 {
            // DynamoDB's condition rejects a product that exists.
            let refused = *response != 201;
            let status = if refused { 400 } else { 200 };
            assert_eq!(document["http"]["response"]["status"], status);
            assert_eq!(document["error"], refused);
            assert_eq!(document["fault"], false);
        }
        assert!(
            document["end_time"].as_f64() > document["start_time"].as_f64(),
            "{document}"
        );
    }
    let length = daemon.recv(&mut datagram).await.expect("a datagram");
    let further = str::from_utf8(&datagram[..length]);
    assert_eq!(
        further,
        Ok("the end"),
        "a body that is not a product makes no call"
    );
}
