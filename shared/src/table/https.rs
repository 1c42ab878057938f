use std::sync::Arc;

use aws_sdk_dynamodb::config::SharedHttpClient;
use aws_sdk_dynamodb::config::http::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::{Client, connect};
use hyper_util::rt::TokioExecutor;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// HTTP/1.1 with a pool of connections, over TLS, or without it for a DynamoDB on this machine.
///
/// The SDK's own client consists of the same crates, but also supports HTTP/2 and proxies, which
/// neither DynamoDB nor Lambda needs: see docs/decisions/0004-http-1-1-alone.md. The SDK applies
/// its time-outs around each call.
#[derive(Clone, Debug)]
struct Https(Client<hyper_rustls::HttpsConnector<connect::HttpConnector>, SdkBody>);

/// The SDK's HTTP client. Its TLS trusts the PEM certificates in `roots`, and no others.
///
/// # Panics
///
/// If `roots` contains anything other than certificates.
#[must_use]
pub fn https_client(roots: &[u8]) -> SharedHttpClient {
    let mut trusted = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(roots) {
        let root = root.expect("PEM");
        trusted.add(root).expect("a certificate");
    }
    let tls = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("TLS 1.2 and 1.3")
        .with_root_certificates(trusted)
        .with_no_client_auth();
    let mut tcp = connect::HttpConnector::new();
    tcp.enforce_http(false);
    // A call is one small write, which must not wait for the next.
    tcp.set_nodelay(true);
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    let client = Https(Client::builder(TokioExecutor::new()).build(connector));
    http_client_fn(move |_, _| SharedHttpConnector::new(client.clone()))
}

impl HttpConnector for Https {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let response = request
            .try_into_http1x()
            .map(|request| self.0.request(request));
        HttpConnectorFuture::new(async move {
            let response = response.map_err(|error| ConnectorError::user(error.into()))?;
            // A connection that is refused, reset or closed: the SDK retries.
            let response = response
                .await
                .map_err(|error| ConnectorError::io(error.into()))?;
            HttpResponse::try_from(response.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}
