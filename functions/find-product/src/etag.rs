use lambda_http::http::HeaderMap;
use lambda_http::http::header::{HeaderValue, IF_NONE_MATCH};
use sha2::{Digest, Sha256};

/// The entity tag of a body: half its SHA-256, which is the same on every build and machine, unlike
/// the hashes of `std`.
///
/// It is weak, because the compressed body has the same tag: docs/decisions/0024-a-weak-etag.md.
pub(crate) fn of(body: &[u8]) -> HeaderValue {
    let hash = Sha256::digest(body);
    let half = hash
        .first_chunk()
        .copied()
        .map(u128::from_be_bytes)
        .expect("SHA-256 has 32 bytes");
    HeaderValue::try_from(format!("W/\"{half:032x}\"")).expect("hex digits in quotes")
}

/// Whether `If-None-Match` contains `etag` or `*`, by weak comparison:
/// <https://www.rfc-editor.org/rfc/rfc9110#field.if-none-match>
///
/// Written by hand, as docs/decisions/0007-if-none-match.md explains.
pub(crate) fn matches(etag: &HeaderValue, headers: &HeaderMap) -> bool {
    let lines = || {
        headers
            .get_all(IF_NONE_MATCH)
            .iter()
            .map(HeaderValue::as_bytes)
    };
    let is_any = lines().map(<[u8]>::trim_ascii).eq([b"*"]);
    is_any
        || lines()
            .flat_map(Tags)
            .any(|tag| tag == opaque(etag.as_bytes()))
}

/// An entity tag without its `W/`.
fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

/// The entity tags in a list, without their `W/`, up to the first malformed one.
struct Tags<'a>(&'a [u8]);

impl<'a> Iterator for Tags<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let mut list = self.0;
        // A list may have empty members.
        while let [b',' | b' ' | b'\t', rest @ ..] = list {
            list = rest;
        }
        list = opaque(list);
        let end = list
            .strip_prefix(b"\"")?
            .iter()
            .position(|byte| *byte == b'"')?;
        let (tag, rest) = list.split_at(end + 2);
        let rest = rest.trim_ascii_start();
        if !rest.is_empty() && !rest.starts_with(b",") {
            return None;
        }
        self.0 = rest;
        Some(tag)
    }
}

#[cfg(test)]
mod tests {
    use super::{HeaderMap, HeaderValue, IF_NONE_MATCH, matches};

    fn names_x(lines: &[&str]) -> bool {
        let values = lines
            .iter()
            .map(|line| HeaderValue::try_from(*line).expect("a value"));
        let headers = values
            .map(|value| (IF_NONE_MATCH, value))
            .collect::<HeaderMap>();
        let names = |etag| matches(&HeaderValue::from_static(etag), &headers);
        let (weak, strong) = (names("W/\"x\""), names("\"x\""));
        assert_eq!(weak, strong, "{lines:?}");
        weak
    }

    #[test]
    fn a_list_is_read_as_rfc_9110_writes_it() {
        for lines in [
            &["*"][..],
            &[" * "],
            &["\"x\""],
            &["W/\"x\""],
            &["\"a\",\"x\""],
            &["\"a\" , W/\"x\""],
            &["\"a,b\",\"x\""],
            &["\"a, \",\"x\",\"b\""],
            &[",, \"x\",\t"],
            &["\"\", \"x\""],
            &["\"a\"", "\"x\""],
            &["\"é\", \"x\""],
        ] {
            assert!(names_x(lines), "{lines:?}");
        }
        for lines in [
            &[][..],
            &[""],
            &["x"],
            &["\"a\""],
            &["\"X\""],
            &["W/*"],
            &["\"*\""],
            &["\"a, *, b\""],
            &["\"a, \"x\", b\""],
            &["W/W/\"x\""],
            &["w/\"x\""],
            &["W/ \"x\""],
            &["*, \"a\""],
            &["*", "*"],
            &["\"x"],
            &["x\""],
            &["\"x\"x"],
            &["\"x\" \"x\""],
            &["\"x\";q=1"],
        ] {
            assert!(!names_x(lines), "{lines:?}");
        }
    }
}
