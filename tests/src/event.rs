use catalog::ProductRepository;
use local::Function;
use serde_json::Value;

/// API Gateway's event for a request to create the product in `body`.
#[must_use]
pub fn create_event(body: impl Into<Value>) -> Value {
    let mut event = json(include_str!("../events/create-on-DEV.json"));
    event["body"] = body.into();
    event
}

/// API Gateway's event for a request to find the product whose percent-encoded id is `id`.
#[must_use]
pub fn find_event(id: &str) -> Value {
    let mut event = json(include_str!("../events/find-on-DEV.json"));
    event["pathParameters"]["id"] = id.into();
    event
}

fn json(event: &str) -> Value {
    serde_json::from_str(event).expect("JSON")
}

/// Sends an arbitrary event to a function, and checks the result: a response that API Gateway
/// accepts and the contract documents, or an error if the event cannot be from API Gateway.
///
/// # Errors
///
/// What is wrong with the result.
pub async fn responds_well(
    function: Function,
    products: &ProductRepository,
    event: &str,
) -> Result<(), String> {
    /// DynamoDB works here, so a 5xx would be our mistake.
    const STATUSES: [u64; 9] = [200, 201, 304, 400, 404, 409, 413, 415, 422];

    let response = match function.invoke(products, event).await {
        Ok(response) => response,
        Err(_) if !is_of_api_gateway(event) => return Ok(()),
        Err(error) => return Err(format!("failed: {error}")),
    };
    let status = response["statusCode"].as_u64().unwrap_or_default();
    if !STATUSES.contains(&status) {
        return Err(format!("the status is {status}: {response}"));
    }
    let headers = ["headers", "multiValueHeaders"].map(|form| response[form].as_object());
    for (name, value) in headers.into_iter().flatten().flatten() {
        let lines = value
            .as_array()
            .map_or(std::slice::from_ref(value), Vec::as_slice);
        for line in lines {
            let visible = |text: &str| text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
            if !line.as_str().is_some_and(visible) {
                return Err(format!("the header {name} is {line}"));
            }
        }
    }
    let body = response["body"].as_str().unwrap_or_default();
    match serde_json::from_str::<Value>(body) {
        Err(_) if status == 304 && body.is_empty() => Ok(()),
        Ok(body) if body["status"].as_u64().is_none_or(|own| own == status) => Ok(()),
        _ => Err(format!("the body of {status} is {body}")),
    }
}

/// Every kind of API has an id.
fn is_of_api_gateway(event: &str) -> bool {
    let event: Value = serde_json::from_str(event).unwrap_or_default();
    let context = &event["requestContext"];
    context["apiId"].is_string() && context["requestId"].is_string()
}
