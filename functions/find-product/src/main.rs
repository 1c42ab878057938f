//! Starts the function on Lambda.

use catalog::ProductRepository;
use lambda_http::{Request, run, tracing};
use lambda_runtime::{Error, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let products = &ProductRepository::from_env().await;
    run(service_fn(async |request: Request| {
        Ok::<_, Error>(find_product::handle(products, request).await)
    }))
    .await
}
