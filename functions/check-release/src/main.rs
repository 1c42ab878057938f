//! Runs the check on Lambda.

use catalog::init_log;
use check_release::Check;
use lambda_runtime::{Error, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    init_log();
    let check = Check::from_env()?;
    run(service_fn(async |event| check.run(event).await)).await
}
