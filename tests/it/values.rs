//! Which ids, prices and texts are accepted, and in which form they are returned.

use reqwest::Method;
use tests::{Catalog, product, transcript};

/// Each product that can be created can be found, at its `Location` and at its path.
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
async fn an_id_that_does_not_fit_into_a_path_is_rejected() {
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

/// The price as sent in JSON, and as returned.
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
        // No float can represent these.
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
        // A returned price can be sent again.
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
async fn an_invalid_price_is_rejected() {
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
async fn texts_are_returned_byte_for_byte() {
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
