//! The binary, if DynamoDB fails.

use futures::future::join_all;
use local::{Function, LocalDynamoDb};
use tests::{ALWAYS, Fault, Faulty, Lambda, binary, hold};

const CREATE: &str = include_str!("../../../../tests/events/create-on-DEV.json");
const FIND: &str = include_str!("../../../../tests/events/find-on-DEV.json");

#[tokio::test]
async fn a_sample_of_the_faults() {
    let dynamodb = &LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    let created = Function::Create
        .invoke(&dynamodb.products(), CREATE)
        .await
        .expect("a response");
    let sample = [
        Fault::Error("InternalServerError"),
        Fault::Silence,
        Fault::NoJson,
        Fault::SlowBody,
        Fault::WrongChecksum,
    ];
    let cases = sample
        .iter()
        .flat_map(|fault| [(*fault, 1), (*fault, ALWAYS)]);
    let runs = cases.map(async |(fault, times)| {
        let faulty = Faulty::start(dynamodb, fault, times).await;
        let mut function =
            Lambda::start_over(&binary(env!("CARGO_BIN_EXE_find-product")), faulty.url()).await;
        let mut response = function.invoke(FIND).await.expect("a response");
        let calls = faulty.calls();
        if faulty.is_out_of_time() {
            response = function.insist(FIND).await.expect("a response");
        }
        let (status, right) = if times == ALWAYS {
            (503, response["statusCode"] == 503)
        } else {
            let is_whole = response["body"] == created["body"];
            (200, response["statusCode"] == 200 && is_whole)
        };
        (!right || faulty.strikes() == 0).then(|| {
            format!(
                "{fault:?}, {times} times: expected {status}, got {response} after {calls} calls"
            )
        })
    });
    let failures: Vec<_> = join_all(runs).await.into_iter().flatten().collect();
    hold(
        "the binary of find-product returns a 503, or the same response as without the fault",
        "a sample of the faults",
        2 * sample.len(),
        &failures,
    );
}
