//! Tokio's paused clock with real sockets.
//!
//! A paused clock jumps to the next timer as soon as its runtime is idle. A runtime that waits for
//! a socket is idle, so every time-out would expire immediately. Therefore the clock is held during
//! each attempt: however busy the machine is, the SDK's time-outs expire only if a fault lets time
//! pass.

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

/// Holds the clock during the SDK's attempts: each has a sender, and a task waits until the last
/// sender is dropped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock(Arc<Mutex<Vec<Sender<()>>>>);

impl Clock {
    /// The configuration of an AWS client for the DynamoDB at `url` that holds this clock.
    pub fn config_at(&self, url: &str) -> Builder {
        LocalDynamoDb::config_at(url)
            .interceptor(self.clone())
            // The SDK's retry quota is per process, so all tests would share it.
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

    /// Lets time pass: an attempt has ended, or will get no response.
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

/// The configuration of an AWS client for a DynamoDB at `url` that responds: with a paused clock,
/// no time-out expires.
#[must_use]
pub fn config_at(url: &str) -> Builder {
    Clock::default().config_at(url)
}

/// The products in the table of a DynamoDB at `url` that responds: with a paused clock, no time-out
/// expires.
#[must_use]
pub fn products_at(url: &str) -> ProductRepository {
    ProductRepository::new(config_at(url), LocalDynamoDb::TABLE)
}
