use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use bench::{Call, Canned};
use tests::{Lambda, release};
use tokio::process::Command;

use crate::slow::Clock;
use crate::tools::installed;

/// Writes a profile of each function as callgrind.PACKAGE.CALLS, of runs that end after so many
/// calls: the parts of init, of a first and of 20 warm calls are the differences.
pub async fn profile(folder: &Path) -> Result<ExitCode, String> {
    let [faketime, valgrind] = installed(["faketime", "valgrind"], "faketime valgrind")?;
    let dynamodb = Canned::start(Duration::ZERO).await;
    let clock = Clock::of(&faketime);
    let variables = [&dynamodb.variables()[..], &clock.variables()].concat();
    for call in [Call::FOUND, Call::CREATED] {
        for calls in [0, 1, 21] {
            let file = folder.join(format!("callgrind.{}.{calls}", call.package));
            let mut command = Command::new(&valgrind);
            command
                .args(["--quiet", "--tool=callgrind"])
                .arg(format!("--callgrind-out-file={}", file.display()))
                .arg(release(call.package));
            let mut function = Lambda::start_by(command, &variables).await;
            function.asks().await;
            for _ in 0..calls {
                let response = function.invoke(&call.event()).await.expect("a response");
                call.check(&response);
                function.asks().await;
            }
            let process = function.id();
            function.end().await;
            Clock::clean(process);
            println!("{}", file.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}
