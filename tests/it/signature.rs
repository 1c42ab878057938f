//! A request to a deployed API has the signature that AWS's own client produces.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use reqwest::Method;
use tests::{Client, Signer};

/// 2025-10-09T08:07:06Z.
const TIME: Duration = Duration::from_secs(1_759_997_226);

/// Signs the request, and compares the signature with botocore's.
fn check(url: &str, method: &Method, path: &str, body: &'static str, token: bool, expected: &str) {
    let credentials = Credentials::new(
        "AKIDEXAMPLE",
        "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        token.then(|| "a-token".to_owned()),
        None,
        "test",
    );
    let request = Client::of(url).request(method.clone(), path).body(body);
    let mut request = request.build().expect("a request");
    Signer::new(credentials, "eu-west-1").sign(&mut request, SystemTime::UNIX_EPOCH + TIME);
    let header = |name| {
        let value = request.headers().get(name)?;
        Some(value.to_str().expect("text"))
    };
    let names = if token {
        "host;x-amz-date;x-amz-security-token"
    } else {
        "host;x-amz-date"
    };
    assert_eq!(header("x-amz-date"), Some("20251009T080706Z"));
    assert_eq!(header("x-amz-security-token"), token.then_some("a-token"));
    assert_eq!(
        header("authorization").expect("a signature"),
        format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20251009/eu-west-1/execute-api/aws4_request, \
             SignedHeaders={names}, Signature={expected}"
        )
    );
}

#[test]
fn a_request_is_signed_as_aws_signs_it() {
    let local = "http://127.0.0.1:8080/DEV";
    let deployed = "https://catalog.example.com";
    let (find, create) = ("/product/find/a%20b%2Fc", "/product/create");
    let body = r#"{"id":"1001"}"#;
    for (token, found, created) in [
        (
            true,
            "d29c633841dc1cf2ae3b91a44660834bb0a741743bb4a16f137e74e66e943c03",
            "f0718c6de8c5daeed26f3b6699af092e1ed4530d5fe30e65cf2d1a1e316b8af0",
        ),
        (
            false,
            "9cdfd454ee48ecfb5219e7b215b66f95ba45fb32c4b22aca44df993d1af3706d",
            "3ab5f2ce7732071f26159288c49269179e3a3da5b936b611ce67ec2df3696d13",
        ),
    ] {
        check(local, &Method::GET, find, "", token, found);
        check(deployed, &Method::POST, create, body, token, created);
    }
}
