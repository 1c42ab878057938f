//! `cargo run`, as its user sees it: a process, its output, its end.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

const ECHO: &str =
    r#"{"id":"1001","title":"Amazon Echo","description":"Smart speaker","price":"89.99"}"#;

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
    command
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A running `cargo run`, and the addresses that it printed.
struct Running {
    process: Child,
    output: BufReader<std::process::ChildStdout>,
    address: String,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut process = command(arguments).spawn().expect("a process");
        let mut output = BufReader::new(process.stdout.take().expect("its output"));
        let mut line = String::new();
        while !line.contains("until Ctrl-C") {
            line.clear();
            assert!(
                output.read_line(&mut line).expect("text") > 0,
                "it ended without a welcome"
            );
        }
        let address = line
            .split("http://")
            .nth(1)
            .expect("a URL")
            .split(' ')
            .next()
            .expect("an end");
        Self {
            process,
            output,
            address: address.to_owned(),
        }
    }

    /// Sends a request and gives the answer's first line and body.
    fn ask(&self, method: &str, path: &str, body: &str) -> (String, String) {
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        let length = body.len();
        write!(stream, "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}").expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        (
            head.lines().next().expect("a line").to_owned(),
            body.to_owned(),
        )
    }

    /// Presses Ctrl-C and gives what was printed since the first line.
    fn stop(mut self) -> String {
        let pressed = Command::new("kill")
            .args(["-INT", &self.process.id().to_string()])
            .status();
        assert!(pressed.expect("kill").success());
        assert!(self.process.wait().expect("an end").success());
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).expect("text");
        rest
    }
}

/// A file of this test's own, removed with its journal at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("product-catalog-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn file(&self) -> String {
        self.0
            .join("catalog.db")
            .to_str()
            .expect("UTF-8")
            .to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("the folder is gone");
    }
}

#[test]
fn it_says_what_to_try_answers_and_stops_on_ctrl_c() {
    let running = Running::start(&["--port", "0"]);
    let (status, created) = running.ask("POST", "/product/create", ECHO);
    assert_eq!(
        (status.as_str(), created.as_str()),
        ("HTTP/1.1 201 Created", ECHO)
    );
    let address = running.address.clone();
    let printed = running.stop();
    for told in [
        &format!("curl -i --json '{ECHO}' http://{address}/product/create"),
        &format!("curl -i http://{address}/product/find/1001"),
        &format!("in a browser, where the whole API is explained: http://{address}/docs\n"),
        "aws dynamodb scan --region local --endpoint-url http://127.0.0.1:",
        "--table-name PRODUCT_CATALOG",
        "stopping",
    ] {
        assert!(printed.contains(told), "{told} is not in:{printed}");
    }
}

#[test]
fn a_file_keeps_the_catalog_across_restarts() {
    let scratch = Scratch::new("restart");
    let arguments = ["--port", "0", "--data", &scratch.file()];
    let first = Running::start(&arguments);
    assert_eq!(
        first.ask("POST", "/product/create", ECHO).0,
        "HTTP/1.1 201 Created"
    );
    first.stop();

    let second = Running::start(&arguments);
    assert_eq!(second.ask("GET", "/product/find/1001", "").1, ECHO);
    second.stop();
}

/// One line that says what to do, and exit code 1.
fn refused(arguments: &[&str]) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command(arguments).output().expect("a process");
    let stderr = String::from_utf8(stderr).expect("text");
    assert_eq!(status.code(), Some(1), "{stderr}");
    assert!(stdout.is_empty(), "{stdout:?}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    stderr
}

#[test]
fn a_port_in_use_is_refused() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let line = refused(&["--port", &port]);
    assert!(
        line.starts_with(&format!(
            "error: cannot listen on port {port}: Address already in use"
        )),
        "{line}"
    );
    assert!(line.ends_with("choose another with --port N\n"), "{line}");
}

#[test]
fn a_file_that_cannot_be_a_catalog_is_refused() {
    let scratch = Scratch::new("refused");
    let not_there = format!("{}/none/catalog.db", scratch.0.display());
    fs::write(scratch.file(), "not a catalog ".repeat(100)).expect("a file");
    for file in [not_there, scratch.file()] {
        let line = refused(&["--port", "0", "--data", &file]);
        assert!(
            line.starts_with(&format!("error: cannot keep the catalog in {file}: ")),
            "{line}"
        );
        assert!(
            line.ends_with("; name a new file or an earlier catalog\n"),
            "{line}"
        );
    }
    assert_eq!(
        fs::read_to_string(scratch.file()).expect("text"),
        "not a catalog ".repeat(100)
    );
}
