use std::ffi::OsStr;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use local::LocalDynamoDb;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

/// Starts a function's binary as Lambda does, sends it each event, retrying a 503 as
/// [`Lambda::insist`] does, and returns its responses.
///
/// Its environment has only `variables` and what Lambda sets.
pub async fn invoke(binary: &str, variables: &[(&str, &str)], events: &[&str]) -> Vec<Value> {
    let mut function = Lambda::start(binary, variables).await;
    let mut responses = Vec::new();
    for event in events {
        responses.push(function.insist(event).await.expect("a response"));
    }
    responses
}

/// Whether a response says that the product is in the catalog: 201, or 200, if a timeout expired
/// after the write and the product was sent again.
#[must_use]
pub fn is_acknowledged(response: &Value) -> bool {
    response["statusCode"] == 201 || response["statusCode"] == 200
}

/// A function's binary, run as Lambda runs it.
/// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>
#[derive(Debug)]
pub struct Lambda {
    process: Child,
    log: JoinHandle<String>,
    events: UnboundedSender<Vec<u8>>,
    responses: UnboundedReceiver<(Instant, Result<Value, Value>)>,
    asked: UnboundedReceiver<Instant>,
    started: Instant,
}

impl Lambda {
    /// A secret that the function needs, and must not write to its log.
    pub const SECRET: &str = "canary in a secret";

    /// The X-Ray header of each event, which is sampled.
    pub const TRACE: &str =
        "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

    /// Starts it with only `variables` and what Lambda sets in its environment.
    pub async fn start(binary: impl AsRef<OsStr>, variables: &[(&str, &str)]) -> Self {
        Self::start_by(Command::new(binary), variables).await
    }

    /// Starts it with a command of several words.
    pub async fn start_by(mut command: Command, variables: &[(&str, &str)]) -> Self {
        const INVOCATION: &str = "/2018-06-01/runtime/invocation";

        let (events, next_event) = unbounded_channel::<Vec<u8>>();
        let (send_response, responses) = unbounded_channel();
        let send_error = send_response.clone();
        let (ask, asked) = unbounded_channel();
        let next_event = Arc::new(Mutex::new(next_event));
        let next = async move || {
            ask.send(Instant::now()).unwrap_or_default();
            let Some(event) = next_event.lock().await.recv().await else {
                return Err(StatusCode::GONE);
            };
            let mut headers = HeaderMap::new();
            headers.insert(
                "lambda-runtime-aws-request-id",
                HeaderValue::from_static("1"),
            );
            headers.insert(
                "lambda-runtime-deadline-ms",
                HeaderValue::from_static("9999999999999"),
            );
            headers.insert(
                "lambda-runtime-trace-id",
                HeaderValue::from_static(Self::TRACE),
            );
            Ok((headers, event))
        };
        let read = |text: String| serde_json::from_str::<Value>(&text).expect("JSON");
        let respond = async move |text| {
            let at = Instant::now();
            send_response.send((at, Ok(read(text)))).unwrap_or_default();
        };
        let failed = async move |text| {
            let at = Instant::now();
            // As Lambda responds.
            send_error.send((at, Err(read(text)))).unwrap_or_default();
            (StatusCode::ACCEPTED, r#"{"status":"OK"}"#)
        };
        let app = Router::new()
            .route(&format!("{INVOCATION}/next"), get(next))
            .route(&format!("{INVOCATION}/1/response"), post(respond))
            .route(&format!("{INVOCATION}/1/error"), post(failed))
            .layer(DefaultBodyLimit::disable());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        // The rest of a long event must not wait for the acknowledgement of its beginning.
        let listener = listener.tap_io(|caller| caller.set_nodelay(true).unwrap_or_default());
        tokio::spawn(async { axum::serve(listener, app).await });

        let started = Instant::now();
        let mut process = command
            .env_clear()
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_FUNCTION_NAME", "function")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .envs(variables.iter().copied())
            .stderr(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a process");
        let output = process.stdout.take().expect("its output");
        let errors = process.stderr.take().expect("its errors");
        // Read while it runs: a function blocks if nobody reads its log.
        let read = async |mut stream: Box<dyn AsyncRead + Send + Unpin>| {
            let mut text = String::new();
            stream.read_to_string(&mut text).await.expect("text");
            text
        };
        let log = tokio::spawn(async move {
            let (output, errors) = tokio::join!(read(Box::new(output)), read(Box::new(errors)));
            output + &errors
        });
        Self {
            process,
            log,
            events,
            responses,
            asked,
            started,
        }
    }

    /// The time at which its process was started.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.started
    }

    /// The time at which it asks for its next event, after its init or a response.
    pub async fn asks(&mut self) -> Instant {
        tokio::select! {
            at = self.asked.recv() => at.expect("it asks"),
            end = self.process.wait() => panic!("the function ended: {end:?}\n{:?}", (&mut self.log).await),
        }
    }

    /// The process's id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id().expect("it runs")
    }

