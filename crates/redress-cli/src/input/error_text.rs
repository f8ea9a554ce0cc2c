//! Reads the error texts of HTTP clients: axios, got, fetch, Guzzle, requests, httpx, reqwest, Go and others.
//!
//! ```text
//! Client error: `POST https://api.example.com/v1/things` resulted in a `429 Too Many Requests` response:
//! {"error":"rate_limited"}
//! ```
//!
//! A number is a status if the text says so: a word such as `status` or `HTTP` before it, or its reason phrase behind it. The
//! body is the JSON, or the printed object, that follows. Node prints the response object behind the stack of an error; it is
//! read by [`literal`], and wins over the text.
//!
//! The output of each client, and the parts that are read:
//!
//! | client | text | taken |
//! |---|---|---|
//! | axios | `Request failed with status code 429`, then the error object | the printed response |
//! | fetch wrappers | `Error: 429 Too Many Requests` | status; no body, it was not read |
//! | Guzzle | the text above, its body cut after 120 bytes | status, call, the part of the body |
//! | requests, httpx | `429 Client Error: Too Many Requests for url: https://...` | status, call |
//! | reqwest | `HTTP status client error (429 Too Many Requests) for url (https://...)` | status, call |
//! | Go | `unexpected status 429: {"error":"rate_limited"}` | status, body |
//!
//! The order of the attempts is that of their certainty: a printed response object, the object around the status, the
//! status alone.

mod body;
mod call;

use std::borrow::Cow;

use http::StatusCode;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use self::body::{Followed, body};
use super::parsed::ParsedResponse;
use super::{literal, record};

/// The number of places that are tried as the beginning of a body: each may be read to its end, and the time stays linear.
const MAX_PLACES: usize = 16;
/// Words that stand right before a status.
const BEFORE: [&str; 12] = [
    "status",
    "code",
    "http",
    "error",
    "status_code",
    "statuscode",
    "status-code",
    "returned",
    "responded",
    "response",
    "answered",
    "got",
];

/// The note of a response whose status is a number in a text: any text with such a number is read.
const GUESSED: &str = "form: read as an error text; the status is the number that it names";

/// A status in a text.
#[derive(Clone, Copy)]
struct Mention {
    status: StatusCode,
    /// The end of the number in the text: the body is behind it.
    end: usize,
    /// The certainty that it is a status.
    weight: u8,
}

/// Reads the text of an error; `None` when it names no status.
///
/// ```text
/// HTTP status client error (429 Too Many Requests) for url (https://api.example.com/v1/things)
/// ```
///
/// is a response with the status 429, no headers and no body, to `GET /v1/things`.
pub(super) fn read(text: &str) -> Option<ParsedResponse<'static>> {
    found_in(text).map(|found| with_call(found, text))
}

/// Reads the response in a text, without the call.
fn found_in(text: &str) -> Option<ParsedResponse<'static>> {
    if let Some(found) = printed_response(text) {
        return Some(found);
    }
    let mention = mention(text)?;
    if let Some(found) = printed_around(&text[..mention.end], text) {
        return Some(found);
    }
    let mut found = ParsedResponse::new(mention.status, http::HeaderMap::new(), Cow::Borrowed(b""));
    match body(&text[mention.end..]) {
        Some(Followed::Body(bytes)) => found.body = Cow::Owned(bytes),
        Some(Followed::Cut(bytes)) => {
            found.body = Cow::Owned(bytes);
            found.notes.push("body: cut off by the client that printed it; what is left was read".into());
        }
        Some(Followed::Record(record)) => return Some(*record),
        None => found.body = body_around(&text[..mention.end], text).map_or(found.body, Cow::Owned),
    }
    found.notes.push(GUESSED.into());
    Some(found)
}

