//! An HTTP server for this machine, which rejects web pages except those of an allowed origin.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use futures_timer::Delay;
use hyper::rt::{Sleep, Timer};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long a client may take to send the head of a request.
const HEAD: Duration = Duration::from_secs(10);

/// How long requests in progress may still take when the server stops.
const STOP: Duration = Duration::from_secs(1);

/// A server on 127.0.0.1. It stops with the runtime on which it was started.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves `app` on `port`, or on a free port if it is 0, also to pages of the origin `allowed`.
    ///
    /// # Errors
    ///
    /// If the port is not available.
    pub async fn start(port: u16, app: Router, allowed: Option<HeaderValue>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let app = app.layer(from_fn_with_state(allowed, only_for_this_machine));
        Ok(Self {
            address,
            stop: stop.clone(),
            task: tokio::spawn(serve(listener, app, stop)),
        })
    }

    /// Its URL, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops it. Connections without a complete request close immediately; others when their
    /// requests have responses, or after a second.
    pub async fn stop(self) {
        self.stop.cancel();
        // If the server panicked, that has been printed.
        self.task.await.unwrap_or_default();
    }
}

async fn serve(listener: TcpListener, app: Router, stop: CancellationToken) {
    let mut http = http1::Builder::new();
    http.timer(WallClock).header_read_timeout(HEAD);
    let connections = GracefulShutdown::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let Ok((stream, _)) = accepted else {
            // For example, too many open files; some are about to be closed.
            Delay::new(Duration::from_millis(100)).await;
            continue;
        };
        // A response is a few small writes, which must not wait for each other.
        stream.set_nodelay(true).ok();
        let app = TowerToHyperService::new(app.clone());
        let connection = http.serve_connection(TokioIo::new(stream), app);
        let connection = connections.watch(connection);
        // A client that disconnects ends only its own connection.
        tokio::spawn(async { connection.await.unwrap_or_default() });
    }
    drop(listener);
    timeout(STOP, connections.shutdown()).await.ok();
}

/// Rejects requests that can only come from a web page of an origin other than `allowed`. If the
/// page's host name resolves to this machine, the `Host` reveals it; if the page calls this machine
/// by address, the `Origin` does.
pub async fn only_for_this_machine(
    State(allowed): State<Option<HeaderValue>>,
    request: Request,
    next: Next,
) -> Response {
    match refusal(&request, allowed.as_ref()) {
        None => next.run(request).await,
        Some((status, detail)) => {
            log(request.method(), request.uri(), status, detail);
            let title = status.canonical_reason().unwrap_or_default();
            let status_code = status.as_u16();
            let problem = json!({ "type": "about:blank", "title": title, "status": status_code, "detail": detail });
            let headers = [("content-type", "application/problem+json")];
            (status, headers, problem.to_string()).into_response()
        }
    }
}

fn refusal(request: &Request, allowed: Option<&HeaderValue>) -> Option<(StatusCode, &'static str)> {
    let headers = request.headers();
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Some((StatusCode::BAD_REQUEST, "send one `Host` header"));
    };
    let Ok(host) = Authority::try_from(host.as_bytes()) else {
        return Some((StatusCode::BAD_REQUEST, "send a valid `Host` header"));
    };
    let mut hosts = [Some(&host), request.uri().authority()]
        .into_iter()
        .flatten();
    if !hosts.all(is_this_machine) {
        let detail = "this server is only for this machine: call it as 127.0.0.1 or localhost";
        return Some((StatusCode::MISDIRECTED_REQUEST, detail));
    }
    let own = format!("http://{host}");
    let is_own = |origin: &HeaderValue| own.as_bytes().eq_ignore_ascii_case(origin.as_bytes());
    let mut origins = headers.get_all(ORIGIN).iter();
    if !origins.all(|origin| is_own(origin) || allowed == Some(origin)) {
        let detail = "this server does not respond to web pages of other origins";
        return Some((StatusCode::FORBIDDEN, detail));
    }
    None
}

fn is_this_machine(host: &Authority) -> bool {
    let is_plain = !host.as_str().contains('@');
    is_plain
        && ["127.0.0.1", "[::1]", "localhost"]
            .iter()
            .any(|name| host.host().eq_ignore_ascii_case(name))
}

/// Logs a request that reaches no function.
pub fn log(method: &Method, uri: &Uri, status: StatusCode, reason: &str) {
    tracing::warn!("{method} {} {} {reason}", uri.path(), status.as_u16());
}

/// Real time, even if a test pauses tokio's clock: every client would seem too slow there.
#[derive(Clone, Debug)]
struct WallClock;

impl Timer for WallClock {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(WallSleep(Delay::new(duration)))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.sleep(deadline.saturating_duration_since(Instant::now()))
    }
}

struct WallSleep(Delay);

impl Sleep for WallSleep {}

impl Future for WallSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(context)
    }
}
