//! A private TLS authority.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_RSA_SHA256};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// The TLS configuration of a server at 127.0.0.1 with a certificate from a private authority, and
/// the root as PEM. As on AWS, the keys are RSA, and there is an intermediate authority.
#[must_use]
pub fn private_tls() -> (ServerConfig, String) {
    let named = |name: &str, mut params: CertificateParams| {
        // OpenSSL considers a certificate self-signed if its name equals its issuer's.
        params.distinguished_name.push(DnType::CommonName, name);
        params
    };
    let authority = |name| {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        named(name, params)
    };
    let key = || KeyPair::generate_for(&PKCS_RSA_SHA256).expect("a key");
    let (root_key, authority_key, server_key) = (key(), key(), key());
    let (root, between) = (authority("root"), authority("authority"));
    let server = CertificateParams::new(["127.0.0.1".to_owned()]).expect("a name");
    let root_issuer = Issuer::new(root.clone(), &root_key);
    let issuer = Issuer::new(between.clone(), &authority_key);
    let root = root.self_signed(&root_key).expect("a certificate");
    let between = between.signed_by(&authority_key, &root_issuer);
    let between = between.expect("a certificate");
    let server = named("server", server).signed_by(&server_key, &issuer);
    let server = server.expect("a certificate");
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(
            vec![server.der().clone(), between.der().clone()],
            PrivateKeyDer::Pkcs8(server_key.serialize_der().into()),
        )
        .expect("a certificate and its key");
    (config, root.pem())
}
