use axum::http::HeaderMap;
use axum::http::header::ACCEPT_ENCODING;

/// The well-formed content codings that a client accepts, each with its weight:
/// <https://www.rfc-editor.org/rfc/rfc9110#field.accept-encoding>
pub fn codings(headers: &HeaderMap) -> impl Iterator<Item = (&str, f32)> {
    let lines = headers.get_all(ACCEPT_ENCODING).iter();
    let codings = lines.flat_map(|line| line.to_str().unwrap_or_default().split(','));
    codings.filter_map(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let weight = weight.trim().strip_prefix("q=")?.parse().ok()?;
        Some((name.trim(), weight))
    })
}
