//! Priming: what a function does before its first event.

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::Lambda;

/// The binary's request to DynamoDB before its first event, and the status of its response to that
/// event if DynamoDB rejects every request, never responds, or is unreachable.
pub async fn primed(binary: &str, event: &str) -> (String, [u64; 3]) {
    let (report, mut reported) = unbounded_channel();
    let refusing = Router::new().fallback(async move |headers: HeaderMap, body: String| {
        let target = headers["x-amz-target"].to_str().expect("text");
        report.send(format!("{target} {body}")).unwrap_or_default();
        let denied = r#"{"__type":"com.amazon.coral.service#AccessDeniedException","message":""}"#;
        (StatusCode::BAD_REQUEST, denied)
    });
    let bind = async || TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = |at: &TcpListener| format!("http://{}", at.local_addr().expect("an address"));
    let listener = bind().await;
    let denying = url(&listener);
    tokio::spawn(async { axum::serve(listener, refusing).await });
    let silent = bind().await;

    let (mut refused, call) = started(binary, &denying, &mut reported).await;
    let mut unheard = Lambda::start_over(binary, &url(&silent)).await;
    let mut alone = Lambda::start_over(binary, "http://127.0.0.1:1").await;
    let statuses = [
        refused.insist(event).await,
        unheard.invoke(event).await,
        alone.invoke(event).await,
    ];
    let status =
        |response: Result<Value, Value>| response.expect("a response")["statusCode"].as_u64();
    (
        call,
        statuses.map(|response| status(response).expect("a status")),
    )
}

/// Starts the binary over the DynamoDB at `url`, which reports its calls, and returns it with its
/// first call. On a busy machine, the time for priming can expire before the request arrives: then,
/// another start sends another one.
async fn started(
    binary: &str,
    url: &str,
    reported: &mut UnboundedReceiver<String>,
) -> (Lambda, String) {
    const STARTS: usize = 10;

    for _ in 0..STARTS {
        let mut function = Lambda::start_over(binary, url).await;
        tokio::select! {
            biased;
            call = reported.recv() => return (function, call.expect("a server")),
            _ = function.asks() => {}
        }
    }
    panic!("{STARTS} starts sent no call before their first event");
}
