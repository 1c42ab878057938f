//! Runs the check on Lambda.

use catalog::init_log;
use check_release::Check;
use lambda_runtime::{Error, Runtime, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    init_log();
    let check = Check::from_env()?;
    // Not `lambda_runtime::run`, whose span would be a part of each line of the log.
    Runtime::new(service_fn(async |event| check.run(event).await))
        .run()
        .await
}
