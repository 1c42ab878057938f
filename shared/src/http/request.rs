use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt};

/// The id that API Gateway gave the request and returns to the caller in `x-amzn-RequestId`.
pub(crate) fn request_id(request: &Request) -> Option<&str> {
    match request.request_context_ref()? {
        RequestContext::ApiGatewayV1(context) => context.request_id.as_deref(),
        RequestContext::ApiGatewayV2(context) => context.request_id.as_deref(),
        _ => None,
    }
}

/// The id that Lambda gave the invocation, or `None` on a developer's machine.
pub(crate) fn invocation_id(request: &Request) -> Option<&str> {
    let id = &request.lambda_context_ref()?.request_id;
    (!id.is_empty()).then_some(id)
}

/// The invocation's X-Ray trace header.
pub(crate) fn trace_header(request: &Request) -> Option<&str> {
    request.lambda_context_ref()?.xray_trace_id.as_deref()
}

/// The name of the deployed function, empty on a developer's machine.
pub(crate) fn function_name(request: &Request) -> &str {
    let context = request.lambda_context_ref();
    context.map_or("", |context| &context.env_config.function_name)
}

/// Whether the request is from an HTTP API, not a REST API.
pub(crate) fn is_of_http_api(request: &Request) -> bool {
    matches!(
        request.request_context_ref(),
        Some(RequestContext::ApiGatewayV2(_))
    )
}
