//! What holds for every product and every body, and under races.

use futures::future::join_all;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};
use tests::{Catalog, product, share};
use tokio::runtime::Builder;

/// Runs `law` against one catalog, for a share of `cases` values.
fn holds<S: Strategy>(
    cases: usize,
    values: &S,
    law: &impl AsyncFn(&Catalog, S::Value) -> Result<(), TestCaseError>,
) {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let catalog = runtime.block_on(Catalog::start());
    // Failures are kept as named cases in api.rs, not as files of seeds.
    let config = Config {
        cases: share(cases).try_into().expect("a number"),
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(values, |value| runtime.block_on(law(&catalog, value)))
        .expect("the law holds");
}

fn ids() -> impl Strategy<Value = String> {
    "\\PC{1,60}".prop_filter("an id", |id| id.trim() == id && id != "." && id != "..")
}

fn prices() -> impl Strategy<Value = String> {
    prop_oneof!["0|[1-9][0-9]{0,37}", "(0|[1-9][0-9]{0,18})\\.[0-9]{1,19}"]
}

/// Any JSON at all; field names of a product are more likely than others.
fn bodies() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prices().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let name = prop_oneof![
        Just("id".to_owned()),
        Just("title".to_owned()),
        Just("description".to_owned()),
        Just("price".to_owned()),
        any::<String>(),
    ];
    leaf.prop_recursive(4, 24, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            btree_map(name.clone(), inner, 0..6)
                .prop_map(|fields| Value::Object(Map::from_iter(fields))),
        ]
    })
}

#[test]
fn any_product_created_is_found_equal() {
    let products = (ids(), any::<String>(), any::<String>(), prices());
    let products = products.prop_filter("a title", |(_, title, ..)| !title.is_empty());
    holds(6_000, &products, &async |catalog,
                                    (
        id,
        title,
        description,
        price,
    )| {
        let sent = product(&id, &title, &description, &price);
        let created = catalog
            .create(sent.to_string())
            .send()
            .await
            .expect("a response");
        // The generator makes the same short id twice now and then.
        prop_assume!(created.status() != 409);
        prop_assert!(created.status().is_success(), "{}", created.status());
        let created = created.bytes().await.expect("a body");
        let found = catalog.find(&id).send().await.expect("a response");
        prop_assert_eq!(found.status(), 200);
        prop_assert_eq!(&found.bytes().await.expect("a body"), &created);
        let response: Value = serde_json::from_slice(&created).expect("JSON");
        for field in ["id", "title", "description"] {
            prop_assert_eq!(&response[field], &sent[field]);
        }
        prop_assert_eq!(
            value_of(response["price"].as_str().expect("a string")),
            value_of(&price)
        );
        Ok(())
    });
}

/// A decimal's digits without the zeros that don't change its value.
fn value_of(decimal: &str) -> &str {
    if decimal.contains('.') {
        decimal.trim_end_matches('0').trim_end_matches('.')
    } else {
        decimal
    }
}

#[test]
fn no_json_gets_a_failure_of_ours() {
    holds(20_000, &bodies(), &async |catalog, body| {
        let response = catalog
            .create(body.to_string())
            .send()
            .await
            .expect("a response");
        let status = response.status().as_u16();
        prop_assert!(
            [200, 201, 409, 422].contains(&status),
            "{status} for {body}"
        );
        Ok(())
    });
}

#[test]
fn no_bytes_get_a_failure_of_ours() {
    holds(20_000, &vec(any::<u8>(), 0..200), &async |catalog, body| {
        let response = catalog
            .create(body.clone())
            .send()
            .await
            .expect("a response");
        prop_assert!(
            [400, 422].contains(&response.status().as_u16()),
            "{} for {body:?}",
            response.status()
        );
        Ok(())
    });
}

#[tokio::test(start_paused = true)]
async fn of_many_creators_of_one_id_one_wins() {
    const CREATORS: usize = 32;

    let catalog = Catalog::start().await;
    for round in 0..share(400) {
        let id = format!("round {round}");
        let attempts = (0..CREATORS).map(async |creator| {
            let sent = product(&id, &format!("by {creator}"), "", "1.00");
            let response = catalog
                .create(sent.to_string())
                .send()
                .await
                .expect("a response");
            (response.status().as_u16(), sent)
        });
        let (won, lost): (Vec<_>, Vec<_>) = join_all(attempts)
            .await
            .into_iter()
            .partition(|(status, _)| *status == 201);
        assert!(lost.iter().all(|(status, _)| *status == 409), "{lost:?}");
        let [(_, winner)] = &won[..] else {
            panic!("{} creators won {id}", won.len())
        };

        let kept = catalog
            .find(&id)
            .send()
            .await
            .expect("a response")
            .bytes()
            .await
            .expect("a body");
        assert_eq!(
            json!(winner),
            serde_json::from_slice::<Value>(&kept).expect("JSON")
        );
    }
}
