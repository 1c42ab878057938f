use std::env;
use std::time::Duration;

use lambda_runtime::{Error, LambdaEvent};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::aws::Aws;
use crate::persist::{Failure, persist};
use crate::response::{Response, has};

/// The product that the check creates and finds: the same as in scripts/smoke-test.sh, so that each
/// stage has only one test product.
const PRODUCT: &str = r#"{"id":"smoke-test","title":"Smoke test","description":"Written after each deployment","price":"0.00"}"#;

/// Its id.
const ID: &str = "smoke-test";

/// How long to try a function. A 503 takes up to 5 s, the function's own deadline for DynamoDB, so
/// there is time for three attempts, or five if DynamoDB throttles immediately. It is also long
/// enough for Lambda to give up on a function that does not start (10 s), and then on the
/// invocation (its time-out of 10 s).
const TRIAL: Duration = Duration::from_secs(22);

/// How long to try to report the result to CodeDeploy. With the limits of two functions, this is
/// less than the check's own time-out of 60 s.
const REPORT: Duration = Duration::from_secs(10);

/// The longest excerpt of a response in the log, in characters.
const EXCERPT: usize = 1000;

/// What CodeDeploy [sends to a hook][1].
///
/// [1]: https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html#appspec-hooks-lambda
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Hook {
    deployment_id: String,
    lifecycle_event_hook_execution_id: String,
}

/// The check of a release: the new version of each function, and how to reach them.
#[derive(Debug)]
pub struct Check {
    aws: Aws,
    create: String,
    find: String,
}

/// Why a release is rejected.
struct Rejection<'a> {
    function: &'static str,
    version: &'a str,
    expected: &'static str,
    returned: String,
}

/// Which product has the id.
#[derive(Clone, Copy)]
enum Product {
    Ours,
    Another,
}

impl Check {
    /// Checks the versions whose ARNs are in `CREATE` and `FIND`.
    ///
    /// # Errors
    ///
    /// A sentence that names the missing or invalid variable.
    pub fn from_env() -> Result<Self, String> {
        let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let version = |name| {
            variable(name).ok_or_else(|| format!("{name} must be the ARN of a function's version"))
        };
        Ok(Self {
            create: version("CREATE")?,
            find: version("FIND")?,
            aws: Aws::from(variable)?,
        })
    }

    /// Checks the release, writes the result to the log, and reports it to CodeDeploy.
    ///
    /// # Errors
    ///
    /// If CodeDeploy does not accept the result. CodeDeploy [invokes a hook asynchronously][1], so
    /// Lambda [retries it][2] after one minute, and again after two. Without a result, CodeDeploy
    /// [fails the deployment after an hour][3].
    ///
    /// [1]: https://github.com/aws/serverless-application-model/blob/master/docs/safe_lambda_deployments.rst#pretraffic--posttraffic-hooks
    /// [2]: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
    /// [3]: https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html#reference-appspec-file-structure-hooks-section-structure-lambda-sample-function
    pub async fn run(&self, event: LambdaEvent<Hook>) -> Result<(), Error> {
        let hook = event.payload;
        let rejection = self.rejection(&hook.deployment_id).await;
        let status = rejection.as_ref().map_or("Succeeded", |_| "Failed");
        let reported = self.report(&hook, status).await;
        log(&event.context.request_id, &hook, rejection, &reported);
        reported.map_err(|error| format!("CodeDeploy did not accept {status}: {error}").into())
    }

