use std::io;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Request, Response};
use axum::middleware::from_fn_with_state;
use catalog::{Cors, ProductRepository};
use http_body_util::LengthLimitError;
use lambda_http::Error;
use serde_json::{Map, Value};
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
    Function::ALL.into_iter().find_map(|function| {
        let (method, resource) = function.route().split_once(' ')?;
        parameters(resource, parts.uri.path())?;
        method.parse().ok()
    })
}

/// The function behind a route, its resource and the path parameters. API Gateway ignores trailing
/// and repeated slashes.
fn route(method: &Method, path: &str) -> Option<(Function, &'static str, Value)> {
    Function::ALL.into_iter().find_map(|function| {
        let (served, resource) = function.route().split_once(' ')?;
        let parameters = parameters(resource, path)?;
        (method.as_str() == served).then_some((function, resource, parameters))
    })
}

/// The parameters of a path, or `None` if it is not a path of `resource`.
fn parameters(resource: &str, path: &str) -> Option<Value> {
    let mut found = Map::new();
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    for expected in resource.split('/').skip(1) {
        let segment = segments.next()?;
        match expected
            .strip_prefix('{')
            .and_then(|name| name.strip_suffix('}'))
        {
            Some(name) => {
                found.insert(name.to_owned(), segment.into());
            }
            None if expected == segment => {}
            None => return None,
        }
    }
    let parameters = if found.is_empty() {
        Value::Null
    } else {
        found.into()
    };
    segments.next().is_none().then_some(parameters)
}
