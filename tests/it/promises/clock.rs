//! A clock that jumps.

use local::{Function, LocalDynamoDb};
use tests::{Faulty, WrongClock, echo, hold, products_at, share};

use super::{body, call, reads};

/// A thawed sandbox signs with a stale time until its clock is corrected: before a call, during it,
/// or not at all.
#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_is_detected_and_corrected() {
    #[derive(Clone, Copy, Debug)]
    enum Corrected {
        Never,
        Before,
        During,
    }

    async fn run(
        dynamodb: &LocalDynamoDb,
        function: Function,
        seconds: i64,
        corrected: Corrected,
        id: &str,
    ) -> Result<(), String> {
        let sent = echo(id);
        let healthy = &products_at(&dynamodb.url());
        if reads(function) {
            call(Function::Create, healthy, &sent).await;
        }
        let clock = WrongClock::default();
        let is_corrected = matches!(corrected, Corrected::During);
        let faulty = Faulty::start_for(dynamodb, &clock, is_corrected).await;
        let products = faulty.products();
        clock.set(seconds);
        if matches!(corrected, Corrected::Before) {
            // The SDK learns the clock's error, and must then forget it.
            call(Function::Find, &products, &sent).await;
            clock.set(0);
        }
        let before = faulty.calls();
        let response = call(function, &products, &sent).await;
        let calls = faulty.calls() - before;
        let expected = if reads(function) { 200 } else { 201 };
        let kept = call(Function::Find, healthy, &sent).await;
        let writes = usize::from(!reads(function));
        if response["statusCode"] == expected
            && body(&kept) == sent
            && faulty.writes() == writes
            // One is rejected, one gets the time if the clock was corrected in between, and one
            // succeeds.
            && (2..=3).contains(&calls)
        {
            Ok(())
        } else {
            Err(format!("{id}: {response} after {calls} requests, {kept}"))
        }
    }

    const MINUTE: i64 = 60;
    const DAY: i64 = 24 * 60 * MINUTE;

    let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    for size in [
        6 * MINUTE,
        14 * MINUTE,
        16 * MINUTE,
        60 * MINUTE,
        DAY,
        30 * DAY,
    ] {
        let mut cases = 0;
        let mut failures = Vec::new();
        for round in 0..share(20) {
            for seconds in [-size, size] {
                for corrected in [Corrected::Never, Corrected::Before, Corrected::During] {
                    for function in Function::ALL {
                        cases += 1;
                        let id = format!("{seconds}-{corrected:?}-{function:?}-{round}");
                        let run = run(&dynamodb, function, seconds, corrected, &id);
                        failures.extend(run.await.err());
                    }
                }
            }
        }
        hold(
            "a clock that jumps forward or back, and is corrected before or during a call or never, costs the call one retry",
            &format!("{size} s"),
            cases,
            &failures,
        );
    }
}
