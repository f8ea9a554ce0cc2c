//! Reads response bodies from JSON, in the shapes in which tools write them.
//!
//! | shape | written by |
//! |---|---|
//! | `"{\"error\":1}"`, a text | HAR without `content`, most loggers |
//! | `{"error":1}`, the JSON itself | axios, structured logs |
//! | `{"mimeType":..,"text":..,"encoding":"base64"}` | HAR 1.2, section `content` |
//! | `{"string":..}`, `{"base64_string":..}` | VCR of Ruby |
//! | `{"type":"Buffer","data":[123,..]}` | Node |
//! | `{"bytes":..,"content":..}` | Elastic Common Schema |
//! | `["7b22..", ..]`, hexadecimal | nock, for packed bodies |
//!
//! An object of any other shape is the body.
//!
//! The bytes of JSON that stands in a record are kept as they are, blanks and order included: a rule may read a raw
//! number.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde_json::value::RawValue;

use super::json::{self, Members, is_list, is_null, is_object, is_text};

/// The standard alphabet, with or without `=` at the end.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A body, and the media type that stood beside it.
#[derive(Debug, Default)]
pub(super) struct Body<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    pub(super) media_type: Option<Cow<'a, str>>,
}

/// Reads a body: a text, JSON as it stands, or one of the objects in the table above.
///
/// # Errors
/// A text that is said to be base64 and is not.
pub(super) fn read<'a>(value: &'a RawValue, is_base64: bool) -> Result<Body<'a>, String> {
    if is_text(value) {
        let text = json::text("body", value)?;
        return if is_base64 { base64("body", &text).map(Body::of) } else { Ok(Body::of(bytes(text))) };
    }
    if is_object(value) {
        let members = json::members(value).map_err(|error| format!("body: {error}"))?;
        if let Some(body) = wrapped(&members, is_base64)? {
            return Ok(body);
        }
    }
    if is_null(value) {
        return Ok(Body::default());
    }
    Ok(Body::of(Cow::Borrowed(value.get().as_bytes())))
}

/// Reads base64, with or without padding and line ends; `name` is the name of the member in errors.
///
/// # Errors
/// A text that is not base64; it is not quoted, since a body may hold personal data.
pub(super) fn base64<'a>(name: &str, text: &str) -> Result<Cow<'a, [u8]>, String> {
    let joined: String;
    let text = match text.contains(['\n', '\r', ' ']) {
        true => {
            joined = text.split_ascii_whitespace().collect();
            &joined
        }
        false => text,
    };
    match BASE64.decode(text) {
        Ok(bytes) => Ok(Cow::Owned(bytes)),
        Err(error) => Err(format!("{name}: expected base64: {error}").to_ascii_lowercase()),
    }
}

