//! Starts the function on Lambda.

use catalog::{ProductRepository, ProxyIntegration, init_log};
use lambda_http::Request;
use lambda_runtime::{Error, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    init_log();
    let products = &ProductRepository::from_env();
    products.prime_find().await;
    run(ProxyIntegration::of(service_fn(
        async |request: Request| Ok::<_, Error>(find_product::handle(products, request).await),
    )))
    .await
}
