use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use aws_sdk_dynamodb::config::interceptors::FinalizerInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;

use super::errors::{Reaction, reaction};

/// Whether DynamoDB rejected the credentials of the last attempt that it responded to. The other
/// attempts say nothing about them, such as the one that a call's deadline interrupts.
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
        let error = context.output_or_error().and_then(Result::err);
        // A network failure, a time-out and an unreadable response are not errors of the operation.
        let responded = error.is_none_or(|error| error.as_operation_error().is_some());
        if responded {
            let rejected = matches!(
                reaction(context.inner()),
                Some(Reaction::UnknownCredentials | Reaction::ExpiredCredentials)
            );
            self.0.store(rejected, Relaxed);
        }
        Ok(())
    }
}
