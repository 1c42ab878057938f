//! `cargo run`, as its user sees it: a process, its output, its end.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use dynoxide::Database;
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

    /// The address of its DynamoDB. Can be called once.
    fn dynamodb(&mut self) -> String {
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

    fn press_ctrl_c(&self) {
        let pressed = Command::new("kill")
            .args(["-INT", &self.process.id().to_string()])
            .status();
        assert!(pressed.expect("kill").success());
    }

    /// Presses Ctrl-C and gives what was printed since the first line.
    fn stop(mut self) -> String {
        self.press_ctrl_c();
        assert!(self.process.wait().expect("an end").success());
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).expect("text");
        rest
    }
}

/// Sends bytes that may be no valid request, and returns the first line of the response.
fn send(address: &str, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.write_all(bytes.as_bytes()).expect("sent");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("text");
    line.trim_end().to_owned()
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
        &format!("open its reference in a browser: http://{address}/docs\n"),
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

/// A name that leads to this machine is not this machine's, and a page's origin is not ours.
#[test]
fn web_pages_are_refused_on_both_ports() {
    let mut running = Running::start(&["--port", "0"]);
    let dynamodb = running.dynamodb();
    let api = running.address.clone();
    for (address, path) in [(&api, "/product/create"), (&dynamodb, "/")] {
        let port = address.split(':').nth(1).expect("a port");
        for (headers, status) in [
            (format!("host: {address}"), None),
            (format!("host: localhost:{port}"), None),
            (format!("host: LOCALHOST:{port}"), None),
            ("host: localhost".to_owned(), None),
            (format!("host: [::1]:{port}"), None),
            (format!("host: {address}\r\norigin: http://{address}"), None),
            (
                format!("host: localhost:{port}\r\norigin: http://localhost:{port}"),
                None,
            ),
            (
                format!("host: page.test:{port}"),
                Some("421 Misdirected Request"),
            ),
            (
                "host: localhost.page.test".to_owned(),
                Some("421 Misdirected Request"),
            ),
            (
                "host: 127.0.0.1.page.test".to_owned(),
                Some("421 Misdirected Request"),
            ),
            ("host: 0.0.0.0".to_owned(), Some("421 Misdirected Request")),
            (
                format!("host: localhost@page.test:{port}"),
                Some("421 Misdirected Request"),
            ),
            (
                format!("host: {address}\r\norigin: http://page.test"),
                Some("403 Forbidden"),
            ),
            (
                format!("host: {address}\r\norigin: https://{address}"),
                Some("403 Forbidden"),
            ),
            (
                format!("host: {address}\r\norigin: http://localhost:{port}"),
                Some("403 Forbidden"),
            ),
            (
                format!("host: {address}\r\norigin: http://127.0.0.1:1"),
                Some("403 Forbidden"),
            ),
            (
                format!("host: {address}\r\norigin: null"),
                Some("403 Forbidden"),
            ),
            (
                format!("host: {address}\r\norigin: "),
                Some("403 Forbidden"),
            ),
            (
                format!("host: {address}\r\norigin: http://{address}\r\norigin: null"),
                Some("403 Forbidden"),
            ),
            ("x-other: 1".to_owned(), Some("400 Bad Request")),
            (
                format!("host: {address}\r\nhost: {address}"),
                Some("400 Bad Request"),
            ),
            ("host: ".to_owned(), Some("400 Bad Request")),
            ("host: a b".to_owned(), Some("400 Bad Request")),
        ] {
            let request =
                format!("POST {path} HTTP/1.1\r\n{headers}\r\ncontent-length: 2\r\n\r\n{{}}");
            let got = send(address, &request);
            // Without a web page, the request gets as far as its body.
            let expected = match status {
                Some(status) => status,
                None if path == "/" => "400 Bad Request",
                None => "422 Unprocessable Entity",
            };
            assert_eq!(got, format!("HTTP/1.1 {expected}"), "{address} {headers}");
        }
        let absolute = format!("GET http://page.test{path} HTTP/1.1\r\nhost: {address}\r\n\r\n");
        assert_eq!(send(address, &absolute), "HTTP/1.1 421 Misdirected Request");
    }
    let printed = running.stop();
    let refused = printed
        .lines()
        .find(|line| line.contains("/product/create 421"))
        .expect(&printed);
    assert!(refused.starts_with("20"), "it has no time: {refused}");
}

#[test]
fn a_request_that_no_function_gets_is_answered_and_logged_with_its_time() {
    let running = Running::start(&["--port", "0"]);
    let address = running.address.clone();
    let chunked = |chunks: &str| {
        format!(
            "POST /product/create HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n{chunks}"
        )
    };
    for (request, status) in [
        (chunked("2\r\n{}\r\n0\r\n\r\n"), "422 Unprocessable Entity"),
        (chunked("x\r\n{}\r\n0\r\n\r\n"), "400 Bad Request"),
        (chunked("2\r\n{}{}\r\n0\r\n\r\n"), "400 Bad Request"),
        (chunked("-1\r\n"), "400 Bad Request"),
        (
            "GET /nothing HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
            "404 Not Found",
        ),
        (
            "DELETE /product/find/1001 HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
            "404 Not Found",
        ),
    ] {
        assert_eq!(
            send(&address, &request),
            format!("HTTP/1.1 {status}"),
            "{request}"
        );
    }
    let printed = running.stop();
    for logged in [
        "POST /product/create 400 BAD_REQUEST_BODY",
        "GET /nothing 404 MISSING_AUTHENTICATION_TOKEN",
        "DELETE /product/find/1001 404 MISSING_AUTHENTICATION_TOKEN",
    ] {
        let line = printed.lines().find(|line| line.contains(logged));
        assert!(
            line.is_some_and(|line| line.starts_with("20")),
            "{logged} is not in:{printed}"
        );
    }
}

/// Half a head, a head whose body does not come, and half a body.
fn half_sent(address: &str) -> Vec<TcpStream> {
    let head = "POST /product/create HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n";
    let halves = [
        head.to_owned(),
        format!("{head}\r\n"),
        format!("{head}\r\n{{\"id\""),
    ];
    let streams = halves.map(|half| {
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.write_all(half.as_bytes()).expect("sent");
        stream
    });
    streams.into()
}

#[test]
fn ctrl_c_ends_it_while_requests_are_half_sent() {
    let running = Running::start(&["--port", "0"]);
    let streams = half_sent(&running.address);
    // They have arrived once a later request is answered.
    running.ask("GET", "/product/find/1001", "");
    assert!(running.stop().contains("stopping"));
    drop(streams);
}

#[test]
fn a_second_ctrl_c_ends_it_at_once() {
    let mut running = Running::start(&["--port", "0"]);
    let streams = half_sent(&running.address);
    running.ask("GET", "/product/find/1001", "");
    running.press_ctrl_c();
    let mut line = String::new();
    while !line.starts_with("stopping") {
        line.clear();
        assert!(
            running.output.read_line(&mut line).expect("text") > 0,
            "it ended"
        );
    }
    running.press_ctrl_c();
    let code = running.process.wait().expect("an end").code();
    // On a busy machine, the first may be done by now.
    assert!(matches!(code, Some(130 | 0)), "{code:?}");
    drop(streams);
}

/// In ten seconds. Nobody waits for it on AWS, either.
#[test]
fn a_client_that_does_not_send_its_head_is_left() {
    let running = Running::start(&["--port", "0"]);
    let mut stream = TcpStream::connect(&running.address).expect("a connection");
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: loc")
        .expect("sent");
    let mut rest = Vec::new();
    stream
        .read_to_end(&mut rest)
        .expect("the end of the connection");
    assert!(!String::from_utf8_lossy(&rest).contains(" 200 "));
    running.stop();
}

#[test]
fn nobody_has_to_read_what_it_prints() {
    let mut process = command(&["--port", "0"]).spawn().expect("a process");
    let mut output = BufReader::new(process.stdout.take().expect("its output"));
    let mut line = String::new();
    while !line.contains("until Ctrl-C") {
        line.clear();
        output.read_line(&mut line).expect("text");
    }
    drop(output);
    let address = line
        .split("http://")
        .nth(1)
        .and_then(|url| url.split(' ').next());
    let running = Running {
        output: BufReader::new(
            command(&["--version"])
                .spawn()
                .expect("a process")
                .stdout
                .expect("its output"),
        ),
        address: address.expect("a URL").to_owned(),
        process,
    };
    for path in ["/nothing", "/product/find/1001"] {
        assert_eq!(running.ask("GET", path, "").0, "HTTP/1.1 404 Not Found");
    }
    running.press_ctrl_c();
    let Output { status, stderr, .. } = running.process.wait_with_output().expect("an end");
    assert!(status.success());
    assert_eq!(String::from_utf8(stderr).expect("text"), "");
}

/// Python gives it a terminal, and presses Ctrl-C there.
#[test]
fn no_color_is_honoured() {
    const TERMINAL: &str = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]))";
    for (no_color, is_colored) in [(None, true), (Some(""), true), (Some("1"), false)] {
        let mut command = Command::new("python3");
        command.args(["-c", TERMINAL, env!("CARGO_BIN_EXE_local"), "--port", "0"]);
        command
            .env_remove("NO_COLOR")
            .envs(no_color.map(|value| ("NO_COLOR", value)));
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python");
        let mut output = BufReader::new(process.stdout.take().expect("its output"));
        let mut line = String::new();
        while !line.contains("until Ctrl-C") {
            line.clear();
            assert!(output.read_line(&mut line).expect("text") > 0, "it ended");
        }
        let address = line
            .split("http://")
            .nth(1)
            .and_then(|url| url.split(' ').next());
        let mut stream = TcpStream::connect(address.expect("a URL")).expect("a connection");
        stream
            .write_all(b"GET /nothing HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .expect("sent");
        stream.read_to_end(&mut Vec::new()).expect("a response");
        let mut input = process.stdin.take().expect("its input");
        input.write_all(b"\x03").expect("pressed");
        let mut printed = String::new();
        output.read_to_string(&mut printed).expect("text");
        process.wait().expect("an end");
        assert!(printed.contains("/nothing 404"), "{printed}");
        assert_eq!(
            printed.contains("\u{1b}["),
            is_colored,
            "{no_color:?}: {printed}"
        );
    }
}

