use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::time::{Duration, SystemTime};

use aws_smithy_async::time::TimeSource;

/// A function's clock, which can differ from DynamoDB's.
#[derive(Clone, Debug, Default)]
pub struct WrongClock(Arc<AtomicI64>);

impl WrongClock {
    /// Sets how far it is ahead of DynamoDB's, in seconds.
    pub fn set(&self, seconds: i64) {
        self.0.store(seconds, SeqCst);
    }
}

impl TimeSource for WrongClock {
    fn now(&self) -> SystemTime {
        let seconds = self.0.load(SeqCst);
        let difference = Duration::from_secs(seconds.unsigned_abs());
        if seconds < 0 {
            SystemTime::now() - difference
        } else {
            SystemTime::now() + difference
        }
    }
}
