//! Runs the function on Lambda.

use catalog::{ProductRepository, init_log, serve};
use find_product::{ROUTE, find};
use lambda_runtime::{Error, Runtime, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    init_log();
    let products = &ProductRepository::from_env();
    products.prime_find().await;
    // Not `lambda_runtime::run`, which opens a span for each event that no line of the log shows.
    Runtime::new(service_fn(|event| serve(ROUTE, products, event, find)))
        .run()
        .await
}
