//! The whole API on a developer's machine and in tests: both functions over HTTP, with an embedded
//! DynamoDB.

mod accept_encoding;
mod api;
mod docs;
mod dynamodb;
mod function;
mod gateway;
mod server;
mod serverless;

pub use api::LocalApi;
pub use dynamodb::LocalDynamoDb;
pub use function::Function;
pub use gateway::cors;
