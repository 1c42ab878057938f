//! Which releases are accepted, and which are rejected.

use std::env;
use std::fmt::Write;

use axum::http::StatusCode;
use axum::response::IntoResponse;
use catalog::Cors;
use expect_test::expect;
use local::{Function, LocalApi};
use serde_json::{Value, json};
use tests::{create_event, echo, products_at};
use tokio::process::Command;

use crate::aws::{Aws, arn, as_it_is, failed, version};

#[tokio::test]
async fn a_good_release_is_accepted() {
    let aws = Aws::with(as_it_is).await;
    // The second run finds the product of the first.
    for n in 1..=2 {
        let (returned, log) = aws.check().await;
        assert_eq!(returned, Ok(Value::Null));
        assert_eq!(aws.reports(), vec!["Succeeded"; n]);
        assert_eq!(log.len(), 1, "{log:?}");
        assert_eq!(log[0]["level"], "INFO");
        assert_eq!(log[0]["message"], "accepted the release");
        assert_eq!(log[0]["requestId"], "1", "Lambda's");
        assert_eq!(log[0]["deploymentId"], "d-ABC");
        assert_eq!(log[0]["span"], Value::Null);
    }
    assert_eq!(aws.statuses(), [201, 200, 200, 200]);
}

async fn accepted(aws: &Aws) {
    let (returned, log) = aws.check().await;
    assert_eq!(returned, Ok(Value::Null));
    assert_eq!(aws.reports(), ["Succeeded"], "{log:?}");
}

/// The log line of a rejected release, as a sentence.
async fn rejected(aws: &Aws) -> String {
    let (returned, log) = aws.check().await;
    assert_eq!(returned, Ok(Value::Null));
    assert_eq!(aws.reports(), ["Failed"]);
    assert_eq!(log.len(), 1, "{log:?}");
    let line = &log[0];
    assert_eq!(line["level"], "ERROR");
    assert_eq!(line["message"], "rejected the release");
    assert_eq!(line["requestId"], "1", "Lambda's");
    assert_eq!(line["deploymentId"], "d-ABC");
    let text = |name: &str| line[name].as_str().expect("text").to_owned();
    let function = text("function");
    assert_eq!(line["version"], arn(&function));
    let (expected, returned) = (text("expected"), text("returned"));
    format!("{function} should return {expected}, but returned {returned}\n")
}

