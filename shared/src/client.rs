//! How a function reaches DynamoDB with the least work at its start, which its first caller waits for.

use std::{env, fs};

use aws_config::BehaviorVersion;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_sdk_dynamodb::config::{Builder, SharedHttpClient};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};

/// The certificates that AWS's endpoints chain to; a system's bundle has thirty times as many to read.
const AWS_ROOTS: &[u8] = include_bytes!("aws-roots.pem");

/// What replaces [`AWS_ROOTS`] by a file: for proxies, for emulators, and for the day that AWS has new ones.
/// The first is every AWS SDK's, the second that of OpenSSL.
const ROOTS_FILES: [&str; 2] = ["AWS_CA_BUNDLE", "SSL_CERT_FILE"];

/// The configuration from the standard variables of every AWS SDK.
///
/// # Panics
///
/// When a file of certificates is named that cannot be read.
pub(crate) async fn config_from_env() -> Builder {
    let config = aws_config::defaults(BehaviorVersion::latest())
        // Where Lambda puts them. The default chain would first make clients for all other places.
        .credentials_provider(EnvironmentVariableCredentialsProvider::new())
        .http_client(http_client(roots()))
        .load()
        .await;
    (&config).into()
}

fn http_client(roots: Vec<u8>) -> SharedHttpClient {
    let trusted =
        TlsContext::builder().with_trust_store(TrustStore::empty().with_pem_certificate(roots));
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(trusted.build().expect("certificates"))
        .build_https()
}

fn roots() -> Vec<u8> {
    let file = ROOTS_FILES
        .iter()
        .find_map(|name| env::var(name).ok().filter(|file| !file.is_empty()));
    file.map_or_else(
        || AWS_ROOTS.to_vec(),
        |file| {
            fs::read(&file).unwrap_or_else(|error| {
                panic!("the certificates in {file} cannot be read: {error}")
            })
        },
    )
}
