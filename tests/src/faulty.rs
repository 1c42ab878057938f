//! A network and a DynamoDB that fail: a proxy on loopback in front of the embedded DynamoDB.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use catalog::ProductRepository;
use local::LocalDynamoDb;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::clock::Clock;
use crate::fault::Fault;
use crate::wire::{changed, error, is_signed_now, length, message, plain, reset, until_closed};
use crate::wrong_clock::WrongClock;

/// More than any number of attempts.
pub const ALWAYS: usize = usize::MAX;

/// A proxy for a DynamoDB in which some requests meet a fault. Priming does not count.
#[derive(Debug)]
pub struct Faulty {
    url: String,
    way: Arc<Way>,
    server: JoinHandle<()>,
}

/// Which requests meet the fault.
#[derive(Debug)]
enum Struck {
    First(usize),
    OnFirstConnection,
    /// Requests signed with a wrong time. The first of them can correct the clock.
    OfWrongClock {
        clock: WrongClock,
        corrected: bool,
    },
}

/// The state that all connections share.
#[derive(Debug)]
struct Way {
    to: String,
    clock: Clock,
    fault: Fault,
    struck: Struck,
    connections: AtomicUsize,
    calls: AtomicUsize,
    strikes: AtomicUsize,
    writes: AtomicUsize,
    strike: Notify,
}

impl Faulty {
    /// Longer than the time-out of an attempt.
    const SLOW: Duration = Duration::from_millis(1500);

    /// Starts it on a free port in front of `dynamodb`: the first `times` requests meet `fault`.
    pub async fn start(dynamodb: &LocalDynamoDb, fault: Fault, times: usize) -> Self {
        Self::start_with(dynamodb, fault, Struck::First(times)).await
    }

    /// Starts it on a free port in front of `dynamodb`: only the requests on the first connection
    /// meet `fault`.
    pub async fn start_with_bad_host(dynamodb: &LocalDynamoDb, fault: Fault) -> Self {
        Self::start_with(dynamodb, fault, Struck::OnFirstConnection).await
    }

    /// Starts it on a free port in front of `dynamodb`. Like AWS, it rejects signatures that are
    /// more than five minutes too old or too new. `corrected` corrects `clock` while the first of
    /// these is in flight.
    pub async fn start_for(dynamodb: &LocalDynamoDb, clock: &WrongClock, corrected: bool) -> Self {
        let clock = clock.clone();
        let struck = Struck::OfWrongClock { clock, corrected };
        Self::start_with(dynamodb, Fault::SignatureExpired, struck).await
    }

    async fn start_with(dynamodb: &LocalDynamoDb, fault: Fault, struck: Struck) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let to = dynamodb.url().trim_start_matches("http://").to_owned();
        let way = Arc::new(Way {
            to,
            clock: Clock::default(),
            fault,
            struck,
            connections: AtomicUsize::new(0),
            calls: AtomicUsize::new(0),
            strikes: AtomicUsize::new(0),
            writes: AtomicUsize::new(0),
            strike: Notify::new(),
        });
        let shared = Arc::clone(&way);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let way = Arc::clone(&shared);
                // A client that disconnects ends only its own connection.
                tokio::spawn(async move { way.serve(stream).await.unwrap_or_default() });
            }
        });
        Self { url, way, server }
    }

    /// Its URL for a function. It cannot refuse a connection: see
    /// [`products`](Self::products).
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The products behind it, for one call at a time. With a paused clock, time-outs expire only
    /// if the fault is a missing response.
    #[must_use]
    pub fn products(&self) -> ProductRepository {
        let mut config = self.way.clock.config_at(&self.url);
        if self.way.fault == Fault::ConnectionRefused {
            config = config.interceptor(Refused(Arc::clone(&self.way)));
        }
        if let Struck::OfWrongClock { clock, .. } = &self.way.struck {
            config = config.time_source(clock.clone());
        }
        ProductRepository::new(config, LocalDynamoDb::TABLE)
    }

    /// The number of requests so far.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.way.calls.load(SeqCst)
    }

    /// The number of requests that met the fault so far.
    #[must_use]
    pub fn strikes(&self) -> usize {
        self.way.strikes.load(SeqCst)
    }

    /// The number of items written so far.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.way.writes.load(SeqCst)
    }

    /// Whether there were more requests than the fault explains: a function's time-outs follow the
    /// wall clock, and can expire on a busy machine.
    #[must_use]
    pub fn is_out_of_time(&self) -> bool {
        match self.way.struck {
            Struck::First(times) => self.calls() > times.saturating_add(1),
            _ => false,
        }
    }

    /// Waits for the fault to happen.
    pub async fn struck(&self) {
        self.way.strike.notified().await;
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Sends the first requests to a port on which nobody can listen.
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
        if self.0.strikes(1, &[]) {
            self.0.strikes.fetch_add(1, SeqCst);
            context.request_mut().set_uri("http://127.0.0.1:1/")?;
        }
        Ok(())
    }
}

