//! Rejected bodies, and compressed ones.

use std::io::Write;

use expect_test::expect;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use reqwest::Method;
use tests::{Catalog, product, transcript};

use crate::api::{ECHO, check};

#[tokio::test(start_paused = true)]
async fn a_body_that_is_not_json_is_malformed() {
    check(
        |catalog| {
            [
                catalog.create(""),
                catalog.create("{\n  \"id\": }"),
                catalog.create(format!("{ECHO} {ECHO}")),
                catalog.create(&b"{\"id\":\"\xff\"}"[..]),
                catalog.create("{'id':1}"),
                catalog.create("{\"\\ud800\":1}"),
            ]
        },
        expect![[r#"
            400 Bad Request
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:malformed-body","title":"The body is not JSON","status":400,"detail":"the body is empty","requestId":"<request id>"}

            400 Bad Request
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:malformed-body","title":"The body is not JSON","status":400,"detail":"the body is not JSON (line 2, column 9)","requestId":"<request id>"}

            400 Bad Request
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:malformed-body","title":"The body is not JSON","status":400,"detail":"the body is not JSON (line 1, column 83)","requestId":"<request id>"}

            400 Bad Request
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:malformed-body","title":"The body is not JSON","status":400,"detail":"the body is not UTF-8","requestId":"<request id>"}

            400 Bad Request
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:malformed-body","title":"The body is not JSON","status":400,"detail":"the body is not JSON (line 1, column 2)","requestId":"<request id>"}

            400 Bad Request
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:malformed-body","title":"The body is not JSON","status":400,"detail":"the body is not JSON (line 1, column 9)","requestId":"<request id>"}

        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn every_violation_is_reported_at_once() {
    check(
        |catalog| {
            [
                catalog.create("{}"),
                catalog.create(r#"{"id":1,"title":null,"description":[],"price":true}"#),
                catalog.create(r#"{"id":"","title":"","description":"","price":""}"#),
                catalog.create(
                    r#"{"id":"a","id":"b","title":"t","title":"t","colour":"red","a/b~c":1}"#,
                ),
                catalog.create("[]"),
                catalog.create("null"),
                catalog.create("\"1001\""),
            ]
        },
        expect![[r#"
            422 Unprocessable Entity
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:invalid-product","title":"The body is not a product","status":422,"errors":[{"pointer":"/id","detail":"is missing"},{"pointer":"/title","detail":"is missing"},{"pointer":"/description","detail":"is missing"},{"pointer":"/price","detail":"is missing"}],"requestId":"<request id>"}

            422 Unprocessable Entity
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:invalid-product","title":"The body is not a product","status":422,"errors":[{"pointer":"/id","detail":"must be a string of Unicode characters"},{"pointer":"/title","detail":"must be a string of Unicode characters"},{"pointer":"/description","detail":"must be a string of Unicode characters"},{"pointer":"/price","detail":"must be a plain decimal number, zero or more, such as 19.90"}],"requestId":"<request id>"}

            422 Unprocessable Entity
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:invalid-product","title":"The body is not a product","status":422,"errors":[{"pointer":"/id","detail":"must have 1 to 2048 bytes of UTF-8"},{"pointer":"/title","detail":"must not be empty"},{"pointer":"/price","detail":"must be a plain decimal number, zero or more, such as 19.90"}],"requestId":"<request id>"}

            422 Unprocessable Entity
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:invalid-product","title":"The body is not a product","status":422,"errors":[{"pointer":"/id","detail":"is given more than once"},{"pointer":"/title","detail":"is given more than once"},{"pointer":"/description","detail":"is missing"},{"pointer":"/price","detail":"is missing"},{"pointer":"/a~1b~0c","detail":"is not a field of a product"},{"pointer":"/colour","detail":"is not a field of a product"}],"requestId":"<request id>"}

            422 Unprocessable Entity
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:invalid-product","title":"The body is not a product","status":422,"errors":[{"pointer":"","detail":"must be a JSON object"}],"requestId":"<request id>"}

            422 Unprocessable Entity
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:invalid-product","title":"The body is not a product","status":422,"errors":[{"pointer":"","detail":"must be a JSON object"}],"requestId":"<request id>"}

            422 Unprocessable Entity
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:invalid-product","title":"The body is not a product","status":422,"errors":[{"pointer":"","detail":"must be a JSON object"}],"requestId":"<request id>"}

        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn another_media_type_is_rejected() {
    check(
        |catalog| {
            let create = |media_type: &'static str| {
                catalog
                    .request(Method::POST, "/product/create")
                    .header("content-type", media_type)
                    .body(ECHO)
            };
            [
                create("text/plain"),
                create("application/x-www-form-urlencoded"),
                create("application/jsonp"),
                create("Application/JSON ; charset=UTF-8"),
                // Callers of the original send no content type.
                create(""),
                create(" ; charset=utf-8"),
                catalog.request(Method::POST, "/product/create").body(ECHO),
            ]
        },
        expect![[r#"
            415 Unsupported Media Type
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:unsupported-media-type","title":"The body must be JSON","status":415,"detail":"send it with `Content-Type: application/json`","requestId":"<request id>"}

            415 Unsupported Media Type
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:unsupported-media-type","title":"The body must be JSON","status":415,"detail":"send it with `Content-Type: application/json`","requestId":"<request id>"}

            415 Unsupported Media Type
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:unsupported-media-type","title":"The body must be JSON","status":415,"detail":"send it with `Content-Type: application/json`","requestId":"<request id>"}

            201 Created
            cache-control: no-store
            location: /product/find/1001
            {"id":"1001","title":"Amazon Echo","description":"Smart speaker","price":"89.99"}

            200 OK
            cache-control: no-store
            idempotent-replayed: true
            {"id":"1001","title":"Amazon Echo","description":"Smart speaker","price":"89.99"}

            200 OK
            cache-control: no-store
            idempotent-replayed: true
            {"id":"1001","title":"Amazon Echo","description":"Smart speaker","price":"89.99"}

            200 OK
            cache-control: no-store
            idempotent-replayed: true
            {"id":"1001","title":"Amazon Echo","description":"Smart speaker","price":"89.99"}

        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_product_or_body_that_is_too_large_is_rejected() {
    // Field names count, and a number takes about one byte per two digits, plus one.
    let besides = "id".len()
        + "1".len()
        + "title".len()
        + "t".len()
        + "description".len()
        + "price".len()
        + 2;
    let longest = 400 * 1024 - besides;
    let described = |bytes: usize| product("1", "t", &"x".repeat(bytes), "1").to_string();
    let catalog = Catalog::start().await;
    let status = async |body: String| {
        catalog
            .create(body)
            .send()
            .await
            .expect("a response")
            .status()
            .as_u16()
    };
    assert_eq!(status(described(longest)).await, 201);

    check(
        |catalog| {
            [
                catalog.create(described(400 * 1024)),
                // Longer than any product can be, however it is written.
                catalog.create(described(6 * 400 * 1024)),
                // Longer than API Gateway accepts.
                catalog.create(" ".repeat(10 * 1024 * 1024 + 1)),
            ]
        },
        expect![[r#"
            413 Payload Too Large
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:too-large","title":"The product is too large","status":413,"detail":"a product has at most 400 KB, including its field names","requestId":"<request id>"}

            413 Payload Too Large
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:too-large","title":"The product is too large","status":413,"detail":"a body has at most 2400 KB","requestId":"<request id>"}

            413 Payload Too Large
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:too-large","title":"The request is too large","status":413,"requestId":"<request id>"}

        "#]],
    )
    .await;
}

/// API Gateway decodes any body that it can, even if it is not a product.
#[tokio::test(start_paused = true)]
async fn a_compressed_body_is_decoded() {
    let catalog = Catalog::start().await;
    let gzip = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).expect("in memory");
        encoder.finish().expect("in memory")
    };
    let deflate = |bytes: &[u8]| {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).expect("in memory");
        encoder.finish().expect("in memory")
    };
    let echo = ECHO.as_bytes();
    for (codings, body, status) in [
        (&["gzip"][..], gzip(echo), 201),
        (&["GZip"], gzip(echo), 200),
        (&["deflate"], deflate(echo), 200),
        (&["identity"], echo.to_vec(), 200),
        (&["identity, gzip"], gzip(echo), 200),
        (&[""], echo.to_vec(), 200),
        (&["gzip"], gzip(b"{"), 400),
        (&["gzip"], gzip(&b" ".repeat(3_000_000)), 413),
        (&["gzip"], gzip(&b" ".repeat(11_000_000)), 413),
        // Not encoded as declared, or truncated.
        (&["gzip"], echo.to_vec(), 415),
        (&["gzip"], gzip(echo)[..20].to_vec(), 415),
        (&["deflate"], gzip(echo), 415),
        (&["gzip"], Vec::new(), 415),
        (&["br"], echo.to_vec(), 415),
        (&["gzip, gzip"], gzip(&gzip(echo)), 415),
        (&["gzip", "br"], gzip(echo), 415),
    ] {
        let request = catalog.create(body);
        let request = codings.iter().fold(request, |request, coding| {
            request.header("content-encoding", *coding)
        });
        let response = request.send().await.expect("a response");
        assert_eq!(response.status(), status, "{codings:?}");
        let accepted = response.headers().get("accept-encoding");
        let expected = (status == 415).then_some("gzip, deflate");
        assert_eq!(
            accepted.map(|value| value.to_str().expect("text")),
            expected
        );
    }
}

/// A response stays below Lambda's 6 MB, however many field names a caller invents.
#[tokio::test(start_paused = true)]
async fn a_response_about_unknown_fields_is_bounded() {
    let catalog = Catalog::start().await;
    let many: Vec<_> = (0..100_000).map(|n| format!("\"field {n}\":0")).collect();
    let refused = transcript(catalog.create(format!("{{{}}}", many.join(",")))).await;
    assert!(refused.len() < 1024 * 1024, "{} bytes", refused.len());
    assert!(
        refused.contains("more unknown fields"),
        "{}",
        &refused[refused.len() - 200..]
    );
}
