//! HTTP/1.1 as bytes: reads, creates and corrupts DynamoDB's messages.

use std::io;
use std::time::SystemTime;

use aws_sdk_dynamodb::primitives::{DateTime, DateTimeFormat};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// A complete HTTP message with a content length, or nothing if there are no more.
pub async fn message(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut message = Vec::new();
    loop {
        if let Some(head) = head(&message)
            && message.len() >= head + length(&message)
        {
            return Ok(Some(message));
        }
        if stream.read_buf(&mut message).await? == 0 {
            return Ok(None);
        }
    }
}

/// Where the body begins.
fn head(message: &[u8]) -> Option<usize> {
    message
        .windows(4)
        .position(|end| end == b"\r\n\r\n")
        .map(|at| at + 4)
}

/// How long the body is.
pub fn length(message: &[u8]) -> usize {
    let head = &message[..head(message).unwrap_or_default()];
    String::from_utf8_lossy(head)
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, value)| value.trim().parse().expect("a length"))
}

pub fn plain(status: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// An error as DynamoDB returns it.
pub fn error(code: &str, message: &str) -> Vec<u8> {
    let status = match code {
        "InternalFailure" | "InternalServerError" => "500 Internal Server Error",
        "ServiceUnavailable" | "ServiceUnavailableException" => "503 Service Unavailable",
        _ => "400 Bad Request",
    };
    let date = now().fmt(DateTimeFormat::HttpDate).expect("a date");
    let error = format!("com.amazonaws.dynamodb.v20120810#{code}");
    plain(
        &format!("{status}\r\ndate: {date}"),
        &format!(r#"{{"__type":"{error}","message":"{message}"}}"#),
    )
}

fn now() -> DateTime {
    SystemTime::now().into()
}

/// Whether a request was signed within five minutes from now.
pub fn is_signed_now(call: &[u8]) -> bool {
    let call = String::from_utf8_lossy(call).to_lowercase();
    let signed = call.split("x-amz-date: ").nth(1).expect("a date");
    let [earliest, latest] = [-300, 300].map(|seconds| {
        let date = DateTime::from_secs(now().secs() + seconds);
        let date = date.fmt(DateTimeFormat::DateTime).expect("a date");
        date.replace(['-', ':'], "").to_lowercase()
    });
    (earliest.as_str()..latest.as_str()).contains(&&signed[..earliest.len()])
}

/// Replaces the title with one of equal length, or the checksum if there is no title.
pub fn changed(response: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(response);
    let text = if text.contains("Amazon Echo") {
        text.replace("Amazon Echo", "Amazon Exho")
    } else {
        text.replace("x-amz-crc32: ", "x-amz-crc32: 9")
    };
    text.into_bytes()
}

/// Drops unsent data, and resets the connection.
pub fn reset(stream: &TcpStream) -> io::Result<()> {
    stream.set_zero_linger()?;
    Err(io::ErrorKind::ConnectionReset.into())
}

pub async fn until_closed(stream: &mut TcpStream) -> io::Result<()> {
    while stream.read(&mut [0; 64]).await? > 0 {}
    Ok(())
}
