//! Compatibility with the original: its Python functions and ours can read each other's items.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue::{self, N, S};
use expect_test::expect;
use local::LocalDynamoDb;
use tests::{Catalog, config_at, product, transcript};

fn client(catalog: &Catalog) -> Client {
    Client::from_conf(config_at(&catalog.dynamodb.url()).build())
}

/// Puts an item without our functions, as the original's `put_item` did.
async fn put<const COUNT: usize>(catalog: &Catalog, attributes: [(&str, AttributeValue); COUNT]) {
    let item = attributes.map(|(name, value)| (name.to_owned(), value));
    let put = client(catalog)
        .put_item()
        .table_name(LocalDynamoDb::TABLE)
        .set_item(Some(HashMap::from(item)));
    put.send().await.expect("DynamoDB takes the item");
}

fn echo() -> [(&'static str, AttributeValue); 4] {
    [
        ("id", S("1001".into())),
        ("title", S("Amazon Echo".into())),
        ("description", S("Smart speaker".into())),
        ("price", N("89.90".into())),
    ]
}

#[tokio::test(start_paused = true)]
async fn an_item_of_the_original_is_found() {
    let catalog = Catalog::start().await;
    put(&catalog, echo()).await;
    expect![[r#"
        200 OK
        cache-control: no-cache
        etag: W/"b3d4e88d250e5e9a0cab1aba4e1fa06f"
        {"id":"1001","title":"Amazon Echo","description":"Smart speaker","price":"89.90"}
    "#]]
    .assert_eq(&transcript(catalog.find("1001")).await);
}

#[tokio::test(start_paused = true)]
async fn an_item_of_the_original_is_not_overwritten() {
    let catalog = Catalog::start().await;
    put(&catalog, echo()).await;
    let same = product("1001", "Amazon Echo", "Smart speaker", "89.9").to_string();
    let other = tests::echo("1001").to_string();
    assert_eq!(
        catalog
            .create(same)
            .send()
            .await
            .expect("a response")
            .status(),
        200
    );
    assert_eq!(
        catalog
            .create(other)
            .send()
            .await
            .expect("a response")
            .status(),
        409
    );
}

#[tokio::test(start_paused = true)]
async fn other_attributes_are_left_alone() {
    let catalog = Catalog::start().await;
    let [id, title, description, price] = echo();
    put(
        &catalog,
        [id, title, description, price, ("stock", N("3".into()))],
    )
    .await;
    assert_eq!(
        catalog
            .find("1001")
            .send()
            .await
            .expect("a response")
            .status(),
        200
    );
}

/// The original, and anything else that uses the table, expects `S`, `S`, `S` and `N`.
#[tokio::test(start_paused = true)]
async fn our_item_equals_the_originals() {
    let catalog = Catalog::start().await;
    let sent = product("1001", "Amazon Echo", "Smart speaker", "89.90").to_string();
    assert_eq!(
        catalog
            .create(sent)
            .send()
            .await
            .expect("a response")
            .status(),
        201
    );

    let get = client(&catalog)
        .get_item()
        .table_name(LocalDynamoDb::TABLE)
        .key("id", S("1001".into()));
    let mut expected = HashMap::from(echo().map(|(name, value)| (name.to_owned(), value)));
    expected.insert("price".into(), N("89.9".into()));
    assert_eq!(get.send().await.expect("a response").item, Some(expected));
}

#[tokio::test(start_paused = true)]
async fn an_item_that_is_not_a_product_is_an_internal_error_and_keeps_its_id() {
    let catalog = Catalog::start().await;
    let [id, title, description, price] = echo();
    for broken in [
        [
            id.clone(),
            title.clone(),
            description.clone(),
            ("price", S("89.99".into())),
        ],
        [
            id.clone(),
            title.clone(),
            description.clone(),
            ("price", N("-1".into())),
        ],
        [
            id.clone(),
            title.clone(),
            ("description", N("1".into())),
            price.clone(),
        ],
        [id, ("title", S(String::new())), description, price],
    ] {
        put(&catalog, broken).await;
        let found = catalog.find("1001").send().await.expect("a response");
        assert_eq!(found.status(), 500);
        let sent = product("1001", "Amazon Echo", "Smart speaker", "89.90").to_string();
        assert_eq!(
            catalog
                .create(sent)
                .send()
                .await
                .expect("a response")
                .status(),
            409
        );
    }
}
