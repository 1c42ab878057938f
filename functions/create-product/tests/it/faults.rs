//! The binary, if DynamoDB fails, or if it is killed during a write.

use std::time::Duration;

use futures::future::join_all;
use futures::stream::{self, StreamExt};
use local::{Function, LocalDynamoDb};
use serde_json::Value;
use tests::{
    ALWAYS, Fault, Faulty, Lambda, binary, create_event, echo, find_event, hold, is_acknowledged,
    share,
};
use tokio::sync::Mutex;
use tokio::time::sleep;

const BINARY: &str = env!("CARGO_BIN_EXE_create-product");

fn event(product: &Value) -> String {
    create_event(product.to_string()).to_string()
}

/// The stored product's response, or nothing.
async fn stored(dynamodb: &LocalDynamoDb, id: &str) -> Option<Value> {
    let (products, event) = (dynamodb.products(), find_event(id).to_string());
    let mut response = Value::Null;
    // On a busy machine, one call may time out, but not all of them.
    for _ in 0..10 {
        let found = Function::Find.invoke(&products, &event).await;
        response = found.expect("a response");
        if response["statusCode"] != 503 {
            break;
        }
    }
    assert_ne!(response["statusCode"], 503, "{response}");
    let body = serde_json::from_str(response["body"].as_str().expect("a body")).expect("JSON");
    (response["statusCode"] != 404).then_some(body)
}

#[tokio::test]
async fn a_sample_of_the_faults() {
    let dynamodb = &LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    let sample = [
        (Fault::Error("ThrottlingException"), 201),
        (Fault::Reset, 201),
        (Fault::ResetAfterwards, 200),
        (Fault::ResponseLost, 200),
        (Fault::ResponseTruncated, 200),
        (Fault::WrongChecksum, 200),
    ];
    let cases = sample
        .iter()
        .flat_map(|(fault, status)| [(*fault, 1, *status), (*fault, ALWAYS, 503)]);
    let runs = cases.map(async |(fault, times, status)| {
        let id = format!("{fault:?}-{times}").replace(['(', ')', '"'], "-");
        let sent = echo(&id);
        let faulty = Faulty::start(dynamodb, fault, times).await;
        let mut function = Lambda::start_over(&binary(BINARY), faulty.url()).await;
        let mut response = function.invoke(&event(&sent)).await.expect("a response");
        let calls = faulty.calls();
        let mut right = faulty.strikes() > 0 && response["statusCode"] == status;
        if faulty.is_out_of_time() {
            response = function.insist(&event(&sent)).await.expect("a response");
            right = response["statusCode"] == 200;
        }
        if times == 1 && stored(dynamodb, &id).await.as_ref() != Some(&sent) {
            right = false;
        }
        (!right).then(|| {
            format!(
                "{fault:?}, {times} times: expected {status}, got {response} after {calls} calls"
            )
        })
    });
    let failures: Vec<_> = join_all(runs).await.into_iter().flatten().collect();
    hold(
        "the binary of create-product returns a 503, or the same response as without the fault",
        "a sample of the faults",
        2 * sample.len(),
        &failures,
    );
}

/// When it is killed: before the write, after it, during the response, or at a random time.
#[derive(Clone, Copy)]
enum Moment {
    At(Fault),
    After(Duration),
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_write_is_whole_or_absent_and_can_be_sent_again() {
    let kills = share(1_000);
    let dynamodb = &LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    let survivor = &Mutex::new(Lambda::start_over(&binary(BINARY), &dynamodb.url()).await);
    let failures: Vec<_> = stream::iter(0..kills)
        .map(async |n| {
            // A write takes a few milliseconds.
            let anytime = Duration::from_micros(u64::try_from(n).expect("a number") * 40);
            let moment = match n % 4 {
                0 => Moment::At(Fault::Silence),
                1 => Moment::At(Fault::ResponseLost),
                2 => Moment::At(Fault::SlowBody),
                _ => Moment::After(anytime),
            };
            killed(dynamodb, survivor, n, moment).await.err()
        })
        .buffer_unordered(4)
        .filter_map(async |failure| failure)
        .collect()
        .await;
    hold(
        "a killed write is whole or absent, and succeeds when it is sent again",
        "SIGKILL of create-product",
        kills,
        &failures,
    );
}

async fn killed(
    dynamodb: &LocalDynamoDb,
    survivor: &Mutex<Lambda>,
    n: usize,
    moment: Moment,
) -> Result<(), String> {
    let id = format!("killed-{n}");
    let sent = echo(&id);
    let (fault, times) = match moment {
        Moment::At(fault) => (fault, ALWAYS),
        Moment::After(_) => (Fault::Silence, 0),
    };
    let faulty = Faulty::start(dynamodb, fault, times).await;
    let mut function = Lambda::start_over(&binary(BINARY), faulty.url()).await;
    match moment {
        Moment::At(_) => {
            function.send(event(&sent));
            faulty.struck().await;
        }
        Moment::After(time) => {
            // It has started once it has responded.
            let first = echo(&format!("{id}-before"));
            function.insist(&event(&first)).await.expect("a response");
            function.send(event(&sent));
            sleep(time).await;
        }
    }
    function.kill().await;

    let kept = stored(dynamodb, &id).await;
    let expected: &[Option<&Value>] = match moment {
        Moment::At(Fault::Silence) => &[None],
        Moment::At(_) => &[Some(&sent)],
        Moment::After(_) => &[None, Some(&sent)],
    };
    if !expected.contains(&kept.as_ref()) {
        return Err(format!("{id} was left as {kept:?}"));
    }
    // The killed function's call may still be in flight, so either response is correct.
    let again = survivor.lock().await.insist(&event(&sent)).await;
    let again = again.map_err(|error| format!("{id} sent again: {error}"))?;
    let kept = stored(dynamodb, &id).await;
    if is_acknowledged(&again) && kept == Some(sent) {
        Ok(())
    } else {
        Err(format!("{id} sent again: {again}, left as {kept:?}"))
    }
}
