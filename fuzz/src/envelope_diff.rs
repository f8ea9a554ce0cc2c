//! Holds the envelope reader against `serde_json::Value` and a naive reader on top of it.
//!
//! Allowed differences, all of them where `Value` refuses a text that the envelope reader takes: invalid UTF-8 in a
//! string and lone surrogates (both become U+FFFD), numbers out of every range (kept as they are written), one byte
//! order mark, which may stand behind white space, and containers exactly 128 deep. A control character in a string is
//! escaped before `Value` sees it. Of an array the naive reader takes the first element, which signals nothing.

use std::borrow::Cow;
use std::sync::LazyLock;
use std::time::SystemTime;

use http::HeaderMap;
use redress_envelope::{Decision, Dialect, Envelope, Head, Signal, Unreadable, dialects};
use serde_json::Value;

/// The dialects that the naive reader knows; of the others it is only checked that what they borrow lies in the body.
const VENDORS: [&str; 5] = ["maleslab", "ranex", "veridia", "verilock", "vlens"];

/// What a naive reader makes of a body: code, message, request id, reason, fields, signal.
type Naive = (Option<String>, Option<String>, Option<String>, Option<String>, Vec<(String, String)>, bool);

/// Reads a body in the dialects of the vendors and in one other, and checks the readings against those of a `Value`.
///
/// # Panics
/// When two readers differ in what the list of allowed differences does not name, or when a borrowed text lies outside of
/// the body.
pub fn check(body: &[u8]) {
    let value = serde_json::from_slice::<Value>(&escaped(body)).ok();
    let (vendors, others): (Vec<_>, Vec<_>) =
        dialects::all().into_iter().partition(|dialect| VENDORS.contains(&dialect.name()));
    // Which other one it is, the length decides: each has its turn.
    for dialect in vendors.iter().chain(others.get(body.len() % others.len())) {
        let ours = read(dialect, body);
        if let Ok(envelope) = &ours {
            lies_inside(dialect, envelope, body);
        }
        if !VENDORS.contains(&dialect.name()) {
            continue;
        }
        compare(dialect, &ours, value.as_ref(), body);
        if let (Ok(ours), false) = (&ours, repeats(body)) {
            assert_eq!(decide(dialect, body) == Decision::Error, ours.signalled, "{dialect:?}: signal and reading");
        }
    }
}

/// Escapes the control characters in strings.
fn escaped(body: &[u8]) -> Vec<u8> {
    let (mut in_string, mut behind_backslash) = (false, false);
    let mut escaped = Vec::new();
    for byte in body {
        match byte {
            0..0x20 if in_string && !behind_backslash => escaped.extend(format!("\\u{byte:04x}").bytes()),
            _ => escaped.push(*byte),
        }
        in_string ^= *byte == b'"' && !behind_backslash;
        behind_backslash = in_string && *byte == b'\\' && !behind_backslash;
    }
    escaped
}

fn head(status: u16) -> Head<'static> {
    static NONE: LazyLock<HeaderMap> = LazyLock::new(HeaderMap::new);
    Head::new(status, &NONE, SystemTime::UNIX_EPOCH)
}

fn read<'a>(dialect: &Dialect, body: &'a [u8]) -> Result<Envelope<'a>, Unreadable> {
    let envelope = Envelope::read(dialect, &head(400), [body]);
    envelope.unreadable.map_or(Ok(envelope), Err)
}

/// Checks that what is borrowed is a part of the body: no header says anything here.
fn lies_inside(dialect: &Dialect, envelope: &Envelope<'_>, body: &[u8]) {
    let parts = [&envelope.code, &envelope.message, &envelope.request_id, &envelope.reason];
    let fields = envelope.fields.iter().flat_map(|field| [&field.path, &field.message]);
    for text in parts.into_iter().flatten().chain(fields) {
        if let Cow::Borrowed(text) = text
            && !text.is_empty()
        {
            let (text_at, body_at) = (text.as_bytes().as_ptr_range(), body.as_ptr_range());
            assert!(body_at.start <= text_at.start && text_at.end <= body_at.end, "{dialect:?}: {text} lies outside");
        }
    }
}

fn compare(dialect: &Dialect, ours: &Result<Envelope<'_>, Unreadable>, value: Option<&Value>, body: &[u8]) {
    match (ours, value) {
        (Ok(ours), Some(value)) => compare_parts(dialect, ours, value),
        (Err(error), Some(value)) => assert!(!value.is_object(), "{dialect:?}: {error}, but it is an object"),
        (Ok(_), None) => assert!(may_differ(body), "{dialect:?}: taken, but it is no JSON"),
        (Err(_), None) => {}
    }
}

