//! What compression and `ETag` save. `cargo run` compresses as documented for API Gateway.

use std::io::Read;

use flate2::read::{GzDecoder, ZlibDecoder};
use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use tests::{Catalog, echo, product};

use crate::openapi::Contract;

async fn sent(request: RequestBuilder) -> Response {
    request.send().await.expect("a response")
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    let value = response.headers().get(name)?;
    Some(value.to_str().expect("text"))
}

/// The size of a response over HTTP/1.1 in bytes, including its head.
async fn bytes(response: Response) -> usize {
    let line = format!("{:?} {}\r\n\r\n", response.version(), response.status());
    let headers = response.headers().iter();
    let headers = headers.map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    let head = line.len() + headers.sum::<usize>();
    head + response.bytes().await.expect("a body").len()
}

#[tokio::test(start_paused = true)]
async fn a_response_is_compressed_if_the_caller_prefers_it() {
    let catalog = Catalog::start().await;
    sent(catalog.create(echo("1001").to_string())).await;
    for (accepted, coding) in [
        // Browsers, Python clients, and curl.
        (&["gzip, deflate, br, zstd"][..], Some("gzip")),
        (&["gzip, deflate"], Some("gzip")),
        (&["deflate, gzip, br"], Some("deflate")),
        (&["GZIP"], Some("gzip")),
        (&["gzip;q=0.5, deflate"], Some("deflate")),
        (&["gzip; q=0.5, *;q=0.1"], Some("gzip")),
        (&["br", "gzip"], Some("gzip")),
        // API Gateway does not support the first choice.
        (&["br;q=1.0, gzip;q=0.8"], None),
        (&["identity, gzip;q=0.5"], None),
        (&["*"], None),
        (&["gzip;q=0"], None),
        (&["gzip;q=high"], None),
        (&["x-gzip"], None),
        (&[""], None),
        (&[], None),
    ] {
        let ask = |request: RequestBuilder| {
            accepted.iter().fold(request, |request, line| {
                request.header("accept-encoding", *line)
            })
        };
        // An error is compressed, too.
        for (id, status) in [("1001", 200), ("1002", 404)] {
            let response = sent(ask(catalog.find(id))).await;
            assert_eq!(response.status(), status);
            assert_eq!(
                header(&response, "content-encoding"),
                coding,
                "{accepted:?}"
            );
            assert_eq!(header(&response, "vary"), Some("Accept-Encoding"));
            let body = response.bytes().await.expect("a body");
            let mut plain = Vec::new();
            match coding {
                Some("gzip") => GzDecoder::new(&*body).read_to_end(&mut plain),
                Some(_) => ZlibDecoder::new(&*body).read_to_end(&mut plain),
                None => (&*body).read_to_end(&mut plain),
            }
            .expect("the coding that the header names");
            let body: Value = serde_json::from_slice(&plain).expect("JSON");
            assert!(body == echo("1001") || body["status"] == status, "{body}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_compressed_product_has_the_same_weak_tag_and_gets_a_304_with_it() {
    let catalog = Catalog::start().await;
    sent(catalog.create(echo("1001").to_string())).await;
    let gzip = || catalog.find("1001").header("accept-encoding", "gzip");
    let plain = || catalog.find("1001");
    let tag = sent(gzip()).await.headers()["etag"].clone();
    assert!(tag.as_bytes().starts_with(b"W/\""), "{tag:?}");
    assert_eq!(sent(plain()).await.headers()["etag"], tag);
    for request in [gzip(), plain()] {
        let response = sent(request.header("if-none-match", &tag)).await;
        assert_eq!(response.status(), 304);
        assert_eq!(response.headers()["etag"], tag);
        assert_eq!(header(&response, "vary"), Some("Accept-Encoding"));
        assert_eq!(header(&response, "cache-control"), Some("no-cache"));
        assert_eq!(header(&response, "content-encoding"), None);
        assert_eq!(response.bytes().await.expect("a body").len(), 0);
    }
}

/// Checks each figure in the description of openapi.yaml.
#[tokio::test(start_paused = true)]
async fn the_figures_in_the_contract_are_true() {
    let description = Contract::read().description();
    let says = |text: &str| assert!(description.contains(text), "openapi.yaml must say: {text}");
    let catalog = Catalog::start().await;

    let english = product("english", "Product catalog", &description, "0").to_string();
    assert_eq!(sent(catalog.create(english)).await.status(), 201);
    let body = async |request| sent(request).await.bytes().await.expect("a body").len();
    let plain = body(catalog.find("english")).await;
    let gzip = body(catalog.find("english").header("accept-encoding", "gzip")).await;
    assert!(gzip < plain / 2, "{gzip} of {plain} bytes");
    says("less than half of the bytes");

    // The rest of the item: the field names, the other texts, and 3 bytes for the number.
    let others = "idtitledescriptionprice1001Amazon Echo".len() + 3;
    let text = "x".repeat(400 * 1024 - others);
    let with = |text: &str| product("1001", "Amazon Echo", text, "89.99").to_string();
    let (largest, larger) = (with(&text), with(&format!("{text}x")));
    assert_eq!(sent(catalog.create(larger)).await.status(), 413);
    assert_eq!(sent(catalog.create(largest)).await.status(), 201);
    let found = sent(catalog.find("1001")).await;
    let tag = found.headers()["etag"].clone();
    let found = bytes(found).await;
    let spared = sent(catalog.find("1001").header("if-none-match", tag)).await;
    let spared = bytes(spared).await;
    says(&format!(
        "{spared} bytes instead of {},{:03}",
        found / 1000,
        found % 1000
    ));
    // At 10 Mbit/s.
    let seconds = f64::from(u32::try_from(found - spared).expect("few")) * 8.0 / 10e6;
    assert!((seconds - 1.0 / 3.0).abs() < 0.01, "{seconds} s");
    says("a third of a second");
}
