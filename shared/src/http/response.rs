use lambda_http::http::HeaderMap;
use lambda_http::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderValue, VARY, X_CONTENT_TYPE_OPTIONS,
};
use lambda_http::{Body, Response};
use serde::Serialize;
use serde::ser::{Error as _, SerializeStruct, Serializer};

use super::outcome::Outcome;

/// A response with `body` as JSON, not to be cached.
///
/// # Panics
///
/// If `body` cannot be written as JSON, such as a map whose keys are not strings.
pub fn json(outcome: Outcome, body: &impl Serialize) -> Response<Body> {
    let body = serde_json::to_string(body).expect("a response can be written as JSON");
    let mut response = empty(outcome);
    *response.body_mut() = Body::Text(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A response without a body, not to be cached.
#[must_use]
pub fn empty(outcome: Outcome) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = outcome.status();
    response.extensions_mut().insert(outcome);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // API Gateway compresses what the caller can decode.
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The outcome with which the response was built.
pub(crate) fn outcome(response: &Response<Body>) -> Outcome {
    let outcome = response.extensions().get().copied();
    outcome.expect("every response is made by `json` or `empty`")
}

/// A response in the format of API Gateway's
/// [Lambda proxy integration](https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html).
#[derive(Debug)]
pub struct ProxyResponse {
    pub(crate) response: Response<Body>,
    pub(crate) is_http_api: bool,
}

impl Serialize for ProxyResponse {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let body = str::from_utf8(self.response.body()).map_err(S::Error::custom)?;
        let mut response = serializer.serialize_struct("ProxyResponse", 5)?;
        response.serialize_field("statusCode", &self.response.status().as_u16())?;
        response.serialize_field("headers", &Headers(self.response.headers()))?;
        response.serialize_field("body", body)?;
        response.serialize_field("isBase64Encoded", &false)?;
        if self.is_http_api {
            // Always empty, but `cargo lambda watch` requires the member.
            response.serialize_field("cookies", &[(); 0])?;
        }
        response.end()
    }
}

/// None of our headers has more than one value.
struct Headers<'a>(&'a HeaderMap);

impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let headers = self.0.iter();
        serializer.collect_map(headers.map(|(name, value)| {
            let value = value.to_str().expect("every header is visible ASCII");
            (name.as_str(), value)
        }))
    }
}
