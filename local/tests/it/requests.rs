//! Requests that reach no function.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::process::{Running, send};

/// A foreign name that resolves to this machine is rejected, and so is a page's origin.
#[test]
fn web_pages_are_rejected_on_both_ports() {
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
            // A request that is not from a web page fails only at its body.
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

/// Only on the API, not on its DynamoDB or its reference.
#[test]
fn pages_of_one_origin_can_be_allowed() {
    let mut running = Running::start(&["--port", "0", "--allow-origin", "http://page.test"]);
    let dynamodb = running.dynamodb();
    let api = running.address.clone();
    let create = format!("POST http://{api}/product/create");
    let docs = format!("GET http://{api}/docs");
    let root = format!("POST http://{dynamodb}/");
    for (address, line, origin, status) in [
        (
            &api,
            &create,
            "http://page.test",
            "422 Unprocessable Entity",
        ),
        (
            &api,
            &create,
            &format!("http://{api}"),
            "422 Unprocessable Entity",
        ),
        (&api, &create, "http://other.test", "403 Forbidden"),
        (&api, &create, "https://page.test", "403 Forbidden"),
        (&api, &create, "http://page.test:8080", "403 Forbidden"),
        (&api, &create, "http://PAGE.test", "403 Forbidden"),
        (&api, &create, "null", "403 Forbidden"),
        (&api, &docs, &format!("http://{api}"), "200 OK"),
        (&api, &docs, "http://page.test", "403 Forbidden"),
        (&dynamodb, &root, "http://page.test", "403 Forbidden"),
    ] {
        let request = format!(
            "{line} HTTP/1.1\r\nhost: {address}\r\norigin: {origin}\r\ncontent-length: 2\r\n\r\n{{}}"
        );
        let got = send(address, &request);
        assert_eq!(got, format!("HTTP/1.1 {status}"), "{line} {origin}");
    }
    let both = format!(
        "OPTIONS /product/create HTTP/1.1\r\nhost: {api}\r\norigin: http://page.test\r\norigin: http://other.test\r\n\r\n"
    );
    assert_eq!(send(&api, &both), "HTTP/1.1 403 Forbidden");
    running.stop();
}

#[test]
fn a_request_that_reaches_no_function_gets_a_response_and_a_log_line_with_the_time() {
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

/// After ten seconds. AWS does not wait for it either.
#[test]
fn a_client_that_does_not_send_its_head_is_disconnected() {
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
