use std::env;

use lambda_http::http::HeaderMap;
use lambda_http::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue, VARY,
};
use lambda_http::http::uri::Authority;

/// Whether web pages of another origin can read the responses, by
/// [CORS](https://fetch.spec.whatwg.org/#http-cors-protocol): the pages of one origin, or none.
///
/// API Gateway adds the same headers to its own responses: scripts/osls/cors.js.
#[derive(Clone, Debug, Default)]
pub struct Cors(Option<Allowed>);

#[derive(Clone, Debug)]
struct Allowed {
    origin: HeaderValue,
    exposed: HeaderValue,
}

impl Cors {
    /// Allows the pages of `origin`, which can also read the response headers listed in `exposed`.
    ///
    /// # Errors
    ///
    /// The rule that `origin` breaks.
    ///
    /// # Panics
    ///
    /// If `exposed` is not visible ASCII.
    pub fn new(origin: &str, exposed: &str) -> Result<Self, &'static str> {
        let value = |text| HeaderValue::from_str(text).expect("visible ASCII");
        if is_origin(origin) {
            Ok(Self(Some(Allowed {
                origin: value(origin),
                exposed: value(exposed),
            })))
        } else {
            Err(
                "must be one origin as browsers send it, without a path, such as \
                https://shop.example.com or http://localhost:5173",
            )
        }
    }

    /// What a deployed function allows: the origin in `ALLOW_ORIGIN` with the headers in
    /// `EXPOSE_HEADERS`, or none.
    ///
    /// # Errors
    ///
    /// A sentence that names the missing or invalid variable.
    pub fn from_env() -> Result<Self, String> {
        let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let Some(origin) = variable("ALLOW_ORIGIN") else {
            return Ok(Self::default());
        };
        let exposed = variable("EXPOSE_HEADERS").filter(|text| HeaderValue::from_str(text).is_ok());
        let exposed = exposed.ok_or("EXPOSE_HEADERS must list the headers that pages see")?;
        Self::new(&origin, &exposed)
            .map_err(|rule| format!("ALLOW_ORIGIN {rule}, but is {origin:?}"))
    }

    /// The origin whose pages are allowed.
    #[must_use]
    pub fn origin(&self) -> Option<&HeaderValue> {
        self.0.as_ref().map(|allowed| &allowed.origin)
    }

    /// Adds the CORS headers to any response, even if the request is not from a page: a cache may
    /// serve the response to a page later.
    pub fn add_to(&self, headers: &mut HeaderMap) {
        if let Some(Allowed { origin, exposed }) = &self.0 {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
            // Includes the `Vary` of all responses: a proxy response has one value per header.
            headers.insert(VARY, HeaderValue::from_static("Accept-Encoding, Origin"));
        }
    }
}

/// Whether a browser can send `text` as the `Origin` of a page: in lower case, without the port
/// that the scheme implies, and without a slash at the end. Browsers compare it byte by byte.
fn is_origin(text: &str) -> bool {
    let (implied, authority) = match text.split_once("://") {
        Some(("http", authority)) => (80, authority),
        Some(("https", authority)) => (443, authority),
        _ => return false,
    };
    let is_plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]".contains(&byte);
    authority.bytes().all(is_plain)
        && authority.parse::<Authority>().is_ok_and(|authority| {
            let port = authority.as_str().strip_prefix(authority.host());
            let is_port = |text: &str| {
                let port = text.strip_prefix(':').and_then(|port| port.parse().ok());
                port.is_some_and(|port: u16| port != implied && text == format!(":{port}"))
            };
            !authority.host().is_empty()
                && port.is_some_and(|port| port.is_empty() || is_port(port))
        })
}

#[cfg(test)]
mod tests {
    use super::is_origin;

    #[test]
    fn an_origin_is_what_browsers_send() {
        for origin in [
            "https://shop.example.com",
            "https://shop.example.com:8443",
            "http://localhost:5173",
            "http://localhost:443",
            "http://127.0.0.1",
            "http://[::1]:5173",
        ] {
            assert!(is_origin(origin), "{origin}");
        }
        for text in [
            "",
            "*",
            "null",
            "shop.example.com",
            "//shop.example.com",
            "https://",
            "https://:8443",
            "https://shop.example.com/",
            "https://shop.example.com/shop",
            "https://shop.example.com?",
            "https://shop.example.com#",
            "https://shop.example.com:",
            "https://shop.example.com:0443",
            "https://shop.example.com:443",
            "https://shop.example.com:+8443",
            "https://shop.example.com:99999",
            "http://localhost:80",
            "https://*.example.com",
            "https://Shop.example.com",
            "HTTPS://shop.example.com",
            "https://someone@shop.example.com",
            "https://shöp.example.com",
            "https://shop.example.com ",
            " https://shop.example.com",
            "https://shop.example.com,https://example.com",
            "https://shop.example.com https://example.com",
            "https://shop'.example.com",
            "ftp://shop.example.com",
            "https:/shop.example.com",
            "https:///shop.example.com",
            "https://https://shop.example.com",
        ] {
            assert!(!is_origin(text), "{text}");
        }
    }
}
