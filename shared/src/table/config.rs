//! How a function reaches DynamoDB, with little work during init.

use std::{env, fs};

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_sdk_dynamodb::Config;
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Region};

use super::https::https_client;

/// The roots of AWS's endpoints. A system's bundle has thirty times as many to parse.
const AWS_ROOTS: &[u8] = include_bytes!("aws-roots.pem");

/// The variables that replace [`AWS_ROOTS`] by a file: for proxies, for emulators, and for the day
/// that AWS adds a root. The first is from the AWS SDKs, the second from OpenSSL.
const ROOTS_FILES: [&str; 2] = ["AWS_CA_BUNDLE", "SSL_CERT_FILE"];

/// The configuration from the environment of a function.
///
/// It leaves out what an SDK's loader reads elsewhere (files, metadata services, other roles):
/// Lambda has none of these, and the loader is an eighth of a binary, as
/// docs/decisions/0003-no-loader.md measures.
///
/// # Panics
///
/// If a file of certificates is named that cannot be read.
pub(crate) fn config_from_env() -> Builder {
    configured_by(|name| env::var(name).ok().filter(|value| !value.is_empty()))
}

/// The configuration from AWS's [standard variables][1]. The repository adds time-outs and retries.
///
/// [1]: https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
fn configured_by(variable: impl Fn(&str) -> Option<String>) -> Builder {
    let is_on = |name| variable(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
    let endpoint = if is_on("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
        None
    } else {
        variable("AWS_ENDPOINT_URL_DYNAMODB").or_else(|| variable("AWS_ENDPOINT_URL"))
    };
    let mut config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(EnvironmentVariableCredentialsProvider::new())
        .http_client(https_client(&roots(&variable)))
        .region(region.map(Region::new))
        .use_dual_stack(is_on("AWS_USE_DUALSTACK_ENDPOINT"))
        .use_fips(is_on("AWS_USE_FIPS_ENDPOINT"));
    config.set_endpoint_url(endpoint);
    config
}

fn roots(variable: impl Fn(&str) -> Option<String>) -> Vec<u8> {
    let file = ROOTS_FILES.iter().find_map(|name| variable(name));
    file.map_or_else(
        || AWS_ROOTS.to_vec(),
        |file| {
            fs::read(&file).unwrap_or_else(|error| {
                panic!("the certificates in {file} cannot be read: {error}")
            })
        },
    )
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_sdk_dynamodb::Client;
    use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextRef;
    use aws_sdk_dynamodb::config::{ConfigBag, Credentials, Intercept, RuntimeComponents};
    use aws_sdk_dynamodb::error::BoxError;

    use super::configured_by;

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

    async fn called_with(variables: &[(&str, &str)]) -> String {
        let variable = |name: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let stop = Stop::default();
        let called = Arc::clone(&stop.0);
        let config = configured_by(variable)
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
}
