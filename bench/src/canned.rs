use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs, process};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::serve::Listener;
use serde_json::Value;
use tests::private_tls;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A DynamoDB that responds at once, or after a delay, like a table with product 1001 and one
/// product of each size.
#[derive(Debug)]
pub struct Canned {
    url: String,
    root: String,
    authority: PathBuf,
    token: String,
}

impl Canned {
    /// About as many characters as the session token of a function's role has, which it signs and
    /// sends with each call.
    const TOKEN: usize = 1000;

    /// Starts it on a free port, with its own certificates: RSA-2048, for a root, an authority and
    /// a server, like DynamoDB's.
    pub async fn start(delay: Duration) -> Self {
        let (config, root) = private_tls();
        let authority =
            env::temp_dir().join(format!("product-catalog-bench-{}.pem", process::id()));
        fs::write(&authority, &root).expect("a file");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("https://{}", listener.local_addr().expect("an address"));
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let app = Router::new().fallback(async move |headers: HeaderMap, body: String| {
            // Tokio's shortest sleep is a millisecond.
            if !delay.is_zero() {
                sleep(delay).await;
            }
            response(headers["x-amz-target"].to_str().unwrap_or_default(), &body)
        });
        tokio::spawn(async { axum::serve(Tls { listener, acceptor }, app).await });
        Self {
            url,
            root,
            authority,
            token: "t".repeat(Self::TOKEN),
        }
    }

    /// The root certificate, as PEM.
    #[must_use]
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The environment of a function that uses it and logs as deployed.
    #[must_use]
    pub fn variables(&self) -> [(&str, &str); 8] {
        [
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_CA_BUNDLE", self.authority.to_str().expect("text")),
            ("AWS_ENDPOINT_URL", &self.url),
            // As in serverless.yml.
            ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_SESSION_TOKEN", &self.token),
            ("DYNAMODB_TABLE", "PRODUCT_CATALOG"),
        ]
    }
}

impl Drop for Canned {
    fn drop(&mut self) {
        fs::remove_file(&self.authority).unwrap_or_default();
    }
}

struct Tls {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            // A client without TLS gets no response.
            if let Ok((caller, address)) = self.listener.accept().await
                && caller.set_nodelay(true).is_ok()
                && let Ok(caller) = self.acceptor.accept(caller).await
            {
                return (caller, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

fn response(target: &str, call: &str) -> impl IntoResponse + use<> {
    const REFUSED: &str =
        r#"{"__type":"com.amazon.coral.validate#ValidationException","message":"priming"}"#;

    let is_put = target.ends_with("PutItem");
    let (status, body) = if call.contains(r#""Item":{}"#) || call.contains(r#"{"S":""}"#) {
        (400, REFUSED.to_owned())
    } else if is_put && call.contains(r#"{"S":"1001"}"#) && call.contains("attribute_not_exists") {
        let taken = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"The conditional request failed","Item":"#;
        (400, format!("{taken}{}}}", item("1001", "Smart speaker")))
    } else if is_put {
        (200, "{}".to_owned())
    } else {
        (200, found(call).unwrap_or_else(|| "{}".to_owned()))
    };
    let headers = [
        ("content-type", "application/x-amz-json-1.0".to_owned()),
        ("x-amz-crc32", crc32fast::hash(body.as_bytes()).to_string()),
    ];
    (
        StatusCode::from_u16(status).expect("a status"),
        headers,
        body,
    )
}

fn found(call: &str) -> Option<String> {
    let call: Value = serde_json::from_str(call).ok()?;
    let id = call["Key"]["id"]["S"].as_str()?;
    let description = if id == "1001" {
        "Smart speaker".to_owned()
    } else {
        "x".repeat(id.strip_suffix("KB")?.parse::<usize>().ok()? * 1024)
    };
    Some(format!(r#"{{"Item":{}}}"#, item(id, &description)))
}

fn item(id: &str, description: &str) -> String {
    format!(
        r#"{{"id":{{"S":"{id}"}},"title":{{"S":"Amazon Echo"}},"description":{{"S":"{description}"}},"price":{{"N":"89.99"}}}}"#
    )
}
