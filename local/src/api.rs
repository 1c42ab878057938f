use std::io;
use std::net::SocketAddr;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderValue, Method, Request, Response};
use catalog::ProductRepository;
use lambda_http::Error;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Function, docs, gateway};

/// Both functions behind HTTP on loopback, reached through the events that API Gateway sends.
#[derive(Debug)]
pub struct LocalApi {
    address: SocketAddr,
    shutdown: CancellationToken,
    server: JoinHandle<io::Result<()>>,
}

impl LocalApi {
    /// Starts it on `port`, or on a free one for 0, with the products of `products`.
    ///
    /// # Errors
    ///
    /// When the port cannot be had.
    pub async fn start(port: u16, products: ProductRepository) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let address = listener.local_addr()?;
        let shutdown = CancellationToken::new();
        let app = docs::routes()
            .fallback(answer)
            .method_not_allowed_fallback(answer)
            .with_state(products);
        let server =
            axum::serve(listener, app).with_graceful_shutdown(shutdown.clone().cancelled_owned());
        Ok(Self {
            address,
            shutdown,
            server: tokio::spawn(server.into_future()),
        })
    }

    /// Where it answers, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends it once the requests under way are answered.
    ///
    /// # Errors
    ///
    /// When the server had failed.
    pub async fn stop(self) -> io::Result<()> {
        self.shutdown.cancel();
        self.server.await?
    }
}

/// One request, the way it takes on AWS: route, event, function, proxy answer.
async fn answer(
    State(products): State<ProductRepository>,
    request: Request<Body>,
) -> Response<Body> {
    let request_id = Uuid::new_v4().to_string();
    let mut response = invoke(&request_id, products, request)
        .await
        .unwrap_or_else(|refusal| gateway::response_of_its_own(refusal, &request_id));
    let request_id = HeaderValue::try_from(request_id).expect("hex digits and hyphens");
    response
        .headers_mut()
        .insert("x-amzn-requestid", request_id);
    response
}

/// What API Gateway refuses or cannot get answered: its response type.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html>
type Refusal = &'static str;

async fn invoke(
    request_id: &str,
    products: ProductRepository,
    request: Request<Body>,
) -> Result<Response<Body>, Refusal> {
    let (parts, body) = request.into_parts();
    let (function, resource, parameters) =
        route(&parts.method, parts.uri.path()).ok_or("MISSING_AUTHENTICATION_TOKEN")?;
    let body = to_bytes(body, gateway::MAX_BODY_BYTES)
        .await
        .map_err(|_| "REQUEST_TOO_LARGE")?;
    let event = gateway::event(request_id, resource, &parameters, &parts, &body);
    // A task of its own: a panic ends the invocation and not the server, as on Lambda.
    let answer = tokio::spawn(async move { function.invoke(&products, &event.to_string()).await });
    let answer = answer.await.map_err(Error::from).flatten();
    answer.and_then(gateway::response).map_err(|error| {
        tracing::error!(request_id, error, "the function did not answer");
        "DEFAULT_5XX"
    })
}

/// The function behind a route, its resource and the path parameters.
fn route(method: &Method, path: &str) -> Option<(Function, &'static str, Value)> {
    if method == Method::POST && path == "/product/create" {
        return Some((Function::Create, "/product/create", Value::Null));
    }
    let id = path
        .strip_prefix("/product/find/")
        .filter(|id| !id.is_empty() && !id.contains('/'))?;
    (method == Method::GET).then(|| (Function::Find, "/product/find/{id}", json!({ "id": id })))
}
