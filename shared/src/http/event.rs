use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::{self, Formatter};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use lambda_http::aws_lambda_events::apigw::{
    ApiGatewayProxyRequestContext, ApiGatewayV2httpRequestContext,
};
use lambda_http::http::{HeaderMap, HeaderName, HeaderValue};
use lambda_http::request::RequestContext;
use lambda_http::{Body, Error, Request, RequestExt};
use percent_encoding::percent_decode_str;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::problem::Problem;

/// Reads the request in an event of API Gateway.
///
/// A malformed event still gets a response, because a function that fails is a 502 to the caller:
/// its request contains just enough to respond to, and comes with the problem.
///
/// # Errors
///
/// If the event comes from anything other than API Gateway.
pub(crate) fn read(event: &RawValue) -> Result<(Request, Result<(), Problem>), Error> {
    if let Some(request) = parse(event.get()) {
        return Ok((request, Ok(())));
    }
    // The texts of serde's errors could show the event.
    let request =
        addressee(event).ok_or("this function expects a JSON payload from Amazon API Gateway")?;
    let problem = Problem::malformed_request("the event cannot be read".into());
    Ok((request, Err(problem)))
}

/// Escapes each byte of an event that is not UTF-8 as half a surrogate pair, which is no character
/// either: Lambda's runtime would reject the event before [`read`] could respond to it.
pub(crate) fn escape_invalid_bytes(event: Bytes) -> Bytes {
    if str::from_utf8(&event).is_ok() {
        return event;
    }
    let chunks = event.utf8_chunks().flat_map(|chunk| {
        let invalid = if chunk.invalid().is_empty() {
            ""
        } else {
            r"\ud800"
        };
        [chunk.valid(), invalid]
    });
    chunks.collect::<String>().into()
}

/// What the functions need of an event.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    /// The format of the event, which only an HTTP API names.
    #[serde(borrow)]
    version: Option<Text<'a>>,
    /// Only the events of a REST API, and those in its format, have it.
    #[serde(borrow)]
    http_method: Option<Text<'a>>,
    /// Read only if the others are missing.
    #[serde(borrow)]
    headers: Option<&'a RawValue>,
    /// The same headers in a REST API's event, each with all its values.
    multi_value_headers: Option<Headers<true>>,
    path_parameters: Option<HashMap<String, String>>,
    request_context: Context,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    request_id: String,
    path: Option<String>,
    /// Only an HTTP API's own format has it.
    http: Option<Http>,
}

#[derive(Deserialize)]
struct Http {
    path: Option<String>,
}

/// A text, borrowed from the event if it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The headers in a JSON object, which has a list of values for each, or only one value.
struct Headers<const LISTS: bool>(HeaderMap);

impl<'de, const LISTS: bool> Deserialize<'de> for Headers<LISTS> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Enough for a browser's, through a content delivery network.
        deserializer.deserialize_map(Self(HeaderMap::with_capacity(40)))
    }
}

impl<'de, const LISTS: bool> Visitor<'de> for Headers<LISTS> {
    type Value = Self;

    fn expecting(&self, text: &mut Formatter<'_>) -> fmt::Result {
        text.write_str("headers")
    }

    fn visit_map<M: MapAccess<'de>>(mut self, mut members: M) -> Result<Self, M::Error> {
        while let Some(Text(name)) = members.next_key()? {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(M::Error::custom)?;
            let values = if LISTS {
                members.next_value::<Vec<Text>>()?
            } else {
                vec![members.next_value::<Text>()?]
            };
            for Text(value) in values {
                let value = HeaderValue::from_str(&value).map_err(M::Error::custom)?;
                self.0.append(&name, value);
            }
        }
        Ok(self)
    }
}

/// The request in an event, without headers that HTTP does not allow, such as one with a control
/// character.
fn parse(event: &str) -> Option<Request> {
    // Where nobody reads it, serde_json skips half a surrogate pair.
    let has_escapes = event.split('\\').skip(1).any(|rest| rest.starts_with('u'));
    if !has_escapes && let Some(request) = request(event) {
        return Some(request);
    }
    let mut event: Value = serde_json::from_str(event).ok()?;
    drop_invalid_headers(&mut event);
    request(&event.to_string())
}

