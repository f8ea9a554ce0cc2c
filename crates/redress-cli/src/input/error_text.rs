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

mod call;

use std::borrow::Cow;

use http::StatusCode;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

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
/// Names of members that only the error object of a client has, not the body of a server.
const OF_CLIENTS: [&str; 7] = ["config", "request", "options", "timings", "isAxiosError", "response", "stack"];

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
        None => {}
    }
    Some(found)
}

/// Adds the call and the credentials that stand anywhere in the text.
fn with_call(mut found: ParsedResponse<'static>, text: &str) -> ParsedResponse<'static> {
    let call::ParsedRequest { method, uri, sent, .. } = call::read(text);
    found.call.method = found.call.method.take().or(method);
    found.call.uri = found.call.uri.take().or(uri);
    sent.iter().for_each(|value| found.call.note(value));
    found
}

/// Reads a response object in the print of an error: `response: { status: 429, headers: {...}, data: {...} }`.
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
fn printed_around(before: &str, text: &str) -> Option<ParsedResponse<'static>> {
    let begins = before.match_indices('{').take(MAX_PLACES).map(|(at, _)| at);
    let values =
        begins.filter_map(|at| literal::read(&text[at..]).filter(|(_, rest)| text.len() - rest.len() > before.len()));
    values
        .filter(|(value, _)| value.get("headers").is_some() || value.get("data").is_some())
        .find_map(|(value, _)| response(value))
}

/// Reads an object as a response with a status.
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

/// The body that follows a status in a text.
enum Followed {
    /// A body as the server sent it, or as the language printed it.
    Body(Vec<u8>),
    /// A body that the client cut off.
    Cut(Vec<u8>),
    /// A whole response: the text is the print of one.
    Record(Box<ParsedResponse<'static>>),
}

/// Finds the body in what follows a status.
fn body(text: &str) -> Option<Followed> {
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
fn cut(text: &str) -> Option<Vec<u8>> {
    let end = ["(truncated", "...(truncated", "… (truncated", "[truncated"]
        .iter()
        .filter_map(|mark| text.find(mark))
        .min()?;
    let part = text[..end].trim_end();
    let is_json = part[1..].trim_start().starts_with(['"', '{']);
    is_json.then(|| part.as_bytes().to_vec())
}

#[cfg(test)]
mod tests;
