//! The check's requests to AWS, and the variables that it needs for them.

use local::Function;
use serde_json::{Value, json};
use tests::{Lambda, refuses_to_start};

use crate::aws::{Aws, VERSIONS, as_it_is, start, version, with_versions};

#[tokio::test]
async fn each_request_is_signed_for_its_service_and_region() {
    let aws = Aws::with(as_it_is).await;
    let (returned, _) = aws.check().await;
    assert_eq!(returned, Ok(Value::Null));
    let calls = aws.calls();
    let invocations = Function::ALL.map(|function| {
        let version = version(function).replace(':', "%3A");
        let path = format!("/2015-03-31/functions/{version}/invocations");
        (path, "lambda", "")
    });
    let report = ("/".to_owned(), "codedeploy", ";x-amz-target");
    let expected = invocations.into_iter().chain([report]);
    assert_eq!(calls.len(), Function::ALL.len() + 1);
    for ((sent, headers, _), (path, service, also)) in calls.iter().zip(expected) {
        assert_eq!(*sent, path);
        assert_eq!(headers["x-amz-security-token"], "token");
        let date = headers["x-amz-date"].to_str().expect("text");
        let (day, _) = date.split_once('T').expect("a time");
        let authorization = headers["authorization"].to_str().expect("text");
        let (signed, signature) = authorization.rsplit_once('=').expect("a signature");
        let mut names = vec!["content-type", "host", "x-amz-date", "x-amz-security-token"];
        names.extend(also.strip_prefix(';'));
        assert_eq!(
            signed,
            format!(
                "AWS4-HMAC-SHA256 Credential=local/{day}/eu-central-1/{service}/aws4_request, \
                 SignedHeaders={}, Signature",
                names.join(";")
            )
        );
        assert_eq!(signature.len(), 64);
    }
    let (_, headers, report) = calls.last().expect("a report");
    assert_eq!(headers["content-type"], "application/x-amz-json-1.1");
    assert_eq!(
        headers["x-amz-target"],
        "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus"
    );
    assert_eq!(
        *report,
        json!({
            "deploymentId": "d-ABC",
            "lifecycleEventHookExecutionId": "eyJ0",
            "status": "Succeeded",
        })
    );
}

/// Without the ids, nothing can be reported.
#[tokio::test]
async fn an_event_that_is_not_from_codedeploy_is_an_error() {
    let aws = Aws::with(as_it_is).await;
    let variables = [
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_ENDPOINT_URL", aws.url.as_str()),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_SECRET_ACCESS_KEY", Lambda::SECRET),
    ];
    let mut function = start(&variables).await;
    for event in ["{}", "[]", r#"{"DeploymentId":"d-ABC"}"#] {
        function.invoke(event).await.expect_err("an error");
    }
    assert_eq!(aws.calls(), Vec::<(String, _, Value)>::new());
}

/// A misconfigured function exits before its first event, and says why in one sentence.
#[test]
fn without_its_variables_it_exits_and_says_why() {
    let variables = with_versions(&[
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
    ]);
    let without_a_version = VERSIONS.iter().map(|(name, _)| (name.as_str(), ""));
    for (name, value) in without_a_version.chain([
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_REGION", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_ENDPOINT_URL", "localhost:8000"),
        ("AWS_ENDPOINT_URL_LAMBDA", "localhost:8000"),
        ("AWS_ENDPOINT_URL_CODEDEPLOY", "localhost:8000"),
        ("SSL_CERT_FILE", "/no/such/file"),
    ]) {
        refuses_to_start(env!("CARGO_BIN_EXE_check-release"), &variables, name, value);
    }
}
