//! Resolves escapes in a text, and keeps the position of each byte in the original.

use std::borrow::Cow;
use std::ops::Range;

/// The named references that HTML and XML share (XML 1.0 section 4.6).
const NAMED: [(&[u8], u8); 5] = [(b"amp", b'&'), (b"lt", b'<'), (b"gt", b'>'), (b"quot", b'"'), (b"apos", b'\'')];

/// The maximum length of an escape, in bytes.
const MAX_ESCAPE: usize = 12;

/// A text after some rounds of decoding.
pub(super) struct Decoded<'t> {
    bytes: Cow<'t, [u8]>,
    /// The range of the original text that each byte stands for; `None` while they are the same.
    spans: Option<Vec<Range<usize>>>,
}

/// An escape sequence.
struct Escape {
    /// The length of the sequence.
    length: usize,
    /// The bytes that it stands for, `used` of them.
    value: [u8; 4],
    used: usize,
}

/// The content at a position.
enum Found {
    Escape(Escape),
    /// The beginning of an escape, at the end of the text.
    Incomplete,
    Plain,
}

impl<'t> Decoded<'t> {
    pub(super) const fn raw(text: &'t [u8]) -> Self {
        Self { bytes: Cow::Borrowed(text), spans: None }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the bytes before an escape that is incomplete at the end, if there is one: another text may complete it.
    pub(super) fn before_open_end(&self) -> Option<&[u8]> {
        let first = self.bytes.len().saturating_sub(MAX_ESCAPE);
        let open = (first..self.bytes.len()).find(|at| matches!(find(&self.bytes[*at..]), Found::Incomplete));
        open.map(|at| &self.bytes[..at])
    }

    /// Returns the part of the original text that these bytes stand for; the range must not be empty.
    pub(super) fn span(&self, range: Range<usize>) -> Range<usize> {
        match &self.spans {
            Some(spans) => spans[range.start].start..spans[range.end - 1].end,
            None => range,
        }
    }

    /// Resolves the escapes of JSON, of URLs and forms, of XML and of Rust's `Debug`, one level of each; `None` if there are
    /// none. An incomplete escape at the end of a text that was cut is left out.
    pub(super) fn decode(&self, is_cut: bool) -> Option<Self> {
        if !has_escape(&self.bytes) {
            return None;
        }
        let (mut bytes, mut spans) = (Vec::with_capacity(self.bytes.len()), Vec::with_capacity(self.bytes.len()));
        let (mut at, mut is_changed) = (0, false);
        while let Some(byte) = self.bytes.get(at) {
            match find(&self.bytes[at..]) {
                Found::Escape(Escape { length, value, used }) => {
                    let span = self.span(at..at + length);
                    for byte in &value[..used] {
                        bytes.push(*byte);
                        spans.push(span.clone());
                    }
                    (at, is_changed) = (at + length, true);
                }
                Found::Incomplete if is_cut => break,
                Found::Incomplete | Found::Plain => {
                    bytes.push(*byte);
                    spans.push(self.span(at..at + 1));
                    at += 1;
                }
            }
        }
        let is_shorter = bytes.len() < self.bytes.len();
        (is_changed || is_shorter).then_some(Self { bytes: Cow::Owned(bytes), spans: Some(spans) })
    }
}

/// Returns `true` if a text may hold an escape.
pub(super) fn has_escape(text: &[u8]) -> bool {
    // Without an early end, so that many bytes are compared at once.
    text.iter().fold(false, |found, byte| found | matches!(byte, b'\\' | b'%' | b'+' | b'&'))
}

impl Escape {
    fn byte(length: usize, byte: u8) -> Found {
        Found::Escape(Self { length, value: [byte, 0, 0, 0], used: 1 })
    }

