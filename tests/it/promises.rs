//! What is promised whatever DynamoDB and the network do.

use std::time::{Duration, Instant};

use catalog::ProductRepository;
use futures::future::join_all;
use futures::stream::{self, StreamExt};
use local::{Function, LocalDynamoDb};
use serde_json::Value;
use tests::{ALWAYS, Fault, Faulty, hold, product, share};

/// How many runs are under way at once; most of them wait.
const PARALLEL: usize = 64;

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
    (fault, function, times, round): (Fault, Function, usize, usize),
) -> Result<(), String> {
    let sent = product(
        &format!("{fault:?}-{function:?}-{times}-{round}"),
        "Amazon Echo",
        "Smart speaker",
        "89.99",
    );
    let healthy = &dynamodb.products();
    let stored_before = matches!(function, Function::Find);
    if stored_before {
        ask(Function::Create, healthy, &sent).await;
    }

    let faulty = Faulty::start(dynamodb, fault, times).await;
    let start = Instant::now();
    let answer = ask(function, &faulty.products(), &sent).await;
    let took = start.elapsed();

    let should = |right: bool, what: &str| {
        if right {
            Ok(())
        } else {
            Err(format!(
                "{fault:?} of {times} calls to {function:?} {what}: {answer}"
            ))
        }
    };
    should(took < ProductRepository::DEADLINE, "is answered in time")?;
    should(
        faulty.calls() == ATTEMPTS.min(times.saturating_add(1)),
        "is tried again",
    )?;
    should(faulty.strikes() == ATTEMPTS.min(times), "meets its fault")?;
    if times >= ATTEMPTS {
        should(answer["statusCode"] == 503, "is unavailable")?;
        should(
            answer["headers"]["retry-after"] == "2",
            "says when to come again",
        )?;
    } else {
        let replayed = stored_before || fault.comes_afterwards();
        let expected = if replayed { 200 } else { 201 };
        should(answer["statusCode"] == expected, "goes unnoticed")?;
        should(body(&answer) == sent, "is the product")?;
        let kept = ask(Function::Find, healthy, &sent).await;
        should(kept["statusCode"] == 200, "was acknowledged and is there")?;
    }

    let again = ask(Function::Create, healthy, &sent).await;
    let there = stored_before || faulty.writes() > 0;
    let expected = if there { 200 } else { 201 };
    should(again["statusCode"] == expected, "converges")?;
    let other = product(sent["id"].as_str().expect("an id"), "Another", "", "1.00");
    let refused = ask(Function::Create, healthy, &other).await;
    should(refused["statusCode"] == 409, "is not overwritten")?;
    let kept = ask(Function::Find, healthy, &sent).await;
    should(body(&kept) == sent, "is kept whole")?;
    should(
        faulty.writes() <= usize::from(!stored_before),
        "is written once",
    )
}

/// Each fault, for create and find, on the first attempt, on the first two, and on all.
#[tokio::test(flavor = "multi_thread")]
async fn no_fault_loses_or_changes_an_acknowledged_product() {
    const ROUNDS: usize = 12;

    let dynamodb = &LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    let mut cases = Vec::new();
    for round in 0..ROUNDS {
        for fault in Fault::ALL {
            for function in [Function::Create, Function::Find] {
                cases.extend([1, 2, ALWAYS].map(|times| (fault, function, times, round)));
            }
        }
    }
    assert!(cases.len() >= 1_000);
    let results: Vec<_> = stream::iter(cases)
        .map(async |case| (case.0, run(dynamodb, case).await))
        .buffer_unordered(PARALLEL)
        .collect()
        .await;
    for fault in Fault::ALL {
        let of_it = results.iter().filter(|(struck, _)| *struck == fault);
        let cases = of_it.clone().count();
        let failures: Vec<_> = of_it
            .filter_map(|(_, result)| result.clone().err())
            .collect();
        hold(
            "nothing acknowledged is lost, written twice or changed; 503 in time, or as if nothing had happened",
            &format!("{fault:?}"),
            cases,
            &failures,
        );
    }
}

/// The SDK stops asking again when that helps nobody, so that a long failure is answered at once.
#[tokio::test]
async fn a_long_failure_is_answered_at_once_and_passes() {
    let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    let sent = product("1001", "Amazon Echo", "", "89.99");
    let calls = 200;
    let faulty = Faulty::start(&dynamodb, Fault::InternalServerError, calls).await;
    let products = faulty.products();
    let mut last = Duration::ZERO;
    while faulty.calls() < calls {
        let start = Instant::now();
        let answer = ask(Function::Find, &products, &sent).await;
        assert!(
            [404, 503].map(Value::from).contains(&answer["statusCode"]),
            "{answer}"
        );
        last = start.elapsed();
    }
    assert!(last < ProductRepository::DEADLINE / 10, "{last:?}");
    assert_eq!(
        ask(Function::Create, &products, &sent).await["statusCode"],
        201
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_creators_of_one_id_one_is_acknowledged() {
    const CREATORS: usize = 50;

    let rounds = share(1_000);
    let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    let products = &dynamodb.products();
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
