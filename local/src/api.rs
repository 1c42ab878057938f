use std::io;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Request, Response};
use axum::middleware::from_fn_with_state;
use catalog::{Cors, ProductRepository};
use http_body_util::LengthLimitError;
use lambda_http::Error;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::server::{Server, log, only_for_this_machine};
use crate::{Function, docs, gateway};

/// Both functions behind HTTP on this machine, called with the events that API Gateway sends.
#[derive(Debug)]
pub struct LocalApi(Server);

impl LocalApi {
    /// Starts it on `port`, or on a free port if it is 0, with `products`, for this machine and the
    /// pages that `cors` allows.
    ///
    /// # Errors
    ///
    /// If the port is not available.
    pub async fn start(port: u16, products: ProductRepository, cors: Cors) -> io::Result<Self> {
        let allowed = cors.origin().cloned();
        let app = docs::routes()
            // The reference is not part of the API that `cors` opens.
            .layer(from_fn_with_state(None, only_for_this_machine))
            .fallback(respond)
            .method_not_allowed_fallback(respond)
            .with_state((products, cors));
        Server::start(port, app, allowed).await.map(Self)
    }

    /// Its URL, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Stops it once the requests in progress have their responses, or after a second.
    pub async fn stop(self) {
        self.0.stop().await;
    }
}

/// Serves a request as AWS does: route, event, function, proxy response.
async fn respond(
    State((products, cors)): State<(ProductRepository, Cors)>,
    request: Request<Body>,
) -> Response<Body> {
    let request_id = Uuid::new_v4().to_string();
    let (mut parts, body) = request.into_parts();
    let mut response = if let Some(method) = method_to_allow(&cors, &parts) {
        gateway::preflight(&cors, &method)
    } else {
        match invoke(&request_id, products, cors.clone(), &mut parts, body).await {
            Ok(response) => response,
            Err(response_type) => {
                let response = gateway::response_of_its_own(&cors, response_type, &request_id);
                log(&parts.method, &parts.uri, response.status(), response_type);
                response
            }
        }
    };
    let request_id = HeaderValue::try_from(request_id).expect("hex digits and hyphens");
    response
        .headers_mut()
        .insert("x-amzn-requestid", request_id);
    response
}

/// Why API Gateway responds itself: its response type.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html>
type ResponseType = &'static str;

async fn invoke(
    request_id: &str,
    products: ProductRepository,
    cors: Cors,
    parts: &mut Parts,
    body: Body,
) -> Result<Response<Body>, ResponseType> {
    let (function, resource, parameters) =
        route(&parts.method, parts.uri.path()).ok_or("MISSING_AUTHENTICATION_TOKEN")?;
    let body = to_bytes(body, gateway::MAX_BODY_BYTES)
        .await
        .map_err(|error| {
            // Otherwise a chunk is malformed, or the client is gone.
            let is_too_long = error.into_inner().is::<LengthLimitError>();
            if is_too_long {
                "REQUEST_TOO_LARGE"
            } else {
                "BAD_REQUEST_BODY"
            }
        })?;
    let body = gateway::decoded(&mut parts.headers, body)?;
    let event = gateway::event(request_id, resource, &parameters, parts, &body);
    // A separate task, so that a panic ends the invocation but not the server, as on Lambda.
    let response = tokio::spawn(async move {
        let event = event.to_string();
        function.invoke_with(&cors, &products, &event).await
    });
    let response = response.await.map_err(Error::from).flatten();
    let response = response.and_then(|returned| gateway::response(&parts.headers, returned));
    response.map_err(|error| {
        tracing::error!(request_id, error, "the function failed");
        "DEFAULT_5XX"
    })
}

/// The method that a preflight can allow. API Gateway responds to a preflight for each route, if
/// pages of another origin can call the API.
fn method_to_allow(cors: &Cors, parts: &Parts) -> Option<Method> {
    if cors.origin().is_none() || parts.method != Method::OPTIONS {
        return None;
    }
    let path = parts.uri.path();
    let mut methods = [Method::GET, Method::POST].into_iter();
    methods.find(|method| route(method, path).is_some())
}

/// The function behind a route, its resource and the path parameters. API Gateway ignores trailing
/// and repeated slashes.
fn route(method: &Method, path: &str) -> Option<(Function, &'static str, Value)> {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let segments = [(); 4].map(|()| segments.next());
    match (method, segments) {
        (&Method::POST, [Some("product"), Some("create"), None, None]) => {
            Some((Function::Create, "/product/create", Value::Null))
        }
        (&Method::GET, [Some("product"), Some("find"), Some(id), None]) => {
            Some((Function::Find, "/product/find/{id}", json!({ "id": id })))
        }
        _ => None,
    }
}
