//! The report to CodeDeploy, and what happens if CodeDeploy rejects it.

use serde_json::Value;

use crate::aws::{Aws, as_it_is, failed};

const INVALID: (u16, &str) = (
    400,
    r#"{"__type":"InvalidLifecycleEventHookExecutionIdException","message":"it is not valid"}"#,
);

/// CodeDeploy invokes the check asynchronously, so Lambda retries it.
#[tokio::test]
async fn a_report_that_codedeploy_rejects_is_an_error_for_lambda() {
    for (aws, status, level) in [
        (Aws::start(as_it_is, INVALID).await, "Succeeded", "INFO"),
        (
            Aws::start(|_, _, _| Some(failed()), INVALID).await,
            "Failed",
            "ERROR",
        ),
    ] {
        let (returned, log) = aws.check().await;
        assert_eq!(aws.reports(), [status]);
        let reason = format!("400 Bad Request from codedeploy: {}", INVALID.1);
        let error = returned.expect_err("an error");
        let message = format!("CodeDeploy did not accept {status}: {reason}");
        assert_eq!(error["errorMessage"], message);
        assert_eq!(log[0]["level"], level);
        assert_eq!(log[0]["unreported"], reason);
    }
}

#[tokio::test]
async fn a_repeated_report_is_a_success() {
    let completed = r#"{"__type":"LifecycleEventAlreadyCompletedException","message":""}"#;
    let aws = Aws::start(as_it_is, (400, completed)).await;
    let (returned, log) = aws.check().await;
    assert_eq!(returned, Ok(Value::Null));
    assert_eq!(log[0]["unreported"], Value::Null);
}
