//! The binary, when DynamoDB fails it.

use local::{Function, LocalDynamoDb};
use tests::{ALWAYS, Fault, Faulty, Lambda, binary, hold};

const CREATE: &str = include_str!("../../../../tests/events/create-on-DEV.json");
const FIND: &str = include_str!("../../../../tests/events/find-on-DEV.json");

#[tokio::test]
async fn a_sample_of_the_faults() {
    let dynamodb = LocalDynamoDb::start(None).await.expect("DynamoDB starts");
    let created = Function::Create
        .invoke(&dynamodb.products(), CREATE)
        .await
        .expect("an answer");
    let mut failures = Vec::new();
    let sample = [
        Fault::InternalServerError,
        Fault::Silence,
        Fault::NoJson,
        Fault::SlowBody,
        Fault::WrongChecksum,
    ];
    for fault in sample {
        for times in [1, ALWAYS] {
            let faulty = Faulty::start(&dynamodb, fault, times).await;
            let mut function =
                Lambda::start_over(&binary(env!("CARGO_BIN_EXE_find-product")), faulty.url()).await;
            let answer = function.invoke(FIND).await.expect("an answer");
            let right = if times == ALWAYS {
                answer["statusCode"] == 503
            } else {
                answer["statusCode"] == 200 && answer["body"] == created["body"]
            };
            if !right || faulty.strikes() == 0 {
                failures.push(format!("{fault:?} {times}: {answer}"));
            }
        }
    }
    hold(
        "the binary of find-product answers 503, or as if nothing had happened",
        "a sample of the faults",
        2 * sample.len(),
        &failures,
    );
}