#[tokio::test]
async fn any_wrong_response_rejects_the_release() {
    let wrongs = [
        ("/statusCode", json!(500)),
        ("/statusCode", json!(204)),
        ("/statusCode", json!("200")),
        ("/body", json!(r#"{"id":"smoke-test"}"#)),
        ("/body", json!(null)),
        ("/headers/content-type", json!("text/html")),
        ("/headers", json!({})),
        ("", json!(null)),
    ];
    let mut transcript = String::new();
    for (part, wrong) in wrongs {
        writeln!(transcript, "{part} is {wrong}:").expect("text");
        for bad in Function::ALL.map(version) {
            let wrong = wrong.clone();
            let aws = Aws::with(move |version, _, returned| {
                if version == bad {
                    *returned.pointer_mut(part).expect("a part") = wrong.clone();
                }
                None
            });
            transcript += &rejected(&aws.await).await;
        }
    }
    expect![[r#"
        /statusCode is 500:
        create should return 201, or 200, with the product, or 409, but returned 500 with application/json: {"id":"smoke-test","title":"Smoke test","description":"Written after each deployment","price":"0.00"}
        find should return 200 with the product, but returned 500 with application/json: {"id":"smoke-test","title":"Smoke test","description":"Written after each deployment","price":"0.00"}
        /statusCode is 204:
        create should return 201, or 200, with the product, or 409, but returned 204 with application/json: {"id":"smoke-test","title":"Smoke test","description":"Written after each deployment","price":"0.00"}
        find should return 200 with the product, but returned 204 with application/json: {"id":"smoke-test","title":"Smoke test","description":"Written after each deployment","price":"0.00"}
        /statusCode is "200":
        create should return 201, or 200, with the product, or 409, but returned something that API Gateway cannot read (invalid type: string "200", expected u16 at line 1 column 341): {"body":"{\"id\":\"smoke-test\",\"title\":\"Smoke test\",\"description\":\"Written after each deployment\",\"price\":\"0.00\"}","headers":{"cache-control":"no-store","content-type":"application/json","location":"/product/find/smoke-test","vary":"Accept-Encoding","x-content-type-options":"nosniff"},"isBase64Encoded":false,"statusCode":"200"}
        find should return 200 with the product, but returned something that API Gateway cannot read (invalid type: string "200", expected u16 at line 1 column 351): {"body":"{\"id\":\"smoke-test\",\"title\":\"Smoke test\",\"description\":\"Written after each deployment\",\"price\":\"0.00\"}","headers":{"cache-control":"no-cache","content-type":"application/json","etag":"W/\"036fe025750cfc6cd916f5c9445aef92\"","vary":"Accept-Encoding","x-content-type-options":"nosniff"},"isBase64Encoded":false,"statusCode":"200"}
        /body is "{\"id\":\"smoke-test\"}":
        create should return 201, or 200, with the product, or 409, but returned 201 with application/json: {"id":"smoke-test"}
        find should return 200 with the product, but returned 200 with application/json: {"id":"smoke-test"}
        /body is null:
        create should return 201, or 200, with the product, or 409, but returned something that API Gateway cannot read (invalid type: null, expected a string at line 1 column 12): {"body":null,"headers":{"cache-control":"no-store","content-type":"application/json","location":"/product/find/smoke-test","vary":"Accept-Encoding","x-content-type-options":"nosniff"},"isBase64Encoded":false,"statusCode":201}
        find should return 200 with the product, but returned something that API Gateway cannot read (invalid type: null, expected a string at line 1 column 12): {"body":null,"headers":{"cache-control":"no-cache","content-type":"application/json","etag":"W/\"036fe025750cfc6cd916f5c9445aef92\"","vary":"Accept-Encoding","x-content-type-options":"nosniff"},"isBase64Encoded":false,"statusCode":200}
        /headers/content-type is "text/html":
        create should return 201, or 200, with the product, or 409, but returned 201 with text/html: {"id":"smoke-test","title":"Smoke test","description":"Written after each deployment","price":"0.00"}
        find should return 200 with the product, but returned 200 with text/html: {"id":"smoke-test","title":"Smoke test","description":"Written after each deployment","price":"0.00"}
        /headers is {}:
        create should return 201, or 200, with the product, or 409, but returned something that API Gateway cannot read (missing field `content-type` at line 1 column 140): {"body":"{\"id\":\"smoke-test\",\"title\":\"Smoke test\",\"description\":\"Written after each deployment\",\"price\":\"0.00\"}","headers":{},"isBase64Encoded":false,"statusCode":201}
        find should return 200 with the product, but returned something that API Gateway cannot read (missing field `content-type` at line 1 column 140): {"body":"{\"id\":\"smoke-test\",\"title\":\"Smoke test\",\"description\":\"Written after each deployment\",\"price\":\"0.00\"}","headers":{},"isBase64Encoded":false,"statusCode":200}
         is null:
        create should return 201, or 200, with the product, or 409, but returned something that API Gateway cannot read (invalid type: null, expected struct Response at line 1 column 4): null
        find should return 200 with the product, but returned something that API Gateway cannot read (invalid type: null, expected struct Response at line 1 column 4): null
    "#]].assert_eq(&transcript);
}

#[tokio::test]
async fn a_function_error_rejects_the_release_immediately() {
    let mut transcript = String::new();
    for (n, bad) in Function::ALL.map(version).into_iter().enumerate() {
        let aws = Aws::with(move |version, _, _| (version == bad).then(failed));
        let aws = aws.await;
        transcript += &rejected(&aws).await;
        // After the failure, nothing else was invoked.
        assert_eq!(aws.statuses().len(), n + 1);
    }
    expect![[r#"
        create should return 201, or 200, with the product, or 409, but returned the function error Unhandled: {"errorMessage":"RequestId: 1 Error: Runtime exited with error: exit status 101","errorType":"Runtime.ExitError"}
        find should return 200 with the product, but returned the function error Unhandled: {"errorMessage":"RequestId: 1 Error: Runtime exited with error: exit status 101","errorType":"Runtime.ExitError"}
    "#]].assert_eq(&transcript);
}

/// The smoke test's product has another title here.
async fn with_another_product(aws: &Aws) {
    let another = create_event(echo("smoke-test").to_string()).to_string();
    let created = Function::Create
        .invoke(&aws.dynamodb.products(), &another)
        .await;
    assert_eq!(created.expect("a response")["statusCode"], 201);
}

#[tokio::test]
async fn if_another_product_has_the_id_a_conflict_is_correct_and_find_must_return_it() {
    let aws = Aws::with(as_it_is).await;
    with_another_product(&aws).await;
    accepted(&aws).await;
    assert_eq!(aws.statuses(), [409, 200]);

    let mut transcript = String::new();
    for bad in Function::ALL.map(version) {
        let aws = Aws::with(move |version, _, returned| {
            if version == bad {
                let body = returned["body"].as_str().expect("text");
                let body = body.replace("smoke-test", "1001").replace("409", "400");
                returned["body"] = body.into();
            }
            None
        });
        let aws = aws.await;
        with_another_product(&aws).await;
        // A problem contains its request id, which is the deployment's id.
        transcript += &rejected(&aws).await;
    }
    expect![[r#"
        create should return 201, or 200, with the product, or 409, but returned 409 with application/problem+json: {"type":"urn:problem-type:product-catalog:id-taken","title":"Another product has this id","status":400,"requestId":"d-ABC"}
        find should return 200 with another product of this id, but returned 200 with application/json: {"id":"1001","title":"Amazon Echo","description":"Smart speaker","price":"89.99"}
    "#]].assert_eq(&transcript);
}

#[tokio::test]
async fn a_503_is_retried() {
    for unavailable in Function::ALL.map(version) {
        let aws = Aws::with(move |version, n, returned| {
            if version == unavailable && n == 1 {
                returned["statusCode"] = 503.into();
            }
            None
        });
        let aws = aws.await;
        accepted(&aws).await;
        assert_eq!(aws.statuses().len(), 3);
    }
}

#[tokio::test]
async fn an_invocation_that_lambda_throttles_is_retried() {
    let aws = Aws::with(|_, n, _| {
        let throttled =
            r#"{"Reason":"ConcurrentInvocationLimitExceeded","message":"Rate Exceeded."}"#;
        (n == 1).then(|| (StatusCode::TOO_MANY_REQUESTS, throttled).into_response())
    });
    let aws = aws.await;
    accepted(&aws).await;
    assert_eq!(aws.statuses().len(), 4);
}

#[tokio::test]
async fn an_invocation_that_lambda_denies_rejects_the_release_immediately() {
    let aws = Aws::with(|_, _, _| {
        let denied = r#"{"Message":"User: arn:aws:sts::222222222222:assumed-role/check is not authorized to perform: lambda:InvokeFunction"}"#;
        Some((StatusCode::FORBIDDEN, denied).into_response())
    });
    let aws = aws.await;
    let line = rejected(&aws).await;
    expect![[r#"
        create should return 201, or 200, with the product, or 409, but returned 403 Forbidden from lambda: {"Message":"User: arn:aws:sts::222222222222:assumed-role/check is not authorized to perform: lambda:InvokeFunction"}
    "#]].assert_eq(&line);
    assert_eq!(aws.statuses().len(), 1);
}

/// The check finds the product that scripts/smoke-test.sh created: each stage has only one test
/// product.
#[tokio::test(flavor = "multi_thread")]
async fn it_uses_the_product_of_the_smoke_test() {
    let aws = Aws::with(as_it_is).await;
    let products = products_at(&aws.dynamodb.url());
    let api = LocalApi::start(0, products, Cors::default())
        .await
        .expect("the API starts");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/smoke-test.sh");
    // Without the developer's own credentials and curl settings.
    let path = env::var_os("PATH").expect("a path");
    let mut smoke_test = Command::new("bash");
    smoke_test.env_clear().env("PATH", path);
    let tested = smoke_test.arg(script).arg(api.url()).status();
    assert!(tested.await.expect("bash runs").success());
    accepted(&aws).await;
    assert_eq!(aws.statuses(), [200, 200]);
}