    fn symbol(length: usize, number: u32) -> Found {
        let Some(symbol) = char::from_u32(number) else { return Found::Plain };
        let mut value = [0; 4];
        let used = symbol.encode_utf8(&mut value).len();
        Found::Escape(Self { length, value, used })
    }
}

fn find(text: &[u8]) -> Found {
    match text[0] {
        b'+' => Escape::byte(1, b' '),
        b'%' => match text.get(1..3).map(hex) {
            Some(Some(number)) => Escape::symbol_or_byte(3, number),
            Some(None) => Found::Plain,
            None => incomplete(text, 1, 2),
        },
        b'&' => reference(text),
        b'\\' => backslash(text),
        _ => Found::Plain,
    }
}

impl Escape {
    /// Returns the byte of two hexadecimal digits, in whatever encoding it is part of a character.
    fn symbol_or_byte(length: usize, number: u32) -> Found {
        u8::try_from(number).map_or(Found::Plain, |byte| Self::byte(length, byte))
    }
}

/// Reads an escape of RFC 8259 section 7, or `\'`, `\0`, `\x7f` and `\u{7f}` of Rust's `Debug`.
fn backslash(text: &[u8]) -> Found {
    let Some(kind) = text.get(1) else { return Found::Incomplete };
    // The search ignores case, so the letters of escapes are matched in either case, too.
    match kind.to_ascii_lowercase() {
        b'"' | b'\\' | b'/' | b'\'' => Escape::byte(2, *kind),
        b'n' => Escape::byte(2, b'\n'),
        b't' => Escape::byte(2, b'\t'),
        b'r' => Escape::byte(2, b'\r'),
        b'b' => Escape::byte(2, 8),
        b'f' => Escape::byte(2, 12),
        b'0' => Escape::byte(2, 0),
        b'x' => match text.get(2..4).map(hex) {
            Some(Some(number)) => Escape::symbol_or_byte(4, number),
            Some(None) => Found::Plain,
            None => incomplete(text, 2, 2),
        },
        b'u' if text.get(2) == Some(&b'{') => braced(text),
        b'u' => utf16(text),
        _ => Found::Plain,
    }
}

fn braced(text: &[u8]) -> Found {
    let digits = text[3..].iter().take(6).take_while(|byte| byte.is_ascii_hexdigit()).count();
    match text.get(3 + digits) {
        Some(b'}') => hex(&text[3..3 + digits]).map_or(Found::Plain, |number| Escape::symbol(digits + 4, number)),
        Some(_) => Found::Plain,
        None => Found::Incomplete,
    }
}

fn utf16(text: &[u8]) -> Found {
    let is_unit = |text: &[u8]| matches!(text, [b'\\', b'u' | b'U', ..]);
    let unit = |text: &[u8]| text.get(2..6).and_then(hex).filter(|_| is_unit(text));
    let Some(first) = unit(text) else { return incomplete(text, 2, 4) };
    let rest = &text[6..];
    match unit(rest) {
        Some(second @ 0xdc00..=0xdfff) if (0xd800..0xdc00).contains(&first) => {
            Escape::symbol(12, 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
        }
        _ => Escape::symbol(6, first),
    }
}

fn reference(text: &[u8]) -> Found {
    let head = &text[1..text.len().min(MAX_ESCAPE)];
    let Some(end) = head.iter().position(|byte| *byte == b';') else {
        let is_open = text.len() < MAX_ESCAPE && head.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'#');
        return if is_open { Found::Incomplete } else { Found::Plain };
    };
    let (name, length) = (&head[..end], end + 2);
    if let Some((_, byte)) = NAMED.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)) {
        return Escape::byte(length, *byte);
    }
    let number = match name {
        [b'#', b'x' | b'X', digits @ ..] => hex(digits),
        [b'#', digits @ ..] => std::str::from_utf8(digits).ok().and_then(decimal),
        _ => None,
    };
    number.map_or(Found::Plain, |number| Escape::symbol(length, number))
}

/// Returns whether an escape with this number of digits is incomplete at the end of the text, or is none.
fn incomplete(text: &[u8], before: usize, digits: usize) -> Found {
    let is_cut = text.len() < before + digits && text[before.min(text.len())..].iter().all(u8::is_ascii_hexdigit);
    if is_cut { Found::Incomplete } else { Found::Plain }
}

