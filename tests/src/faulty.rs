//! A network and a DynamoDB that fail: a proxy on loopback in front of the embedded one.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use catalog::ProductRepository;
use local::LocalDynamoDb;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::clock::Clock;

/// What goes wrong with one call of DynamoDB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// DynamoDB: the table's or the partition's capacity is used up.
    ProvisionedThroughputExceeded,
    /// DynamoDB: too many calls.
    Throttling,
    /// DynamoDB fails before the write.
    InternalServerError,
    /// DynamoDB fails after the write.
    InternalServerErrorAfterwards,
    /// Something before DynamoDB is overloaded.
    ServiceUnavailable,
    /// Nobody listens.
    ConnectionRefused,
    /// The connection ends before the write.
    Reset,
    /// The connection ends after the write.
    ResetAfterwards,
    /// Nothing is done, and no answer comes.
    Silence,
    /// The write is done, and no answer comes.
    AnswerLost,
    /// The connection ends in the middle of the answer.
    AnswerTruncated,
    /// Something else answers, such as a proxy's page.
    NoJson,
    /// The answer begins after the time for an attempt.
    SlowFirstByte,
    /// The answer begins at once and ends after the time for an attempt.
    SlowBody,
    /// The answer's bytes are not those that DynamoDB sent.
    WrongChecksum,
}

impl Fault {
    /// Every one.
    pub const ALL: [Self; 15] = [
        Self::ProvisionedThroughputExceeded,
        Self::Throttling,
        Self::InternalServerError,
        Self::InternalServerErrorAfterwards,
        Self::ServiceUnavailable,
        Self::ConnectionRefused,
        Self::Reset,
        Self::ResetAfterwards,
        Self::Silence,
        Self::AnswerLost,
        Self::AnswerTruncated,
        Self::NoJson,
        Self::SlowFirstByte,
        Self::SlowBody,
        Self::WrongChecksum,
    ];

    /// Whether DynamoDB has done what it was asked for.
    #[must_use]
    pub fn comes_afterwards(self) -> bool {
        !matches!(
            self,
            Self::ProvisionedThroughputExceeded
                | Self::Throttling
                | Self::InternalServerError
                | Self::ServiceUnavailable
                | Self::ConnectionRefused
                | Self::Reset
                | Self::Silence
        )
    }
}

/// More than any number of attempts.
pub const ALWAYS: usize = usize::MAX;

/// A way to a DynamoDB on which the first calls meet a fault. Priming is no such call.
#[derive(Debug)]
pub struct Faulty {
    url: String,
    way: Arc<Way>,
    server: JoinHandle<()>,
}

/// What all connections share.
#[derive(Debug)]
struct Way {
    to: String,
    clock: Clock,
    fault: Fault,
    times: usize,
    calls: AtomicUsize,
    strikes: AtomicUsize,
    writes: AtomicUsize,
    struck: Notify,
}

impl Faulty {
    /// Longer than an attempt may take.
    const SLOW: Duration = Duration::from_millis(1500);

    /// Starts it on a free port before `dynamodb`: its first `times` calls meet `fault`.
    ///
    /// # Panics
    ///
    /// When no port is free.
    pub async fn start(dynamodb: &LocalDynamoDb, fault: Fault, times: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let to = dynamodb.url().trim_start_matches("http://").to_owned();
        let way = Arc::new(Way {
            to,
            clock: Clock::default(),
            fault,
            times,
            calls: AtomicUsize::new(0),
            strikes: AtomicUsize::new(0),
            writes: AtomicUsize::new(0),
            struck: Notify::new(),
        });
        let shared = Arc::clone(&way);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let way = Arc::clone(&shared);
                // A client that goes away ends its connection only.
                tokio::spawn(async move { way.serve(stream).await.unwrap_or_default() });
            }
        });
        Self { url, way, server }
    }

    /// Where a function finds it. Nobody is told that a connection is refused here: see
    /// [`products`](Self::products).
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The products behind it, for one call at a time. On a paused clock, time-outs strike when the
    /// fault is that nothing comes, and at no other time.
    #[must_use]
    pub fn products(&self) -> ProductRepository {
        let config = self.way.clock.config_at(&self.url);
        let config = if self.way.fault == Fault::ConnectionRefused {
            config.interceptor(Refused(Arc::clone(&self.way)))
        } else {
            config
        };
        ProductRepository::new(config, LocalDynamoDb::TABLE)
    }

    /// How many calls came so far.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.way.calls.load(SeqCst)
    }

    /// How many calls met the fault so far.
    #[must_use]
    pub fn strikes(&self) -> usize {
        self.way.strikes.load(SeqCst)
    }

    /// How many items were written so far.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.way.writes.load(SeqCst)
    }

    /// Whether more calls came than the fault accounts for: a function's time-outs follow the wall
    /// clock, and a busy machine may exceed them.
    #[must_use]
    pub fn is_out_of_time(&self) -> bool {
        self.calls() > self.way.times.saturating_add(1)
    }

    /// Waits for a fault to happen.
    pub async fn struck(&self) {
        self.way.struck.notified().await;
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Sends the first calls to a port where nobody can listen.
#[derive(Debug)]
struct Refused(Arc<Way>);

impl Intercept for Refused {
    fn name(&self) -> &'static str {
        "Refused"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.0.calls.fetch_add(1, SeqCst) < self.0.times {
            self.0.strikes.fetch_add(1, SeqCst);
            context.request_mut().set_uri("http://127.0.0.1:1/")?;
        }
        Ok(())
    }
}

