use std::pin::pin;
use std::time::Instant;

use lambda_http::lambda_runtime::{LambdaInvocation, Runtime};
use lambda_http::tower::util::{MapRequestLayer, MapResultLayer};
use lambda_http::{Body, Error, LambdaEvent, Request, RequestExt, Response, service_fn};
use serde_json::value::RawValue;

use crate::http::cors::Cors;
use crate::http::event;
use crate::http::problem::Problem;
use crate::http::request::{
    function_name, invocation_id, is_of_http_api, request_id, trace_header,
};
use crate::http::response::{ProxyResponse, outcome};
use crate::table::repository::ProductRepository;
use crate::telemetry::call::observed;
use crate::telemetry::{log, trace};

/// Serves the events that Lambda sends to a function of `route`, one after the other.
///
/// # Errors
///
/// If Lambda's Runtime API fails. Also if DynamoDB rejected the credentials, but only after the
/// response is sent: Lambda replaces a process that exits, and the next one has new credentials.
pub async fn run(
    route: &'static str,
    cors: &Cors,
    products: &ProductRepository,
    step: impl AsyncFn(&ProductRepository, &Request) -> Result<Response<Body>, Problem>,
) -> Result<(), Error> {
    let handle = |event| serve(route, cors, products, event, &step);
    // Not `lambda_runtime::run`, which opens a span for each event that never appears in the log.
    Runtime::new(service_fn(handle))
        .layer(MapRequestLayer::new(|event: LambdaInvocation| {
            let body = event::escape_invalid_bytes(event.body);
            LambdaInvocation { body, ..event }
        }))
        .layer(MapResultLayer::new(|sent: Result<(), Error>| {
            sent?;
            if products.lost_its_credentials() {
                return Err("ends, because DynamoDB rejected its credentials".into());
            }
            Ok(())
        }))
        .run()
        .await
}

/// Serves one event of `route`: reads the request, runs the function's `step`, writes one log line
/// and returns the response.
///
/// # Errors
///
/// If the event comes from anything other than API Gateway. Lambda logs and counts it.
pub async fn serve(
    route: &'static str,
    cors: &Cors,
    products: &ProductRepository,
    LambdaEvent { payload, context }: LambdaEvent<Box<RawValue>>,
    step: impl AsyncFnOnce(&ProductRepository, &Request) -> Result<Response<Body>, Problem>,
) -> Result<ProxyResponse, Error> {
    let start = Instant::now();
    let (request, readable) = event::read(&payload)?;
    let request = request.with_lambda_context(context);
    // Pinned, because it is large, and would otherwise be moved into each function it is passed to.
    let response = pin!(async {
        match readable {
            Ok(()) => step(products, &request).await,
            Err(problem) => Err(problem),
        }
        .unwrap_or_else(|problem| problem.into_response(&request))
    });
    let (mut response, call) = observed(response).await;
    cors.add_to(response.headers_mut());

    let outcome = outcome(&response);
    let trace_header = trace_header(&request);
    log::write(&log::Entry {
        route,
        status: outcome.status().as_u16(),
        outcome: outcome.name(),
        function_name: function_name(&request),
        request_id: invocation_id(&request),
        api_request_id: request_id(&request),
        trace_header,
        latency: start.elapsed(),
        call: call.as_ref(),
    });
    if let (Some(call), Some(header)) = (call, trace_header) {
        trace::send(header, &call);
    }
    Ok(ProxyResponse {
        is_http_api: is_of_http_api(&request),
        response,
    })
}
