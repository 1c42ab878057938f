//! Reads a product from JSON, and reports every rule that the JSON breaks.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Price, Product, ProductId, Title};

impl Product {
    /// Reads a product from the JSON of a request body.
    ///
    /// # Errors
    ///
    /// [`Rejection::NotJson`] if the bytes are not JSON, otherwise [`Rejection::NotAProduct`] with
    /// every rule that the JSON breaks.
    pub fn from_json(json: &[u8]) -> Result<Self, Rejection> {
        let text = str::from_utf8(json).map_err(|_| Rejection::NotJson("is not UTF-8".into()))?;
        // A byte order mark, which RFC 8259 allows a parser to ignore.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim().is_empty() {
            return Err(Rejection::NotJson("is empty".into()));
        }
        let value: &RawValue = serde_json::from_str(text).map_err(Rejection::not_json)?;
        if !value.get().starts_with('{') {
            return Err(Rejection::NotAProduct(vec![Violation::at(
                "",
                "must be a JSON object",
            )]));
        }
        Fields::parse(value)?.into_product()
    }
}

/// Why a request body is not a product.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The body is not JSON ([RFC 8259](https://www.rfc-editor.org/rfc/rfc8259)): what is wrong, and where.
    #[error("the body {0}")]
    NotJson(String),
    /// The body is JSON, but breaks these rules.
    #[error("the body breaks {} rules of a product", .0.len())]
    NotAProduct(Vec<Violation>),
}

impl Rejection {
    #[expect(
        clippy::needless_pass_by_value,
        reason = "`map_err` passes the error by value"
    )]
    fn not_json(error: serde_json::Error) -> Self {
        Self::NotJson(format!(
            "is not JSON (line {}, column {})",
            error.line(),
            error.column()
        ))
    }
}

/// One rule that a request body breaks.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// A JSON pointer ([RFC 6901](https://www.rfc-editor.org/rfc/rfc6901)) to the value, empty for the
    /// whole body.
    pub pointer: String,
    /// The rule, worded for the caller.
    pub detail: String,
}

impl Violation {
    fn at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            detail: detail.into(),
        }
    }
}

/// The fields of a JSON object, each value as written. A duplicate name keeps all its values.
struct Fields<'a>(BTreeMap<String, Vec<&'a RawValue>>);

/// The most bytes of unknown field names to echo. Otherwise a caller's names could make a response
/// exceed Lambda's 6 MB.
const MAX_ECHOED_BYTES: usize = 64 * 1024;

impl<'a> Fields<'a> {
    fn parse(object: &'a RawValue) -> Result<Self, Rejection> {
        serde_json::from_str(object.get()).map_err(Rejection::not_json)
    }

    fn into_product(mut self) -> Result<Product, Rejection> {
        let mut violations = Vec::new();
        let id = self.take("id", &mut violations, |v| ProductId::parse(string(v)?));
        let title = self.take("title", &mut violations, |v| Title::parse(string(v)?));
        let description = self.take("description", &mut violations, string);
        // Read from its token, so that a price never becomes a float.
        let price = self.take("price", &mut violations, |value| {
            match value.get().as_bytes()[0] {
                b'"' => Price::parse(&string(value)?),
                _ => Price::parse(value.get()),
            }
        });
        self.refuse_unknown(&mut violations);

        match (id, title, description, price) {
            (Some(id), Some(title), Some(description), Some(price)) if violations.is_empty() => {
                Ok(Product {
                    id,
                    title,
                    description,
                    price,
                })
            }
            _ => Err(Rejection::NotAProduct(violations)),
        }
    }

    fn take<T>(
        &mut self,
        name: &str,
        violations: &mut Vec<Violation>,
        parse: impl Fn(&RawValue) -> Result<T, &'static str>,
    ) -> Option<T> {
        let values = self.0.remove(name).unwrap_or_default();
        let parsed = match values[..] {
            [] => Err("is missing"),
            [value] => parse(value),
            [_, _, ..] => Err("is given more than once"),
        };
        parsed
            .map_err(|rule| violations.push(Violation::at(format!("/{name}"), rule)))
            .ok()
    }

    fn refuse_unknown(self, violations: &mut Vec<Violation>) {
        let (mut echoed, mut omitted) = (0, 0);
        for name in self.0.into_keys() {
            echoed += name.len();
            if echoed > MAX_ECHOED_BYTES {
                omitted += 1;
            } else {
                let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
                violations.push(Violation::at(pointer, "is not a field of a product"));
            }
        }
        if omitted > 0 {
            violations.push(Violation::at(
                "",
                format!("has {omitted} more unknown fields"),
            ));
        }
    }
}

fn string(value: &RawValue) -> Result<String, &'static str> {
    // Also rejects a lone surrogate such as "\ud800", which JSON can express but UTF-8 cannot.
    serde_json::from_str(value.get()).map_err(|_| "must be a string of Unicode characters")
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;

        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut fields = BTreeMap::<_, Vec<_>>::new();
                while let Some((name, value)) = map.next_entry()? {
                    fields.entry(name).or_default().push(value);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(FieldsVisitor)
    }
}
