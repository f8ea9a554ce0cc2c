//! Bodies of names and values, as HTML forms send them: read as an object of
//! texts.

use std::borrow::Cow;
use std::fmt::Write;

use crate::head::Head;

/// The media type of a form (WHATWG URL, section 5).
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
/// How long a body may be that is looked at: errors in this format have some
/// hundred bytes.
const MAX_LEN: usize = 64 * 1024;

/// Returns the names and values of a body as a JSON object; `None` where it is
/// not a form.
///
/// Old payment gateways send forms as plain text. Such a text is a form only if
/// all of it is pairs, two at least.
#[cold]
pub(crate) fn as_json<'a>(head: &Head<'_>, pieces: impl Iterator<Item = &'a [u8]>) -> Option<String> {
    let media_type = head.media_type();
    let is_declared = media_type.eq_ignore_ascii_case(FORM);
    let is_text = ["", "text/plain", "text/html"].iter().any(|text| media_type.eq_ignore_ascii_case(text));
    if !is_declared && !is_text {
        return None;
    }
    let mut bytes = Vec::new();
    for piece in pieces {
        if bytes.len() + piece.len() > MAX_LEN {
            return None;
        }
        bytes.extend_from_slice(piece);
    }
    let text = std::str::from_utf8(&bytes).ok()?.trim_end_matches(['\r', '\n']);
    let pairs: Option<Vec<_>> = text.split('&').filter(|pair| !pair.is_empty()).map(pair).collect();
    let pairs = pairs.filter(|pairs| !pairs.is_empty() && (is_declared || pairs.len() > 1))?;
    Some(object(&pairs))
}

/// Returns a name and a value, still encoded; `None` for a text that cannot be
/// a part of a form.
fn pair(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once('=')?;
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.[]%".contains(&byte);
    let is_of_value = |byte: u8| byte.is_ascii_graphic() && !b"<>\"{}".contains(&byte);
    (!name.is_empty() && name.bytes().all(is_of_name) && value.bytes().all(is_of_value)).then_some((name, value))
}

fn object(pairs: &[(&str, &str)]) -> String {
    let mut json = String::from("{");
    for (nth, (name, value)) in pairs.iter().enumerate() {
        json.push_str(if nth == 0 { "\"" } else { ",\"" });
        write(&mut json, name);
        json.push_str("\":\"");
        write(&mut json, value);
        json.push('"');
    }
    json.push('}');
    json
}

/// Writes an encoded text as the inside of a JSON text.
fn write(json: &mut String, encoded: &str) {
    for symbol in decoded(encoded).chars() {
        match symbol {
            '"' | '\\' => json.extend(['\\', symbol]),
            control if control < ' ' => drop(write!(json, "\\u{:04x}", u32::from(control))),
            symbol => json.push(symbol),
        }
    }
}

/// Decodes `+` and percent-encoded bytes; what is not UTF-8 is replaced.
fn decoded(encoded: &str) -> Cow<'_, str> {
    if !encoded.contains(['+', '%']) {
        return Cow::Borrowed(encoded);
    }
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let [first, after @ ..] = rest {
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let (byte, next) = match (*first, after) {
            (b'%', [high, low, behind @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (u8::try_from(high * 16 + low).unwrap_or(b'?'), behind),
                _ => (b'%', after),
            },
            (b'+', _) => (b' ', after),
            (byte, _) => (byte, after),
        };
        bytes.push(byte);
        rest = next;
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use http::HeaderMap;

    use super::*;

    fn read(media_type: &'static str, body: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", http::HeaderValue::from_static(media_type));
        let head = Head::new(400, &headers, SystemTime::UNIX_EPOCH);
        as_json(&head, body.as_bytes().chunks(3))
    }

    #[test]
    fn a_form_is_an_object_of_texts() {
        for (body, expected) in [
            (
                "error=invalid_request&error_description=Not+this%20time",
                r#"{"error":"invalid_request","error_description":"Not this time"}"#,
            ),
            ("a=%22%5C%0A&b=%c3%a9&c=%zz%", r#"{"a":"\"\\\u000a","b":"é","c":"%zz%"}"#),
            ("a=1&&b=\r\n", r#"{"a":"1","b":""}"#),
        ] {
            assert_eq!(
                read("application/x-www-form-urlencoded; charset=utf-8", body).as_deref(),
                Some(expected),
                "{body}"
            );
            assert_eq!(read("text/plain", body).as_deref(), Some(expected), "{body}");
        }
        assert_eq!(read("application/x-www-form-urlencoded", "error=x").as_deref(), Some(r#"{"error":"x"}"#));
    }

    #[test]
    fn other_texts_are_not_forms() {
        for body in
            ["", "error=x", "a = b & c = d", "Set a=1 and b=2", "a&b", "=1&b=2", "<a href=\"x?a=1&b=2\">", "a=1&b=2\nc"]
        {
            assert_eq!(read("text/plain", body), None, "{body}");
        }
        assert_eq!(read("application/json", "a=1&b=2"), None);
        assert_eq!(read("text/plain", &format!("a=1&b={}", "x".repeat(MAX_LEN))), None);
    }
}
