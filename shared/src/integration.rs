use std::future::ready;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll};

use lambda_http::http::{HeaderName, HeaderValue};
use lambda_http::request::LambdaRequest;
use lambda_http::service_fn;
use lambda_http::{Adapter, Body, BoxFuture, Error, LambdaEvent, Request, Response, Service};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::Problem;

/// API Gateway's Lambda proxy integration: its events in, their answers out, by way of `lambda_http`.
///
/// It answers what `lambda_http` alone would fail on, since a function that fails is a 502 to the
/// caller. An event of any other kind is an error, which Lambda logs and counts.
pub struct ProxyIntegration<'a, S> {
    adapter: Adapter<'a, Response<Body>, S>,
}

impl<'a, S> ProxyIntegration<'a, S>
where
    S: Service<Request, Response = Response<Body>, Error = Error>,
    S::Future: Send + 'a,
{
    /// Sends the requests of all events to `function`.
    pub fn of(function: S) -> Self {
        Self {
            adapter: Adapter::from(function),
        }
    }
}

impl<'a, S> Service<LambdaEvent<Box<RawValue>>> for ProxyIntegration<'a, S>
where
    S: Service<Request, Response = Response<Body>, Error = Error>,
    S::Future: Send + 'a,
{
    type Response =
        <Adapter<'a, Response<Body>, S> as Service<LambdaEvent<LambdaRequest>>>::Response;
    type Error = Error;
    type Future = BoxFuture<'a, Result<Self::Response, Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.adapter.poll_ready(context)
    }

    fn call(
        &mut self,
        LambdaEvent { payload, context }: LambdaEvent<Box<RawValue>>,
    ) -> Self::Future {
        let cause: Error = match read(&payload) {
            Ok(request) => {
                let event = LambdaEvent::new(request, context.clone());
                // lambda_http panics on what it cannot convert, such as a broken base64.
                match catch_unwind(AssertUnwindSafe(|| self.adapter.call(event))) {
                    Ok(answer) => return Box::pin(answer),
                    Err(_) => "lambda_http cannot convert it".into(),
                }
            }
            Err(cause) => cause.into(),
        };
        let Some(remainder) = remainder(&payload) else {
            return Box::pin(ready(Err(cause)));
        };
        tracing::error!(error = %cause, "the event cannot be read");
        let refuse = service_fn(|request| {
            ready(Ok::<_, Error>(
                Problem::malformed_request().into_response(&request),
            ))
        });
        Box::pin(Adapter::from(refuse).call(LambdaEvent::new(remainder, context)))
    }
}

/// Reads an event as `lambda_http` does, but keeps more of its headers.
fn read(event: &RawValue) -> serde_json::Result<LambdaRequest> {
    let mut request = serde_json::from_str(event.get()).or_else(|_| {
        // It refuses the whole event for a header that it cannot hold, such as one with an `é`.
        let mut event: Value = serde_json::from_str(event.get())?;
        drop_headers_that_are_no_text(&mut event);
        serde_json::from_value(event)
    })?;
    if let LambdaRequest::ApiGatewayV1(event) = &mut request
        && !event.multi_value_headers.is_empty()
    {
        // It would let the last line of each name replace all of them.
        event.headers.clear();
    }
    Ok(request)
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

/// What is left of an event of API Gateway that cannot be read: enough to answer in its form.
fn remainder(event: &RawValue) -> Option<LambdaRequest> {
    let event: Value = serde_json::from_str(event.get()).ok()?;
    let context = &event["requestContext"];
    // All kinds of API have an id, and only HTTP APIs and function URLs an `http`.
    context["apiId"].as_str()?;
    let request_id = context["requestId"].as_str()?;
    let remainder = if context["http"].is_null() {
        json!({ "httpMethod": "", "requestContext": { "httpMethod": "", "requestId": request_id } })
    } else {
        json!({ "requestContext": { "http": { "method": "GET" }, "requestId": request_id } })
    };
    serde_json::from_value(remainder).ok()
}
