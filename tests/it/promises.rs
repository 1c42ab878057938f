//! The promises that hold whatever DynamoDB and the network do.
//!
//! Tokio's clock is paused: a caller's waiting time is exact, and takes no real time.

use std::fmt::Debug;

use catalog::{ProductRepository, Reaction};
use futures::future::join_all;
use local::{Function, LocalDynamoDb};
use serde_json::Value;
use tests::{
    ALWAYS, Fault, Faulty, WrongClock, create_event, echo, find_event, hold, product, products_at,
    share,
};
use tokio::time::{Duration, Instant};

/// Calls a function as API Gateway does, and returns its proxy response.
async fn call(function: Function, products: &ProductRepository, product: &Value) -> Value {
    let event = match function {
        Function::Create => create_event(product.to_string()),
        Function::Find => find_event(product["id"].as_str().expect("an id")),
    };
    let response = function.invoke(products, &event.to_string()).await;
    response.expect("a response")
}

fn body(response: &Value) -> Value {
    serde_json::from_str(response["body"].as_str().expect("a body")).expect("JSON")
}

/// The required outcome of a call that meets a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Success, by retries.
    Success,
    /// 503 at the deadline.
    Unavailable,
    /// 503 after one attempt.
    UnavailableAtOnce,
    /// 500 after one attempt.
    Mistake,
}

/// How the functions handle a fault that is a DynamoDB error with a code.
fn reaction(fault: Fault) -> Option<Reaction> {
    let Fault::Error(code) = fault else {
        return None;
    };
    let known = Reaction::BY_CODE.iter().find(|(of, _)| *of == code);
    known.map(|(_, reaction)| *reaction)
}

fn end(fault: Fault, times: usize) -> End {
    match reaction(fault) {
        Some(Reaction::ExpiredCredentials) => End::UnavailableAtOnce,
        Some(Reaction::Mistake) => End::Mistake,
        _ if times == ALWAYS => End::Unavailable,
        _ => End::Success,
    }
}

/// A call whose first `times` requests to DynamoDB meet a fault, and what its caller does next.
async fn run(
    dynamodb: &LocalDynamoDb,
    fault: Fault,
    function: Function,
    times: usize,
    round: usize,
) -> Result<(), String> {
    let id = format!("{fault:?}-{function:?}-{times}-{round}").replace(['(', ')', '"'], "-");
    let sent = echo(&id);
    let healthy = &products_at(&dynamodb.url());
    let stored_before = matches!(function, Function::Find);
    if stored_before {
        call(Function::Create, healthy, &sent).await;
    }

    let faulty = Faulty::start(dynamodb, fault, times).await;
    let products = faulty.products();
    let start = Instant::now();
    let response = call(function, &products, &sent).await;
    let took = start.elapsed();

    let end = end(fault, times);
    let case = format!("{fault:?}, {function:?}, the first {times} requests");
    let calls = faulty.calls();
    let wrong = |what: &str, expected: &dyn Debug, got: &dyn Debug| {
        format!(
            "{case}: expected {what} {expected:?}, got {got:?}: {response} after {took:?} and {calls} requests"
        )
    };
    let status = match end {
        End::Success if stored_before || fault.comes_afterwards() => 200,
        End::Success => 201,
        End::Unavailable | End::UnavailableAtOnce => 503,
        End::Mistake => 500,
    };
    equal(&response["statusCode"], &status.into(), "the status", wrong)?;
    if end == End::Success {
        equal(&calls, &(times + 1), "requests", wrong)?;
        equal(&faulty.strikes(), &times, "faults", wrong)?;
        equal(&body(&response), &sent, "the product", wrong)?;
        let kept = call(Function::Find, healthy, &sent).await;
        equal(&kept["statusCode"], &200.into(), "find's status", wrong)?;
    } else {
        equal(&faulty.strikes(), &calls, "faults", wrong)?;
    }
    if status == 503 {
        let retry_after = &response["headers"]["retry-after"];
        equal(retry_after, &"2".into(), "Retry-After", wrong)?;
    }
    match end {
        End::Success if took < ProductRepository::DEADLINE => {}
        End::Unavailable if is_at_the_deadline(took) && calls > 3 => {}
        End::UnavailableAtOnce | End::Mistake if took.is_zero() && calls == 1 => {}
        _ => return Err(wrong("the time and the requests of", &end, &(took, calls))),
    }
    let of_credentials = matches!(
        reaction(fault),
        Some(Reaction::UnknownCredentials | Reaction::ExpiredCredentials)
    );
    let rejected = status == 503 && of_credentials;
    equal(
        &products.lost_its_credentials(),
        &rejected,
        "lost credentials",
        wrong,
    )?;

    let again = call(Function::Create, healthy, &sent).await;
    let there = stored_before || faulty.writes() > 0;
    let status = if there { 200 } else { 201 };
    equal(
        &again["statusCode"],
        &status.into(),
        "after a retry, the status",
        wrong,
    )?;
    let other = product(sent["id"].as_str().expect("an id"), "Another", "", "1.00");
    let refused = call(Function::Create, healthy, &other).await;
    equal(
        &refused["statusCode"],
        &409.into(),
        "another product's status",
        wrong,
    )?;
    let kept = call(Function::Find, healthy, &sent).await;
    equal(&body(&kept), &sent, "at the end, the product", wrong)?;
    let writes = usize::from(there && !stored_before);
    equal(&faulty.writes(), &writes, "writes", wrong)
}

