//! Which servers the binary trusts as DynamoDB.

use std::env::temp_dir;
use std::fs;
use std::path::PathBuf;
use std::process;
use std::sync::Arc;

use local::{Function, LocalDynamoDb};
use tests::{Lambda, private_tls};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

const CREATE: &str = include_str!("../../../../tests/events/create-on-DEV.json");
const FIND: &str = include_str!("../../../../tests/events/find-on-DEV.json");

/// A DynamoDB behind TLS, with a certificate from a private authority.
struct Private {
    dynamodb: LocalDynamoDb,
    url: String,
    authority: PathBuf,
}

impl Private {
    async fn start(name: &str) -> Self {
        let (config, authority) = private_tls();
        let file = temp_dir().join(format!("product-catalog-{}-{name}.pem", process::id()));
        fs::write(&file, authority).expect("a file");

        let acceptor = TlsAcceptor::from(Arc::new(config));
        let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
        let behind = dynamodb.url().trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("https://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move {
            loop {
                let (caller, _) = listener.accept().await.expect("a caller");
                let (acceptor, behind) = (acceptor.clone(), behind.clone());
                tokio::spawn(async move {
                    let mut caller = acceptor.accept(caller).await?;
                    copy_bidirectional(&mut caller, &mut TcpStream::connect(behind).await?).await
                });
            }
        });
        Self {
            dynamodb,
            url,
            authority: file,
        }
    }

    /// The status of a response by a function that trusts the authorities in `variable`.
    async fn asked_trusting(&self, variable: Option<&str>) -> serde_json::Value {
        let mut variables = vec![
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_ENDPOINT_URL", &self.url),
            ("AWS_REGION", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("DYNAMODB_TABLE", LocalDynamoDb::TABLE),
        ];
        let authority = self.authority.to_str().expect("text");
        variables.extend(variable.map(|variable| (variable, authority)));
        let mut function = Lambda::start(env!("CARGO_BIN_EXE_find-product"), &variables).await;
        let response = match variable {
            Some(_) => function.insist(FIND).await,
            None => function.invoke(FIND).await,
        };
        response.expect("a response")["statusCode"].clone()
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        fs::remove_file(&self.authority).unwrap_or_default();
    }
}

#[tokio::test]
async fn a_private_authority_is_trusted_if_a_variable_names_it() {
    let private = Private::start("named").await;
    let products = private.dynamodb.products();
    Function::Create
        .invoke(&products, CREATE)
        .await
        .expect("a response");
    assert_eq!(private.asked_trusting(Some("AWS_CA_BUNDLE")).await, 200);
    assert_eq!(private.asked_trusting(Some("SSL_CERT_FILE")).await, 200);
}

#[tokio::test]
async fn any_other_server_is_rejected() {
    let private = Private::start("unknown").await;
    assert_eq!(private.asked_trusting(None).await, 503);
}
