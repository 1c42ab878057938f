//! Emulates what API Gateway does with requests and responses, so that what works here works on
//! AWS.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html>

use std::collections::BTreeMap;
use std::io::{self, Read};

use axum::body::{Body, Bytes};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_MAX_AGE,
    CONTENT_ENCODING,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use catalog::Cors;
use flate2::Compression;
use flate2::read::{GzEncoder, MultiGzDecoder, ZlibDecoder, ZlibEncoder};
use lambda_http::Error;
use lambda_http::aws_lambda_events::apigw::ApiGatewayProxyResponse;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::accept_encoding::codings;
use crate::serverless::serverless_yml;

/// API Gateway's limit for a request body, in bytes.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html>
pub const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

/// The body as the function receives it, after API Gateway has decoded it. Whether API Gateway then
/// removes the header is not documented; the functions accept both.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-make-request-with-compressed-payload.html>
///
/// # Errors
///
/// API Gateway's response type, if it does not support the coding, or the body is not encoded in
/// it.
pub fn decoded(headers: &mut HeaderMap, body: Bytes) -> Result<Bytes, &'static str> {
    let codings = headers.get_all(CONTENT_ENCODING).iter();
    let codings = codings.flat_map(|line| line.to_str().unwrap_or("not text").split(','));
    let codings = codings.map(str::trim).filter(|coding| !coding.is_empty());
    let mut codings = codings.filter(|coding| !coding.eq_ignore_ascii_case("identity"));
    let (coding, further) = (codings.next(), codings.next());
    let plain: Box<dyn Read> = match coding {
        None => return Ok(body),
        Some(coding) if coding.eq_ignore_ascii_case("gzip") => {
            Box::new(MultiGzDecoder::new(&*body))
        }
        Some(coding) if coding.eq_ignore_ascii_case("deflate") => {
            Box::new(ZlibDecoder::new(&*body))
        }
        Some(_) => return Err("UNSUPPORTED_MEDIA_TYPE"),
    };
    // A few bytes can decode to gigabytes.
    let mut decoded = Vec::new();
    let read = plain
        .take(MAX_BODY_BYTES as u64 + 1)
        .read_to_end(&mut decoded);
    if read.is_err() || further.is_some() {
        Err("UNSUPPORTED_MEDIA_TYPE")
    } else if decoded.len() > MAX_BODY_BYTES {
        Err("REQUEST_TOO_LARGE")
    } else {
        headers.remove(CONTENT_ENCODING);
        Ok(decoded.into())
    }
}

/// The REST proxy event of a request that was routed to `resource`.
///
/// The path and its `parameters` stay percent-encoded, as the caller sent them.
pub fn event(
    request_id: &str,
    resource: &str,
    parameters: &Value,
    parts: &Parts,
    body: &[u8],
) -> Value {
    // Without header values that are not text, which JSON cannot express.
    let headers = parts
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    let (headers, all_headers) = last_and_all(headers);
    let (query, all_query) = last_and_all(query);
    let method = parts.method.as_str();
    let path = parts.uri.path();
    // A body that is not text is passed as base64, as in an API with binary media types.
    let (body, is_base64) = match str::from_utf8(body) {
        Ok("") => (Value::Null, false),
        Ok(text) => (json!(text), false),
        Err(_) => (json!(BASE64_STANDARD.encode(body)), true),
    };
    json!({
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": all_headers,
        "queryStringParameters": query,
        "multiValueQueryStringParameters": all_query,
        "pathParameters": parameters,
        "stageVariables": null,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "httpMethod": method,
            "identity": { "sourceIp": "127.0.0.1" },
            // Without the stage, as on a custom domain.
            "path": path,
            "requestId": request_id,
            "resourcePath": resource,
            "stage": "local",
        },
        "body": body,
        "isBase64Encoded": is_base64,
    })
}

