use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use catalog::ProductRepository;
use local::{Function, LocalDynamoDb};
use serde_json::{Value, json};
use tests::Lambda;
use tokio::net::TcpListener;

/// The ARN of a function's new version.
pub fn version(function: Function) -> String {
    arn(&format!("{function:?}").to_lowercase())
}

/// The ARN of the new version of the function with this name in serverless.yml.
pub fn arn(name: &str) -> String {
    format!("arn:aws:lambda:eu-central-1:222222222222:function:catalog-{name}:7")
}

/// The variables that tell the check each function's new version.
pub static VERSIONS: LazyLock<[(String, String); Function::ALL.len()]> = LazyLock::new(|| {
    Function::ALL.map(|function| (format!("{function:?}").to_uppercase(), version(function)))
});

/// These variables and [`VERSIONS`].
pub fn with_versions<'a>(variables: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let versions = VERSIONS
        .iter()
        .map(|(name, arn)| (name.as_str(), arn.as_str()));
    variables.iter().copied().chain(versions).collect()
}

/// A received call: its path as sent, its headers, and its body.
pub type Call = (String, HeaderMap, Value);

/// A fake Lambda and CodeDeploy on one port. Lambda runs the functions with its own DynamoDB.
pub struct Aws {
    pub url: String,
    pub dynamodb: LocalDynamoDb,
    calls: Arc<Mutex<Vec<Call>>>,
    returned: Arc<Mutex<Vec<Value>>>,
}

impl Aws {
    /// Starts it. `invoked` decides how Lambda responds to the nth call of a version, from 1: it
    /// gets the result of the real function, and can change or replace it. `reported` decides how
    /// CodeDeploy responds.
    pub async fn start(
        invoked: impl Fn(&str, usize, &mut Value) -> Option<Response> + Clone + Send + Sync + 'static,
        reported: (u16, &'static str),
    ) -> Self {
        let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
        let products = dynamodb.products();
        let calls = Arc::<Mutex<Vec<Call>>>::default();
        let returned = Arc::<Mutex<Vec<Value>>>::default();
        let counts = Arc::<Mutex<BTreeMap<String, usize>>>::default();

        let (noted, kept) = (Arc::clone(&calls), Arc::clone(&returned));
        let invoke = async move |Path(version): Path<String>, uri, headers, body: Bytes| {
            note(&noted, &uri, headers, &body);
            let mut returned = run(&products, &version, &body).await;
            kept.lock().expect("not poisoned").push(returned.clone());
            let mut counts = counts.lock().expect("not poisoned");
            let n = counts.entry(version.clone()).or_default();
            *n += 1;
            invoked(&version, *n, &mut returned)
                .unwrap_or_else(|| returned.to_string().into_response())
        };
        let noted = Arc::clone(&calls);
        let report = async move |uri, headers, body: Bytes| {
            note(&noted, &uri, headers, &body);
            let (status, body) = reported;
            (StatusCode::from_u16(status).expect("a status"), body)
        };
        let app = Router::new()
            .route("/2015-03-31/functions/{version}/invocations", post(invoke))
            .route("/", post(report));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async { axum::serve(listener, app).await });
        Self {
            url,
            dynamodb,
            calls,
            returned,
        }
    }

    /// Starts it with a CodeDeploy that accepts each report.
    pub async fn with(
        invoked: impl Fn(&str, usize, &mut Value) -> Option<Response> + Clone + Send + Sync + 'static,
    ) -> Self {
        Self::start(invoked, (200, "{}")).await
    }

    /// Runs the check, and returns its result for Lambda and its log.
    pub async fn check(&self) -> (Result<Value, Value>, Vec<Value>) {
        let variables = [
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_ENDPOINT_URL", self.url.as_str()),
            ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_SECRET_ACCESS_KEY", Lambda::SECRET),
            ("AWS_SESSION_TOKEN", "token"),
        ];
        let mut function = start(&variables).await;
        let hook = json!({ "DeploymentId": "d-ABC", "LifecycleEventHookExecutionId": "eyJ0" });
        let returned = function.invoke(hook.to_string()).await;
        let log = function.kill().await;
        assert!(!log.contains(Lambda::SECRET), "{log}");
        let lines = log.lines().map(serde_json::from_str);
        (
            returned,
            lines.collect::<Result<_, _>>().expect("lines of JSON"),
        )
    }

    /// The calls received so far.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().expect("not poisoned").clone()
    }

    /// The statuses that the functions themselves returned so far.
    pub fn statuses(&self) -> Vec<Value> {
        let returned = self.returned.lock().expect("not poisoned");
        let statuses = returned.iter().map(|value| value["statusCode"].clone());
        statuses.collect()
    }

    /// The statuses that were reported to CodeDeploy so far.
    pub fn reports(&self) -> Vec<String> {
        let calls = self.calls();
        let reports = calls.iter().filter(|(path, ..)| path == "/");
        let status = |body: &Value| body["status"].as_str().expect("a status").to_owned();
        reports.map(|(.., body)| status(body)).collect()
    }
}

/// Starts the check with these variables and [`VERSIONS`].
pub async fn start(variables: &[(&str, &str)]) -> Lambda {
    let variables = with_versions(variables);
    Lambda::start(env!("CARGO_BIN_EXE_check-release"), &variables).await
}

fn note(calls: &Mutex<Vec<Call>>, uri: &Uri, headers: HeaderMap, body: &Bytes) {
    let body = serde_json::from_slice(body).expect("JSON");
    let call = (uri.path().to_owned(), headers, body);
    calls.lock().expect("not poisoned").push(call);
}

/// The function's result.
async fn run(products: &ProductRepository, version: &str, event: &Bytes) -> Value {
    let function = Function::ALL
        .into_iter()
        .find(|function| self::version(*function) == version)
        .expect("the version of a function");
    let event = str::from_utf8(event).expect("text");
    function.invoke(products, event).await.expect("a response")
}

/// Lambda's response if nothing is wrong.
pub fn as_it_is(_: &str, _: usize, _: &mut Value) -> Option<Response> {
    None
}

/// Lambda's response if the function failed.
pub fn failed() -> Response {
    let error = json!({
        "errorType": "Runtime.ExitError",
        "errorMessage": "RequestId: 1 Error: Runtime exited with error: exit status 101",
    });
    ([("x-amz-function-error", "Unhandled")], error.to_string()).into_response()
}
