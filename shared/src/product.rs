//! A product and its fields, each valid by construction.

pub(crate) mod json;

use serde::Serialize;

/// A product of the catalog, valid by construction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Product {
    /// Identifies the product.
    pub id: ProductId,
    /// The name shown to customers.
    pub title: Title,
    /// A description of any length, possibly empty.
    pub description: String,
    /// The price in the catalog's currency.
    pub price: Price,
}

/// The id of a product: any text that can be percent-encoded into a path segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProductId(String);

impl ProductId {
    /// DynamoDB's limit for a partition key, in UTF-8 bytes.
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
    pub const MAX_BYTES: usize = 2048;

    /// Parses an id.
    ///
    /// # Errors
    ///
    /// The rule that `text` breaks, worded for the caller.
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

/// The title of a product: any text that is not empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Title(String);

impl Title {
    /// Parses a title.
    ///
    /// # Errors
    ///
    /// The rule that `text` breaks, worded for the caller.
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

/// An exact price in the catalog's one currency, with at least two decimals: `19.90`.
///
/// It is stored as digits, because a float would change it, and nothing calculates with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Price(String);

impl Price {
    /// The precision of a DynamoDB number, in decimal digits.
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html>
    pub const MAX_DIGITS: usize = 38;

    /// Parses a price from a plain decimal, such as `10`, `19.9` or `89.99`.
    ///
    /// # Errors
    ///
    /// The rule that `text` breaks, worded for the caller.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !all_digits(whole)
            || !all_digits(fraction)
            || (whole.len() > 1 && whole.starts_with('0'))
        {
            return Err("must be a plain decimal number, zero or more, such as 19.90");
        }
        // Trailing zeros do not count, so that a price in a response can be sent back.
        let fraction = fraction.trim_end_matches('0');
        if whole.len() + fraction.len() > Self::MAX_DIGITS {
            return Err("must have at most 38 digits");
        }
        Ok(Self(format!("{whole}.{fraction:0<2}")))
    }

    /// The price with at least two decimals and no further trailing zeros: `10.00`, `1.299`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
