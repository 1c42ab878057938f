//! `cargo run`: the whole API on this machine, until Ctrl-C.

use std::env;
use std::future::pending;
use std::io::{self, ErrorKind, IsTerminal, Write, stdout};
use std::path::PathBuf;
use std::process::{self, ExitCode};

use catalog::Cors;
use clap::Parser;
use local::{LocalApi, LocalDynamoDb, cors};
use tracing_subscriber::{EnvFilter, fmt};

/// The product catalog on this machine: both functions with an embedded DynamoDB.
#[derive(Parser)]
#[command(bin_name = "cargo run --", name = "product-catalog-service", version)]
struct Arguments {
    /// The port on 127.0.0.1 to listen on; 0 means any free port
    #[arg(long, default_value_t = 3000, value_name = "N")]
    port: u16,

    /// Keep the catalog in FILE; by default, it is lost when the server stops
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,

    /// Let web pages of this origin call the API; by default, no page of another origin can
    #[arg(long, value_name = "URL", value_parser = cors)]
    allow_origin: Option<Cors>,
}

#[tokio::main]
async fn main() -> ExitCode {
    // DynamoDB's rejections are part of normal responses. Set RUST_LOG to see them.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| "info,dynoxide=off".into());
    let is_colored = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    fmt()
        .with_ansi(is_colored && stdout().is_terminal())
        .with_env_filter(filter)
        .with_target(false)
        // For example, after `cargo run | head -1`.
        .log_internal_errors(false)
        .init();
    match run(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(
    Arguments {
        port,
        data,
        allow_origin,
    }: &Arguments,
) -> Result<(), String> {
    let dynamodb = LocalDynamoDb::start(data.as_deref())
        .await
        .map_err(|error| match data {
            Some(file) => {
                // The rest of the message is only for programs that embed dynoxide.
                let cause = error.to_string();
                let cause = cause.split(". ").next().unwrap_or_default();
                let advice = match error.downcast_ref().map(io::Error::kind) {
                    Some(ErrorKind::NotFound) => "create its folder first",
                    Some(ErrorKind::IsADirectory) => "name a file inside it",
                    Some(ErrorKind::PermissionDenied) => "name a file that you can write",
                    _ => "name a new file or an existing catalog",
                };
                let file = file.display();
                format!("cannot keep the catalog in {file}: {cause}; {advice}")
            }
            None => format!("cannot start the embedded DynamoDB: {error}"),
        })?;
    let cors = allow_origin.clone().unwrap_or_default();
    let api = LocalApi::start(*port, dynamodb.products(), cors)
        .await
        .map_err(|error| {
            format!("cannot listen on port {port}: {error}; choose another with --port N")
        })?;

    tokio::select! {
        // Handle Ctrl-C before printing the line that mentions it: a process that a script starts
        // in the background ignores it until then.
        biased;
        pressed = ctrl_c() => pressed?,
        () = async {
            say(&welcome(&api.url(), &dynamodb.url(), LocalDynamoDb::TABLE));
            pending::<()>().await;
        } => {}
    }
    say("stopping; press Ctrl-C again to stop immediately");
    tokio::select! {
        () = api.stop() => Ok(()),
        // The runtime would otherwise wait for requests in progress.
        pressed = ctrl_c() => pressed.and_then(|()| process::exit(130)),
    }
}

async fn ctrl_c() -> Result<(), String> {
    let pressed = tokio::signal::ctrl_c().await;
    pressed.map_err(|error| format!("cannot wait for Ctrl-C: {error}"))
}

/// Prints a line, and ignores a closed standard output.
fn say(line: &str) {
    writeln!(stdout(), "{line}").ok();
}

fn welcome(api: &str, dynamodb: &str, table: &str) -> String {
    format!(
        r#"
The product catalog listens on {api} until Ctrl-C. Try it:

  curl -i {api}/product/create -H 'Content-Type: application/json' \
    -d '{{"id":"1001","title":"Amazon Echo","description":"Smart speaker","price":"89.99"}}'
  curl -i {api}/product/find/1001

Or open its reference in a browser: {api}/docs

The embedded DynamoDB listens on {dynamodb}, and accepts any credentials. Look at the table:

  AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local aws dynamodb scan --region local --endpoint-url {dynamodb} --table-name {table}
"#
    )
}