impl Way {
    async fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        while let Some(call) = message(&mut client).await? {
            let strikes = self.fault != Fault::ConnectionRefused
                && !is_priming(&call)
                && self.calls.fetch_add(1, SeqCst) < self.times;
            if strikes {
                self.strike(&mut client, &call).await?;
            } else {
                let answer = self.forward(&call).await?;
                client.write_all(&answer).await?;
            }
        }
        Ok(())
    }

    async fn forward(&self, call: &[u8]) -> io::Result<Vec<u8>> {
        let mut dynamodb = TcpStream::connect(&self.to).await?;
        dynamodb.write_all(call).await?;
        let answer = message(&mut dynamodb).await?.unwrap_or_default();
        let is_put = String::from_utf8_lossy(call).contains("DynamoDB_20120810.PutItem");
        if is_put && answer.starts_with(b"HTTP/1.1 200") {
            self.writes.fetch_add(1, SeqCst);
        }
        Ok(answer)
    }

    async fn strike(&self, client: &mut TcpStream, call: &[u8]) -> io::Result<()> {
        let answer = if self.fault.comes_afterwards() {
            self.forward(call).await?
        } else {
            Vec::new()
        };
        let middle = answer.len().saturating_sub(length(&answer) / 2 + 1);
        if self.fault == Fault::SlowBody {
            client.write_all(&answer[..middle]).await?;
        }
        self.strikes.fetch_add(1, SeqCst);
        self.struck.notify_one();
        match self.fault {
            Fault::ProvisionedThroughputExceeded => {
                client
                    .write_all(&refusal(
                        "400 Bad Request",
                        "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
                    ))
                    .await
            }
            Fault::Throttling => {
                client
                    .write_all(&refusal(
                        "400 Bad Request",
                        "com.amazon.coral.availability#ThrottlingException",
                    ))
                    .await
            }
            Fault::InternalServerError | Fault::InternalServerErrorAfterwards => {
                client
                    .write_all(&refusal(
                        "500 Internal Server Error",
                        "com.amazonaws.dynamodb.v20120810#InternalServerError",
                    ))
                    .await
            }
            Fault::ServiceUnavailable => {
                client
                    .write_all(&plain("503 Service Unavailable", "busy"))
                    .await
            }
            Fault::NoJson => client.write_all(&plain("200 OK", "<html></html>")).await,
            Fault::ConnectionRefused => unreachable!("no call comes"),
            Fault::Reset | Fault::ResetAfterwards => reset(client),
            Fault::Silence | Fault::AnswerLost => {
                self.clock.release();
                until_closed(client).await
            }
            Fault::AnswerTruncated => {
                client.write_all(&answer[..middle]).await?;
                reset(client)
            }
            Fault::SlowFirstByte => {
                self.clock.release();
                sleep(Faulty::SLOW).await;
                client.write_all(&answer).await
            }
            Fault::SlowBody => {
                self.clock.release();
                sleep(Faulty::SLOW).await;
                client.write_all(&answer[middle..]).await
            }
            Fault::WrongChecksum => client.write_all(&changed(&answer)).await,
        }
    }
}

/// A function's call before its first event, which has no caller.
fn is_priming(call: &[u8]) -> bool {
    let call = String::from_utf8_lossy(call);
    [r#""Item":{}"#, r#""Key":{"id":{"S":""}}"#]
        .iter()
        .any(|nothing| call.contains(nothing))
}

/// A whole HTTP message with a content length, or nothing when there is no further one.
async fn message(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
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
fn length(message: &[u8]) -> usize {
    let head = &message[..head(message).unwrap_or_default()];
    String::from_utf8_lossy(head)
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, value)| value.trim().parse().expect("a length"))
}

fn plain(status: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn refusal(status: &str, error: &str) -> Vec<u8> {
    plain(
        status,
        &format!(r#"{{"__type":"{error}","message":"injected"}}"#),
    )
}

/// Another title in the same length, or, where there is none, another checksum.
fn changed(answer: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(answer);
    let text = if text.contains("Amazon Echo") {
        text.replace("Amazon Echo", "Amazon Exho")
    } else {
        text.replace("x-amz-crc32: ", "x-amz-crc32: 9")
    };
    text.into_bytes()
}

/// Drops what was not sent, and tells the client so.
fn reset(stream: &TcpStream) -> io::Result<()> {
    stream.set_zero_linger()?;
    Err(io::ErrorKind::ConnectionReset.into())
}

async fn until_closed(stream: &mut TcpStream) -> io::Result<()> {
    while stream.read(&mut [0; 64]).await? > 0 {}
    Ok(())
}
