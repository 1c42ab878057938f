//! The product catalog: products, their DynamoDB table, and the answers to callers.

mod client;
mod https;
mod integration;
mod integrity;
mod log;
mod metrics;
mod observe;
mod problem;
mod product;
mod repository;
mod response;
mod trace;

pub use https::https_client;
pub use integration::{ProxyAnswer, proxy};
pub use log::{init_log, logged};
pub use problem::Problem;
pub use product::{Price, Product, ProductId, Rejection, Title, Violation};
pub use repository::{Created, ProductRepository, RepositoryError};
pub use response::{found, json, request_id};
