//! Bodies in another charset than UTF-8: made UTF-8 before they are read.

use std::borrow::Cow;

use encoding_rs::{Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use http::header::CONTENT_TYPE;

use crate::head::Head;

/// How many bytes of a body are looked at for the charset that an XML
/// declaration names.
const MAX_DECLARATION: usize = 256;

/// Decodes a body as it arrives, where its bytes are not those of ASCII: in no
/// other charset does a signal look different.
pub(crate) struct Incremental {
    encoding: &'static Encoding,
    /// Made when the first bytes have come.
    decoder: Option<Decoder>,
    text: String,
}

/// Returns a body as UTF-8 where its head states another charset.
///
/// A body that is valid UTF-8 stays as it is, unless the charset does not begin
/// with ASCII: JSON is UTF-8 (RFC 8259 section 8.1), and many servers name the
/// charset of their platform and send UTF-8.
#[inline]
pub(crate) fn stated<'a>(head: &Head<'_>, pieces: impl Iterator<Item = &'a [u8]>) -> Option<String> {
    let encoding = of_head(head)?;
    let bytes = all(pieces);
    if bytes.is_empty() || (encoding.is_ascii_compatible() && std::str::from_utf8(&bytes).is_ok()) {
        return None;
    }
    Some(decoded(&bytes, encoding))
}

/// Returns a body as UTF-8 where it tells its charset itself: by a byte order
/// mark of UTF-16, or by an XML declaration.
#[cold]
pub(crate) fn declared<'a>(pieces: impl Iterator<Item = &'a [u8]> + Clone) -> Option<String> {
    let first = pieces.clone().find(|piece| !piece.is_empty())?;
    if !matches!(first, [0xfe | 0xff | b'<' | b' ' | b'\t' | b'\r' | b'\n', ..]) {
        return None;
    }
    let beginning: Vec<u8> = pieces.clone().flatten().take(MAX_DECLARATION).copied().collect();
    let mark = Encoding::for_bom(&beginning).map(|(encoding, _)| encoding);
    let encoding = mark.or_else(|| of_declaration(&beginning)).filter(|encoding| *encoding != UTF_8)?;
    let bytes = all(pieces);
    let is_other = mark.is_some() || std::str::from_utf8(&bytes).is_err();
    is_other.then(|| decoded(&bytes, encoding))
}

impl Incremental {
    /// Begins to decode a body; `None` where its bytes may be looked at as they
    /// are.
    pub(crate) fn new(head: &Head<'_>) -> Option<Self> {
        let encoding = of_head(head).filter(|encoding| !encoding.is_ascii_compatible())?;
        Some(Self { encoding, decoder: None, text: String::new() })
    }

    /// Decodes the next bytes.
    pub(crate) fn feed(&mut self, chunk: &[u8]) -> &[u8] {
        let decoder = self.decoder.get_or_insert_with(|| in_order(chunk, self.encoding).new_decoder());
        self.text.clear();
        self.text.reserve(decoder.max_utf8_buffer_length(chunk.len()).unwrap_or_default());
        let _all_fits = decoder.decode_to_string(chunk, &mut self.text, false);
        self.text.as_bytes()
    }
}

/// Returns the charset that the head states, if that is not UTF-8.
fn of_head(head: &Head<'_>) -> Option<&'static Encoding> {
    let media_type = head.headers.get(CONTENT_TYPE)?;
    // As most servers write it, so that few media types are parsed.
    if matches!(media_type.as_bytes(), b"application/json" | b"application/json; charset=utf-8") {
        return None;
    }
    let (_, parameters) = media_type.to_str().ok()?.split_once(';')?;
    if parameters.trim().eq_ignore_ascii_case("charset=utf-8") {
        return None;
    }
    let mut parameters = parameters.split(';').filter_map(|parameter| parameter.split_once('='));
    let (_, label) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))?;
    other_than_utf8(label.trim().trim_matches(['"', '\'']))
}

/// Returns the charset that an XML declaration names.
fn of_declaration(bytes: &[u8]) -> Option<&'static Encoding> {
    let beginning = String::from_utf8_lossy(bytes);
    let (declaration, _) = beginning.trim_start().strip_prefix("<?xml")?.split_once("?>")?;
    let (_, label) = declaration.split_once("encoding")?;
    let label = label.trim_start().strip_prefix('=')?.trim_start();
    other_than_utf8(label.split(['"', '\'']).nth(1)?)
}

