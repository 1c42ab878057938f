use std::cell::RefCell;
use std::error::Error;
use std::time::{Duration, Instant, SystemTime};

use aws_sdk_dynamodb::config::interceptors::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
    FinalizerInterceptorContextRef,
};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use tokio::task_local;

/// How the SDK's error begins when the whole call times out during an attempt.
const OUT_OF_TIME: &str = "operation timeout";

/// One DynamoDB call with all its attempts, as the log and the trace report it.
#[derive(Debug)]
pub(crate) struct Call {
    /// The operation, such as `GetItem`.
    pub operation: String,
    attempts: u32,
    /// The status of the last response, or `None` if there was none.
    pub status: Option<u16>,
    /// Why the last attempt failed that was not interrupted, or `None` if it succeeded.
    error: Option<String>,
    /// AWS's id of the last attempt that got a response.
    pub request_id: Option<String>,
    pub began: SystemTime,
    begin: Instant,
    latency: Option<Duration>,
}

impl Call {
    fn begins() -> Self {
        Self {
            operation: String::new(),
            attempts: 0,
            status: None,
            error: None,
            request_id: None,
            began: SystemTime::now(),
            begin: Instant::now(),
            latency: None,
        }
    }

    /// The number of attempts after the first.
    pub fn retries(&self) -> u32 {
        self.attempts.saturating_sub(1)
    }

    /// If the call was cancelled, the time elapsed so far.
    pub fn latency(&self) -> Duration {
        self.latency.unwrap_or_else(|| self.begin.elapsed())
    }
}

task_local! {
    /// The call of the current task.
    static CALL: RefCell<Option<Call>>;
}

/// Runs `future`, and returns its output with its last DynamoDB call, if any.
pub(crate) async fn observed<T>(future: impl Future<Output = T>) -> (T, Option<Call>) {
    let both = async { (future.await, CALL.with(RefCell::take)) };
    CALL.scope(RefCell::default(), both).await
}

/// Records each SDK call made inside [`observed`]. Priming runs outside it.
#[derive(Debug)]
pub(crate) struct Observer;

#[dyn_dispatch_hint]
impl Intercept for Observer {
    fn name(&self) -> &'static str {
        "Observer"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        CALL.try_with(|call| call.replace(Some(Call::begins())))
            .ok();
        Ok(())
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        on_call(|call| {
            call.attempts += 1;
            if let Some(operation) = config.load::<Metadata>() {
                operation.name().clone_into(&mut call.operation);
            }
        });
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let error = context.output_or_error().and_then(Result::err);
        let error = error.map(|error| root_cause(error).to_string());
        on_call(|call| {
            // The call's time-out is less informative than the errors of its attempts.
            let interrupted = error
                .as_ref()
                .is_some_and(|error| error.starts_with(OUT_OF_TIME));
            if !interrupted || call.error.is_none() {
                call.error = error;
            }
        });
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        on_call(|call| {
            call.latency = Some(call.begin.elapsed());
            if let Some(response) = context.response() {
                let request_id = response.headers().get("x-amzn-requestid");
                call.status = Some(response.status().as_u16());
                call.request_id = request_id.map(str::to_owned);
            }
        });
        Ok(())
    }
}

/// Why the last attempt of the current task's call failed. The error of a call that timed out does
/// not say why.
pub(crate) fn last_error() -> Option<String> {
    CALL.try_with(|call| call.borrow().as_ref()?.error.clone())
        .ok()?
}

fn on_call(note: impl FnOnce(&mut Call)) {
    CALL.try_with(|call| call.borrow_mut().as_mut().map(note))
        .ok();
}

/// The innermost source of an error. One of the SDK's errors around it contains the whole request.
pub(crate) fn root_cause<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause
}
