use std::fmt::Write;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use bytes::Bytes;
use catalog::{HttpsPool, endpoint, https_pool_from, region, required};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use lambda_runtime::Error;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use crate::persist::Failure;

/// The characters that AWS's SDKs encode in a path: all but the unreserved ones.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The parts of Lambda and CodeDeploy that the check calls. Their SDKs would make a release build
/// half as long again: docs/decisions/0022-how-the-check-calls-aws.md.
#[derive(Debug)]
pub(crate) struct Aws {
    client: HttpsPool<Full<Bytes>>,
    credentials: Credentials,
    region: String,
    lambda: Service,
    codedeploy: Service,
}

#[derive(Debug)]
struct Service {
    /// The service's name, as in signatures and host names.
    name: &'static str,
    url: String,
}

impl Aws {
    /// Reads AWS's standard variables, of which Lambda sets the region and the credentials.
    ///
    /// # Errors
    ///
    /// A sentence that names the missing or invalid variable.
    pub fn from(variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let region = region(&variable)?;
        let service = |name, own| {
            let replaced = endpoint([own, "AWS_ENDPOINT_URL"], &variable)?;
            let url = replaced.map_or_else(|| default_endpoint(name, &region), |(_, url)| url);
            let url = url.trim_end_matches('/').to_owned();
            Ok::<_, String>(Service { name, url })
        };
        Ok(Self {
            client: https_pool_from(&variable)?,
            credentials: Credentials::new(
                required("AWS_ACCESS_KEY_ID", &variable)?,
                required("AWS_SECRET_ACCESS_KEY", &variable)?,
                variable("AWS_SESSION_TOKEN"),
                None,
                "environment",
            ),
            lambda: service("lambda", "AWS_ENDPOINT_URL_LAMBDA")?,
            codedeploy: service("codedeploy", "AWS_ENDPOINT_URL_CODEDEPLOY")?,
            region,
        })
    }

    /// Invokes a version of a function, and returns its result.
    /// <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>
    ///
    /// # Errors
    ///
    /// If Lambda does not invoke it, or the function fails.
    pub async fn invoke(&self, version: &str, event: &str) -> Result<Bytes, Failure> {
        let version = utf8_percent_encode(version, RESERVED);
        let path = format!("/2015-03-31/functions/{version}/invocations");
        let headers = [("content-type", "application/json")];
        let response = self.post(&self.lambda, &path, &headers, event).await?;
        if let Some(kind) = response.headers().get("x-amz-function-error") {
            let kind = kind.to_str().unwrap_or_default();
            let error = String::from_utf8_lossy(response.body());
            return Err(Failure::Final(format!(
                "the function error {kind}: {error}"
            )));
        }
        Ok(response.into_body())
    }

    /// Tells CodeDeploy the result of a hook: `Succeeded` or `Failed`.
    /// <https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_PutLifecycleEventHookExecutionStatus.html>
    ///
    /// # Errors
    ///
    /// If CodeDeploy does not accept it.
    pub async fn report(&self, deployment: &str, hook: &str, status: &str) -> Result<(), Failure> {
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            (
                "x-amz-target",
                "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus",
            ),
        ];
        let body = json!({
            "deploymentId": deployment,
            "lifecycleEventHookExecutionId": hook,
            "status": status,
        });
        self.post(&self.codedeploy, "/", &headers, &body.to_string())
            .await?;
        Ok(())
    }

    /// The body of a successful response.
    async fn post(
        &self,
        service: &Service,
        path: &str,
        headers: &[(&'static str, &'static str)],
        body: &str,
    ) -> Result<Response<Bytes>, Failure> {
        let request = self
            .signed(service, path, headers, body)
            .map_err(|error| Failure::Final(format!("no request: {}", chain(&*error))))?;
        let response = self
            .send(request)
            .await
            .map_err(|error| Failure::Transient(format!("no response: {}", chain(&*error))))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let error = String::from_utf8_lossy(response.body());
        let reason = format!("{status} from {}: {error}", service.name);
        // AWS throttles with a 429, or with a 400 and a throttling error.
        let is_transient =
            status.is_server_error() || status.as_u16() == 429 || error.contains("Throttling");
        Err(if is_transient {
            Failure::Transient(reason)
        } else {
            Failure::Final(reason)
        })
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Error> {
        let (parts, body) = self.client.request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Response::from_parts(parts, body))
    }

    fn signed(
        &self,
        service: &Service,
        path: &str,
        headers: &[(&'static str, &'static str)],
        body: &str,
    ) -> Result<Request<Full<Bytes>>, Error> {
        let url = format!("{}{path}", service.url);
        let identity = self.credentials.clone().into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(service.name)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()?
            .into();
        let to_sign = SignableRequest::new(
            "POST",
            url.as_str(),
            headers.iter().copied(),
            SignableBody::Bytes(body.as_bytes()),
        )?;
        let (signature, _) = sign(to_sign, &params)?.into_parts();
        let mut request = Request::post(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Full::from(body.to_owned()))?;
        signature.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}

/// The [endpoint][1] of a service in a region of any partition in which customers can open an
/// account.
///
/// [1]: https://docs.aws.amazon.com/general/latest/gr/rande.html
fn default_endpoint(service: &str, region: &str) -> String {
    let suffix = match region.split_once('-') {
        Some(("cn", _)) => "amazonaws.com.cn",
        Some(("eusc", _)) => "amazonaws.eu",
        _ => "amazonaws.com",
    };
    format!("https://{service}.{region}.{suffix}")
}

/// An error with its causes.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(text, ": {error}").expect("a string takes it");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::Aws;

    fn urls(variables: &[(&str, &str)]) -> [String; 2] {
        let keys = [
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
        ];
        let aws = Aws::from(|name| {
            let mut all = variables.iter().chain(&keys);
            let found = all.find(|(variable, _)| *variable == name)?;
            Some(found.1.to_owned())
        });
        let aws = aws.expect("a configuration");
        [aws.lambda.url, aws.codedeploy.url]
    }

    #[test]
    fn the_standard_variables_say_where_the_services_are() {
        for (region, suffix) in [
            ("eu-central-1", "eu-central-1.amazonaws.com"),
            ("us-gov-west-1", "us-gov-west-1.amazonaws.com"),
            ("cn-north-1", "cn-north-1.amazonaws.com.cn"),
            ("eusc-de-east-1", "eusc-de-east-1.amazonaws.eu"),
        ] {
            assert_eq!(
                urls(&[("AWS_REGION", region)]),
                ["lambda", "codedeploy"].map(|service| format!("https://{service}.{suffix}"))
            );
        }
        let region = ("AWS_REGION", "eu-central-1");
        let everywhere = ("AWS_ENDPOINT_URL", "http://localhost:1/");
        assert_eq!(urls(&[region, everywhere]), ["http://localhost:1"; 2]);
        let lambda = ("AWS_ENDPOINT_URL_LAMBDA", "http://localhost:2");
        assert_eq!(
            urls(&[region, everywhere, lambda]),
            ["http://localhost:2", "http://localhost:1"]
        );
    }
}
