use aws_sdk_dynamodb::config::interceptors::{
    AfterDeserializationInterceptorContextRef, InterceptorContext,
};
use aws_sdk_dynamodb::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;

/// Rejects a response that does not match DynamoDB's checksum, which this SDK does not verify.
#[derive(Debug)]
pub(crate) struct Checksum;

impl Intercept for Checksum {
    fn name(&self) -> &'static str {
        "Checksum"
    }

    // By then the body has been read. If this fails, its product is not returned.
    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        match (
            response.headers().get("x-amz-crc32"),
            response.body().bytes(),
        ) {
            (Some(promised), Some(body)) if promised.parse() != Ok(crc32fast::hash(body)) => {
                Err("the response does not match its checksum".into())
            }
            _ => Ok(()),
        }
    }
}

/// Retries if [`Checksum`] rejected the response, or if a successful response cannot be read. The
/// SDK would retry neither.
#[derive(Debug)]
pub(crate) struct UnreadableResponse;

impl ClassifyRetry for UnreadableResponse {
    fn name(&self) -> &'static str {
        "UnreadableResponse"
    }

    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match (context.response(), context.output_or_error()) {
            (Some(response), Some(Err(error)))
                if response.status().is_success() || !error.is_operation_error() =>
            {
                RetryAction::transient_error()
            }
            _ => RetryAction::NoActionIndicated,
        }
    }
}
