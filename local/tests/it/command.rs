//! The command: its output, its options, and how it exits.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};

use crate::process::{ECHO, Running, command, refused};

#[test]
fn it_suggests_commands_responds_and_stops_on_ctrl_c() {
    let running = Running::start(&["--port", "0"]);
    let (status, created) = running.ask("POST", "/product/create", ECHO);
    assert_eq!(
        (status.as_str(), created.as_str()),
        ("HTTP/1.1 201 Created", ECHO)
    );
    let address = running.address.clone();
    let printed = running.stop();
    for rule in [
        &format!(
            "curl -i http://{address}/product/create -H 'Content-Type: application/json' \\\n    -d '{ECHO}'\n"
        ),
        &format!("curl -i http://{address}/product/find/1001"),
        &format!("open its reference in a browser: http://{address}/docs\n"),
        "aws dynamodb scan --region local --endpoint-url http://127.0.0.1:",
        "--table-name PRODUCT_CATALOG",
        "stopping",
    ] {
        assert!(printed.contains(rule), "{rule} is not in:{printed}");
    }
}

#[test]
fn a_port_in_use_is_an_error() {
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
fn an_invalid_option_is_an_error_that_shows_the_usage() {
    for (arguments, rule) in [
        (&["--port", "70000"][..], "70000 is not in 0..=65535"),
        (&["--port", "http"], "invalid value 'http' for '--port <N>'"),
        (&["--port"], "a value is required for '--port <N>'"),
        (&["--data"], "a value is required for '--data <FILE>'"),
        (
            &["--allow-origin"],
            "a value is required for '--allow-origin <URL>'",
        ),
        (
            &["--allow-origin", "*"],
            "invalid value '*' for '--allow-origin <URL>': must be one origin",
        ),
        (
            &["--allow-origin", "http://localhost:5173/"],
            "without a path, such as",
        ),
        (&["--prot", "1"], "Usage: cargo run -- [OPTIONS]"),
    ] {
        let output = command(arguments).output().expect("a process");
        let stderr = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(rule), "{rule} is not in:{stderr}");
        assert!(stderr.contains("try '--help'"), "{stderr}");
    }
}

/// Half a head, a head without its body, and half a body.
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
fn ctrl_c_stops_it_while_requests_are_incomplete() {
    let running = Running::start(&["--port", "0"]);
    let streams = half_sent(&running.address);
    // They have arrived once a later request has a response.
    running.ask("GET", "/product/find/1001", "");
    assert!(running.stop().contains("stopping"));
    drop(streams);
}

#[test]
fn a_second_ctrl_c_stops_it_immediately() {
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
    // On a busy machine, the first may have finished by now.
    assert!(matches!(code, Some(130 | 0)), "{code:?}");
    drop(streams);
}

#[test]
fn it_continues_if_nobody_reads_its_output() {
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
fn its_version_is_the_packages() {
    let output = command(&["--version"]).output().expect("a process");
    let expected = format!("product-catalog-service {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8(output.stdout).expect("text"), expected);
}
