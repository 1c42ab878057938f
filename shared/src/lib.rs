//! The product catalog: products, their DynamoDB table, and the answers to callers.

mod client;
mod integration;
mod integrity;
mod log;
mod problem;
mod product;
mod repository;
mod response;

pub use integration::ProxyIntegration;
pub use log::{init_log, logged};
pub use problem::Problem;
pub use product::{Price, Product, ProductId, Rejection, Title, Violation};
pub use repository::{Created, ProductRepository, RepositoryError};
pub use response::{found, json, request_id};
