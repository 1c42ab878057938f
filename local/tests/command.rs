//! `cargo run`, as its user sees it: a process, its output, its end.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use rusqlite::Connection;

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
fn an_option_that_is_none_is_refused_with_what_there_is() {
    for (arguments, told) in [
        (&["--port", "70000"][..], "70000 is not in 0..=65535"),
        (&["--port", "http"], "invalid value 'http' for '--port <N>'"),
        (&["--port"], "a value is required for '--port <N>'"),
        (&["--data"], "a value is required for '--data <FILE>'"),
        (&["--prot", "1"], "Usage: cargo run -- [OPTIONS]"),
    ] {
        let output = command(arguments).output().expect("a process");
        let stderr = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(told), "{told} is not in:{stderr}");
        assert!(stderr.contains("try '--help'"), "{stderr}");
    }
}

#[test]
fn a_file_that_cannot_be_a_catalog_is_refused_and_stays_as_it_is() {
    let scratch = Scratch::new("refused");
    let folder = scratch.0.display().to_string();
    let anything = format!("{folder}/text");
    fs::write(&anything, "not a catalog ".repeat(100)).expect("a file");
    let others = format!("{folder}/others.db");
    Connection::open(&others)
        .and_then(|others| others.execute_batch("CREATE TABLE of_another_program (id)"))
        .expect("a database");
    let before = [&anything, &others].map(|file| fs::read(file).expect("a file"));

    for (file, told) in [
        (
            format!("{folder}/none/catalog.db"),
            "No such file or directory (os error 2); make its folder first",
        ),
        (folder, "Is a directory (os error 21); name a file in it"),
        (
            anything.clone(),
            "file is not a database; name a new file or an earlier catalog",
        ),
        (
            others.clone(),
            "it is another program's database; name a new file or an earlier catalog",
        ),
    ] {
        let line = refused(&["--port", "0", "--data", &file]);
        let expected = format!("error: cannot keep the catalog in {file}: {told}\n");
        assert_eq!(line, expected);
    }
    let after = [&anything, &others].map(|file| fs::read(file).expect("a file"));
    assert_eq!(after, before);
}

#[test]
fn a_file_that_may_not_be_written_is_refused() {
    let scratch = Scratch::new("read-only");
    fs::write(scratch.file(), "").expect("a file");
    fs::set_permissions(scratch.file(), Permissions::from_mode(0o444)).expect("its owner");
    let mut command = command(&["--port", "0", "--data", &scratch.file()]);
    if fs::metadata(&scratch.0).expect("a folder").uid() == 0 {
        // Root may write everything: somebody else runs a copy, where it can be reached.
        let program = scratch.0.join("local");
        // By another process: while this one wrote a file, each process that another test starts
        // would have it open, too, and a file that is open for writing cannot be run.
        let copied = Command::new("cp")
            .arg(command.get_program())
            .arg(&program)
            .status();
        assert!(copied.expect("a process").success());
        let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        command = Command::new(program);
        command.args(arguments).uid(65534).gid(65534);
    }
    let Output { status, stderr, .. } = command.output().expect("a process");
    let stderr = String::from_utf8(stderr).expect("text");
    assert_eq!(status.code(), Some(1), "{stderr}");
    assert!(
        stderr.ends_with(": Permission denied (os error 13); name a file that you may write\n"),
        "{stderr}"
    );
}

#[test]
fn two_may_share_a_catalog() {
    let scratch = Scratch::new("shared");
    let arguments = ["--port", "0", "--data", &scratch.file()];
    let (first, second) = (Running::start(&arguments), Running::start(&arguments));
    first.ask("POST", "/product/create", ECHO);
    assert_eq!(second.ask("GET", "/product/find/1001", "").1, ECHO);
    first.stop();
    second.stop();
}
