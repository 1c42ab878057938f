//! The whole API on a developer's machine, and under test: both functions behind HTTP, over an
//! embedded DynamoDB.

mod api;
mod dynamodb;
mod gateway;

pub use api::LocalApi;
pub use dynamodb::LocalDynamoDb;
