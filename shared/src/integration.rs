use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use lambda_http::aws_lambda_events::apigw::{
    ApiGatewayProxyRequestContext, ApiGatewayV2httpRequestContext,
};
use lambda_http::http::{HeaderMap, HeaderName, HeaderValue};
use lambda_http::request::{LambdaRequest, RequestContext};
use lambda_http::{Body, Error, LambdaEvent, Request, RequestExt, Response};
use serde::ser::{Error as _, Serialize, SerializeStruct, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::Problem;

/// API Gateway's Lambda proxy integration: sends the request in `event`, as `lambda_http` reads it,
/// to `function`, and gives its answer.
///
/// An event that is API Gateway's and broken has an answer, too,
/// since a function that fails is a 502 to the caller.
///
/// # Errors
///
/// When the event is of any other kind, which Lambda logs and counts.
pub async fn proxy<F: Future<Output = Response<Body>>>(
    LambdaEvent { payload, context }: LambdaEvent<Box<RawValue>>,
    function: impl FnOnce(Request) -> F,
) -> Result<ProxyAnswer, Error> {
    match read(&payload).and_then(request) {
        Ok(request) => {
            let is_http_api = is_of_http_api(&request);
            let response = function(request.with_lambda_context(context)).await;
            Ok(ProxyAnswer {
                response,
                is_http_api,
            })
        }
        Err(cause) => {
            let Some(request) = remainder(&payload) else {
                return Err(cause);
            };
            tracing::error!(error = cause, "the event cannot be read");
            Ok(ProxyAnswer {
                response: Problem::malformed_request().into_response(&request),
                is_http_api: is_of_http_api(&request),
            })
        }
    }
}

fn is_of_http_api(request: &Request) -> bool {
    matches!(
        request.request_context_ref(),
        Some(RequestContext::ApiGatewayV2(_))
    )
}

/// Reads an event as `lambda_http` does, but keeps more of its headers.
fn read(event: &RawValue) -> Result<LambdaRequest, Error> {
    Ok(serde_json::from_str(event.get()).or_else(|_| {
        // It refuses the whole event for a header that it cannot hold, such as one with an `é`.
        let mut event: Value = serde_json::from_str(event.get())?;
        drop_headers_that_are_no_text(&mut event);
        serde_json::from_value(event)
    })?)
}

fn drop_headers_that_are_no_text(event: &mut Value) {
    let is_text = |value: &Value| {
        value
            .as_str()
            .is_some_and(|text| HeaderValue::from_str(text).is_ok())
    };
    for form in ["headers", "multiValueHeaders"] {
        if let Some(headers) = event.get_mut(form).and_then(Value::as_object_mut) {
            headers.retain(|name, values| {
                let values = match values {
                    Value::Array(lines) => {
                        lines.retain(is_text);
                        !lines.is_empty()
                    }
                    line => is_text(line),
                };
                values && HeaderName::from_bytes(name.as_bytes()).is_ok()
            });
        }
    }
}

/// The request in an event, with what the functions look at. `lambda_http`'s own conversion writes
/// an URL for it, panics on a broken base64, and takes one line of each header.
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
        _ => return Err("the event is not API Gateway's".into()),
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

/// What is left of an event of API Gateway that cannot be read: whom to answer.
fn remainder(event: &RawValue) -> Option<Request> {
    let event: Value = serde_json::from_str(event.get()).ok()?;
    let told = &event["requestContext"];
    // All kinds of API have an id.
    told["apiId"].as_str()?;
    let request_id = Some(told["requestId"].as_str()?.to_owned());
    // Only HTTP APIs have an `http`.
    let context = if told["http"].is_null() {
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

/// A function's answer, as API Gateway takes it.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html>
#[derive(Debug)]
pub struct ProxyAnswer {
    response: Response<Body>,
    is_http_api: bool,
}

impl Serialize for ProxyAnswer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let body = str::from_utf8(self.response.body()).map_err(S::Error::custom)?;
        let mut answer = serializer.serialize_struct("ProxyAnswer", 5)?;
        answer.serialize_field("statusCode", &self.response.status().as_u16())?;
        answer.serialize_field("headers", &Headers(self.response.headers()))?;
        answer.serialize_field("body", body)?;
        answer.serialize_field("isBase64Encoded", &false)?;
        if self.is_http_api {
            // We have none, but `cargo lambda watch` wants to be told so.
            answer.serialize_field("cookies", &[(); 0])?;
        }
        answer.end()
    }
}

/// None of ours has two lines.
struct Headers<'a>(&'a HeaderMap);

impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let lines = self.0.iter();
        serializer.collect_map(lines.map(|(name, value)| {
            let value = value.to_str().expect("visible ASCII, as all that we write");
            (name.as_str(), value)
        }))
    }
}
