//! Each fault, on the first requests to DynamoDB or on all.

use std::fmt::Debug;

use catalog::{ProductRepository, Reaction};
use local::{Function, LocalDynamoDb};
use tests::{ALWAYS, Fault, Faulty, echo, hold, product, products_at, share};
use tokio::time::Instant;

use super::{body, call, is_at_the_deadline, reads};

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
    let stored_before = reads(function);
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

/// Each fault, for each function, on the first request to DynamoDB, on the first two, and on all.
async fn nothing_is_lost_or_changed(faults: impl Iterator<Item = Fault>) {
    let rounds = share(20);
    let dynamodb = &LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    for fault in faults {
        let mut cases = 0;
        let mut failures = Vec::new();
        for round in 0..rounds {
            for function in Function::ALL {
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
