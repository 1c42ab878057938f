//! The product catalog: its products, their DynamoDB table, and the responses to callers.

mod http;
mod product;
mod service;
mod table;
mod telemetry;

pub use http::cors::Cors;
pub use http::outcome::Outcome;
pub use http::problem::Problem;
pub use http::response::{ProxyResponse, empty, json};
pub use product::json::{Rejection, Violation};
pub use product::{Price, Product, ProductId, Title};
pub use service::{run, serve};
pub use table::config::{endpoint, https_pool_from, region, required};
pub use table::errors::Reaction;
pub use table::https::{HttpsPool, https_client};
pub use table::repository::{Created, ProductRepository, RepositoryError};
pub use telemetry::log::init_log;