impl Way {
    async fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let connection = self.connections.fetch_add(1, SeqCst);
        while let Some(call) = message(&mut client).await? {
            let is_here = self.fault != Fault::ConnectionRefused && !is_priming(&call);
            if is_here && self.strikes(connection, &call) {
                self.strike(&mut client, &call).await?;
            } else {
                let response = self.forward(&call).await?;
                client.write_all(&response).await?;
            }
        }
        Ok(())
    }

    /// Counts a request, and says whether it meets the fault.
    fn strikes(&self, connection: usize, call: &[u8]) -> bool {
        let calls = self.calls.fetch_add(1, SeqCst);
        match &self.struck {
            Struck::First(times) => calls < *times,
            Struck::OnFirstConnection => connection == 0,
            Struck::OfWrongClock { clock, corrected } => {
                let is_wrong = !is_signed_now(call);
                if is_wrong && *corrected {
                    clock.set(0);
                }
                is_wrong
            }
        }
    }

    async fn forward(&self, call: &[u8]) -> io::Result<Vec<u8>> {
        let mut dynamodb = TcpStream::connect(&self.to).await?;
        dynamodb.write_all(call).await?;
        let response = message(&mut dynamodb).await?.unwrap_or_default();
        let is_put = String::from_utf8_lossy(call).contains("DynamoDB_20120810.PutItem");
        if is_put && response.starts_with(b"HTTP/1.1 200") {
            self.writes.fetch_add(1, SeqCst);
        }
        Ok(response)
    }

    async fn strike(&self, client: &mut TcpStream, call: &[u8]) -> io::Result<()> {
        let response = if self.fault.comes_afterwards() {
            self.forward(call).await?
        } else {
            Vec::new()
        };
        let middle = response.len().saturating_sub(length(&response) / 2 + 1);
        if self.fault == Fault::SlowBody {
            client.write_all(&response[..middle]).await?;
        }
        self.strikes.fetch_add(1, SeqCst);
        self.strike.notify_one();
        let response = match self.fault {
            Fault::Error(code) => error(code, "injected"),
            Fault::SignatureExpired => error(
                "InvalidSignatureException",
                "Signature expired: 1 is now earlier than 2",
            ),
            Fault::SignatureNotYetCurrent => error(
                "InvalidSignatureException",
                "Signature not yet current: 2 is still later than 1",
            ),
            Fault::InternalServerErrorAfterwards => error("InternalServerError", "injected"),
            Fault::ServiceUnavailable => plain("503 Service Unavailable", "busy"),
            Fault::ServiceUnavailableForNow => {
                plain("503 Service Unavailable\r\nx-amz-retry-after: 600", "busy")
            }
            Fault::NotFound => plain("404 Not Found", "<html></html>"),
            Fault::NoJson => plain("200 OK", "<html></html>"),
            Fault::Empty => plain("200 OK", ""),
            Fault::WrongChecksum => changed(&response),
            Fault::ConnectionRefused => unreachable!("no request comes"),
            Fault::Reset | Fault::ResetAfterwards => return reset(client),
            Fault::Silence | Fault::ResponseLost => {
                self.clock.release();
                return until_closed(client).await;
            }
            Fault::ResponseTruncated => {
                client.write_all(&response[..middle]).await?;
                return reset(client);
            }
            Fault::SlowFirstByte => {
                self.clock.release();
                sleep(Faulty::SLOW).await;
                response
            }
            Fault::SlowBody => {
                self.clock.release();
                sleep(Faulty::SLOW).await;
                response[middle..].to_vec()
            }
        };
        client.write_all(&response).await
    }
}

/// The call that a function makes before its first event, without a caller.
fn is_priming(call: &[u8]) -> bool {
    let call = String::from_utf8_lossy(call);
    [r#""Item":{}"#, r#""Key":{"id":{"S":""}}"#]
        .iter()
        .any(|nothing| call.contains(nothing))
}