#[test]
fn its_version_is_that_of_the_package() {
    let output = command(&["--version"]).output().expect("a process");
    let expected = format!("product-catalog-service {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8(output.stdout).expect("text"), expected);
}

/// A file of another catalog gets our table, and keeps its own.
#[test]
fn a_file_with_other_tables_gets_ours() {
    let scratch = Scratch::new("other-tables");
    create_table(&scratch.file(), "OTHER", "id");
    let arguments = ["--port", "0", "--data", &scratch.file()];
    let running = Running::start(&arguments);
    assert_eq!(
        running.ask("POST", "/product/create", ECHO).0,
        "HTTP/1.1 201 Created"
    );
    running.stop();
}

#[test]
fn a_file_whose_table_has_another_key_is_refused() {
    let scratch = Scratch::new("other-key");
    create_table(&scratch.file(), "PRODUCT_CATALOG", "sku");
    let line = refused(&["--port", "0", "--data", &scratch.file()]);
    let told = "the key of its table PRODUCT_CATALOG is not the catalog's; name a new file or an earlier catalog";
    assert!(line.contains(told), "{line}");
}

fn create_table(file: &str, name: &str, key: &str) {
    let table = serde_json::json!({
        "TableName": name,
        "AttributeDefinitions": [{ "AttributeName": key, "AttributeType": "S" }],
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{ "AttributeName": key, "KeyType": "HASH" }],
    });
    let table = serde_json::from_value(table).expect("a table");
    Database::new(file)
        .and_then(|database| database.create_table(table))
        .expect("a table");
}
