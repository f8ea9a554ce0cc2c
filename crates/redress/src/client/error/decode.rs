//! A response that could not be decoded, and the text of serde's errors without the values of the body.

use std::fmt;
use std::time::SystemTime;

use http::{StatusCode, header, response};
use redress_classify::{Dialect, Record, Secrets, escaped};
use redress_envelope::{Envelope, Head};
use serde_json::error::Category;

/// The maximum number of characters of a media type and of a request id that are kept.
const MAX_WORD: usize = 64;

/// A response whose body is not JSON of the type that was asked for.
pub(in crate::client) struct Undecoded {
    pub(super) status: StatusCode,
    /// The media type without its parameters.
    media_type: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) record: Option<Record>,
    /// Whether the body is JSON, of another type.
    is_json: bool,
    problem: String,
}

impl Undecoded {
    /// Keeps of a response what its support asks for. The request id is read as the dialect names it, and the secrets are
    /// masked in all text of the server.
    pub(in crate::client) fn new(
        error: &serde_json::Error,
        head: &response::Parts,
        dialect: &Dialect,
        secrets: &[Secrets],
    ) -> Self {
        let word = |text: &str| {
            let masked = secrets.iter().fold(text.to_owned(), |text, secrets| secrets.mask(&text).into_owned());
            escaped(&masked, MAX_WORD)
        };
        let media_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let about = Head::new(head.status.as_u16(), &head.headers, SystemTime::UNIX_EPOCH);
        Self {
            status: head.status,
            media_type: media_type.and_then(|value| value.split(';').next()).map(|value| word(value.trim())),
            request_id: Envelope::read(dialect, &about, []).request_id.as_deref().map(word),
            record: head.extensions.get().cloned(),
            is_json: error.classify() == Category::Data,
            problem: masked(&error.to_string()),
        }
    }
}

impl fmt::Display for Undecoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let media_type = self.media_type.as_deref().unwrap_or("response");
        let expected = if self.is_json { "JSON of the expected type" } else { "JSON" };
        write!(f, "{} {media_type} is not {expected}", self.status.as_u16())?;
        if let Some(id) = &self.request_id {
            write!(f, " (request id {id})")?;
        }
        write!(f, ": {}", self.problem)
    }
}

/// Masks the values that a deserializer quotes: a string in double quotes, and a name or a number in backticks behind
/// `unknown variant`, `integer` and the like. Names of fields and of types, which are the program's own, stay.
///
/// The body may hold a secret, and an error is printed to logs. The message of a type's own `Deserialize` is shown but for
/// double quotes.
pub(super) fn masked(message: &str) -> String {
    const NAMES_A_VALUE: [&str; 7] =
        ["unknown variant ", "unknown field ", "boolean ", "integer ", "floating point ", "character ", "number "];
    let mut text = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(at) = rest.find(['"', '`']) {
        let (before, quoted) = rest.split_at(at);
        text.push_str(before);
        let is_string = quoted.starts_with('"');
        let is_value = is_string || NAMES_A_VALUE.iter().any(|name| text.ends_with(name));
        let end = match (is_string, is_value) {
            (true, _) => end_of_string(quoted),
            // Such a value is not escaped, and may hold a backtick.
            (false, true) => quoted.rfind("`, expected ").filter(|at| *at > 0).map(|at| at + 1),
            (false, false) => quoted[1..].find('`').map(|at| at + 2),
        };
        let end = end.unwrap_or(quoted.len());
        text.push_str(if is_value { "***" } else { &quoted[..end] });
        rest = &quoted[end..];
    }
    text + rest
}

/// Returns the end of a text that begins with a double quote; a backslash escapes the symbol behind it.
fn end_of_string(quoted: &str) -> Option<usize> {
    let mut escaped = false;
    quoted.char_indices().skip(1).find_map(|(at, symbol)| {
        let is_end = symbol == '"' && !escaped;
        escaped = symbol == '\\' && !escaped;
        is_end.then_some(at + 1)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn error<T: serde_core::de::DeserializeOwned>(body: &str) -> String {
        let error = serde_json::from_str::<T>(body).err().expect("a wrong type");
        masked(&error.to_string())
    }

    #[test]
    fn values_of_the_body_are_masked_and_the_rest_of_the_message_stays() {
        assert_eq!(error::<u32>("\"s3cr\\\"et\""), "invalid type: string ***, expected u32 at line 1 column 10");
        assert_eq!(error::<String>("4111"), "invalid type: integer ***, expected a string at line 1 column 4");
        assert_eq!(error::<String>("4.5"), "invalid type: floating point ***, expected a string at line 1 column 3");
        assert_eq!(error::<String>("true"), "invalid type: boolean ***, expected a string at line 1 column 4");
        assert_eq!(error::<Vec<u8>>("{}"), "invalid type: map, expected a sequence at line 1 column 0");
        assert_eq!(error::<BTreeMap<String, u8>>("{\"a\":1"), "EOF while parsing an object at line 1 column 6");
    }

    #[test]
    fn names_of_fields_stay_and_names_that_the_body_gives_are_masked() {
        for (message, expected) in [
            ("missing field `id` at line 1 column 2", "missing field `id` at line 1 column 2"),
            ("unknown variant `s3cret`, expected `a` or `b`", "unknown variant ***, expected `a` or `b`"),
            ("unknown field `s3cret`, expected `a`", "unknown field ***, expected `a`"),
            ("invalid value: string \"s3cret", "invalid value: string ***"),
            ("unknown variant `s3`, expected cret`, expected `a`", "unknown variant ***, expected `a`"),
            ("unknown variant `, expected s3cret", "unknown variant ***"),
            ("missing field `name`", "missing field `name`"),
            ("missing field `name` \"s3cret\"", "missing field `name` ***"),
            ("invalid type: string \"a\", expected u32", "invalid type: string ***, expected u32"),
            ("invalid type: string \"ab\", expected u32", "invalid type: string ***, expected u32"),
            ("invalid type: string \"a\\\\\", expected u32", "invalid type: string ***, expected u32"),
            ("invalid type: string \"\\\"b\", expected u32", "invalid type: string ***, expected u32"),
            ("invalid value: character `s`, expected x", "invalid value: character ***, expected x"),
        ] {
            assert_eq!(masked(message), expected);
        }
    }
}