fn other_than_utf8(label: &str) -> Option<&'static Encoding> {
    if label.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    Encoding::for_label(label.as_bytes()).filter(|encoding| *encoding != UTF_8)
}

fn all<'a>(mut pieces: impl Iterator<Item = &'a [u8]>) -> Cow<'a, [u8]> {
    let first = pieces.next().unwrap_or_default();
    match pieces.next() {
        None => Cow::Borrowed(first),
        Some(second) => {
            let mut bytes = [first, second].concat();
            pieces.for_each(|piece| bytes.extend_from_slice(piece));
            Cow::Owned(bytes)
        }
    }
}

/// Decodes a body; a byte order mark beats the charset.
fn decoded(bytes: &[u8], encoding: &'static Encoding) -> String {
    in_order(bytes, encoding).decode(bytes).0.into_owned()
}

/// Returns the charset with the byte order of the bytes: in UTF-16 without a
/// mark the first symbol tells it, as that is ASCII in JSON and XML. Servers
/// disagree on the default.
fn in_order(bytes: &[u8], encoding: &'static Encoding) -> &'static Encoding {
    match bytes {
        [0, first, ..] if is_utf16(encoding) && *first != 0 => UTF_16BE,
        [first, 0, ..] if is_utf16(encoding) && *first != 0 => UTF_16LE,
        _ => encoding,
    }
}

fn is_utf16(encoding: &'static Encoding) -> bool {
    encoding == UTF_16LE || encoding == UTF_16BE
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use http::{HeaderMap, HeaderValue};

    use super::*;

    fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    }

    #[test]
    fn a_body_is_decoded_by_its_charset() {
        let text = "{\"a\":\"\u{e9}\u{20ac}\"}";
        let (little, big) = (utf16(text, u16::to_le_bytes), utf16(text, u16::to_be_bytes));
        let marked = |mark: &[u8], body: &[u8]| [mark, body].concat();
        for (kind, body, expected) in [
            ("application/json; charset=iso-8859-1", b"\xe9".to_vec(), Some("\u{e9}")),
            ("application/json; charset=\"windows-1252\"", b"\xe9\x80".to_vec(), Some("\u{e9}\u{20ac}")),
            ("text/plain;Charset = Shift_JIS", b"\x93\xfa".to_vec(), Some("\u{65e5}")),
            ("application/json; charset=utf-16", little.clone(), Some(text)),
            ("application/json; charset=utf-16", big.clone(), Some(text)),
            ("application/json; charset=utf-16le", marked(b"\xff\xfe", &little), Some(text)),
            ("application/json", marked(b"\xfe\xff", &big), Some(text)),
            ("application/json", marked(b"\xff\xfe", &little), Some(text)),
            // UTF-8 under another name.
            ("application/json; charset=iso-8859-1", text.as_bytes().to_vec(), None),
            ("application/json; charset=utf-8", b"\xe9".to_vec(), None),
            ("application/json; charset=nonsense", b"\xe9".to_vec(), None),
            ("application/json", b"\xe9".to_vec(), None),
            ("application/json; charset=utf-16", Vec::new(), None),
            (
                "application/xml",
                b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xe9</a>".to_vec(),
                Some("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\u{e9}</a>"),
            ),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
            let head = Head::new(400, &headers, SystemTime::UNIX_EPOCH);
            for size in [1, 2, 3, body.len().max(1)] {
                assert_eq!(head.decoded(body.chunks(size)).as_deref(), expected, "{kind} {body:?} in pieces of {size}");
            }
        }
    }

    #[test]
    fn the_order_of_utf16_is_that_of_its_first_symbol() {
        let (little, big) = (b"{\0\"\0", b"\0{\0\"");
        for (stated, bytes, expected) in [
            (UTF_16LE, &little[..], UTF_16LE),
            (UTF_16LE, big, UTF_16BE),
            (UTF_16BE, little, UTF_16LE),
            (UTF_16BE, big, UTF_16BE),
            (UTF_16BE, b"\0\0", UTF_16BE),
            (UTF_16LE, b"\0\0", UTF_16LE),
            (UTF_16LE, b"ab", UTF_16LE),
            (encoding_rs::SHIFT_JIS, big, encoding_rs::SHIFT_JIS),
            (encoding_rs::SHIFT_JIS, little, encoding_rs::SHIFT_JIS),
        ] {
            assert_eq!(in_order(bytes, stated), expected, "{bytes:?}");
        }
    }
}