/// Adds the call and the credentials that stand anywhere in the text.
///
/// The whole text is searched, also in front of the status: `POST https://api.example.com/v1/things failed: 429 ...`.
fn with_call(mut found: ParsedResponse<'static>, text: &str) -> ParsedResponse<'static> {
    let call::ParsedRequest { method, uri, sent, .. } = call::read(text);
    found.call.method = found.call.method.take().or(method);
    found.call.uri = found.call.uri.take().or(uri);
    sent.iter().for_each(|value| found.call.note(value));
    found
}

/// Reads a response object in the print of an error: `response: { status: 429, headers: {...}, data: {...} }`.
///
/// The object may lie at any depth of the print; at most 16 places are tried:
///
/// ```text
/// AxiosError: Request failed with status code 429
///     at settle (node:internal:1:1) {
///   code: 'ERR_BAD_REQUEST',
///   response: { status: 429, headers: { 'retry-after': '30' }, data: { error: 'rate_limited' } }
/// }
/// ```
fn printed_response(text: &str) -> Option<ParsedResponse<'static>> {
    let mut from = 0;
    for _ in 0..MAX_PLACES {
        let at = from + text[from..].find("response")?;
        from = at + "response".len();
        let rest = text[from..].trim_start_matches(['\'', '"']);
        let Some(rest) = rest.strip_prefix([':', '=']) else { continue };
        let begin = rest.find('{').filter(|begin| *begin <= 64);
        let Some((value, _)) = begin.and_then(|begin| literal::read(&rest[begin..])) else { continue };
        if let Some(found) = response(value) {
            return Some(found);
        }
    }
    None
}

/// Reads the object in which a status stands, such as the print of a response or of an error with its members.
///
/// Only an object with headers or data beside the status counts; any other one may be the body:
///
/// ```text
/// { status: 429, headers: { ... }, data: { error: 'rate_limited' } }     the print of a response
/// { status: 429, error: 'rate_limited' }                               a body that states its status
/// ```
fn printed_around(before: &str, text: &str) -> Option<ParsedResponse<'static>> {
    let begins = before.match_indices('{').take(MAX_PLACES).map(|(at, _)| at);
    let values =
        begins.filter_map(|at| literal::read(&text[at..]).filter(|(_, rest)| text.len() - rest.len() > before.len()));
    values
        .filter(|(value, _)| value.get("headers").is_some() || value.get("data").is_some())
        .find_map(|(value, _)| response(value))
}

/// Returns the object in which a status stands as the body, where none is behind the status.
///
/// ```text
/// Error from server (TooManyRequests): {"reason":"TooManyRequests","code":429}
/// ```
fn body_around(before: &str, text: &str) -> Option<Vec<u8>> {
    before.match_indices('{').take(MAX_PLACES).find_map(|(at, _)| {
        let (value, rest) = literal::read(&text[at..])?;
        // An object that describes the request, too, is the printed error of a client, and no body.
        let of_client = ["config", "headers", "options", "request"];
        let is_body =
            value.as_object().is_some_and(|members| of_client.iter().all(|name| !members.contains_key(*name)));
        (is_body && text.len() - rest.len() > before.len()).then(|| value.to_string().into_bytes())
    })
}

/// Reads an object as a response with a status.
///
/// The object is wrapped as `{"response": ..}` and given to the reader of records, so that names mean the same in
/// both.
fn response(mut value: Value) -> Option<ParsedResponse<'static>> {
    let members = value.as_object_mut()?;
    // The SDKs of OpenAI and Anthropic keep the body, parsed, as `error` beside `status` and `headers`.
    if let Some(error) = members.remove("error").filter(|error| error.is_object() && error.get("stack").is_none())
        && members.contains_key("status")
        && !members.contains_key("data")
        && !members.contains_key("body")
    {
        let is_whole = error.get("error").is_some_and(Value::is_object);
        let body = if is_whole { error } else { serde_json::json!({ "error": error }) };
        members.insert("body".to_owned(), body);
    }
    let wrapped = to_raw_value(&serde_json::json!({ "response": value })).ok()?;
    owned(&wrapped)
}

