//! How a function reaches AWS, and DynamoDB first of all, with little work during init.

use std::fs;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_sdk_dynamodb::Config;
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Region};
use http_body::Body;
use lambda_http::http::Uri;

use super::https::{HttpsPool, https_client, https_pool};

/// The roots of AWS's endpoints. A system's bundle has thirty times as many to parse.
const AWS_ROOTS: &[u8] = include_bytes!("aws-roots.pem");

/// The variables that replace [`AWS_ROOTS`] by a file: for proxies, for emulators, and for the day
/// that AWS adds a root. The first is from the AWS SDKs, the second from OpenSSL.
const ROOTS_FILES: [&str; 2] = ["AWS_CA_BUNDLE", "SSL_CERT_FILE"];

/// The variables that set the region.
const REGIONS: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// The variables that replace DynamoDB's endpoint.
const ENDPOINTS: [&str; 2] = ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL"];

/// The configuration from AWS's [standard variables][1]. The repository adds time-outs and retries.
///
/// It leaves out what an SDK's loader reads elsewhere (files, metadata services, other roles):
/// Lambda has none of these, and the loader is an eighth of a binary, as
/// docs/decisions/0003-no-loader.md measures. Unlike the loader, it checks the variables: a call
/// could only fail again and again.
///
/// # Errors
///
/// A sentence that names the variable which is missing or invalid.
///
/// [1]: https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
pub(crate) fn config_from(variable: impl Fn(&str) -> Option<String>) -> Result<Builder, String> {
    let is_on = |name: &str| match variable(name) {
        None => Ok(false),
        Some(value) if value.eq_ignore_ascii_case("true") => Ok(true),
        Some(value) if value.eq_ignore_ascii_case("false") => Ok(false),
        Some(value) => Err(format!("{name} must be true or false, but is {value:?}")),
    };

    let region = region(&variable)?;
    required("AWS_ACCESS_KEY_ID", &variable)?;
    required("AWS_SECRET_ACCESS_KEY", &variable)?;
    let dual_stack = is_on("AWS_USE_DUALSTACK_ENDPOINT")?;
    let fips = is_on("AWS_USE_FIPS_ENDPOINT")?;
    let endpoint = if is_on("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")? {
        None
    } else {
        endpoint(ENDPOINTS, &variable)?
    };
    if let Some((name, _)) = &endpoint {
        for (other, is_on) in [
            ("AWS_USE_DUALSTACK_ENDPOINT", dual_stack),
            ("AWS_USE_FIPS_ENDPOINT", fips),
        ] {
            if is_on {
                return Err(format!("{other} and {name} exclude each other"));
            }
        }
    }
    let mut config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(EnvironmentVariableCredentialsProvider::new())
        .http_client(with_roots(&variable, https_client)?)
        .region(Region::new(region))
        .use_dual_stack(dual_stack)
        .use_fips(fips);
    config.set_endpoint_url(endpoint.map(|(_, url)| url));
    Ok(config)
}

/// The value of a variable.
///
/// # Errors
///
/// A sentence that names the variable, if it is missing.
pub fn required(name: &str, variable: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    variable(name).ok_or_else(|| format!("{name} must be set"))
}

/// The region that AWS's standard variables set.
///
/// # Errors
///
/// A sentence that names the variable which is missing or invalid.
pub fn region(variable: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let (name, region) =
        first_of(REGIONS, &variable).ok_or("AWS_REGION must be set, such as to eu-central-1")?;
    // It becomes a part of a host name.
    let is_region = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if region.bytes().all(is_region) {
        Ok(region)
    } else {
        Err(format!(
            "{name} must be a region such as eu-central-1, but is {region:?}"
        ))
    }
}

