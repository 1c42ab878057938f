use lambda_http::http::HeaderMap;
use lambda_http::http::header::{HeaderValue, IF_NONE_MATCH};
use sha2::{Digest, Sha256};

/// The entity tag of a body: half its SHA-256, which is the same on every build and machine, unlike
/// the hashes of `std`.
pub(crate) fn of(body: &[u8]) -> HeaderValue {
    let hash = Sha256::digest(body);
    let half = hash
        .first_chunk()
        .copied()
        .map(u128::from_be_bytes)
        .expect("SHA-256 has 32 bytes");
    HeaderValue::try_from(format!("\"{half:032x}\"")).expect("hex digits in quotes")
}

/// Whether `If-None-Match` names `etag`. It compares weakly:
/// <https://www.rfc-editor.org/rfc/rfc9110#field.if-none-match>
pub(crate) fn matches(etag: &HeaderValue, headers: &HeaderMap) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == "*" || tag == etag)
}