/// The HTTP response for a function's proxy response, compressed as the request with `headers`
/// allows.
pub fn response(headers: &HeaderMap, returned: Value) -> Result<Response<Body>, Error> {
    let returned: ApiGatewayProxyResponse = serde_json::from_value(returned)?;
    let body = returned.body.unwrap_or_default();
    let body = if returned.is_base64_encoded {
        BASE64_STANDARD.decode(&body)?
    } else {
        body.to_vec()
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::try_from(u16::try_from(returned.status_code)?)?;
    *response.headers_mut() = returned.headers;
    let minimum = serverless_yml()["provider"]["apiGateway"]["minimumCompressionSize"].as_u64();
    let minimum = usize::try_from(minimum.expect("a size in serverless.yml"))?;
    let coding = preferred_coding(headers).filter(|_| body.len() >= minimum);
    *response.body_mut() = match coding {
        Some(coding) => {
            let value = HeaderValue::from_static(coding);
            response.headers_mut().insert(CONTENT_ENCODING, value);
            encoded(coding, &body)?.into()
        }
        None => body.into(),
    };
    Ok(response)
}

/// The coding in which API Gateway sends a response: the one that the client prefers, if API
/// Gateway supports it. How it chooses between equally preferred codings is not documented.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-enable-compression.html>
fn preferred_coding(headers: &HeaderMap) -> Option<&'static str> {
    let highest = codings(headers).map(|(_, q)| q).fold(0.0, f32::max);
    let mut preferred = codings(headers).filter(|(_, q)| *q > 0.0 && *q >= highest);
    preferred.find_map(|(name, _)| {
        let mut supported = ["gzip", "deflate"].into_iter();
        supported.find(|coding| name.eq_ignore_ascii_case(coding))
    })
}

fn encoded(coding: &str, body: &[u8]) -> io::Result<Vec<u8>> {
    let mut coder: Box<dyn Read> = match coding {
        "gzip" => Box::new(GzEncoder::new(body, Compression::default())),
        _ => Box::new(ZlibEncoder::new(body, Compression::default())),
    };
    let mut encoded = Vec::new();
    coder.read_to_end(&mut encoded)?;
    Ok(encoded)
}

/// API Gateway's own response, as `serverless.yml` configures it.
pub fn response_of_its_own(cors: &Cors, response_type: &str, request_id: &str) -> Response<Body> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Configured {
        status: u16,
        problem: String,
        title: String,
        #[serde(default)]
        headers: BTreeMap<String, String>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Problem<'a> {
        r#type: String,
        title: &'a str,
        status: u16,
        request_id: &'a str,
    }

    let configured = serverless_yml()["custom"]["gatewayResponses"][response_type].clone();
    let configured: Configured =
        serde_yaml_ng::from_value(configured).expect("a response in serverless.yml");
    let problem = Problem {
        r#type: format!("urn:problem-type:product-catalog:{}", configured.problem),
        title: &configured.title,
        status: configured.status,
        request_id,
    };
    let mut response = Response::builder()
        .status(configured.status)
        .header("cache-control", "no-store")
        .header("content-type", "application/problem+json")
        .header("vary", "Accept-Encoding")
        .header("x-content-type-options", "nosniff")
        .body(Body::from(serde_json::to_string(&problem).expect("JSON")))
        .expect("a valid response");
    let headers = configured.headers.into_iter().map(|(name, value)| {
        let name = HeaderName::try_from(name).expect("a header name");
        (name, HeaderValue::try_from(value).expect("a header value"))
    });
    response.headers_mut().extend(headers);
    cors.add_to(response.headers_mut());
    response
}

/// Lets pages of `origin` call the API, like the parameter `allowOrigin` of `serverless.yml`.
///
/// # Errors
///
/// The rule that `origin` breaks.
pub fn cors(origin: &str) -> Result<Cors, &'static str> {
    Cors::new(origin, &configured_cors().expose_headers)
}

/// The response to a preflight for a request with this method.
pub fn preflight(cors: &Cors, method: &Method) -> Response<Body> {
    let ConfiguredCors {
        allow_headers,
        max_age,
        ..
    } = configured_cors();
    let mut response = Response::builder()
        .header(ACCESS_CONTROL_ALLOW_METHODS, method.as_str())
        .header(ACCESS_CONTROL_ALLOW_HEADERS, allow_headers)
        .header(ACCESS_CONTROL_MAX_AGE, max_age)
        .body(Body::empty())
        .expect("a valid response");
    cors.add_to(response.headers_mut());
    response
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfiguredCors {
    allow_headers: String,
    expose_headers: String,
    max_age: u32,
}

fn configured_cors() -> ConfiguredCors {
    let configured = serverless_yml()["custom"]["cors"].clone();
    serde_yaml_ng::from_value(configured).expect("headers in serverless.yml")
}

/// The last value of each name, and all values of each name: API Gateway passes both.
fn last_and_all<K: Into<String>, V: Into<String>>(
    pairs: impl Iterator<Item = (K, V)>,
) -> (BTreeMap<String, String>, BTreeMap<String, Vec<String>>) {
    let mut all = BTreeMap::<String, Vec<String>>::new();
    for (name, value) in pairs {
        all.entry(name.into()).or_default().push(value.into());
    }
    let last = all
        .iter()
        .filter_map(|(name, values)| Some((name.clone(), values.last()?.clone())))
        .collect();
    (last, all)
}
