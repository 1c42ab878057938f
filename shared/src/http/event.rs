use std::collections::HashMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use lambda_http::aws_lambda_events::apigw::{
    ApiGatewayProxyRequestContext, ApiGatewayV2httpRequestContext,
};
use lambda_http::http::{HeaderName, HeaderValue};
use lambda_http::request::{LambdaRequest, RequestContext};
use lambda_http::{Body, Error, Request, RequestExt};
use percent_encoding::percent_decode_str;
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
    match parse(event).and_then(|parsed| request(parsed, event)) {
        Ok(request) => Ok((request, Ok(()))),
        Err(cause) => match addressee(event) {
            Some(request) => Ok((request, Err(Problem::malformed_request(cause)))),
            None => Err(cause),
        },
    }
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

/// Parses an event as `lambda_http` does, but keeps more of its headers.
fn parse(event: &RawValue) -> Result<LambdaRequest, Error> {
    Ok(serde_json::from_str(event.get()).or_else(|_| {
        // It rejects the whole event for one header value that it cannot hold, such as one with an
        // `é`.
        let mut event: Value = serde_json::from_str(event.get())?;
        drop_invalid_headers(&mut event);
        serde_json::from_value(event)
    })?)
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

/// The request in an event, with what the functions read. `lambda_http`'s own conversion builds a
/// URL, panics on invalid base64, and keeps one value of each header.
fn request(parsed: LambdaRequest, event: &RawValue) -> Result<Request, Error> {
    let (headers, parameters, context, body, is_base64) = match parsed {
        LambdaRequest::ApiGatewayV1(request) => (
            if request.multi_value_headers.is_empty() {
                request.headers
            } else {
                request.multi_value_headers
            },
            decode(request.path_parameters, event),
            RequestContext::ApiGatewayV1(request.request_context),
            request.body,
            request.is_base64_encoded,
        ),
        LambdaRequest::ApiGatewayV2(request) => (
            request.headers,
            request.path_parameters,
            RequestContext::ApiGatewayV2(request.request_context),
            request.body,
            request.is_base64_encoded,
        ),
        _ => return Err("the event is not from API Gateway".into()),
    };
    let body = match body {
        Some(text) if is_base64 => Body::Binary(BASE64_STANDARD.decode(text)?),
        Some(text) => Body::Text(text),
        None => Body::Empty,
    };
    let mut request = Request::new(body)
        .with_path_parameters(parameters)
        .with_request_context(context);
    *request.headers_mut() = headers;
    Ok(request)
}

/// The path parameters as text, without those that are none. A REST API passes them as the caller
/// wrote them, and an HTTP API decodes them, whatever the format of its events.
fn decode(parameters: HashMap<String, String>, event: &RawValue) -> HashMap<String, String> {
    let is_encoded = parameters.values().any(|value| value.contains('%'));
    // Only the events of an HTTP API have a version.
    let is_of_http_api = || members(event).is_some_and(|event| event.contains_key("version"));
    if !is_encoded || is_of_http_api() {
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
    let request_id = Some(text("requestId")?);
    // Only an HTTP API has an `http`.
    let context = if context.get("http").is_none_or(|http| http.get() == "null") {
        let mut context = ApiGatewayProxyRequestContext::default();
        context.request_id = request_id;
        RequestContext::ApiGatewayV1(context)
    } else {
        let mut context = ApiGatewayV2httpRequestContext::default();
        context.request_id = request_id;
        RequestContext::ApiGatewayV2(context)
    };
    Some(Request::default().with_request_context(context))
}

/// The members of a JSON object, each as it is written.
fn members(object: &RawValue) -> Option<HashMap<String, &RawValue>> {
    serde_json::from_str(object.get()).ok()
}