/// Tokio's timers are exact to a millisecond.
fn is_at_the_deadline(took: Duration) -> bool {
    took.abs_diff(ProductRepository::DEADLINE) <= Duration::from_millis(5)
}

fn equal<T: Debug + PartialEq>(
    got: &T,
    expected: &T,
    what: &str,
    wrong: impl Fn(&str, &dyn Debug, &dyn Debug) -> String,
) -> Result<(), String> {
    if got == expected {
        Ok(())
    } else {
        Err(wrong(what, &expected, &got))
    }
}

/// Each fault, for create and find, on the first request to DynamoDB, on the first two, and on all.
async fn nothing_is_lost_or_changed(faults: impl Iterator<Item = Fault>) {
    let rounds = share(20);
    let dynamodb = &LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    for fault in faults {
        let mut cases = 0;
        let mut failures = Vec::new();
        for round in 0..rounds {
            for function in [Function::Create, Function::Find] {
                for times in [1, 2, ALWAYS] {
                    cases += 1;
                    failures.extend(run(dynamodb, fault, function, times, round).await.err());
                }
            }
        }
        hold(
            "nothing acknowledged is lost, written twice or changed; a transient fault is retried, and is a 503 at worst",
            &format!("{fault:?}"),
            cases,
            &failures,
        );
    }
}

#[tokio::test(start_paused = true)]
async fn no_fault_loses_or_changes_an_acknowledged_product() {
    nothing_is_lost_or_changed(Fault::ALL.into_iter()).await;
}

