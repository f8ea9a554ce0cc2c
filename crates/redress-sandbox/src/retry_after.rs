//! Values of the `Retry-After` header.

use std::fmt;
use std::str::FromStr;

use http::HeaderValue;
use serde::Deserialize;

use crate::clock::Clock;

/// A `Retry-After` value: verbatim text, or a date computed when the answer is sent.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum RetryAfter {
    /// Any header text: seconds, or an invalid value that a client must tolerate.
    Text(HeaderValue),
    /// An HTTP-date, as an offset in seconds from the time of sending.
    Date(i32),
}

/// A value that cannot be sent as a header.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RetryAfterError(String);

impl RetryAfter {
    /// Returns the value if it is a number of seconds.
    pub(crate) fn seconds(&self) -> Option<u64> {
        match self {
            Self::Text(value) => value.to_str().ok().and_then(digits),
            Self::Date(_) => None,
        }
    }

    pub(crate) fn value(&self, clock: &Clock) -> HeaderValue {
        match self {
            Self::Text(value) => value.clone(),
            Self::Date(offset) => HeaderValue::from_str(&clock.http_date(*offset))
                .expect("an HTTP-date is ASCII letters, digits, commas, colons and spaces"),
        }
    }
}

impl From<u64> for RetryAfter {
    fn from(seconds: u64) -> Self {
        Self::Text(HeaderValue::from(seconds))
    }
}

impl FromStr for RetryAfter {
    type Err = RetryAfterError;

    fn from_str(text: &str) -> Result<Self, RetryAfterError> {
        let error = || RetryAfterError(text.to_owned());
        match text.strip_prefix("date:") {
            Some(offset) => offset.parse().map(Self::Date).map_err(|_| error()),
            None => HeaderValue::from_str(text).map(Self::Text).map_err(|_| error()),
        }
    }
}

impl TryFrom<String> for RetryAfter {
    type Error = RetryAfterError;

    fn try_from(text: String) -> Result<Self, RetryAfterError> {
        text.parse()
    }
}

impl fmt::Display for RetryAfterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "invalid retry_after `{}`, expected header text such as `3`, or `date:+2` for a date in whole seconds from now",
            self.0.escape_debug()
        )
    }
}

impl std::error::Error for RetryAfterError {}

fn digits(text: &str) -> Option<u64> {
    let all = text.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_seconds_or_a_date_or_any_other_text() {
        let cases = [
            ("3", Ok(Some(3)), "seconds"),
            ("+3", Ok(None), "a sign is not seconds"),
            ("soon", Ok(None), "words"),
            ("", Ok(None), "nothing"),
            ("date:+2", Ok(None), "a date ahead"),
            ("date:-2", Ok(None), "a date in the past"),
            ("date:soon", Err(()), "a date without a number"),
            ("a\nb", Err(()), "a line break"),
        ];
        for (text, expected, name) in cases {
            let parsed = text.parse::<RetryAfter>();
            assert_eq!(parsed.map(|value| value.seconds()).map_err(|_| ()), expected, "{name}");
        }
    }
}
