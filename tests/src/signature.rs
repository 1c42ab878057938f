use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use reqwest::Request;
use reqwest::header::HeaderValue;

/// Signs requests to a deployed API with AWS credentials, which its stage may require.
#[derive(Debug)]
pub struct Signer {
    credentials: Credentials,
    region: String,
}

impl Signer {
    /// With these credentials, for API Gateway in this region.
    #[must_use]
    pub fn new(credentials: Credentials, region: &str) -> Self {
        let region = region.to_owned();
        Self {
            credentials,
            region,
        }
    }

    /// With the credentials in the environment, if there are any.
    #[must_use]
    pub fn from_environment() -> Option<Self> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let key = variable("AWS_ACCESS_KEY_ID")?;
        let secret = variable("AWS_SECRET_ACCESS_KEY").expect("AWS_SECRET_ACCESS_KEY must be set");
        let region = variable("AWS_REGION").expect("AWS_REGION must be the region to sign for");
        let token = variable("AWS_SESSION_TOKEN");
        let credentials = Credentials::new(key, secret, token, None, "environment");
        Some(Self::new(credentials, &region))
    }

    /// Adds the headers of a signature at this time.
    pub fn sign(&self, request: &mut Request, time: SystemTime) {
        let identity = self.credentials.clone().into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("execute-api")
            .time(time)
            .settings(SigningSettings::default())
            .build()
            .expect("all parameters")
            .into();
        let body = request
            .body()
            .map_or(&[][..], |body| body.as_bytes().expect("a body in memory"));
        // The host comes from the URL. No other header has to be signed.
        let signable = SignableRequest::new(
            request.method().as_str(),
            request.url().as_str(),
            std::iter::empty(),
            SignableBody::Bytes(body),
        );
        let signed = sign(signable.expect("a request that can be signed"), &params);
        let (instructions, _) = signed.expect("a signature").into_parts();
        for header in instructions.into_parts().0 {
            let mut value = HeaderValue::from_str(header.value()).expect("a header's value");
            value.set_sensitive(header.sensitive());
            request.headers_mut().insert(header.name(), value);
        }
    }
}