/// The URL that replaces a service's endpoint, if one of these variables is set, with its name.
///
/// # Errors
///
/// A sentence that names the variable which is invalid.
pub fn endpoint(
    names: [&'static str; 2],
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<(&'static str, String)>, String> {
    let endpoint = first_of(names, variable);
    if let Some((name, url)) = &endpoint {
        require_url(name, url)?;
    }
    Ok(endpoint)
}

/// A pool of connections to AWS that trusts what AWS's standard variables name, or else AWS's
/// roots.
///
/// # Errors
///
/// A sentence that names the variable which is invalid.
pub fn https_pool_from<B>(variable: impl Fn(&str) -> Option<String>) -> Result<HttpsPool<B>, String>
where
    B: Body + Send,
    B::Data: Send,
{
    with_roots(variable, https_pool)
}

/// The first of these variables that is set, with its value.
fn first_of(
    names: [&'static str; 2],
    variable: impl Fn(&str) -> Option<String>,
) -> Option<(&'static str, String)> {
    names
        .into_iter()
        .find_map(|name| Some((name, variable(name)?)))
}

fn require_url(name: &str, url: &str) -> Result<(), String> {
    let is_valid = url.parse::<Uri>().is_ok_and(|uri| {
        let has_host = uri.authority().is_some_and(|authority| {
            let is_host = authority == authority.host() || authority.port_u16().is_some();
            is_host && !authority.host().is_empty() && !authority.as_str().contains('@')
        });
        matches!(uri.scheme_str(), Some("http" | "https")) && has_host && uri.query().is_none()
    });
    if is_valid {
        Ok(())
    } else {
        Err(format!(
            "{name} must be a URL such as http://localhost:8000, but is {url:?}"
        ))
    }
}

/// A client that trusts the roots of the file that a variable names, or else AWS's.
fn with_roots<T>(
    variable: impl Fn(&str) -> Option<String>,
    client: impl Fn(&[u8]) -> Result<T, String>,
) -> Result<T, String> {
    let Some((name, file)) = first_of(ROOTS_FILES, variable) else {
        return client(AWS_ROOTS);
    };
    let client = match fs::read(&file) {
        Ok(roots) if roots.windows(10).any(|text| text == b"-----BEGIN") => client(&roots),
        Ok(_) => Err("it has none".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    client.map_err(|error| format!("{name} must name a file of PEM certificates; {file}: {error}"))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_sdk_dynamodb::Client;
    use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextRef;
    use aws_sdk_dynamodb::config::{ConfigBag, Credentials, Intercept, RuntimeComponents};
    use aws_sdk_dynamodb::error::BoxError;

    use super::{Builder, config_from};

    /// Notes where a call goes and which region it is signed for, and lets it go no further.
    #[derive(Debug, Default)]
    struct Stop(Arc<Mutex<String>>);

    impl Intercept for Stop {
        fn name(&self) -> &'static str {
            "Stop"
        }

        fn read_before_transmit(
            &self,
            context: &BeforeTransmitInterceptorContextRef<'_>,
            _: &RuntimeComponents,
            _: &mut ConfigBag,
        ) -> Result<(), BoxError> {
            let call = context.request();
            let signature = call.headers().get("authorization").expect("a signature");
            let region = signature.split('/').nth(2).expect("a scope");
            *self.0.lock().expect("not poisoned") = format!("{} {region}", call.uri());
            Err("no further".into())
        }
    }

    const KEYS: [(&str, &str); 2] = [
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];

    fn config(variables: &[(&str, &str)]) -> Result<Builder, String> {
        config_from(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    async fn called_with(variables: &[(&str, &str)]) -> String {
        let stop = Stop::default();
        let called = Arc::clone(&stop.0);
        let config = config(&[variables, &KEYS].concat())
            .expect("a configuration")
            .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
            .interceptor(stop);
        let call = Client::from_conf(config.build()).list_tables().send();
        call.await.expect_err("it is stopped");
        called.lock().expect("not poisoned").clone()
    }

    #[tokio::test]
    async fn the_standard_variables_say_where_dynamodb_is() {
        let region = ("AWS_REGION", "eu-central-1");
        let everywhere = ("AWS_ENDPOINT_URL", "http://localhost:1");
        for (variables, called) in [
            (
                vec![region],
                "https://dynamodb.eu-central-1.amazonaws.com/ eu-central-1",
            ),
            (
                vec![("AWS_DEFAULT_REGION", "eu-west-1")],
                "https://dynamodb.eu-west-1.amazonaws.com/ eu-west-1",
            ),
            (
                vec![region, ("AWS_DEFAULT_REGION", "eu-west-1")],
                "https://dynamodb.eu-central-1.amazonaws.com/ eu-central-1",
            ),
            (vec![region, everywhere], "http://localhost:1/ eu-central-1"),
            (
                vec![
                    region,
                    everywhere,
                    ("AWS_ENDPOINT_URL_DYNAMODB", "http://localhost:2"),
                ],
                "http://localhost:2/ eu-central-1",
            ),
            (
                vec![
                    region,
                    everywhere,
                    ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
                ],
                "https://dynamodb.eu-central-1.amazonaws.com/ eu-central-1",
            ),
            (
                vec![region, ("AWS_USE_FIPS_ENDPOINT", "true")],
                "https://dynamodb-fips.eu-central-1.amazonaws.com/ eu-central-1",
            ),
            (
                vec![region, ("AWS_USE_DUALSTACK_ENDPOINT", "true")],
                "https://dynamodb.eu-central-1.api.aws/ eu-central-1",
            ),
        ] {
            assert_eq!(called_with(&variables).await, called);
        }
    }

    #[test]
    fn a_missing_or_invalid_variable_is_named() {
        let valid = [&KEYS[..], &[("AWS_REGION", "eu-central-1")]].concat();
        config(&valid).expect("a configuration");
        let text = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        for name in ["AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_SECRET_ACCESS_KEY"] {
            let mut missing = valid.clone();
            missing.retain(|(variable, _)| *variable != name);
            let error = config(&missing).expect_err(name);
            assert!(error.starts_with(&format!("{name} must be set")), "{error}");
        }
        for (name, values) in [
            ("AWS_REGION", &["eu central 1", "eu-central-1/", "é"][..]),
            (
                "AWS_ENDPOINT_URL_DYNAMODB",
                &[
                    "localhost:8000",
                    "localhost",
                    "//localhost:8000",
                    "ftp://localhost",
                    "http://",
                    "http:/localhost",
                    "http://localhost:99999",
                    "http://localhost:",
                    "http://user@localhost",
                    "http://local host",
                    "http://localhost?a=b",
                ],
            ),
            ("AWS_ENDPOINT_URL", &["localhost:8000"]),
            ("AWS_USE_FIPS_ENDPOINT", &["yes", "1"]),
            ("AWS_USE_DUALSTACK_ENDPOINT", &["on"]),
            ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", &["no"]),
            ("AWS_CA_BUNDLE", &["/no/such/file", "/", text]),
            ("SSL_CERT_FILE", &["/no/such/file"]),
        ] {
            for value in values {
                let invalid = [&[(name, *value)], &valid[..]].concat();
                let error = config(&invalid).expect_err(value);
                assert!(error.starts_with(&format!("{name} must ")), "{error}");
            }
        }
        for other in ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"] {
            let both = [("AWS_ENDPOINT_URL", "http://localhost:1"), (other, "true")];
            let error = config(&[&both[..], &valid].concat()).expect_err(other);
            assert_eq!(
                error,
                format!("{other} and AWS_ENDPOINT_URL exclude each other")
            );
        }
    }
}
