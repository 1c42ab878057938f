//! The promises that hold whatever DynamoDB and the network do.
//!
//! Tokio's clock is paused: a caller's waiting time is exact, and takes no real time.

mod clock;
mod every_fault;

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use axum::Router;
use axum::http::StatusCode;
use catalog::{ProductRepository, Reaction};
use futures::future::join_all;
use local::{Function, LocalDynamoDb};
use serde_json::{Value, json};
use tests::{Fault, Faulty, create_event, echo, find_event, hold, product, products_at, share};
use tokio::time::{Duration, Instant};

use crate::faults::serve;

/// Calls a function as API Gateway does, and returns its proxy response.
async fn call(function: Function, products: &ProductRepository, product: &Value) -> Value {
    let event = if reads(function) {
        find_event(product["id"].as_str().expect("an id"))
    } else {
        create_event(product.to_string())
    };
    let response = function.invoke(products, &event.to_string()).await;
    response.expect("a response")
}

/// Whether a function reads a stored product, and responds with 200. Otherwise it writes one: 201.
fn reads(function: Function) -> bool {
    function.route().starts_with("GET ")
}

fn body(response: &Value) -> Value {
    serde_json::from_str(response["body"].as_str().expect("a body")).expect("JSON")
}

/// Tokio's timers are exact to a millisecond.
fn is_at_the_deadline(took: Duration) -> bool {
    took.abs_diff(ProductRepository::DEADLINE) <= Duration::from_millis(5)
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
        for function in Function::ALL {
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

/// DynamoDB rejects the credentials, and then falls silent, until the deadline interrupts a retry.
#[tokio::test(start_paused = true)]
async fn credentials_are_lost_although_the_last_attempt_gets_no_response() {
    for (code, reaction) in Reaction::BY_CODE {
        let calls = Arc::<AtomicUsize>::default();
        let rejects_once = Router::new().fallback(async move || {
            if calls.fetch_add(1, SeqCst) > 0 {
                pending::<()>().await;
            }
            (
                StatusCode::BAD_REQUEST,
                json!({ "__type": code }).to_string(),
            )
        });
        let config = LocalDynamoDb::config_at(&serve(rejects_once).await);
        let products = ProductRepository::new(config, LocalDynamoDb::TABLE);
        call(Function::Find, &products, &echo("1001")).await;
        let of_credentials = matches!(
            reaction,
            Reaction::UnknownCredentials | Reaction::ExpiredCredentials
        );
        assert_eq!(products.lost_its_credentials(), of_credentials, "{code}");
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
