use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

/// Why an attempt failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A later attempt may succeed.
    Transient(String),
    /// Retrying will not help.
    Final(String),
}

/// The wait before the first retry. It doubles with each retry.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// Retries an attempt until it succeeds, fails for good, or `limit` has passed.
///
/// # Errors
///
/// Why the last completed attempt failed.
pub(crate) async fn persist<T>(
    limit: Duration,
    attempt: impl AsyncFn() -> Result<T, Failure>,
) -> Result<T, String> {
    let end = Instant::now() + limit;
    let mut wait = FIRST_WAIT;
    let mut last = format!("nothing within {} s", limit.as_secs());
    while let Ok(attempted) = timeout_at(end, attempt()).await {
        match attempted {
            Ok(done) => return Ok(done),
            Err(Failure::Final(reason)) => return Err(reason),
            Err(Failure::Transient(reason)) => last = reason,
        }
        if Instant::now() + wait >= end {
            break;
        }
        sleep(wait).await;
        wait *= 2;
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::pending;
    use std::time::Duration;

    use tokio::time::{Instant, sleep};

    use super::{Failure, persist};

    const LIMIT: Duration = Duration::from_secs(20);

    /// The result, the number of attempts and the total time, if attempt `n` ends like this.
    async fn persisted(
        attempt: impl AsyncFn(u64) -> Result<u64, Failure>,
    ) -> (Result<u64, String>, u64, Duration) {
        let (start, attempts) = (Instant::now(), Cell::new(0));
        let result = persist(LIMIT, async || {
            attempts.set(attempts.get() + 1);
            attempt(attempts.get()).await
        });
        (result.await, attempts.get(), start.elapsed())
    }

    fn transient<T>(reason: &str) -> Result<T, Failure> {
        Err(Failure::Transient(reason.to_owned()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_ends_the_attempts() {
        let (result, attempts, time) = persisted(async |n| match n {
            3 => Ok(n),
            _ => transient("503"),
        })
        .await;
        assert_eq!(result, Ok(3));
        assert_eq!((attempts, time.as_secs()), (3, 1 + 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_final_failure_ends_them_too() {
        let (result, attempts, time) =
            persisted(async |_| Err(Failure::Final("500".to_owned()))).await;
        assert_eq!(result, Err("500".to_owned()));
        assert_eq!((attempts, time.as_secs()), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn they_end_before_the_limit_if_the_next_would_begin_after_it() {
        let (result, attempts, time) = persisted(async |_| transient("503")).await;
        assert_eq!(result, Err("503".to_owned()));
        assert_eq!((attempts, time.as_secs()), (5, 1 + 2 + 4 + 8));
        // A function stops retrying DynamoDB after 5 s.
        let (_, attempts, time) = persisted(async |_| {
            sleep(Duration::from_secs(5)).await;
            transient("503")
        })
        .await;
        assert_eq!((attempts, time.as_secs()), (3, 3 * 5 + 1 + 2));
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_does_not_end_is_given_up_at_the_limit() {
        let (result, _, time) = persisted(async |_| pending().await).await;
        assert_eq!(result, Err("nothing within 20 s".to_owned()));
        assert_eq!(time, LIMIT);
        let (result, _, time) = persisted(async |n| match n {
            1 => transient("503"),
            _ => pending().await,
        })
        .await;
        assert_eq!(result, Err("503".to_owned()));
        assert_eq!(time, LIMIT);
    }
}
