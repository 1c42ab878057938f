use aws_sdk_dynamodb::config::interceptors::{
    AfterDeserializationInterceptorContextRef, InterceptorContext,
};
use aws_sdk_dynamodb::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;

/// Refuses an answer of DynamoDB that is not what DynamoDB sent: it has a checksum, which this SDK
/// does not look at.
#[derive(Debug)]
pub(crate) struct Checksum;

impl Intercept for Checksum {
    fn name(&self) -> &'static str {
        "Checksum"
    }

    // The body has been read by then; its product is not handed out if this fails.
    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answer = context.response();
        match (answer.headers().get("x-amz-crc32"), answer.body().bytes()) {
            (Some(promised), Some(body)) if promised.parse() != Ok(crc32fast::hash(body)) => {
                Err("the answer is not what its checksum says".into())
            }
            _ => Ok(()),
        }
    }
}

/// Asks again when an answer was refused by [`Checksum`], or says
/// success and cannot be read. The SDK takes both for final.
#[derive(Debug)]
pub(crate) struct UnreadableAnswer;

impl ClassifyRetry for UnreadableAnswer {
    fn name(&self) -> &'static str {
        "UnreadableAnswer"
    }

    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match (context.response(), context.output_or_error()) {
            (Some(answer), Some(Err(error)))
                if answer.status().is_success() || !error.is_operation_error() =>
            {
                RetryAction::transient_error()
            }
            _ => RetryAction::NoActionIndicated,
        }
    }
}
