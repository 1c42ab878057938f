//! The API as a caller sees it over HTTP: every row of the contract.
//! `UPDATE_EXPECT=1 cargo test` rewrites the responses; read the diff.

use expect_test::{Expect, expect};
use reqwest::{Method, RequestBuilder};
use tests::{Catalog, echo, product, transcript};

pub const ECHO: &str =
    r#"{"id":"1001","title":"Amazon Echo","description":"Smart speaker","price":"89.99"}"#;

/// Sends the requests in order to a new catalog, and compares all responses.
pub async fn check<const N: usize>(
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
async fn a_repeated_create_is_written_once_and_gets_the_product() {
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
async fn a_caller_who_has_the_product_gets_a_304() {
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
                // No product, so no tag can match.
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
async fn any_other_route_is_unknown() {
    check(
        |catalog| {
            [
                catalog.request(Method::GET, "/product"),
                // Next to the reference page.
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

/// API Gateway ignores trailing and repeated slashes.
#[tokio::test(start_paused = true)]
async fn extra_slashes_are_ignored() {
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
