use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use aws_sdk_dynamodb::config::interceptors::FinalizerInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;

use super::errors::{Reaction, reaction};

/// Whether DynamoDB rejected the credentials of the last attempt.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rejected(Arc<AtomicBool>);

impl Rejected {
    pub fn get(&self) -> bool {
        self.0.load(Relaxed)
    }
}

#[dyn_dispatch_hint]
impl Intercept for Rejected {
    fn name(&self) -> &'static str {
        "Rejected"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let rejected = matches!(
            reaction(context.inner()),
            Some(Reaction::UnknownCredentials | Reaction::ExpiredCredentials)
        );
        self.0.store(rejected, Relaxed);
        Ok(())
    }
}