fn drop_invalid_headers(event: &mut Value) {
    let is_valid = |value: &Value| {
        value
            .as_str()
            .is_some_and(|text| HeaderValue::from_str(text).is_ok())
    };
    for form in ["headers", "multiValueHeaders"] {
        if let Some(headers) = event.get_mut(form).and_then(Value::as_object_mut) {
            headers.retain(|name, values| {
                let has_value = match values {
                    Value::Array(values) => {
                        values.retain(is_valid);
                        !values.is_empty()
                    }
                    value => is_valid(value),
                };
                has_value && HeaderName::from_bytes(name.as_bytes()).is_ok()
            });
        }
    }
}

/// The request in an event, with what the functions read. `lambda_http` reads all of an event, the
/// headers twice and with an attempt for each form that a value could have; its conversion builds a
/// URL, panics on invalid base64, and keeps one value of each header.
fn request(event: &str) -> Option<Request> {
    let event: Event = serde_json::from_str(event).ok()?;
    let mut headers = match event.multi_value_headers {
        Some(Headers(headers)) => headers,
        None => HeaderMap::new(),
    };
    if headers.is_empty()
        && let Some(single) = event.headers
    {
        Headers::<false>(headers) = serde_json::from_str(single.get()).ok()?;
    }
    let mut parameters = event.path_parameters.unwrap_or_default();
    // A REST API passes them as the caller wrote them. An HTTP API decodes them, whatever the
    // format of its events.
    if event.version.is_none() {
        parameters = decode(parameters);
    }
    let body = match event.body {
        Some(text) if event.is_base64_encoded == Some(true) => {
            Body::Binary(BASE64_STANDARD.decode(text).ok()?)
        }
        Some(text) => Body::Text(text),
        None => Body::Empty,
    };
    let Context {
        request_id, path, ..
    } = event.request_context;
    let context = match (event.request_context.http, event.http_method) {
        (Some(http), _) => of_http_api(request_id, http.path),
        (None, Some(_)) => of_rest_api(request_id, path),
        // A WebSocket API's.
        (None, None) => return None,
    };
    let mut request = Request::new(body)
        .with_path_parameters(parameters)
        .with_request_context(context);
    *request.headers_mut() = headers;
    Some(request)
}

fn of_rest_api(request_id: String, path: Option<String>) -> RequestContext {
    let mut context = ApiGatewayProxyRequestContext::default();
    context.request_id = Some(request_id);
    context.path = path;
    RequestContext::ApiGatewayV1(context)
}

fn of_http_api(request_id: String, path: Option<String>) -> RequestContext {
    let mut context = ApiGatewayV2httpRequestContext::default();
    context.request_id = Some(request_id);
    context.http.path = path;
    RequestContext::ApiGatewayV2(context)
}

/// Decodes path parameters, and leaves out those that are no text.
fn decode(parameters: HashMap<String, String>) -> HashMap<String, String> {
    if !parameters.values().any(|value| value.contains('%')) {
        return parameters;
    }
    let decoded = parameters.into_iter().filter_map(|(name, value)| {
        let value = percent_decode_str(&value).decode_utf8().ok()?;
        Some((name, value.into_owned()))
    });
    decoded.collect()
}

/// Recovers just enough of an unreadable event to respond to it. What it does not need can have any
/// content, such as half a surrogate pair.
fn addressee(event: &RawValue) -> Option<Request> {
    let context = members(members(event)?.get("requestContext")?)?;
    let text = |name| serde_json::from_str::<String>(context.get(name)?.get()).ok();
    // Every kind of API has an id.
    text("apiId")?;
    let request_id = text("requestId")?;
    // Only an HTTP API has an `http`.
    let context = if context.get("http").is_none_or(|http| http.get() == "null") {
        of_rest_api(request_id, None)
    } else {
        of_http_api(request_id, None)
    };
    Some(Request::default().with_request_context(context))
}

/// The members of a JSON object, each as it is written.
fn members(object: &RawValue) -> Option<HashMap<String, &RawValue>> {
    serde_json::from_str(object.get()).ok()
}
