use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_smithy_runtime_api::client::connection::CaptureSmithyConnection;
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;

use super::errors::{Reaction, reaction};

/// Rejects a corrupt response and closes its connection, as after a failure that can be retried: a
/// new connection may lead to another host.
///
/// The SDK also closes connections, but not after a corrupt response, or one that says when to
/// retry.
#[derive(Debug)]
pub(crate) struct Distrust;

#[dyn_dispatch_hint]
impl Intercept for Distrust {
    fn name(&self) -> &'static str {
        "Distrust"
    }

    // By then the body has been read. If this fails, its product is not returned.
    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let corruption = corruption(context.response());
        let failure = matches!(
            reaction(context.inner()),
            Some(Reaction::Transient | Reaction::ClockSkew | Reaction::UnknownCredentials)
        );
        if (corruption.is_some() || failure)
            && let Some(connection) = config.load::<CaptureSmithyConnection>()
            && let Some(connection) = connection.get()
        {
            connection.poison();
        }
        corruption.map_or(Ok(()), |corruption| Err(corruption.into()))
    }
}

/// What the SDK does not verify: DynamoDB's checksum, and that a success has a body at all.
fn corruption(response: &HttpResponse) -> Option<&'static str> {
    let body = response.body().bytes().unwrap_or_default();
    if body.is_empty() && response.status().is_success() {
        return Some("the response is empty");
    }
    let promised = response.headers().get("x-amz-crc32")?;
    (promised.parse() != Ok(crc32fast::hash(body)))
        .then_some("the response does not match its checksum")
}
