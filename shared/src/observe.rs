use std::cell::RefCell;
use std::time::{Duration, Instant, SystemTime};

use aws_sdk_dynamodb::config::interceptors::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
    FinalizerInterceptorContextRef,
};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use tokio::task_local;

/// What the log and the trace tell of a call of DynamoDB, with all its attempts.
#[derive(Debug)]
pub(crate) struct Call {
    /// Such as `GetItem`.
    pub operation: String,
    attempts: u32,
    /// Of the last answer; none if there was none.
    pub status: Option<u16>,
    /// The last answer's, by which AWS knows the call.
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
            request_id: None,
            began: SystemTime::now(),
            begin: Instant::now(),
            latency: None,
        }
    }

    /// How often it was sent again.
    pub fn retries(&self) -> u32 {
        self.attempts.saturating_sub(1)
    }

    /// A call that was given up has no end of its own.
    pub fn latency(&self) -> Duration {
        self.latency.unwrap_or_else(|| self.begin.elapsed())
    }
}

task_local! {
    /// The call of the task at hand.
    static CALL: RefCell<Option<Call>>;
}

/// Waits for `answer`, and gives the call that it made on its way, if it made one.
pub(crate) async fn observed<T>(answer: impl Future<Output = T>) -> (T, Option<Call>) {
    let both = async { (answer.await, CALL.with(RefCell::take)) };
    CALL.scope(RefCell::default(), both).await
}

/// Notes each call of the SDK for those who wait for it by [`observed`]. Nobody waits for priming.
#[derive(Debug)]
pub(crate) struct Observer;

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

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        on_call(|call| {
            call.latency = Some(call.begin.elapsed());
            if let Some(answer) = context.response() {
                let request_id = answer.headers().get("x-amzn-requestid");
                call.status = Some(answer.status().as_u16());
                call.request_id = request_id.map(str::to_owned);
            }
        });
        Ok(())
    }
}

fn on_call(note: impl FnOnce(&mut Call)) {
    CALL.try_with(|call| call.borrow_mut().as_mut().map(note))
        .ok();
}