    /// Stops it as a service manager would (SIGTERM), and waits until it has exited.
    pub async fn end(mut self) {
        let sent = Command::new("kill").arg(self.id().to_string()).status();
        assert!(sent.await.expect("kill runs").success());
        self.process.wait().await.expect("it ends");
    }

    /// Starts it with the table in the DynamoDB at `url`.
    pub async fn start_over(binary: impl AsRef<OsStr>, url: &str) -> Self {
        let variables = [
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_ENDPOINT_URL", url),
            ("AWS_REGION", "local"),
            ("AWS_SECRET_ACCESS_KEY", Self::SECRET),
            ("DYNAMODB_TABLE", LocalDynamoDb::TABLE),
        ];
        Self::start(binary, &variables).await
    }

    /// Sends it an event.
    pub fn send(&self, event: impl AsRef<[u8]>) {
        let event = event.as_ref().to_owned();
        self.events.send(event).expect("a receiver");
    }

    /// Sends it an event, and waits for the response, or for the error that it reports to Lambda.
    ///
    /// # Errors
    ///
    /// That error.
    pub async fn invoke(&mut self, event: impl AsRef<[u8]>) -> Result<Value, Value> {
        self.invoke_timed(event).await.1
    }

    /// Invokes the function like a caller that retries after a 503, up to ten times. The binary's
    /// time-outs follow the wall clock, so they can expire on a busy machine.
    ///
    /// # Errors
    ///
    /// The error reported to Lambda.
    pub async fn insist(&mut self, event: &str) -> Result<Value, Value> {
        const MORE: usize = 9;

        let mut response = self.invoke(event).await?;
        for _ in 0..MORE {
            if response["statusCode"] != 503 {
                break;
            }
            response = self.invoke(event).await?;
        }
        Ok(response)
    }

    /// The same as [`invoke`](Self::invoke), with the time of the response.
    pub async fn invoke_timed(
        &mut self,
        event: impl AsRef<[u8]>,
    ) -> (Instant, Result<Value, Value>) {
        self.send(event);
        tokio::select! {
            // It may have exited since it responded.
            biased;
            response = self.responses.recv() => response.expect("a response"),
            end = self.process.wait() => panic!("the function ended: {end:?}\n{:?}", (&mut self.log).await),
        }
    }

    /// Waits until it exits by itself. Returns its status, the number of events it asked for, and
    /// its log.
    pub async fn ended(mut self) -> (ExitStatus, usize, String) {
        let status = self.process.wait().await.expect("it ends");
        let log = self.log.await.expect("it was read");
        (status, self.asked.len(), log)
    }

    /// Kills it (SIGKILL), and returns its log.
    pub async fn kill(mut self) -> String {
        let ended = self.process.try_wait().expect("a process");
        assert_eq!(ended, None, "the function exited by itself");
        self.process.kill().await.expect("it can be killed");
        self.log.await.expect("it was read")
    }
}
