//! Runs the function on Lambda.

use catalog::{ProductRepository, init_log, serve};
use create_product::{ROUTE, create};
use lambda_runtime::{Error, Runtime, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    init_log();
    let products = &ProductRepository::from_env();
    products.prime_create().await;
    // Not `lambda_runtime::run`, which opens a span for each event that no line of the log shows.
    Runtime::new(service_fn(|event| serve(ROUTE, products, event, create)))
        .run()
        .await
}
