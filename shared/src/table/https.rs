use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::config::SharedHttpClient;
use aws_sdk_dynamodb::config::http::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use http_body::Body;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::client::legacy::{Client, connect};
use hyper_util::rt::TokioExecutor;
use lambda_http::http::Request;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CipherSuite, ClientConfig, RootCertStore};

/// HTTP/1.1 with a pool of connections, over TLS, or without it for an emulator on this machine.
pub type HttpsPool<B> = Client<hyper_rustls::HttpsConnector<connect::HttpConnector>, B>;

/// A pool for the SDK.
///
/// The SDK's own client consists of the same crates, but also supports HTTP/2 and proxies, which
/// neither DynamoDB nor Lambda needs: docs/decisions/0004-http-1-1-alone.md lists what the SDK
/// expects of its client. The SDK applies its time-outs around each call.
#[derive(Clone, Debug)]
struct Https(HttpsPool<SdkBody>);

/// The longest that TCP takes to connect, divided among the addresses of the host: if one does not
/// respond, an attempt still reaches the next.
const CONNECT: Duration = Duration::from_millis(500);

/// The SDK's HTTP client. Its TLS trusts the PEM certificates in `roots`, and no others.
///
/// # Errors
///
/// What is wrong with `roots`, if it contains anything other than certificates.
pub fn https_client(roots: &[u8]) -> Result<SharedHttpClient, String> {
    let client = Https(https_pool(roots)?);
    Ok(http_client_fn(move |_, _| {
        SharedHttpConnector::new(client.clone())
    }))
}

/// A pool whose TLS trusts the PEM certificates in `roots`, and no others.
pub(crate) fn https_pool<B>(roots: &[u8]) -> Result<HttpsPool<B>, String>
where
    B: Body + Send,
    B::Data: Send,
{
    let mut trusted = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(roots) {
        let root = root.map_err(|error| error.to_string())?;
        trusted.add(root).map_err(|error| error.to_string())?;
    }
    let mut provider = default_provider();
    // AES-256 comes with SHA-384, for which few of Lambda's processors have instructions: see
    // docs/decisions/0025-aes-128-first.md.
    provider
        .cipher_suites
        .sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    let tls = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(trusted)
        .with_no_client_auth();
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(with_settings(connect::HttpConnector::new()));
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

fn with_settings<R>(mut tcp: connect::HttpConnector<R>) -> connect::HttpConnector<R> {
    tcp.enforce_http(false);
    // A call is one small write, which must not wait for the next.
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    tcp
}

impl HttpConnector for Https {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            // The text of this error could show the request.
            let mut request = request
                .try_into_http1x()
                .ok()
                .filter(|request| request.uri().scheme().is_some())
                .ok_or_else(|| ConnectorError::user("the endpoint is not a URL".into()))?;
            let_the_sdk_close_its_connection(&mut request);
            // A connection that is refused, reset or closed: the SDK retries.
            let response = client
                .request(request)
                .await
                .map_err(|error| ConnectorError::io(error.into()))?;
            HttpResponse::try_from(response.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::io(error.into()))
        })
    }
}

/// After a transient error the SDK closes the connection, because a new one may lead to another
/// host.
fn let_the_sdk_close_its_connection(request: &mut Request<SdkBody>) {
    let Some(handle) = request
        .extensions()
        .get::<CaptureSmithyConnection>()
        .cloned()
    else {
        return;
    };
    let connection = capture_connection(request);
    handle.set_connection_retriever(move || {
        let is_proxied = connection.connection_metadata().as_ref()?.is_proxied();
        let connection = connection.clone();
        let poison = move || {
            if let Some(connected) = &*connection.connection_metadata() {
                connected.poison();
            }
        };
        let metadata = ConnectionMetadata::builder()
            .proxied(is_proxied)
            .poison_fn(poison);
        Some(metadata.build())
    });
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::ready;

    use hyper_util::client::legacy::connect::HttpConnector;
    use lambda_http::tower::{ServiceExt, service_fn};
    use tokio::net::{TcpListener, TcpSocket, TcpStream};
    use tokio::time::timeout;

    use super::{CONNECT, with_settings};

    /// An address that drops each attempt to connect, because its queue is full.
    async fn unresponsive() -> (TcpListener, Vec<TcpStream>) {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket
            .bind(([127, 0, 0, 1], 0).into())
            .expect("a free port");
        let listener = socket.listen(1).expect("a listener");
        let address = listener.local_addr().expect("an address");
        let mut queue = Vec::new();
        while let Ok(Ok(waiting)) = timeout(CONNECT / 10, TcpStream::connect(address)).await {
            queue.push(waiting);
        }
        (listener, queue)
    }

    #[tokio::test]
    async fn an_address_that_does_not_respond_leaves_time_for_the_next() {
        let (bad, _queue) = unresponsive().await;
        let good = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addresses = [&bad, &good].map(|listener| listener.local_addr().expect("an address"));
        let resolver = service_fn(move |_| ready(Ok::<_, Infallible>(addresses.into_iter())));
        let connector = with_settings(HttpConnector::new_with_resolver(resolver));
        let uri = "http://dynamodb.test".parse().expect("a URI");
        let connected = connector.oneshot(uri).await.expect("a connection");
        let peer = connected.inner().peer_addr().expect("an address");
        assert_eq!(peer, addresses[1]);
    }
}