#[tokio::test(start_paused = true)]
async fn no_error_of_dynamodb_loses_or_changes_an_acknowledged_product() {
    let codes = Reaction::BY_CODE.into_iter().map(|(code, _)| code);
    nothing_is_lost_or_changed(codes.map(Fault::Error)).await;
}

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
        if matches!(function, Function::Find) {
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
        let expected = match function {
            Function::Create => 201,
            Function::Find => 200,
        };
        let kept = call(Function::Find, healthy, &sent).await;
        let writes = usize::from(matches!(function, Function::Create));
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
                    for function in [Function::Create, Function::Find] {
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

/// One DynamoDB host fails, and every new connection reaches another.
#[tokio::test(start_paused = true)]
async fn a_failing_host_is_abandoned_immediately() {
    let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    let sent = echo("1001");
    call(Function::Create, &products_at(&dynamodb.url()), &sent).await;
    let of_the_network = Fault::ALL
        .into_iter()
        .filter(|fault| *fault != Fault::ConnectionRefused);
    let errors = Reaction::BY_CODE
        .into_iter()
        .filter_map(|(code, reaction)| {
            matches!(
                reaction,
                Reaction::Transient | Reaction::ClockSkew | Reaction::UnknownCredentials
            )
            .then_some(Fault::Error(code))
        });
    for fault in of_the_network.chain(errors) {
        for function in [Function::Create, Function::Find] {
            let faulty = Faulty::start_with_bad_host(&dynamodb, fault).await;
            let products = faulty.products();
            for _ in 0..4 {
                let response = call(function, &products, &sent).await;
                assert_eq!(response["statusCode"], 200, "{fault:?}: {response}");
            }
            assert_eq!(faulty.strikes(), 1, "{fault:?}, {function:?}");
        }
    }
}

/// A change of a partition's leader in DynamoDB can take 3 to 4 s, without responses.
#[tokio::test(start_paused = true)]
async fn a_silence_of_four_seconds_is_survived() {
    let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    for round in 0..share(200) {
        // Each takes a second, plus a wait of at most 50, 100, 200 and 400 ms.
        let faulty = Faulty::start(&dynamodb, Fault::Silence, 4).await;
        let sent = echo(&round.to_string());
        let start = Instant::now();
        let response = call(Function::Create, &faulty.products(), &sent).await;
        assert_eq!(response["statusCode"], 201, "{response}");
        assert!(
            start.elapsed() > Duration::from_secs(4),
            "{:?}",
            start.elapsed()
        );
    }
}

/// In a long outage, the SDK stops retrying, so that callers do not wait in vain.
#[tokio::test(start_paused = true)]
async fn in_a_long_failure_callers_get_an_immediate_503_until_it_ends() {
    let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    let sent = echo("1001");
    let failures = 200;
    let fault = Fault::Error("InternalServerError");
    let faulty = Faulty::start(&dynamodb, fault, failures).await;
    let products = faulty.products();
    let mut responses = Vec::new();
    while faulty.calls() < failures {
        let (calls, start) = (faulty.calls(), Instant::now());
        let response = call(Function::Find, &products, &sent).await;
        assert_eq!(response["statusCode"], 503, "{response}");
        responses.push((faulty.calls() - calls, start.elapsed()));
    }
    let (calls, took) = responses[0];
    assert!(
        calls > 3 && is_at_the_deadline(took),
        "{calls} requests in {took:?}"
    );
    let last = responses.last().expect("a response");
    assert_eq!(
        *last,
        (1, Duration::ZERO),
        "requests and time for the last response"
    );
    let response = call(Function::Create, &products, &sent).await;
    assert_eq!(response["statusCode"], 201, "{response}");
}

#[tokio::test(start_paused = true)]
async fn one_of_fifty_creators_of_an_id_is_acknowledged() {
    const CREATORS: usize = 50;

    let rounds = share(1_000);
    let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    let products = &products_at(&dynamodb.url());
    let mut failures = Vec::new();
    for round in 0..rounds {
        let id = &format!("round {round}");
        let attempts = (0..CREATORS).map(async |creator| {
            let sent = product(id, &format!("by {creator}"), "", "1.00");
            let response = call(Function::Create, products, &sent).await;
            (response["statusCode"].clone(), sent)
        });
        let (won, lost): (Vec<_>, Vec<_>) = join_all(attempts)
            .await
            .into_iter()
            .partition(|(status, _)| status == 201);
        let sent = product(&id.replace(' ', "%20"), "", "", "");
        let kept = body(&call(Function::Find, products, &sent).await);
        let alone = won.len() == 1 && won[0].1 == kept;
        if !alone || lost.iter().any(|(status, _)| status != 409) {
            failures.push(format!("{id}: {won:?}, {lost:?}, {kept}"));
        }
    }
    hold(
        "one of 50 concurrent creators of an id is acknowledged, and its product is kept",
        "races",
        rounds,
        &failures,
    );
}
