//! Bodies of names and values, as HTML forms send them: read as an object of
//! texts.

use std::borrow::Cow;

use crate::head::Head;
use crate::json::{Container, Interest, Scalar, Sink, Unreadable};

/// The media type of a form (WHATWG URL, section 5).
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
/// How long a body may be that is looked at: errors in this format have some
/// hundred bytes.
const MAX_LEN: usize = 64 * 1024;

/// Names and values in the order of the body, decoded.
pub(crate) type Pairs = Vec<(String, String)>;

/// Returns the names and values of a body; `None` where it is not a form.
///
/// Old payment gateways send forms as plain text, some with blanks that are not encoded, others with one pair in each
/// line. Such a text is a form only if all of it is pairs, two at least.
#[cold]
pub(crate) fn pairs<'a>(head: &Head<'_>, pieces: impl Iterator<Item = &'a [u8]>) -> Option<Pairs> {
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
    let found = split(text, '&').filter(|pairs| !pairs.is_empty() && (is_declared || pairs.len() > 1));
    let found = found.or_else(|| split(text, '\n').filter(|lines| !is_declared && lines.len() > 1))?;
    Some(found.into_iter().map(|(name, value)| (decoded(name).into_owned(), decoded(value).into_owned())).collect())
}

/// Feeds names and values to a sink, as an object of texts.
pub(crate) fn feed<'a>(pairs: Pairs, sink: &mut impl Sink<'a>) -> Result<(), Unreadable> {
    if sink.value() == Interest::Skip {
        return Ok(());
    }
    if sink.open(Container::Object)? == Interest::Read {
        for (name, value) in pairs {
            sink.key(Cow::Owned(name.into_bytes()));
            if sink.value() == Interest::Read {
                sink.scalar(Scalar::Text(Cow::Owned(value)));
            }
        }
    }
    sink.close();
    Ok(())
}

/// Splits a text into pairs, still encoded; `None` if a part of it cannot be one.
fn split(text: &str, mark: char) -> Option<Vec<(&str, &str)>> {
    text.split(mark).map(|part| part.trim_end_matches('\r')).filter(|part| !part.is_empty()).map(pair).collect()
}

/// Returns a name and a value, still encoded; `None` for a text that cannot be
/// a part of a form.
fn pair(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once('=')?;
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.[]%".contains(&byte);
    let is_of_value = |byte: u8| (byte.is_ascii_graphic() || byte == b' ') && !b"<>\"{}".contains(&byte);
    (!name.is_empty() && name.bytes().all(is_of_name) && value.bytes().all(is_of_value)).then_some((name, value))
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

    fn read(media_type: &'static str, body: &str) -> Option<Pairs> {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", http::HeaderValue::from_static(media_type));
        let head = Head::new(400, &headers, SystemTime::UNIX_EPOCH);
        pairs(&head, body.as_bytes().chunks(3))
    }

    fn of(pairs: &[(&str, &str)]) -> Option<Pairs> {
        Some(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn a_form_is_names_and_values() {
        for (body, expected) in [
            (
                "error=invalid_request&error_description=Not+this%20time",
                &[("error", "invalid_request"), ("error_description", "Not this time")][..],
            ),
            ("a=%22%5C%0A&b=%c3%a9&c=%zz%", &[("a", "\"\\\n"), ("b", "é"), ("c", "%zz%")]),
            ("a=1&&b=\r\n", &[("a", "1"), ("b", "")]),
            ("code=7&text=The card: is not valid", &[("code", "7"), ("text", "The card: is not valid")]),
        ] {
            assert_eq!(read("application/x-www-form-urlencoded; charset=utf-8", body), of(expected), "{body}");
            assert_eq!(read("text/plain", body), of(expected), "{body}");
        }
        assert_eq!(read("application/x-www-form-urlencoded", "error=x"), of(&[("error", "x")]));
    }

    #[test]
    fn a_text_may_have_one_pair_in_each_line() {
        let lines = "Version=3.00\r\nStatus=INVALID\r\nDetail=4020 : a = b & c\r\n";
        let expected = of(&[("Version", "3.00"), ("Status", "INVALID"), ("Detail", "4020 : a = b & c")]);
        assert_eq!(read("text/plain", lines), expected);
        assert_eq!(read("text/plain", "Status=INVALID\r\n"), None);
        assert_eq!(read("text/plain", "Status=INVALID\nThis is all"), None);
        assert_eq!(read("application/x-www-form-urlencoded", "a=1\nb=2"), None);
    }

    #[test]
    fn other_texts_are_not_forms() {
        for body in [
            "",
            "error=x",
            "a = b & c = d",
            "Set a=1 and b=2",
            "See https://a.example/?a=1&b=2 for more",
            "a&b",
            "=1&b=2",
            "<a href=\"x?a=1&b=2\">",
            "a=1&b=2\nc",
        ] {
            assert_eq!(read("text/plain", body), None, "{body}");
        }
        assert_eq!(read("application/json", "a=1&b=2"), None);
        assert_eq!(read("text/plain", &format!("a=1&b={}", "x".repeat(MAX_LEN))), None);
    }

    #[test]
    fn a_form_is_read_up_to_its_bound() {
        let headers = http::HeaderMap::from_iter([(http::header::CONTENT_TYPE, FORM.parse().unwrap())]);
        let head = Head::new(400, &headers, std::time::SystemTime::UNIX_EPOCH);
        let read = |len: usize| {
            let body = ["error=", &"x".repeat(len - 6)].concat();
            let halves = body.as_bytes().split_at(len / 2);
            pairs(&head, [halves.0, halves.1].into_iter()).map(|pairs| pairs[0].1.len())
        };
        assert_eq!((read(64), read(65_536), read(65_537)), (Some(58), Some(65_530), None));
    }
}
