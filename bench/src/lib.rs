//! What the measurements stand on: a DynamoDB whose answers cost nothing, behind TLS as AWS's is.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs, process};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::serve::Listener;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_RSA_SHA256};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;

/// A DynamoDB that answers at once, or after a delay, what a table with product 1001 would answer.
#[derive(Debug)]
pub struct Canned {
    url: String,
    authority: PathBuf,
}

impl Canned {
    /// Starts it on a free port, with certificates of its own: RSA-2048, a root, an authority and a server, as
    /// DynamoDB's are.
    ///
    /// # Panics
    ///
    /// When it cannot.
    pub async fn start(delay: Duration) -> Self {
        let (config, root) = certificates();
        let authority =
            env::temp_dir().join(format!("product-catalog-bench-{}.pem", process::id()));
        fs::write(&authority, root).expect("a file");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("https://{}", listener.local_addr().expect("an address"));
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let app = Router::new().fallback(async move |headers: HeaderMap, body: String| {
            sleep(delay).await;
            answer(headers["x-amz-target"].to_str().unwrap_or_default(), &body)
        });
        tokio::spawn(async { axum::serve(Tls { listener, acceptor }, app).await });
        Self { url, authority }
    }

    /// What a function has in its environment, to reach it and to log as deployed.
    ///
    /// # Panics
    ///
    /// When the folder for temporary files has no name in UTF-8.
    #[must_use]
    pub fn variables(&self) -> [(&str, &str); 7] {
        [
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_CA_BUNDLE", self.authority.to_str().expect("text")),
            ("AWS_ENDPOINT_URL", &self.url),
            // As serverless.yml has it.
            ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("DYNAMODB_TABLE", "PRODUCT_CATALOG"),
        ]
    }
}

impl Drop for Canned {
    fn drop(&mut self) {
        fs::remove_file(&self.authority).unwrap_or_default();
    }
}

/// One kind of call of a function, and the answer that it must have.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// How it is called in figures.
    pub name: &'static str,
    /// The package of the function.
    pub package: &'static str,
    event: &'static str,
    id: &'static str,
    status: u16,
}

impl Call {
    const CREATE: &'static str = include_str!("../../tests/events/create-on-DEV.json");
    const FIND: &'static str = include_str!("../../tests/events/find-on-DEV.json");

    /// A new product.
    pub const CREATED: Self = Self::create("created", "1002", 201);
    /// A product that is there.
    pub const FOUND: Self = Self::find("found", "1001", 200);
    /// All four: 201, 409, 200, 404.
    pub const ALL: [Self; 4] = [
        Self::CREATED,
        Self::create("taken", "1001", 409),
        Self::FOUND,
        Self::find("missing", "1002", 404),
    ];

    const fn create(name: &'static str, id: &'static str, status: u16) -> Self {
        Self {
            name,
            package: "create-product",
            event: Self::CREATE,
            id,
            status,
        }
    }

    const fn find(name: &'static str, id: &'static str, status: u16) -> Self {
        Self {
            name,
            package: "find-product",
            event: Self::FIND,
            id,
            status,
        }
    }

    /// API Gateway's event.
    ///
    /// # Panics
    ///
    /// Never.
    #[must_use]
    pub fn event(&self) -> String {
        let mut event: serde_json::Value = serde_json::from_str(self.event).expect("JSON");
        if self.event == Self::FIND {
            event["pathParameters"]["id"] = self.id.into();
        } else {
            let product = serde_json::json!({ "id": self.id, "title": "Echo", "description": "Smart speaker", "price": "89.99" });
            event["body"] = product.to_string().into();
        }
        event.to_string()
    }

    /// Checks an answer.
    ///
    /// # Panics
    ///
    /// When it is another than it must be.
    pub fn check(&self, answer: &serde_json::Value) {
        assert_eq!(answer["statusCode"], self.status, "{}: {answer}", self.name);
        let body = answer["body"].as_str().unwrap_or_default();
        if self.status < 300 {
            assert!(
                body.contains(&format!(r#""id":"{}""#, self.id)),
                "{}: {answer}",
                self.name
            );
        }
    }
}

/// The release binary of a package.
///
/// # Panics
///
/// When it is not built.
#[must_use]
pub fn release(package: &str) -> PathBuf {
    let folder = env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
        PathBuf::from,
    );
    fs::canonicalize(folder.join("release").join(package)).expect("a release build")
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
            // Who does not speak TLS gets no answer.
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

fn certificates() -> (ServerConfig, String) {
    let authority = || {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    };
    let key = || KeyPair::generate_for(&PKCS_RSA_SHA256).expect("a key");
    let (root_key, authority_key, server_key) = (key(), key(), key());
    let root = authority().self_signed(&root_key).expect("a certificate");
    let root_issuer = Issuer::new(authority(), &root_key);
    let between = authority()
        .signed_by(&authority_key, &root_issuer)
        .expect("a certificate");
    let issuer = Issuer::new(authority(), &authority_key);
    let server = CertificateParams::new(["127.0.0.1".to_owned()])
        .and_then(|params| params.signed_by(&server_key, &issuer))
        .expect("a certificate");
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(
            vec![server.der().clone(), between.der().clone()],
            PrivateKeyDer::Pkcs8(server_key.serialize_der().into()),
        )
        .expect("a certificate and its key");
    (config, root.pem())
}

fn answer(target: &str, call: &str) -> impl IntoResponse + use<> {
    const ITEM: &str = r#"{"id":{"S":"1001"},"title":{"S":"Amazon Echo"},"description":{"S":"Smart speaker"},"price":{"N":"89.99"}}"#;
    let is_put = target.ends_with("PutItem");
    let is_there = call.contains(r#"{"S":"1001"}"#);
    let (status, body) = if call.contains(r#""Item":{}"#) || call.contains(r#"{"S":""}"#) {
        (
            400,
            r#"{"__type":"com.amazon.coral.validate#ValidationException","message":"priming"}"#
                .to_owned(),
        )
    } else if is_put && is_there {
        let taken = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"The conditional request failed","Item":"#;
        (400, format!("{taken}{ITEM}}}"))
    } else if is_there {
        (200, format!(r#"{{"Item":{ITEM}}}"#))
    } else {
        (200, "{}".to_owned())
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