    /// What is wrong with the release, if anything is.
    async fn rejection(&self, deployment: &str) -> Option<Rejection<'_>> {
        match self.create(deployment).await {
            Ok(product) => self.find(deployment, product).await.err(),
            Err(rejection) => Some(rejection),
        }
    }

    async fn create(&self, deployment: &str) -> Result<Product, Rejection<'_>> {
        let event = json!({
            "resource": "/product/create",
            "path": "/product/create",
            "httpMethod": "POST",
            "headers": { "content-type": "application/json" },
            "requestContext": context("/product/create", "POST", deployment),
            "body": PRODUCT,
        });
        let read = |response: &Response| {
            if response.is(&[200, 201], "application/json", |body| body == PRODUCT) {
                Some(Product::Ours)
            } else {
                let is_problem = |body: &str| has(body, "status", 409);
                let is_taken = response.is(&[409], "application/problem+json", is_problem);
                is_taken.then_some(Product::Another)
            }
        };
        self.tried(&self.create, &event, read)
            .await
            .map_err(|returned| Rejection {
                function: "create",
                version: &self.create,
                expected: "201, or 200, with the product, or 409",
                returned,
            })
    }

    async fn find(&self, deployment: &str, product: Product) -> Result<(), Rejection<'_>> {
        let event = json!({
            "resource": "/product/find/{id}",
            "path": format!("/product/find/{ID}"),
            "httpMethod": "GET",
            "headers": {},
            "pathParameters": { "id": ID },
            "requestContext": context("/product/find/{id}", "GET", deployment),
            "body": null,
        });
        let read = |response: &Response| {
            let is_found = response.is(&[200], "application/json", |body| match product {
                Product::Ours => body == PRODUCT,
                Product::Another => has(body, "id", ID),
            });
            is_found.then_some(())
        };
        self.tried(&self.find, &event, read)
            .await
            .map_err(|returned| Rejection {
                function: "find",
                version: &self.find,
                expected: match product {
                    Product::Ours => "200 with the product",
                    Product::Another => "200 with another product of this id",
                },
                returned,
            })
    }

    /// Invokes a version until it returns a conclusive response. Returns the result of `read`, or
    /// the response that `read` rejected.
    async fn tried<T>(
        &self,
        version: &str,
        event: &Value,
        read: impl Fn(&Response) -> Option<T>,
    ) -> Result<T, String> {
        let event = event.to_string();
        persist(TRIAL, async || {
            let returned = self.aws.invoke(version, &event).await?;
            let response = Response::read(&returned)?;
            read(&response).ok_or_else(|| Failure::Final(response.text()))
        })
        .await
    }

    async fn report(&self, hook: &Hook, status: &str) -> Result<(), String> {
        persist(REPORT, async || {
            let execution = &hook.lifecycle_event_hook_execution_id;
            let report = self.aws.report(&hook.deployment_id, execution, status);
            match report.await {
                // The response to an earlier attempt was lost.
                Err(Failure::Final(error)) if error.contains("LifecycleEventAlreadyCompleted") => {
                    Ok(())
                }
                reported => reported,
            }
        })
        .await
    }
}

/// The part of [API Gateway's event][1] that identifies the API. The functions write `requestId` to
/// their log.
///
/// [1]: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
fn context(resource: &str, method: &str, deployment: &str) -> Value {
    json!({
        "accountId": "",
        "apiId": "check-release",
        "httpMethod": method,
        "identity": {},
        "requestId": deployment,
        "resourceId": "",
        "resourcePath": resource,
        "stage": "",
    })
}

/// Writes one line to the log.
fn log(
    request_id: &str,
    hook: &Hook,
    rejection: Option<Rejection<'_>>,
    reported: &Result<(), String>,
) {
    let deployment = &hook.deployment_id;
    let unreported = reported.as_ref().err();
    if let Some(rejection) = rejection {
        let returned: String = rejection.returned.chars().take(EXCERPT).collect();
        tracing::error!(
            requestId = request_id,
            deploymentId = deployment,
            function = rejection.function,
            version = rejection.version,
            expected = rejection.expected,
            returned,
            unreported,
            "rejected the release",
        );
    } else {
        tracing::info!(
            requestId = request_id,
            deploymentId = deployment,
            unreported,
            "accepted the release",
        );
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::{Check, TRIAL};
    use crate::aws::Aws;

    #[tokio::test(start_paused = true)]
    async fn a_release_that_lambda_cannot_be_asked_for_is_rejected_in_time() {
        let check = Check {
            aws: Aws::from(|name| {
                let nobody = "http://127.0.0.1:1";
                let value = match name {
                    "AWS_ENDPOINT_URL" => nobody,
                    "AWS_ACCESS_KEY_ID" | "AWS_REGION" | "AWS_SECRET_ACCESS_KEY" => "local",
                    _ => return None,
                };
                Some(value.to_owned())
            })
            .expect("a configuration"),
            create: "create:2".to_owned(),
            find: "find:2".to_owned(),
        };
        let start = Instant::now();
        let rejection = check.rejection("d-1").await.expect("a rejection");
        assert!(start.elapsed() <= TRIAL);
        assert_eq!(
            (rejection.function, rejection.version),
            ("create", "create:2")
        );
        let returned = rejection.returned;
        assert!(returned.starts_with("no response: "), "{returned}");
    }
}