/// Reads the list of hexadecimal texts in which `nock` records a packed body; `None` when it is something else.
pub(super) fn hexadecimal<'a>(value: &RawValue) -> Option<Cow<'a, [u8]>> {
    let texts: Vec<Cow<'_, str>> = if is_list(value) {
        json::elements(value).ok()?.into_iter().map(|text| json::text("", text).ok()).collect::<Option<_>>()?
    } else {
        vec![json::text("", value).ok()?]
    };
    let digits = texts.iter().flat_map(|text| text.chars()).map(|digit| digit.to_digit(16).map(|digit| digit as u8));
    let digits: Vec<u8> = digits.collect::<Option<_>>()?;
    let is_whole = !digits.is_empty() && digits.len().is_multiple_of(2);
    is_whole.then(|| digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// Reads an object around a body; `None` when it is the body itself.
///
/// A shape is recognised by all of its members: an API may have a member `text` or `data` of its own.
fn wrapped<'a>(members: &Members<'a>, is_base64: bool) -> Result<Option<Body<'a>>, String> {
    let named = |wanted: &str| members.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
    let only = |names: &[&str]| members.iter().all(|(name, _)| names.contains(&&**name));
    let says_base64 = |value: &RawValue| json::scalar(value).is_some_and(|text| text.eq_ignore_ascii_case("base64"));
    // HAR 1.2, section `content`.
    if only(&["size", "compression", "mimeType", "text", "encoding", "comment"])
        && (named("mimeType").is_some() || named("size").is_some())
    {
        let is_base64 = is_base64 || named("encoding").is_some_and(says_base64);
        let mut body = named("text").map_or_else(|| Ok(Body::default()), |text| read(text, is_base64))?;
        body.media_type = named("mimeType").and_then(json::scalar).filter(|text| text.contains('/'));
        return Ok(Some(body));
    }
    if let Some(text) = named("base64_string").filter(|_| only(&["base64_string", "encoding"])) {
        return base64("body", &json::text("body", text)?).map(|bytes| Some(Body::of(bytes)));
    }
    if let Some(text) = named("string").filter(|text| is_text(text) && only(&["string", "encoding"])) {
        // Ruby's VCR names the character set here, not a transfer encoding.
        return read(text, is_base64).map(Some);
    }
    if let Some(text) = named("content").filter(|text| is_text(text) && only(&["content", "bytes"])) {
        return read(text, is_base64).map(Some);
    }
    if let Some(list) = named("data").filter(|list| is_list(list) && only(&["type", "data"]))
        && named("type").and_then(json::scalar).as_deref() == Some("Buffer")
    {
        let bytes = serde_json::from_str::<Vec<u8>>(list.get()).map_err(|_| "body: expected a list of bytes")?;
        return Ok(Some(Body::of(Cow::Owned(bytes))));
    }
    Ok(None)
}

/// Returns the bytes of a text without a copy.
fn bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

impl<'a> Body<'a> {
    /// States a body beside which no media type stood.
    pub(super) fn of(bytes: Cow<'a, [u8]>) -> Self {
        Self { bytes, media_type: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(json: &str, is_base64: bool) -> String {
        let value: &RawValue = serde_json::from_str(json).unwrap();
        read(value, is_base64).map_or_else(|error| error, |body| String::from_utf8_lossy(&body.bytes).into_owned())
    }

    #[test]
    fn a_body_comes_in_many_shapes() {
        for json in [
            r#""{\"a\":1}""#,
            r#"{"a":1}"#,
            r#"{"size":7,"mimeType":"application/json","text":"{\"a\":1}"}"#,
            r#"{"size":7,"mimeType":"application/json","text":"eyJhIjoxfQ==","encoding":"base64"}"#,
            r#"{"string":"{\"a\":1}"}"#,
            r#"{"encoding":"UTF-8","string":"{\"a\":1}"}"#,
            r#"{"encoding":"ASCII-8BIT","base64_string":"eyJhIjox\nfQ==\n"}"#,
            r#"{"bytes":7,"content":"{\"a\":1}"}"#,
            r#"{"type":"Buffer","data":[123,34,97,34,58,49,125]}"#,
        ] {
            assert_eq!(read_text(json, false), "{\"a\":1}", "{json}");
        }
        assert_eq!(read_text("\"eyJhIjoxfQ\"", true), "{\"a\":1}");
        assert_eq!(read_text("null", false), "");
        assert_eq!(read_text("[1, 2]", false), "[1, 2]");
        assert_eq!(read_text("{\"content\":{\"a\":1}}", false), "{\"content\":{\"a\":1}}");
        assert!(read_text("\"*\"", true).starts_with("body: expected base64"));
    }

    #[test]
    fn a_list_of_hexadecimal_texts_is_one_body() {
        let read = |json| hexadecimal(serde_json::from_str(json).unwrap()).map(Cow::into_owned);
        assert_eq!(read(r#"["1f8b","08"]"#), Some(vec![0x1f, 0x8b, 0x08]));
        assert_eq!(read(r#""1f8b""#), Some(vec![0x1f, 0x8b]));
        for json in [r#"["1f8"]"#, r#"["xy"]"#, "[]", "[1]", "{}", r#""""#] {
            assert_eq!(read(json), None, "{json}");
        }
    }
}
