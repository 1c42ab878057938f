use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use lambda_http::aws_lambda_events::apigw::{
    ApiGatewayProxyRequestContext, ApiGatewayV2httpRequestContext,
};
use lambda_http::http::{HeaderName, HeaderValue};
use lambda_http::request::{LambdaRequest, RequestContext};
use lambda_http::{Body, Error, Request, RequestExt};
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
    match parse(event).and_then(request) {
        Ok(request) => Ok((request, Ok(()))),
        Err(cause) => match addressee(event) {
            Some(request) => Ok((request, Err(Problem::malformed_request(cause)))),
            None => Err(cause),
        },
    }
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
fn request(event: LambdaRequest) -> Result<Request, Error> {
    let (headers, parameters, context, body, is_base64) = match event {
        LambdaRequest::ApiGatewayV1(event) => (
            if event.multi_value_headers.is_empty() {
                event.headers
            } else {
                event.multi_value_headers
            },
            event.path_parameters,
            RequestContext::ApiGatewayV1(event.request_context),
            event.body,
            event.is_base64_encoded,
        ),
        LambdaRequest::ApiGatewayV2(event) => (
            event.headers,
            event.path_parameters,
            RequestContext::ApiGatewayV2(event.request_context),
            event.body,
            event.is_base64_encoded,
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

/// Recovers just enough of an unreadable event to respond to it.
fn addressee(event: &RawValue) -> Option<Request> {
    let event: Value = serde_json::from_str(event.get()).ok()?;
    let context = &event["requestContext"];
    // Every kind of API has an id.
    context["apiId"].as_str()?;
    let request_id = Some(context["requestId"].as_str()?.to_owned());
    // Only an HTTP API has an `http`.
    let context = if context["http"].is_null() {
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
