//! DynamoDB's API over HTTP.
//!
//! dynoxide's own server responds to any web page, and no check can be put in front of it:
//! docs/decisions/0008-our-own-server-for-the-embedded-dynamodb.md.

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use uuid::Uuid;

/// DynamoDB's limit for a request, in bytes.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// The API of `database`.
pub fn routes(database: Database) -> Router {
    Router::new()
        .route("/", post(respond))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(database)
}

async fn respond(
    State(database): State<Database>,
    headers: HeaderMap,
    body: String,
) -> impl IntoResponse {
    let target = headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok());
    let operation = target
        .and_then(|target| target.split('.').nth(1))
        .unwrap_or_default();
    let (status, body) = match call(&database, operation, &body) {
        Ok(response) => (StatusCode::OK, response),
        Err(Failure::Refused(error)) => {
            let status = StatusCode::from_u16(error.status_code());
            (status.unwrap_or(StatusCode::BAD_REQUEST), error.to_json())
        }
        Err(Failure::Malformed(code, message)) => {
            let code = format!("com.amazon.coral.service#{code}");
            let body = json!({ "__type": code, "Message": message });
            (StatusCode::BAD_REQUEST, body.to_string())
        }
    };
    let headers = [
        ("content-type", "application/x-amz-json-1.0".to_owned()),
        ("x-amz-crc32", crc32fast::hash(body.as_bytes()).to_string()),
        ("x-amzn-requestid", Uuid::new_v4().to_string()),
    ];
    (status, headers, body)
}

enum Failure {
    Refused(DynoxideError),
    /// An error code and a message in AWS's protocol.
    Malformed(&'static str, String),
}

macro_rules! operations {
    ($($name:literal => $method:ident,)*) => {
        fn call(database: &Database, operation: &str, body: &str) -> Result<String, Failure> {
            match operation {
                $($name => run(body, |request| database.$method(request)),)*
                _ => Err(Failure::Malformed("UnknownOperationException", String::new())),
            }
        }
    };
}

operations! {
    "BatchExecuteStatement" => batch_execute_statement,
    "BatchGetItem" => batch_get_item,
    "BatchWriteItem" => batch_write_item,
    "CreateTable" => create_table,
    "DeleteItem" => delete_item,
    "DeleteTable" => delete_table,
    "DescribeTable" => describe_table,
    "DescribeTimeToLive" => describe_time_to_live,
    "ExecuteStatement" => execute_statement,
    "ExecuteTransaction" => execute_transaction,
    "GetItem" => get_item,
    "ListTables" => list_tables,
    "ListTagsOfResource" => list_tags_of_resource,
    "PutItem" => put_item,
    "Query" => query,
    "Scan" => scan,
    "TagResource" => tag_resource,
    "TransactGetItems" => transact_get_items,
    "TransactWriteItems" => transact_write_items,
    "UntagResource" => untag_resource,
    "UpdateItem" => update_item,
    "UpdateTable" => update_table,
    "UpdateTimeToLive" => update_time_to_live,
}

fn run<Request: DeserializeOwned, Response: Serialize>(
    body: &str,
    operation: impl FnOnce(Request) -> dynoxide::Result<Response>,
) -> Result<String, Failure> {
    let malformed =
        |error: serde_json::Error| Failure::Malformed("SerializationException", error.to_string());
    let request = serde_json::from_str(body).map_err(malformed)?;
    let response = operation(request).map_err(Failure::Refused)?;
    serde_json::to_string(&response).map_err(malformed)
}
