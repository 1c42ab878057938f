//! `cargo run` as a process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};

pub const ECHO: &str =
    r#"{"id":"1001","title":"Amazon Echo","description":"Smart speaker","price":"89.99"}"#;

pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
    command
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A running `cargo run`, and the addresses that it printed.
pub struct Running {
    pub process: Child,
    pub output: BufReader<std::process::ChildStdout>,
    pub address: String,
}

impl Running {
    pub fn start(arguments: &[&str]) -> Self {
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

    /// Sends a request, and returns the response's first line and body.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> (String, String) {
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        let length = body.len();
        write!(stream, "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}").expect("sent");
        let mut response = String::new();
        stream.read_to_string(&mut response).expect("text");
        let (head, body) = response.split_once("\r\n\r\n").expect("a head");
        (
            head.lines().next().expect("a line").to_owned(),
            body.to_owned(),
        )
    }

    /// The address of its DynamoDB. Can be called once.
    pub fn dynamodb(&mut self) -> String {
        let mut line = String::new();
        while !line.contains("DynamoDB listens on") {
            line.clear();
            assert!(
                self.output.read_line(&mut line).expect("text") > 0,
                "no DynamoDB"
            );
        }
        let url = line.split("http://").nth(1).expect("a URL");
        url.split(',').next().expect("an end").to_owned()
    }

    pub fn press_ctrl_c(&self) {
        let pressed = Command::new("kill")
            .args(["-INT", &self.process.id().to_string()])
            .status();
        assert!(pressed.expect("kill").success());
    }

    /// Presses Ctrl-C, and returns what was printed since the first line.
    pub fn stop(mut self) -> String {
        self.press_ctrl_c();
        assert!(self.process.wait().expect("an end").success());
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).expect("text");
        rest
    }
}

/// Sends bytes that may not be a valid request, and returns the first line of the response.
pub fn send(address: &str, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.write_all(bytes.as_bytes()).expect("sent");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("text");
    line.trim_end().to_owned()
}

/// One line that says what to do, and exit code 1.
pub fn refused(arguments: &[&str]) -> String {
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