/// Reads a record and copies it out of the text that it borrows from.
fn owned(value: &RawValue) -> Option<ParsedResponse<'static>> {
    let ParsedResponse { call, received, status, headers, body, notes, .. } = record::record(value).ok()?;
    let mut found = ParsedResponse::new(status, headers, Cow::Owned(body.into_owned()));
    (found.call, found.received, found.notes) = (call, received, notes);
    Some(found)
}

/// Finds the status that a text most surely names; of two that are equally sure the first.
///
/// The scan is linear: each run of digits is looked at once, and weighed by a bounded number of symbols around it.
fn mention(text: &str) -> Option<Mention> {
    let mut best: Option<Mention> = None;
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let end = at + bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if end - at == 3
            && let Ok(status) = StatusCode::from_bytes(&bytes[at..end])
            && status.as_u16() < 600
        {
            let weight = weight(&text[..at], &text[end..], status);
            if weight > 0 && best.is_none_or(|best| best.weight < weight) {
                best = Some(Mention { status, end, weight });
            }
        }
        at = end;
    }
    best
}

/// Weighs a number by the words around it: 3 for a name before it and a reason phrase behind it, 0 if it is not a status.
///
/// Examples:
///
/// | text | weight |
/// |---|---|
/// | `status code 429 Too Many Requests` | 3: a name and the reason |
/// | `429 Too Many Requests` | 2: the reason |
/// | `returned 503` | 1: a name |
/// | `500 items`, `file.js:429:12`, `v1.404`, `429%` | 0 |
fn weight(before: &str, after: &str, status: StatusCode) -> u8 {
    let stands_alone = !before.ends_with(|symbol: char| symbol.is_alphanumeric() || matches!(symbol, '.' | '-' | '$'))
        && !after.starts_with(|symbol: char| symbol.is_alphanumeric() || matches!(symbol, '%' | '_'))
        && !after.strip_prefix('.').is_some_and(|after| after.starts_with(|symbol: char| symbol.is_ascii_digit()));
    // `file.js:429:12` is a place in a source.
    let is_place =
        before.ends_with(':') && after.starts_with(':') && after[1..].starts_with(|s: char| s.is_ascii_digit());
    if !stands_alone || is_place {
        return 0;
    }
    let after = after.trim_start_matches([' ', ')', '\'', '"', '`', '(', ':', '-', ',']);
    let reason = status.canonical_reason().unwrap_or("Client Error");
    let has_reason =
        starts_with(after, reason) || starts_with(after, "Client Error") || starts_with(after, "Server Error");
    let is_named = is_named(before);
    u8::from(has_reason) * 2 + u8::from(is_named)
}

/// Returns `true` if a text begins with these words in any case.
fn starts_with(text: &str, words: &str) -> bool {
    text.get(..words.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(words))
}

/// Returns `true` if the words before a number say that it is a status. An exit code or a port is not one.
fn is_named(before: &str) -> bool {
    /// Longer than the longest of the words.
    const NEAR: usize = 48;
    let mut from = before.len().saturating_sub(NEAR);
    while !before.is_char_boundary(from) {
        from += 1;
    }
    let near = &before[from..];
    let end = near.trim_end_matches([' ', ':', '=', '(', '\'', '"', '`', '<', '[', '-']);
    let is_part = |symbol: char| symbol.is_alphanumeric() || matches!(symbol, '_' | '-' | '/' | '.');
    let begin = end.rfind(|symbol: char| !is_part(symbol)).map_or(0, |at| at + 1);
    let word = end.get(begin..).unwrap_or_default().to_ascii_lowercase();
    let before_it = end.get(..begin).unwrap_or_default().trim_end().to_ascii_lowercase();
    // `exit code 100` is not a status.
    if before_it.ends_with("exit") || before_it.ends_with("port") {
        return false;
    }
    BEFORE.contains(&&*word)
        || word.starts_with("http/")
        || word.ends_with("status")
        || word.ends_with("statuscode")
        || word.ends_with("error")
        || (word == "a" && before_it.ends_with("resulted in"))
}

#[cfg(test)]
mod tests;
