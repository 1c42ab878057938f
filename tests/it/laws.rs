//! Properties of every product, body and event, and of races.

use futures::future::join_all;
use local::Function;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};
use tests::{Catalog, product, responds_well, share};
use tokio::runtime::Builder;

use crate::events::{CREATE, FIND, FIND_ON_AN_HTTP_API, products};

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
    // Failures are kept as named cases in bodies.rs, not as files of seeds.
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

/// Arbitrary JSON, in which a product's field names are more likely than others.
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
        // The generator occasionally produces the same short id twice.
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
fn no_json_causes_an_internal_error() {
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
fn no_bytes_cause_an_internal_error() {
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
async fn one_of_many_creators_of_an_id_wins() {
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

/// API Gateway's events with some values replaced by arbitrary JSON, and then some bytes by
/// arbitrary ones.
fn events() -> impl Strategy<Value = (Function, String)> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[ -~]{0,20}".prop_map(Value::from),
        select(vec![
            "GET",
            "POST",
            "*",
            "W/\"a\", *",
            "[",
            "e30=",
            "%",
            "application/json",
            "/../",
            "\u{0}"
        ])
        .prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec(("[!-~]{0,8}", inner), 0..4).prop_map(|fields| fields.into_iter().collect()),
        ]
    });
    let event = select(vec![
        (Function::Create, CREATE),
        (
            Function::Create,
            include_str!("../events/create-in-base64.json"),
        ),
        (Function::Find, FIND),
        (Function::Find, FIND_ON_AN_HTTP_API),
    ]);
    let bytes = prop_oneof![
        3 => Just(Vec::new()),
        1 => vec((any::<Index>(), any::<u8>()), 1..4),
    ];
    (event, vec((any::<Index>(), value), 0..4), bytes).prop_map(
        |((function, event), values, bytes)| {
            let mut event: Value = serde_json::from_str(event).expect("JSON");
            for (which, value) in values {
                let mut places = Vec::new();
                pointers(&event, "", &mut places);
                *event
                    .pointer_mut(&places[which.index(places.len())])
                    .expect("there") = value;
            }
            let mut event = event.to_string().into_bytes();
            for (at, byte) in bytes {
                *at.get_mut(&mut event) = byte;
            }
            (function, String::from_utf8_lossy(&event).into_owned())
        },
    )
}

/// The pointers to everything in a JSON value, including itself.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    let inner: Vec<(String, &Value)> = match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(n, item)| (n.to_string(), item))
            .collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| (name.replace('~', "~0").replace('/', "~1"), field))
            .collect(),
        _ => Vec::new(),
    };
    for (name, inner) in inner {
        pointers(inner, &format!("{at}/{name}"), found);
    }
}

/// A short version of the fuzzer (`make fuzz`) for every run.
#[test]
fn any_event_gets_a_good_response() {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let products = runtime.block_on(products());
    let config = Config {
        cases: share(20_000).try_into().expect("a number"),
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&events(), |(function, event)| {
            let fine = runtime.block_on(responds_well(function, &products, &event));
            prop_assert_eq!(fine, Ok(()), "{}", event);
            Ok(())
        })
        .expect("every event gets a good response");
}
