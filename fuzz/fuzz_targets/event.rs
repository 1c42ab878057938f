//! Sends arbitrary events to the functions: all of `lambda_http`'s parsing and ours, up to the
//! response. tests/it compiles this file, too: no change can break it unnoticed.
#![no_main]

use std::panic;
use std::sync::LazyLock;

use aws_sdk_dynamodb::config::http::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use catalog::ProductRepository;
use libfuzzer_sys::fuzz_target;
use local::{Function, LocalDynamoDb};
use tests::responds_well;
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
});

/// A DynamoDB without a network: it accepts every put, and returns one product for every id.
#[derive(Debug)]
struct DynamoDb;

impl HttpConnector for DynamoDb {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let is_put = request.headers().get("x-amz-target") == Some("DynamoDB_20120810.PutItem");
        let body = if is_put {
            "{}"
        } else {
            r#"{"Item":{"id":{"S":"1001"},"title":{"S":"Amazon Echo"},"description":{"S":""},"price":{"N":"89.99"}}}"#
        };
        let status = 200.try_into().expect("a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, body.into())))
    }
}

static PRODUCTS: LazyLock<ProductRepository> = LazyLock::new(|| {
    let dynamodb = http_client_fn(|_, _| SharedHttpConnector::new(DynamoDb));
    let config = LocalDynamoDb::config_at("http://127.0.0.1:1").http_client(dynamodb);
    ProductRepository::new(config, LocalDynamoDb::TABLE)
});

fuzz_target!(
    init: {
        // libFuzzer's hook would end the run at a panic that the functions handle.
        panic::set_hook(Box::new(|_| {}));
    },
    |event: &[u8]| {
        // Lambda sends only UTF-8 text.
        let Ok(event) = str::from_utf8(event) else { return };
        for function in Function::ALL {
            let fine = RUNTIME.block_on(responds_well(function, &PRODUCTS, event));
            // libFuzzer ends the run and keeps the event when this panics.
            if let Err(wrong) = fine {
                eprintln!("{function:?} {wrong}");
                panic!("{function:?} {wrong}");
            }
        }
    }
);
