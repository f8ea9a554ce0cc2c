//! The machine-readable code of an error envelope.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};

/// An error code: a string, or a number for vlens.
///
/// # Examples
///
/// ```
/// use redress_sandbox::Code;
///
/// assert_eq!(Code::from("rate_limited").to_string(), "rate_limited");
/// assert_eq!(Code::from(1050), Code::Number(1050));
/// ```
// Exhaustive: a code in JSON is a text or a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Code {
    /// A code that is a JSON string.
    Text(Cow<'static, str>),
    /// A code that is a JSON number.
    Number(i64),
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl From<&str> for Code {
    fn from(text: &str) -> Self {
        Self::Text(Cow::Owned(text.to_owned()))
    }
}

impl From<String> for Code {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<i64> for Code {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CodeVisitor)
    }
}

/// Reports the expected types, which the derived implementation for an untagged enum does not.
struct CodeVisitor;

impl de::Visitor<'_> for CodeVisitor {
    type Value = Code;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an integer")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Code, E> {
        Ok(Code::from(text))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Code, E> {
        Ok(Code::Number(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Code, E> {
        i64::try_from(number).map(Code::Number).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))
    }
}
