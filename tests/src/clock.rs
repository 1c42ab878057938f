//! Tokio's paused clock beside real sockets.
//!
//! A paused clock jumps to the next timer as soon as its runtime is idle, and a runtime that waits
//! for a socket is idle: each time-out would strike at once. So the clock is held while an attempt
//! is on its way, and a time-out of the SDK strikes in a test only where a fault lets time pass,
//! however busy the machine is.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::config::interceptors::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_sdk_dynamodb::config::retry::RetryPartition;
use aws_sdk_dynamodb::config::{Builder, ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use catalog::ProductRepository;
use local::LocalDynamoDb;
use tokio::task::spawn_blocking;

/// Holds the clock while the SDK's calls are on their way: a sender for each attempt, and a task
/// that waits for the last of them to be dropped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock(Arc<Mutex<Vec<Sender<()>>>>);

impl Clock {
    /// How an AWS client whose time is this clock's reaches the DynamoDB at `url`.
    pub fn config_at(&self, url: &str) -> Builder {
        LocalDynamoDb::config_at(url)
            .interceptor(self.clone())
            // The SDK's quota of retries is the process's, and would be all tests'.
            .retry_partition(RetryPartition::custom("test").build())
    }

    fn hold(&self) {
        let mut holds = self.0.lock().expect("not poisoned");
        let hold = holds.last().cloned().unwrap_or_else(|| {
            let (hold, released) = channel();
            // A paused clock stands still while a blocking task runs.
            spawn_blocking(move || released.recv());
            hold
        });
        holds.push(hold);
    }

    /// Lets time pass: an attempt has ended, or nothing more comes of it.
    pub fn release(&self) {
        self.0.lock().expect("not poisoned").pop();
    }
}

impl Intercept for Clock {
    fn name(&self) -> &'static str {
        "Clock"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.hold();
        Ok(())
    }

    fn read_after_attempt(
        &self,
        _: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.release();
        Ok(())
    }
}

/// How an AWS client reaches the DynamoDB at `url`, which answers: on a paused clock, no time-out
/// strikes.
#[must_use]
pub fn config_at(url: &str) -> Builder {
    Clock::default().config_at(url)
}

/// The products in the table of the DynamoDB at `url`, which answers: on a paused clock, no
/// time-out strikes.
#[must_use]
pub fn products_at(url: &str) -> ProductRepository {
    ProductRepository::new(config_at(url), LocalDynamoDb::TABLE)
}
