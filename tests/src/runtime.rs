use std::process::Stdio;
use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, HeaderValue};
use axum::routing::{get, post};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{channel, unbounded_channel};

/// Starts a function's binary as Lambda does, sends it the events, and gives its answers.
///
/// It has no other environment than `variables` and what Lambda sets.
/// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>
///
/// # Panics
///
/// When the binary ends or doesn't answer.
pub async fn invoke(binary: &str, variables: &[(&str, &str)], events: &[&str]) -> Vec<Value> {
    const INVOCATION: &str = "/2018-06-01/runtime/invocation";

    let (send_event, next_event) = channel::<String>(events.len());
    let (send_answer, mut next_answer) = unbounded_channel();
    let next_event = Arc::new(Mutex::new(next_event));
    let next = async move || {
        let event = next_event
            .lock()
            .await
            .recv()
            .await
            .expect("the sender lives as long as the test");
        let mut headers = HeaderMap::new();
        headers.insert(
            "lambda-runtime-aws-request-id",
            HeaderValue::from_static("1"),
        );
        headers.insert(
            "lambda-runtime-deadline-ms",
            HeaderValue::from_static("9999999999999"),
        );
        (headers, event)
    };
    let answered = async move |answer: String| {
        send_answer.send(answer).expect("the test waits for it");
    };
    let app = Router::new()
        .route(&format!("{INVOCATION}/next"), get(next))
        .route(&format!("{INVOCATION}/1/response"), post(answered));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async { axum::serve(listener, app).await });

    let mut function = Command::new(binary)
        .env_clear()
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_FUNCTION_NAME", "function")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_RUNTIME_API", address)
        .envs(variables.iter().copied())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("a process");

    let mut answers = Vec::new();
    for event in events {
        send_event
            .send((*event).to_owned())
            .await
            .expect("the function takes it");
        let answer = tokio::select! {
            answer = next_answer.recv() => answer.expect("an answer"),
            end = function.wait() => panic!("the function ended: {end:?}"),
        };
        answers.push(serde_json::from_str(&answer).expect("JSON"));
    }
    answers
}
