use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A product of the catalog, valid by construction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Product {
    /// What it is found by.
    pub id: ProductId,
    /// What it is called.
    pub title: Title,
    /// What is said about it; may be empty.
    pub description: String,
    /// What it costs.
    pub price: Price,
}

impl Product {
    /// Reads a product from the JSON of a request body.
    ///
    /// # Errors
    ///
    /// [`Rejection::NotJson`] when the bytes are no JSON text, else
    /// [`Rejection::NotAProduct`] with every rule that the JSON breaks.
    pub fn from_json(json: &[u8]) -> Result<Self, Rejection> {
        let text = str::from_utf8(json).map_err(|_| Rejection::NotJson("is not UTF-8".into()))?;
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

/// What identifies a product: any text a caller can put into a path, percent-encoded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProductId(String);

impl ProductId {
    /// DynamoDB's limit for a partition key, in UTF-8 bytes.
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
    pub const MAX_BYTES: usize = 2048;

    /// Takes `text` as an id.
    ///
    /// # Errors
    ///
    /// The rule that `text` breaks, in words for the caller.
    pub fn parse(text: impl Into<String>) -> Result<Self, &'static str> {
        let text = text.into();
        if text.is_empty() || text.len() > Self::MAX_BYTES {
            Err("must have 1 to 2048 bytes of UTF-8")
        } else if text.contains(char::is_control) {
            Err("must not have control characters")
        } else if text.trim() != text {
            Err("must not begin or end with white space")
        } else if text == "." || text == ".." {
            // URL parsers remove these from a path, percent-encoded or not.
            Err("must not be \".\" or \"..\"")
        } else {
            Ok(Self(text))
        }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a product is called: any text but the empty one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Title(String);

impl Title {
    /// Takes `text` as a title.
    ///
    /// # Errors
    ///
    /// The rule that `text` breaks, in words for the caller.
    pub fn parse(text: impl Into<String>) -> Result<Self, &'static str> {
        let text = text.into();
        if text.is_empty() {
            Err("must not be empty")
        } else {
            Ok(Self(text))
        }
    }

    /// The title as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A price in the catalog's one currency, exact, with at least two decimals: `19.90`.
///
/// It is kept as its digits, because nobody calculates with it and a float would change it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Price(String);

impl Price {
    /// DynamoDB's precision of a number, in decimal digits.
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html>
    pub const MAX_DIGITS: usize = 38;

    /// Takes `text`, a plain decimal such as `10`, `19.9` or `89.99`, as a price.
    ///
    /// # Errors
    ///
    /// The rule that `text` breaks, in words for the caller.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !all_digits(whole)
            || !all_digits(fraction)
            || (whole.len() > 1 && whole.starts_with('0'))
        {
            return Err("must be a plain decimal number, zero or more, such as 19.90");
        }
        // Zeros at the end don't count, so that a price which was answered can be sent again.
        let fraction = fraction.trim_end_matches('0');
        if whole.len() + fraction.len() > Self::MAX_DIGITS {
            return Err("must have at most 38 digits");
        }
        Ok(Self(format!("{whole}.{fraction:0<2}")))
    }

    /// The price with at least two decimals and no further zeros at the end: `10.00`, `1.299`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a request body is not taken as a product.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// It is no JSON text (RFC 8259); what is wrong, and where.
    #[error("the body {0}")]
    NotJson(String),
    /// It is JSON, and breaks these rules of a product.
    #[error("the body breaks {} rules of a product", .0.len())]
    NotAProduct(Vec<Violation>),
}

impl Rejection {
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the shape that map_err wants"
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
    /// Where: a JSON pointer (RFC 6901), empty for the whole body.
    pub pointer: String,
    /// The rule, in words for the caller.
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

/// The fields of a JSON object, each value as it was written, doubled names with all their values.
struct Fields<'a>(BTreeMap<String, Vec<&'a RawValue>>);

/// How much of unknown field names is told to the caller, in bytes. They are the caller's, so they
/// could make an answer larger than the 6 MB that Lambda lets through.
const MAX_UNKNOWN_TOLD: usize = 64 * 1024;

impl<'a> Fields<'a> {
    fn parse(object: &'a RawValue) -> Result<Self, Rejection> {
        serde_json::from_str(object.get()).map_err(Rejection::not_json)
    }

    fn into_product(mut self) -> Result<Product, Rejection> {
        let mut violations = Vec::new();
        let id = self.take("id", &mut violations, |v| ProductId::parse(string(v)?));
        let title = self.take("title", &mut violations, |v| Title::parse(string(v)?));
        let description = self.take("description", &mut violations, string);
        // Through its token, so that no price ever passes through a float.
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
        let (mut told, mut untold) = (0, 0);
        for name in self.0.into_keys() {
            told += name.len();
            if told > MAX_UNKNOWN_TOLD {
                untold += 1;
            } else {
                let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
                violations.push(Violation::at(pointer, "is not a field of a product"));
            }
        }
        if untold > 0 {
            violations.push(Violation::at(
                "",
                format!("has {untold} more unknown fields"),
            ));
        }
    }
}

fn string(value: &RawValue) -> Result<String, &'static str> {
    // Also refuses a lone surrogate such as "\ud800", which JSON can write and UTF-8 cannot.
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
