//! What to do about each error that DynamoDB can return.

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::config::interceptors::InterceptorContext;
use aws_sdk_dynamodb::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_dynamodb::error::ErrorMetadata;
use aws_sdk_dynamodb::operation::get_item::GetItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_smithy_runtime_api::client::retries::classifiers::RetryClassifierPriority;

/// What to do about an error of DynamoDB. If it is the last that a call gets, it is an `ERROR` in
/// the log, because the caller gets a 5xx.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Retry, then respond with 503: the table, the partition or the account receives more
    /// requests than it can handle.
    Throttled,
    /// Retry on another connection, then respond with 503: the next attempt may succeed.
    Transient,
    /// Retry, then respond with 503: the request was signed with a wrong time, which the SDK
    /// corrects by the time in the response.
    ClockSkew,
    /// Retry, because new credentials reach IAM with a delay. Then respond with 503 and end the
    /// process: they may have been revoked, and only a new sandbox gets new ones.
    UnknownCredentials,
    /// Respond with 503 and end the process: only a new sandbox gets new credentials.
    ExpiredCredentials,
    /// Respond with 500: the deployment or the code is wrong.
    Mistake,
}

use Reaction::{ClockSkew, ExpiredCredentials, Mistake, Throttled, Transient, UnknownCredentials};

impl Reaction {
    /// The errors that DynamoDB names, each by its code: those of `GetItem` and `PutItem` in the
    /// [API reference][1], those of the [error guide][2], which says what to retry, and those
    /// [common to AWS's services][3]. `ConditionalCheckFailedException` is missing: it is how
    /// DynamoDB says that an id is taken.
    ///
    /// [1]: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html
    /// [2]: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
    /// [3]: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/CommonErrors.html
    pub const BY_CODE: [(&str, Self); 43] = [
        ("AccessDeniedException", Mistake),
        ("ExpiredToken", ExpiredCredentials),
        ("ExpiredTokenException", ExpiredCredentials),
        ("IncompleteSignature", Mistake),
        ("IncompleteSignatureException", Mistake),
        ("InternalFailure", Transient),
        ("InternalServerError", Transient),
        ("InvalidAction", Mistake),
        ("InvalidClientTokenId", UnknownCredentials),
        ("InvalidEndpointException", Mistake),
        // Unless its message reports a wrong time: see `of`.
        ("InvalidSignatureException", Mistake),
        ("ItemCollectionSizeLimitExceededException", Transient),
        ("LimitExceededException", Throttled),
        ("MalformedHttpRequestException", Mistake),
        ("MissingAuthenticationToken", Mistake),
        ("MissingAuthenticationTokenException", Mistake),
        ("NotAuthorized", Mistake),
        ("OptInRequired", Mistake),
        ("ProvisionedThroughputExceededException", Throttled),
        ("ReplicatedWriteConflictException", Transient),
        ("RequestAbortedException", Transient),
        ("RequestEntityTooLargeException", Mistake),
        ("RequestExpired", ClockSkew),
        ("RequestLimitExceeded", Throttled),
        ("RequestThrottled", Throttled),
        ("RequestThrottledException", Throttled),
        ("RequestTimeTooSkewed", ClockSkew),
        ("RequestTimeout", Transient),
        ("RequestTimeoutException", Transient),
        ("ResourceInUseException", Mistake),
        ("ResourceNotFoundException", Mistake),
        ("SerializationException", Mistake),
        ("ServiceUnavailable", Transient),
        ("ServiceUnavailableException", Transient),
        ("SlowDown", Throttled),
        ("Throttling", Throttled),
        ("ThrottlingException", Throttled),
        ("TooManyRequestsException", Throttled),
        ("TransactionConflictException", Transient),
        ("TransactionInProgressException", Transient),
        ("UnknownOperationException", Mistake),
        ("UnrecognizedClientException", UnknownCredentials),
        ("ValidationException", Mistake),
    ];

    /// What to do about an error response.
    pub(crate) fn of(response: &HttpResponse, error: &ErrorMetadata) -> Self {
        /// The messages that report a wrong time in the signature.
        const WRONG_TIMES: [&str; 2] = ["Signature expired", "Signature not yet current"];

        let message = error.message().unwrap_or_default();
        if WRONG_TIMES.iter().any(|wrong| message.contains(wrong)) {
            return ClockSkew;
        }
        // DynamoDB names each error, and rejects a request with 400. Anything else is a failure, or
        // comes from something in between.
        let is_rejection = response.status().is_client_error() && error.code().is_some();
        let known = Self::BY_CODE
            .iter()
            .find(|(code, _)| Some(*code) == error.code());
        match known.map(|(_, reaction)| *reaction) {
            Some(Mistake) | None if !is_rejection => Transient,
            None => Mistake,
            Some(reaction) => reaction,
        }
    }
}

/// Retries as [`Reaction`] says, and if the response cannot be read. The SDK knows only some of
/// these errors.
#[derive(Debug)]
pub(crate) struct RetryErrors;

impl ClassifyRetry for RetryErrors {
    fn name(&self) -> &'static str {
        "RetryErrors"
    }

    // First, so that the SDK's own classifiers can add the delay that DynamoDB asks for.
    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_before(RetryClassifierPriority::http_status_code_classifier())
    }

    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match reaction(context) {
            Some(Throttled) => RetryAction::throttling_error(),
            Some(Transient) => RetryAction::transient_error(),
            Some(ClockSkew | UnknownCredentials) => RetryAction::server_error(),
            Some(ExpiredCredentials | Mistake) | None => RetryAction::NoActionIndicated,
        }
    }
}

/// What to do about the error of an attempt that got a response, if it was one.
pub(crate) fn reaction(context: &InterceptorContext) -> Option<Reaction> {
    let (response, error) = (context.response()?, context.output_or_error()?.err()?);
    let error = error.as_operation_error().and_then(|error| {
        let put = error.downcast_ref().map(PutItemError::meta);
        put.or_else(|| error.downcast_ref().map(GetItemError::meta))
    });
    Some(error.map_or(Transient, |error| Reaction::of(response, error)))
}
