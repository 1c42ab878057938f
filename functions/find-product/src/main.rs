//! Runs the function on Lambda.

use catalog::{Cors, ProductRepository, init_log, run};
use find_product::{ROUTE, find};
use lambda_runtime::Error;
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    init_log();
    let cors = Cors::from_env()?;
    let products = ProductRepository::from_env()?;
    products.prime_find().await;
    run(ROUTE, &cors, &products, find).await
}
