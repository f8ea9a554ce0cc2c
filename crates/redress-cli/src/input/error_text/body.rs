//! Finds the body that follows a status in the text of an error.
//!
//! ```text
//! unexpected status 429: {"error":"rate_limited"}                         JSON, by Go
//! 429 Too Many Requests, body="{\"error\":\"rate_limited\"}"              JSON in a text, by loggers
//! requests.HTTPError: 429 {'error': 'rate_limited'}                       a print, by Python
//! 429 Too Many Requests: {"error":"rate_limited","mes (truncated...)      a part of JSON, by Guzzle
//! ```

use serde_json::Value;
use serde_json::value::RawValue;

use super::{MAX_PLACES, owned, response};
use crate::input::parsed::ParsedResponse;
use crate::input::{literal, record};

/// Names of members that only the error object of a client has, not the body of a server.
const OF_CLIENTS: [&str; 7] = ["config", "request", "options", "timings", "isAxiosError", "response", "stack"];

/// The body that follows a status in a text.
pub(super) enum Followed {
    /// A body as the server sent it, or as the language printed it.
    Body(Vec<u8>),
    /// A body that the client cut off.
    Cut(Vec<u8>),
    /// A whole response: the text is the print of one.
    Record(Box<ParsedResponse<'static>>),
}

/// Finds the body in what follows a status.
///
/// Tried at each brace, in this order: quoted JSON, JSON, the print of a language, a body that was cut off. Text
/// between the status and the body is skipped: `429 Too Many Requests, response body: {...}`.
pub(super) fn body(text: &str) -> Option<Followed> {
    let mut from = 0;
    for _ in 0..MAX_PLACES {
        let at = from + text[from..].find(['{', '['])?;
        from = at + 1;
        let rest = &text[at..];
        if let Some(value) = unescaped(rest) {
            return Some(Followed::Body(value));
        }
        if let Some(Ok(value)) = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>().next()
            && is_body(value)
        {
            return match owned(value).filter(|_| record::is_record(value)) {
                Some(record) => Some(Followed::Record(Box::new(record))),
                None => Some(Followed::Body(value.get().as_bytes().to_vec())),
            };
        }
        if let Some((value, after)) = literal::read(rest) {
            from = text.len() - after.len();
            match printed(value, &text[..at]) {
                Some(followed) => return Some(followed),
                None => continue,
            }
        }
        if let Some(cut) = cut(rest) {
            return Some(Followed::Cut(cut));
        }
    }
    None
}

/// Reads a printed value as a body, unless it is the error object of a client.
///
/// An empty object and a list without objects are parts of sentences, not bodies.
fn printed(value: Value, before: &str) -> Option<Followed> {
    let members = value.as_object();
    let is_of_client = members.is_some_and(|members| OF_CLIENTS.iter().any(|name| members.contains_key(*name)))
        // Node prints the members of an error behind its stack.
        || before.contains("\n    at ");
    if is_of_client {
        return response(value).map(Box::new).map(Followed::Record);
    }
    let is_empty = match &value {
        Value::Object(members) => members.is_empty(),
        Value::Array(elements) => !elements.iter().any(Value::is_object),
        _ => true,
    };
    if is_empty { None } else { serde_json::to_vec(&value).ok().map(Followed::Body) }
}

/// An object, or a list of objects: `[429]` and `{}` are parts of sentences.
fn is_body(value: &RawValue) -> bool {
    let json = value.get();
    let inner = json[1..].trim_start();
    if json.starts_with('{') { !inner.starts_with('}') } else { inner.starts_with('{') }
}

/// Reads JSON that was quoted as a text: `body="{\"error\":\"x\"}"`.
///
/// Go prints so with `%q`, and loggers that write a body as a text within JSON. The text is unescaped once, and must
/// be JSON then.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let inner = text.strip_prefix(['{', '['])?.trim_start_matches(['{', ' ']);
    if !inner.starts_with("\\\"") {
        return None;
    }
    let mut end = 0;
    let bytes = text.as_bytes();
    while end < bytes.len() && bytes[end] != b'"' {
        end += if bytes[end] == b'\\' { 2 } else { 1 };
    }
    let quoted = format!("\"{}\"", text.get(..end.min(bytes.len()))?);
    let json: String = serde_json::from_str(&quoted).ok()?;
    let value: Box<RawValue> = serde_json::from_str(&json).ok()?;
    is_body(&value).then(|| json.into_bytes())
}

/// Takes a body that begins here and was cut off, as Guzzle does after 120 bytes.
///
/// The part before the mark is kept as it is; the reader of envelopes reads the values before a truncation:
///
/// ```text
/// {"error":"rate_limited","message":"Too many requests, try ag (truncated...)
/// ```
fn cut(text: &str) -> Option<Vec<u8>> {
    let end = ["(truncated", "...(truncated", "… (truncated", "[truncated"]
        .iter()
        .filter_map(|mark| text.find(mark))
        .min()?;
    let part = text[..end].trim_end();
    let is_json = part[1..].trim_start().starts_with(['"', '{']);
    is_json.then(|| part.as_bytes().to_vec())
}