fn decimal(digits: &str) -> Option<u32> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

fn hex(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    digits.iter().try_fold(0, |sum: u32, digit| Some((sum << 4) | char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str, is_cut: bool) -> Option<String> {
        let decoded = Decoded::raw(text.as_bytes()).decode(is_cut)?;
        Some(String::from_utf8_lossy(decoded.bytes()).into_owned())
    }

    #[test]
    fn resolves_one_level_of_escapes_and_keeps_other_text() {
        for (text, expected) in [
            ("plain", None),
            (r"a\/b\u0041\u00e9\ud83d\ude00", Some("a/bAé😀")),
            (r#"\"\\\n\'"#, Some("\"\\\n'")),
            (r"\x41\u{42}\0", Some("AB\0")),
            ("%41%2f%2F%C3%A9", Some("A//é")),
            ("%2541", Some("%41")),
            ("a+b", Some("a b")),
            ("&amp;&#65;&#x42;&quot;&#0067;", Some("&AB\"C")),
            (r"\ud800 \q \u12 \x1 %4 %zz &nosuch; &#xx;", None),
            ("100 % & more", None),
        ] {
            assert_eq!(decoded(text, false).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn leaves_out_an_incomplete_escape_at_the_end_of_a_cut_text() {
        for tail in ["\\", "\\u", "\\u0", "\\u004", "\\x4", "\\u{4", "%", "%4", "&", "&#x4", "&#6", "&quo"] {
            let text = format!("ab{tail}");
            assert_eq!(decoded(&text, true).as_deref(), Some("ab"), "{tail}");
            assert_eq!(decoded(&text, false), None, "{tail}");
        }
        assert_eq!(decoded("ab%zz", true), None);
    }

    #[test]
    fn maps_positions_to_the_original_text_over_several_rounds() {
        let text = Decoded::raw(br"x%255Cu0041y");
        let twice = text.decode(false).and_then(|once| once.decode(false)).unwrap();
        assert_eq!(twice.bytes(), br"x\u0041y");
        let thrice = twice.decode(false).unwrap();
        assert_eq!((thrice.bytes(), thrice.span(1..2), thrice.span(0..3)), (&b"xAy"[..], 1..11, 0..12));
    }

    #[test]
    fn each_letter_of_an_escape_is_its_byte_in_either_case() {
        assert_eq!(decoded(r"\n\t\r\b\f\0", false).as_deref(), Some("\n\t\r\x08\x0c\0"));
        assert_eq!(decoded(r"\N\T\R\B\F\X41\U0041", false).as_deref(), Some("\n\t\r\x08\x0cAA"));
        assert_eq!(decoded(r"\u00e9\udc00", false).as_deref(), Some(r"é\udc00"), "the half of a pair is none");
        assert_eq!(
            decoded(r"\u0041\udc00", false).as_deref(),
            Some(r"A\udc00"),
            "nor does it make a pair with a letter"
        );
        assert_eq!(decoded("%0fA", false).as_deref(), Some("\x0fA"));
        assert_eq!(decoded("&#x0000041;", false).as_deref(), Some("A"), "seven digits");
        assert_eq!(decoded("&#x000000041;", false), None, "more than eight digits are no number");
    }

    #[test]
    fn a_text_without_the_signs_of_escapes_holds_none() {
        for (text, expected) in
            [("", false), ("plain; text", false), ("a\\b", true), ("%", true), ("a+", true), ("&b", true)]
        {
            assert_eq!(has_escape(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_an_escape_is_kept_at_the_end_of_a_cut_text() {
        for tail in ["%4g", "%g", r"\xg", r"\u00g", "& b", "&a-", "&aaaaaaaaaaaaaaaaaaaa"] {
            assert_eq!(decoded(&format!("ab{tail}"), true), None, "{tail}");
        }
    }
}