fn compare_parts(dialect: &Dialect, ours: &Envelope<'_>, value: &Value) {
    let first = |mut value: &Value| {
        while let Some(element) = value.get(0) {
            value = element;
        }
        value.clone()
    };
    let (code, message, request_id, reason, fields, signalled) = naive(dialect.name(), &first(value));
    let signalled = signalled && !value.is_array();
    let same_code =
        ours.code.as_deref() == code.as_deref() || (code.as_deref() == Some("a float") && ours.code.is_some());
    assert!(same_code, "{dialect:?}: code {:?} or {code:?}", ours.code);
    let first = ours.fields.iter().map(|field| field.message.as_ref()).find(|message| !message.is_empty());
    let whole = value.as_str().filter(|text| !text.is_empty());
    assert_eq!(ours.message.as_deref(), message.as_deref().or(first).or(whole), "{dialect:?}: message");
    let same_id = request_id.as_deref() == Some("a float") || ours.request_id.as_deref() == request_id.as_deref();
    assert!(same_id, "{dialect:?}: request id {:?} or {request_id:?}", ours.request_id);
    let same_reason = reason.as_deref() == Some("a float") || ours.reason.as_deref() == reason.as_deref();
    assert!(same_reason, "{dialect:?}: reason {:?} or {reason:?}", ours.reason);
    assert_eq!(ours.signalled, signalled, "{dialect:?}: signal");
    let mut found: Vec<_> =
        ours.fields.iter().map(|field| (field.path.to_string(), field.message.to_string())).collect();
    let mut expected = fields;
    // A `Value` has forgotten the order of its keys.
    found.sort();
    expected.sort();
    // Long lists and long names are cut.
    let cut = expected.len() > 256 || expected.iter().any(|(path, _)| path.len() > 256);
    let floats = cut || expected.iter().any(|(path, _)| path == "a float");
    assert!(floats || found == expected, "{dialect:?}: fields {found:?} or {expected:?}");
}

fn naive(vendor: &str, body: &Value) -> Naive {
    let error = &body["error"];
    match vendor {
        "vlens" => {
            let signalled = body.get("error_code").is_some_and(|code| !code.is_null());
            let fields = listed(&body["error_descriptions"]);
            (code(&body["error_code"]), text(&body["error_message"]), None, None, fields, signalled)
        }
        "veridia" => {
            let detail = &body["detail"];
            let fields = mapped(&detail["fieldErrors"]);
            (code(error), text(&body["message"]), code(&body["requestId"]), code(&detail["reason"]), fields, false)
        }
        "ranex" => (None, text(&body["message"]), None, None, Vec::new(), false),
        "maleslab" => {
            let signalled = body["success"] == Value::Bool(false);
            let id = code(&body["request_id"]);
            (code(&error["code"]), text(&error["message"]), id, None, listed(&error["details"]), signalled)
        }
        _ => (code(error), text(&body["message"]), None, None, mapped(&body["details"]), false),
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn code(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) if number.is_f64() => Some("a float".to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => text(value),
    }
}

fn listed(value: &Value) -> Vec<(String, String)> {
    let item = |item: &Value| match item {
        Value::String(message) => Some((String::new(), message.clone())),
        Value::Object(_) => {
            let path = joined(&item["field"]);
            let message = item["message"].as_str().unwrap_or_default().to_owned();
            (!path.is_empty() || !message.is_empty()).then_some((path, message))
        }
        _ => None,
    };
    value.as_array().map(|items| items.iter().filter_map(item).collect()).unwrap_or_default()
}

/// Returns the name of a field; a list of parts is joined.
fn joined(value: &Value) -> String {
    let part = |part: &Value| part.as_str().map(str::to_owned).or_else(|| code(part));
    let parts: Vec<_> = match value {
        Value::Array(parts) => parts.iter().filter_map(part).collect(),
        _ => return code(value).unwrap_or_default(),
    };
    if parts.iter().any(|part| part == "a float") { "a float".to_owned() } else { parts.join(".") }
}

fn mapped(value: &Value) -> Vec<(String, String)> {
    let Some(entries) = value.as_object() else { return Vec::new() };
    let messages = |value: &Value| match value {
        Value::Array(messages) => messages.iter().filter_map(|message| message.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    };
    let pairs =
        entries.iter().flat_map(|(path, value)| messages(value).into_iter().map(|message| (path.clone(), message)));
    pairs.collect()
}

fn decide(dialect: &Dialect, body: &[u8]) -> Decision {
    Signal::new(dialect, &head(200)).feed(body)
}

/// Whether a signal may stand twice: its first occurrence decides early, its last one in a full reading.
fn repeats(body: &[u8]) -> bool {
    let count = |needle: &[u8]| body.windows(needle.len()).filter(|window| window == &needle).count();
    count(b"error_code") > 1 || count(b"success") > 1 || count(b"\\u") > 0
}

/// Whether a text that `Value` refuses has one of the features that make it an allowed difference.
fn may_differ(body: &[u8]) -> bool {
    let has = |needle: &[u8]| body.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle));
    let exponent = body.windows(2).any(|pair| matches!(pair, [b'0'..=b'9', b'e' | b'E']));
    let long_number = body.split(|byte| !byte.is_ascii_digit()).any(|digits| digits.len() > 300);
    let deep = body.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() >= 128;
    std::str::from_utf8(body).is_err()
        || has(b"\\ud")
        || exponent
        || long_number
        || body.trim_ascii_start().starts_with(b"\xef\xbb\xbf")
        || deep
}
