//! What is promised whatever DynamoDB and the network do.
//!
//! Time is tokio's paused clock: what a caller would wait for is exact, and takes no time.

use std::fmt::Debug;

use catalog::ProductRepository;
use futures::future::join_all;
use local::{Function, LocalDynamoDb};
use serde_json::Value;
use tests::{ALWAYS, Fault, Faulty, hold, product, products_at, share};
use tokio::time::{Duration, Instant};

const ATTEMPTS: usize = 3;

/// Asks a function as API Gateway does, and gives the proxy answer.
async fn ask(function: Function, products: &ProductRepository, product: &Value) -> Value {
    let mut event: Value = serde_json::from_str(match function {
        Function::Create => include_str!("../events/create-on-DEV.json"),
        Function::Find => include_str!("../events/find-on-DEV.json"),
    })
    .expect("JSON");
    match function {
        Function::Create => event["body"] = product.to_string().into(),
        Function::Find => event["pathParameters"]["id"] = product["id"].clone(),
    }
    function
        .invoke(products, &event.to_string())
        .await
        .expect("an answer")
}

fn body(answer: &Value) -> Value {
    serde_json::from_str(answer["body"].as_str().expect("a body")).expect("JSON")
}

/// One call that meets a fault `times` times, and what its caller does next.
async fn run(
    dynamodb: &LocalDynamoDb,
    fault: Fault,
    function: Function,
    times: usize,
    round: usize,
) -> Result<(), String> {
    let sent = product(
        &format!("{fault:?}-{function:?}-{times}-{round}"),
        "Amazon Echo",
        "Smart speaker",
        "89.99",
    );
    let healthy = &products_at(&dynamodb.url());
    let stored_before = matches!(function, Function::Find);
    if stored_before {
        ask(Function::Create, healthy, &sent).await;
    }

    let faulty = Faulty::start(dynamodb, fault, times).await;
    let start = Instant::now();
    let answer = ask(function, &faulty.products(), &sent).await;
    let took = start.elapsed();

    let strikes = ATTEMPTS.min(times);
    let case = format!("{fault:?}, {function:?}, {strikes} of {ATTEMPTS} attempts struck");
    let wrong = |what: &str, expected: &dyn Debug, got: &dyn Debug| {
        format!(
            "{case}: expected {what} {expected:?}, got {got:?}; answered {answer} after {took:?}"
        )
    };
    if took >= ProductRepository::DEADLINE {
        return Err(wrong("a time below", &ProductRepository::DEADLINE, &took));
    }
    equal(
        &faulty.calls(),
        &ATTEMPTS.min(times.saturating_add(1)),
        "calls",
        wrong,
    )?;
    equal(&faulty.strikes(), &strikes, "faults", wrong)?;
    if times >= ATTEMPTS {
        equal(&answer["statusCode"], &503.into(), "the status", wrong)?;
        equal(
            &answer["headers"]["retry-after"],
            &"2".into(),
            "Retry-After",
            wrong,
        )?;
    } else {
        let replayed = stored_before || fault.comes_afterwards();
        let status = if replayed { 200 } else { 201 };
        equal(&answer["statusCode"], &status.into(), "the status", wrong)?;
        equal(&body(&answer), &sent, "the product", wrong)?;
        let kept = ask(Function::Find, healthy, &sent).await;
        equal(
            &kept["statusCode"],
            &200.into(),
            "once acknowledged, find's status",
            wrong,
        )?;
    }

    let again = ask(Function::Create, healthy, &sent).await;
    let there = stored_before || faulty.writes() > 0;
    let status = if there { 200 } else { 201 };
    equal(
        &again["statusCode"],
        &status.into(),
        "sent again, the status",
        wrong,
    )?;
    let other = product(sent["id"].as_str().expect("an id"), "Another", "", "1.00");
    let refused = ask(Function::Create, healthy, &other).await;
    equal(
        &refused["statusCode"],
        &409.into(),
        "another product's status",
        wrong,
    )?;
    let kept = ask(Function::Find, healthy, &sent).await;
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

/// Each fault, for create and find, on the first attempt, on the first two, and on all.
#[tokio::test(start_paused = true)]
async fn no_fault_loses_or_changes_an_acknowledged_product() {
    let rounds = share(20);
    let dynamodb = &LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    for fault in Fault::ALL {
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
            "nothing acknowledged is lost, written twice or changed; 503 in time, or as if nothing had happened",
            &format!("{fault:?}"),
            cases,
            &failures,
        );
    }
}

/// The SDK stops asking again when that helps nobody, so that a long failure is answered at once.
#[tokio::test(start_paused = true)]
async fn a_long_failure_is_answered_at_once_and_passes() {
    let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    let sent = product("1001", "Amazon Echo", "", "89.99");
    let failures = 200;
    let faulty = Faulty::start(&dynamodb, Fault::InternalServerError, failures).await;
    let products = faulty.products();
    let mut answers = Vec::new();
    while faulty.calls() < failures {
        let (calls, start) = (faulty.calls(), Instant::now());
        let answer = ask(Function::Find, &products, &sent).await;
        assert_eq!(answer["statusCode"], 503, "{answer}");
        answers.push((faulty.calls() - calls, start.elapsed()));
    }
    assert_eq!(answers[0].0, ATTEMPTS, "calls for the first answer");
    let last = answers.last().expect("an answer");
    assert_eq!(
        *last,
        (1, Duration::ZERO),
        "calls and time for the last answer"
    );
    assert_eq!(
        ask(Function::Create, &products, &sent).await["statusCode"],
        201
    );
}

#[tokio::test(start_paused = true)]
async fn of_fifty_creators_of_one_id_one_is_acknowledged() {
    const CREATORS: usize = 50;

    let rounds = share(1_000);
    let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    let products = &products_at(&dynamodb.url());
    let mut failures = Vec::new();
    for round in 0..rounds {
        let id = &format!("round {round}");
        let attempts = (0..CREATORS).map(async |creator| {
            let sent = product(id, &format!("by {creator}"), "", "1.00");
            let answer = ask(Function::Create, products, &sent).await;
            (answer["statusCode"].clone(), sent)
        });
        let (won, lost): (Vec<_>, Vec<_>) = join_all(attempts)
            .await
            .into_iter()
            .partition(|(status, _)| status == 201);
        let sent = product(&id.replace(' ', "%20"), "", "", "");
        let kept = body(&ask(Function::Find, products, &sent).await);
        let alone = won.len() == 1 && won[0].1 == kept;
        if !alone || lost.iter().any(|(status, _)| status != 409) {
            failures.push(format!("{id}: {won:?}, {lost:?}, {kept}"));
        }
    }
    hold(
        "of 50 concurrent creators of one id, one is acknowledged, and its product is kept",
        "races",
        rounds,
        &failures,
    );
}
