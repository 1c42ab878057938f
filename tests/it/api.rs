//! What a caller sees: every row of the contract, over HTTP.
//! `UPDATE_EXPECT=1 cargo test` rewrites the responses; read the diff.

use std::io::Write;

use expect_test::{Expect, expect};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use reqwest::{Method, RequestBuilder};
use tests::{Catalog, echo, product, transcript};

const ECHO: &str =
    r#"{"id":"1001","title":"Amazon Echo","description":"Smart speaker","price":"89.99"}"#;

/// Sends the requests one after the other to a new catalog and compares all responses.
async fn check<const N: usize>(
    requests: impl Fn(&Catalog) -> [RequestBuilder; N],
    responses: Expect,
) {
    let catalog = Catalog::start().await;
    let mut all = String::new();
    for request in requests(&catalog) {
        all = all + &transcript(request).await + "\n";
    }
    responses.assert_eq(&all);
}

#[tokio::test(start_paused = true)]
async fn a_created_product_is_found() {
    check(
        |catalog| [catalog.create(ECHO), catalog.find("1001")],
        expect![[r#"
            201 Created
            cache-control: no-store
            location: /product/find/1001
            {"id":"1001","title":"Amazon Echo","description":"Smart speaker","price":"89.99"}

            200 OK
            cache-control: no-cache
            etag: W/"56d22818fc777ab7c56c25c3abdda47d"
            {"id":"1001","title":"Amazon Echo","description":"Smart speaker","price":"89.99"}

        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_same_product_again_gets_a_response_and_is_written_once() {
    let with_a_number =
        r#"{"price":89.990,"id":"1001","description":"Smart speaker","title":"Amazon Echo"}"#;
    check(
        |catalog| {
            [
                catalog.create(ECHO),
                catalog.create(ECHO),
                catalog.create(with_a_number),
            ]
        },
        expect![[r#"
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

        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_id_is_never_taken_twice() {
    let other = product(
        "1001",
        "Another",
        "A secret the second caller must not read",
        "1.00",
    )
    .to_string();
    check(
        |catalog| {
            [
                catalog.create(other.clone()),
                catalog.create(ECHO),
                catalog.find("1001"),
            ]
        },
        expect![[r#"
            201 Created
            cache-control: no-store
            location: /product/find/1001
            {"id":"1001","title":"Another","description":"A secret the second caller must not read","price":"1.00"}

            409 Conflict
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:id-taken","title":"Another product has this id","status":409,"requestId":"<request id>"}

            200 OK
            cache-control: no-cache
            etag: W/"7253778724b95a9b96125c23ad12648b"
            {"id":"1001","title":"Another","description":"A secret the second caller must not read","price":"1.00"}

        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_has_the_product_is_spared_it() {
    let etag = r#""56d22818fc777ab7c56c25c3abdda47d""#;
    check(
        |catalog| {
            let ask = |tags: String| catalog.find("1001").header("if-none-match", tags);
            [
                catalog.create(ECHO),
                ask(etag.to_owned()),
                ask(format!("W/{etag}")),
                ask(format!("\"of\", {etag} ,\"others\"")),
                ask("*".to_owned()),
                ask("\"another\"".to_owned()),
                // Not a quoted tag, so not this one.
                ask(etag.trim_matches('"').to_owned()),
                // There is nothing that the caller could have.
                catalog.find("1002").header("if-none-match", "*"),
            ]
        },
        expect![[r#"
            201 Created
            cache-control: no-store
            location: /product/find/1001
            {"id":"1001","title":"Amazon Echo","description":"Smart speaker","price":"89.99"}

            304 Not Modified
            cache-control: no-cache
            etag: W/"56d22818fc777ab7c56c25c3abdda47d"

            304 Not Modified
            cache-control: no-cache
            etag: W/"56d22818fc777ab7c56c25c3abdda47d"

            304 Not Modified
            cache-control: no-cache
            etag: W/"56d22818fc777ab7c56c25c3abdda47d"

            304 Not Modified
            cache-control: no-cache
            etag: W/"56d22818fc777ab7c56c25c3abdda47d"

            200 OK
            cache-control: no-cache
            etag: W/"56d22818fc777ab7c56c25c3abdda47d"
            {"id":"1001","title":"Amazon Echo","description":"Smart speaker","price":"89.99"}

            200 OK
            cache-control: no-cache
            etag: W/"56d22818fc777ab7c56c25c3abdda47d"
            {"id":"1001","title":"Amazon Echo","description":"Smart speaker","price":"89.99"}

            404 Not Found
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:product-not-found","title":"No product has this id","status":404,"requestId":"<request id>"}

        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_id_is_not_found() {
    let too_long = "x".repeat(2049);
    check(
        |catalog| {
            [
                catalog.find("1002"),
                catalog.find(" "),
                catalog.find(&too_long),
                catalog.request(Method::GET, "/product/find/%ff"),
            ]
        },
        expect![[r#"
            404 Not Found
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:product-not-found","title":"No product has this id","status":404,"requestId":"<request id>"}

            404 Not Found
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:product-not-found","title":"No product has this id","status":404,"requestId":"<request id>"}

            404 Not Found
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:product-not-found","title":"No product has this id","status":404,"requestId":"<request id>"}

            404 Not Found
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:product-not-found","title":"No product has this id","status":404,"requestId":"<request id>"}

        "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_json_is_malformed() {
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
async fn every_violation_is_told_at_once() {
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
async fn another_media_type_is_refused() {
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
                // The original's callers send none.
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
async fn what_is_too_large_is_refused() {
    // The names count, and a number has about a byte for two digits and one more.
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
                // Longer than any way to write a product.
                catalog.create(described(6 * 400 * 1024)),
                // Longer than API Gateway takes.
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

#[tokio::test(start_paused = true)]
async fn there_is_nothing_else() {
    check(
        |catalog| {
            [
                catalog.request(Method::GET, "/product"),
                // Beside the page that explains it.
                catalog.request(Method::POST, "/"),
                catalog.request(Method::POST, "/docs"),
                catalog.request(Method::GET, "/docs/product/create"),
                catalog.request(Method::GET, "/product/create"),
                catalog.request(Method::POST, "/product/find/1001"),
                catalog.request(Method::GET, "/product/find/"),
                catalog.request(Method::GET, "/product/find/a/b"),
            ]
        },
        expect![[r#"
            404 Not Found
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:unknown-route","title":"Unknown route","status":404,"requestId":"<request id>"}

            404 Not Found
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:unknown-route","title":"Unknown route","status":404,"requestId":"<request id>"}

            404 Not Found
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:unknown-route","title":"Unknown route","status":404,"requestId":"<request id>"}

            404 Not Found
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:unknown-route","title":"Unknown route","status":404,"requestId":"<request id>"}

            404 Not Found
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:unknown-route","title":"Unknown route","status":404,"requestId":"<request id>"}

            404 Not Found
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:unknown-route","title":"Unknown route","status":404,"requestId":"<request id>"}

            404 Not Found
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:unknown-route","title":"Unknown route","status":404,"requestId":"<request id>"}

            404 Not Found
            cache-control: no-store
            {"type":"urn:problem-type:product-catalog:unknown-route","title":"Unknown route","status":404,"requestId":"<request id>"}

        "#]],
    )
    .await;
}

/// API Gateway ignores slashes at the end and doubled ones.
#[tokio::test(start_paused = true)]
async fn slashes_count_once() {
    let catalog = Catalog::start().await;
    for (n, path) in [
        "/product/create/",
        "//product/create",
        "/product//create",
        "///product///create///",
    ]
    .into_iter()
    .enumerate()
    {
        let id = n.to_string();
        let sent = echo(&id).to_string();
        let created = catalog.request(Method::POST, path).body(sent).send().await;
        let created = created.expect("a response");
        assert_eq!(created.status(), 201, "{path}");
        let location = created.headers()["location"].to_str().expect("text");
        assert_eq!(location, format!("/product/find/{id}"), "{path}");
        for path in [
            format!("/product/find/{id}/"),
            format!("//product//find//{id}//"),
        ] {
            let found = catalog.request(Method::GET, &path).send().await;
            assert_eq!(found.expect("a response").status(), 200, "{path}");
        }
    }
    for path in ["/product/find//", "/product//", "//"] {
        let found = catalog.request(Method::GET, path).send().await;
        assert_eq!(found.expect("a response").status(), 404, "{path}");
    }
}

/// API Gateway decodes what it can, whether it is a product or not.
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
        // It does not have its coding, or is cut off.
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

/// Each id by itself: whatever can be created can be found, where `Location` says and by its path.
#[tokio::test(start_paused = true)]
async fn any_id_is_found_again() {
    let longest = "é".repeat(1024);
    let catalog = Catalog::start().await;
    for id in [
        "a b",
        "a/b",
        "100%25",
        "100%",
        "a+b",
        "é点🔊",
        "a?b#c",
        "..a",
        "...",
        "%2e",
        "~",
        "\u{feff}",
        &longest,
    ] {
        let sent = product(id, "t", "d", "1.00");
        let created = catalog
            .create(sent.to_string())
            .send()
            .await
            .expect("a response");
        assert_eq!(created.status(), 201, "{id}");
        let location = created.headers()["location"]
            .to_str()
            .expect("text")
            .to_owned();
        let created = created.bytes().await.expect("a body");

        for request in [catalog.find(id), catalog.request(Method::GET, &location)] {
            let found = request.send().await.expect("a response");
            assert_eq!(found.status(), 200, "{id} at {location}");
            assert_eq!(found.bytes().await.expect("a body"), created, "{id}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_id_that_no_path_can_carry_is_refused() {
    let catalog = Catalog::start().await;
    let too_long = "é".repeat(1024) + "x";
    for id in [
        "", " ", "a ", "\u{a0}a", ".", "..", "a\u{0}", "a\nb", "\u{7f}", "\u{85}b", &too_long,
    ] {
        let refused = transcript(catalog.create(product(id, "t", "d", "1").to_string())).await;
        assert!(refused.starts_with("422"), "{id:?}: {refused}");
        assert!(
            refused.contains(r#""errors":[{"pointer":"/id","detail":"must "#),
            "{id:?}: {refused}"
        );
    }
}

/// What is sent as JSON text, and what comes back.
#[tokio::test(start_paused = true)]
async fn a_price_is_exact_and_has_one_form() {
    let all_38 = "9".repeat(38);
    let all_38_returned = format!("\"{all_38}.00\"");
    let all_38_with_zeros = format!("\"{all_38}.000\"");
    let catalog = Catalog::start().await;
    for (n, (sent, returned)) in [
        ("10", "\"10.00\""),
        ("19.9", "\"19.90\""),
        ("1.2990", "\"1.299\""),
        ("\"89.99\"", "\"89.99\""),
        ("0", "\"0.00\""),
        ("\"0.0\"", "\"0.00\""),
        ("0.1", "\"0.10\""),
        // No float holds these.
        ("9007199254740993", "\"9007199254740993.00\""),
        (
            "0.1000000000000000055511151231257827",
            "\"0.1000000000000000055511151231257827\"",
        ),
        (
            "12345678901234567890.123456789012345678",
            "\"12345678901234567890.123456789012345678\"",
        ),
        (&all_38, &all_38_returned),
        // What was returned can be sent again.
        (&all_38_with_zeros, &all_38_returned),
    ]
    .into_iter()
    .enumerate()
    {
        let id = n.to_string();
        let body = format!(r#"{{"id":"{id}","title":"t","description":"d","price":{sent}}}"#);
        let expected =
            format!(r#"{{"id":"{id}","title":"t","description":"d","price":{returned}}}"#);
        for request in [catalog.create(body), catalog.find(&id)] {
            let response = request.send().await.expect("a response");
            assert!(
                response.status().is_success(),
                "{sent}: {}",
                response.status()
            );
            assert_eq!(response.text().await.expect("a body"), expected, "{sent}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_price_is_refused() {
    let digits_39 = "9".repeat(39);
    let catalog = Catalog::start().await;
    for price in [
        "-1",
        "-0",
        "1e2",
        "1E2",
        "\"+1\"",
        "\"-0.01\"",
        "\"1e2\"",
        "\"007\"",
        "\"00\"",
        "\"1.\"",
        "\".5\"",
        "\".\"",
        "\"1,000\"",
        "\"1_000\"",
        "\"1 000\"",
        "\" 1\"",
        "\"1 \"",
        "\"$1\"",
        "\"1 €\"",
        "\"٣\"",
        "\"１\"",
        "\"NaN\"",
        "\"Infinity\"",
        "\"1.2.3\"",
        "\"0x10\"",
        "\"\"",
        "null",
        "true",
        "[1]",
        "{}",
        &digits_39,
    ] {
        let body = format!(r#"{{"id":"1","title":"t","description":"d","price":{price}}}"#);
        let refused = transcript(catalog.create(body)).await;
        assert!(refused.starts_with("422"), "{price}: {refused}");
        assert!(
            refused.contains(r#""errors":[{"pointer":"/price","detail":"must "#),
            "{price}: {refused}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn texts_come_back_byte_for_byte() {
    let catalog = Catalog::start().await;
    for (n, text) in [
        "\u{0}",
        " ",
        "\r\n",
        "e\u{301}",
        "é",
        "\u{202e}abc",
        "\"\\/",
        "\u{1f50a}",
    ]
    .into_iter()
    .enumerate()
    {
        let sent = product(&n.to_string(), text, text, "1.00");
        assert_eq!(
            catalog
                .create(sent.to_string())
                .send()
                .await
                .expect("a response")
                .status(),
            201,
            "{text:?}"
        );
        let found = catalog
            .find(&n.to_string())
            .send()
            .await
            .expect("a response");
        let found: serde_json::Value =
            serde_json::from_slice(&found.bytes().await.expect("a body")).expect("JSON");
        assert_eq!(found, sent);
    }
}

/// A response stays below the 6 MB that Lambda lets through, whatever names a caller invents.
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
