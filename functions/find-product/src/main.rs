//! Starts the function on Lambda.

use catalog::{ProductRepository, init_log, proxy};
use lambda_runtime::{Error, Runtime, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    init_log();
    let products = &ProductRepository::from_env();
    products.prime_find().await;
    let function =
        service_fn(|event| proxy(event, |request| find_product::handle(products, request)));
    // Not `lambda_runtime::run`, which opens a span for each call that no line of the log shows.
    Runtime::new(function).run().await
}
