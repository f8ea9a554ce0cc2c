//! Credentials that were sent, so that they can be masked where a server quotes them.

mod escapes;
pub(crate) mod quoted;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use zeroize::Zeroizing;

use self::escapes::Decoded;

/// The text that replaces a secret.
const MASK: &str = "***";
/// Shorter secrets are not masked: they are words such as `admin` or `1234567`, which stand in many texts by chance, and
/// whoever sees the mask knows the rest of the text and so the secret.
const MIN_LENGTH: usize = 8;
/// The same for what the escapes in a secret leave of it.
const MIN_DERIVED: usize = 5;
/// How often escapes are resolved: JSON in a text of JSON in a query parameter is three times, and leaves one to spare.
const MAX_ROUNDS: usize = 4;
/// How many parameters of one header value are looked for each by itself.
const MAX_PARAMETERS: usize = 32;

/// The secrets of a request, in every form in which a server may quote them.
///
/// Of each value these are looked for, if they have at least 8 bytes: the whole, the part behind its scheme
/// (`Bearer token`), its parameters (`name=value; ...`), and of `Basic` (RFC 7617) the decoded pair and both of its
/// parts. They are found whatever the case of their letters, and with any of their characters escaped: as in JSON, as in
/// URLs and forms, as in XML, or several of these in each other. Searching takes linear time.
///
/// The copies that are held are wiped when the value is dropped, and `Debug` shows none of them.
///
/// # Examples
/// ```
/// use redress_classify::Secrets;
///
/// let secrets = Secrets::new(["Bearer s3cret-token"]);
/// assert_eq!(secrets.mask("no such key: s3cret-token"), "no such key: ***");
/// assert_eq!(secrets.mask(r"s3cret\u002dtoken, s3cret%2Dtoken"), "***, ***");
/// assert_eq!(secrets.mask("no such key"), "no such key");
/// ```
#[derive(Default)]
pub struct Secrets {
    patterns: Vec<Pattern>,
}

/// One form of a secret, in lower case, with the table of Knuth, Morris and Pratt.
struct Pattern {
    bytes: Zeroizing<Vec<u8>>,
    /// For each prefix, how long the longest shorter one is that also ends it.
    borders: Vec<usize>,
    /// Whether its beginning alone tells something: that of `Bearer token` is the scheme.
    has_secret_beginning: bool,
}

impl Secrets {
    /// Takes the values of credential headers, or of members of a login.
    #[must_use]
    pub fn new<I>(values: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        let mut secrets = Self::default();
        for value in values {
            secrets.add_value(value.as_ref());
        }
        secrets
    }

    /// Whether there is nothing to look for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Replaces every occurrence in a text by `***`. What overlaps or touches becomes one mask.
    #[must_use]
    pub fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.masked(text, false).map_or(Cow::Borrowed(text), Cow::Owned)
    }

    /// Returns a text without its secrets; `None` when it holds none. At the end of a text that is cut the beginning of
    /// a secret is masked too.
    pub(crate) fn masked(&self, text: &str, is_cut: bool) -> Option<String> {
        if self.is_empty() || text.is_empty() {
            return None;
        }
        let mut found = Vec::new();
        let mut layer = Decoded::raw(text.as_bytes());
        for _ in 0..MAX_ROUNDS {
            for pattern in &self.patterns {
                pattern.find(&layer, is_cut.then_some(text.len()), &mut found);
            }
            match layer.decode(is_cut) {
                Some(decoded) => layer = decoded,
                None => break,
            }
        }
        (!found.is_empty()).then(|| replaced(text, found))
    }

    /// Masks a text that a dialect may have cut out of a longer one, so that it may begin or end in a secret or lie within
    /// one: of that 8 bytes are enough, or three quarters of a shorter one.
    pub(crate) fn masked_part(&self, part: &str, is_cut: bool) -> Option<String> {
        let masked = self.masked(part, is_cut);
        let text = masked.as_deref().unwrap_or(part);
        let found: Vec<_> = self.patterns.iter().flat_map(|pattern| pattern.ends_of(text)).flatten().collect();
        if found.is_empty() { masked } else { Some(replaced(text, found)) }
    }

    fn add_value(&mut self, value: &[u8]) {
        let value = value.trim_ascii();
        self.add_parameters(value);
        let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let space = value.iter().position(|byte| !is_token(byte)).filter(|at| value[*at] == b' ');
        let Some(space) = space else { return self.add(value, true) };
        let (scheme, rest) = (&value[..space], value[space..].trim_ascii());
        self.add(value, false);
        self.add(rest, true);
        if scheme.eq_ignore_ascii_case(b"basic")
            && let Some(pair) = base64(rest)
        {
            self.add(&pair, true);
            if let Some(colon) = pair.iter().position(|byte| *byte == b':') {
                self.add(&pair[..colon], true);
                self.add(&pair[colon + 1..], true);
            }
        }
    }

    /// Adds what stands behind each `=`, as in cookies and in schemes with parameters (RFC 9110 section 11.4).
    fn add_parameters(&mut self, value: &[u8]) {
        for part in value.split(|byte| matches!(byte, b';' | b',')).take(MAX_PARAMETERS) {
            let Some(equals) = part.iter().position(|byte| *byte == b'=') else { continue };
            let parameter = part[equals + 1..].trim_ascii();
            let quoted = parameter.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
            self.add(quoted.unwrap_or(parameter), true);
        }
    }

    /// Adds a form as it is, and as it reads once its own escapes are resolved: so does a text that escapes the rest.
    fn add(&mut self, form: &[u8], has_secret_beginning: bool) {
        if form.len() < MIN_LENGTH {
            return;
        }
        let mut layer = Decoded::raw(form);
        for _ in 0..MAX_ROUNDS {
            let bytes = layer.bytes();
            // Its end and the text behind it may read as one escape.
            for bytes in [Some(bytes), layer.before_open_end()].into_iter().flatten() {
                let is_known = |pattern: &Pattern| pattern.bytes.eq_ignore_ascii_case(bytes);
                if bytes.len() >= MIN_DERIVED && !self.patterns.iter().any(is_known) {
                    self.patterns.push(Pattern::new(bytes, has_secret_beginning));
                }
            }
            match layer.decode(false) {
                Some(decoded) => layer = decoded,
                None => break,
            }
        }
    }
}

impl Pattern {
    fn new(form: &[u8], has_secret_beginning: bool) -> Self {
        let mut bytes = Zeroizing::new(form.to_vec());
        bytes.make_ascii_lowercase();
        let mut borders = vec![0; bytes.len()];
        let mut length = 0;
        for at in 1..bytes.len() {
            length = advanced(&bytes, &borders, length, bytes[at]);
            borders[at] = length;
        }
        Self { bytes, borders, has_secret_beginning }
    }

    /// Finds where a text begins with an end of the form, ends with its beginning, or lies within it.
    fn ends_of(&self, text: &str) -> [Option<Range<usize>>; 2] {
        // Of a short secret a part that is nearly all of it is enough.
        let least = (self.bytes.len() * 3 / 4).clamp(MIN_DERIVED, MIN_LENGTH);
        if text.len() < least {
            return [None, None];
        }
        let text = Self::new(text.as_bytes(), true);
        let (mut begins, mut lies_within) = (0, false);
        for byte in self.bytes.iter() {
            begins = advanced(&text.bytes, &text.borders, begins, *byte);
            lies_within |= begins == text.bytes.len();
        }
        let mut ends = 0;
        for byte in text.bytes.iter() {
            ends = advanced(&self.bytes, &self.borders, ends, *byte);
        }
        let all = text.bytes.len();
        let begins = if lies_within { all } else { begins };
        let ends = if self.has_secret_beginning { ends } else { 0 };
        [(begins >= least).then_some(0..begins), (ends >= least).then(|| all - ends..all)]
    }

    /// Adds where it stands, overlapping places included; `cut_at` is the end of a text that is cut.
    fn find(&self, text: &Decoded, cut_at: Option<usize>, found: &mut Vec<Range<usize>>) {
        let mut length = 0;
        for (at, byte) in text.bytes().iter().enumerate() {
            length = advanced(&self.bytes, &self.borders, length, byte.to_ascii_lowercase());
            if length == self.bytes.len() {
                found.push(text.span(at + 1 - length..at + 1));
            }
        }
        if let Some(end) = cut_at.filter(|_| self.has_secret_beginning && length > 0) {
            let all = text.bytes().len();
            found.push(text.span(all - length..all).start..end);
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("forms", &self.patterns.len()).finish_non_exhaustive()
    }
}

/// Returns how many bytes of a form have come by this byte, if so many had come before it.
fn advanced(form: &[u8], borders: &[usize], mut length: usize, byte: u8) -> usize {
    if length == form.len() {
        length = borders[length - 1];
    }
    while length > 0 && form[length] != byte {
        length = borders[length - 1];
    }
    if form[length] == byte { length + 1 } else { 0 }
}

/// Writes a text with a mask in each of these places, which may overlap.
fn replaced(text: &str, mut found: Vec<Range<usize>>) -> String {
    found.sort_unstable_by_key(|span| span.start);
    let mut out = String::with_capacity(text.len());
    let mut spans = found.into_iter().peekable();
    let mut done = 0;
    while let Some(mut span) = spans.next() {
        while let Some(next) = spans.next_if(|next| next.start <= span.end) {
            span.end = span.end.max(next.end);
        }
        let start = (done..=span.start).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(done);
        let end = (span.end..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
        out.push_str(&text[done..start]);
        out.push_str(MASK);
        done = end;
    }
    out.push_str(&text[done..]);
    out
}

/// Decodes base64 of either alphabet (RFC 4648), with or without padding.
fn base64(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let end = text.iter().rposition(|byte| *byte != b'=').map_or(0, |at| at + 1);
    let mut out = Zeroizing::new(Vec::with_capacity(end));
    let (mut bits, mut count) = (0_u32, 0);
    for byte in &text[..end] {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = ((bits << 6) | u32::from(digit)) & 0xff_ffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from((bits >> count) & 0xff).unwrap_or_default());
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_value_is_masked_and_nothing_else() {
        // `Basic` of `alice-smith:p%C3%A4ss/word`.
        let basic = "Basic YWxpY2Utc21pdGg6cCVDMyVBNHNzL3dvcmQ=";
        for (value, text, expected) in [
            ("Bearer s3cret-token", "Bearer s3cret-token", "***"),
            ("Bearer s3cret-token", "say s3cret-token.", "say ***."),
            ("Bearer s3cret-token", "S3CRET-TOKEN", "***"),
            ("Bearer s3cret-token", "expected Bearer", "expected Bearer"),
            ("Bearer short", "short", "short"),
            ("Bearer short", "Bearer short", "***"),
            ("s3cr/t+\"key\"=", r#"{"e":"s3cr\/t+\"key\"="}"#, r#"{"e":"***"}"#),
            ("s3cr/t+\"key\"=", "s3cr%2Ft%2B%22key%22%3D", "***"),
            ("s3cr/t+\"key\"=", "s3cr&#x2F;t+&quot;key&quot;&#61;", "***"),
            ("s3cr/t+\"key\"=", r#"s3cr\\/t\\u002B\\\"key\\\"%3D"#, "***"),
            ("s3cr et key", "s3cr+et%20key", "***"),
            ("50%25 s3cret", "50%25+s3cret", "***"),
            ("50%25 s3cret", r"50%25\u0020s3cret", "***"),
            (r"a\nb\s3cret", r"a\\nb\\s3cret", "***"),
            (basic, "YWxpY2Utc21pdGg6cCVDMyVBNHNzL3dvcmQ=", "***"),
            (basic, "the user alice-smith", "the user ***"),
            (basic, "alice-smith:p%C3%A4ss/word", "***"),
            (basic, "päss/word and p%c3%a4ss%2fword", "*** and ***"),
            (r#"s3cret"\"#, r#"{"e":"s3cret&quot;\"}"#, r#"{"e":"***\"}"#),
            ("session=s3cret-id; theme=dark", "no session s3cret-id", "no session ***"),
            ("Digest username=\"alice\", response=\"0123456789\"", "0123456789", "***"),
            ("s3cret-token", "é s3cret-token é", "é *** é"),
            ("s3cret-token", "s3cret-toke", "s3cret-toke"),
            ("s3cret-token", "s3cret-s3cret-tokentoken", "s3cret-***token"),
            ("abababab", "xabababababx", "x***x"),
            ("", "anything", "anything"),
        ] {
            let secrets = Secrets::new([value]);
            assert_eq!(secrets.mask(text), expected, "{value} in {text}");
            assert_eq!(matches!(secrets.mask(text), Cow::Borrowed(_)), text == expected);
        }
    }

    #[test]
    fn what_overlaps_lies_in_each_other_or_touches_is_one_mask() {
        let secrets = Secrets::new(["aaaabbbb", "bbbbcccc", "xaaaabbbbccccx"]);
        for (text, expected) in [
            ("aaaabbbbcccc", "***"),
            ("xaaaabbbbccccx", "***"),
            ("aaaabbbbbbbbcccc", "***"),
            ("aaaabbbb-bbbbcccc", "***-***"),
        ] {
            assert_eq!(secrets.mask(text), expected, "{text}");
        }
    }

    #[test]
    fn the_beginning_of_a_secret_is_masked_where_a_text_is_cut() {
        let secrets = Secrets::new(["Bearer s3cret/token"]);
        for (text, expected) in [
            ("is s3cret/toke", "is ***"),
            ("is s", "is ***"),
            (r"is s3cret\/tok", "is ***"),
            (r"is s3cret\", "is ***"),
            (r"is s3cret\u00", "is ***"),
            ("is s3cret%2", "is ***"),
            ("is s3cret/token%", "is ***"),
            ("is a Bearer", "is a Bearer"),
        ] {
            assert_eq!(secrets.masked(text, true).as_deref().unwrap_or(text), expected, "{text}");
        }
        assert_eq!(secrets.masked("is s3cret/toke", false), None);
    }

    #[test]
    fn a_part_that_a_cut_left_of_a_secret_is_masked() {
        let secrets = Secrets::new(["Bearer s3cret/first.second-part", "short-ky"]);
        for (part, expected) in [
            ("second-part", "***"),
            ("FIRST.SECOND", "***"),
            ("first.second-part is bad", "*** is bad"),
            ("bad: s3cret/first", "bad: ***"),
            ("second", "second"),
            ("short-k", "***"),
            ("short", "short"),
            ("expected Bearer", "expected Bearer"),
            ("a second-part", "a second-part"),
        ] {
            assert_eq!(secrets.masked_part(part, false).as_deref().unwrap_or(part), expected, "{part}");
        }
    }

    #[test]
    fn any_text_and_any_secret_go_through() {
        let scraps = ["\\", "u00", "41", "%", "&#", ";", "é", "\u{1f600}", "s3cret-x", "+", "x", "{", "}"];
        let mut random = 1_u32;
        for _ in 0..20_000 {
            let mut text = || {
                (0..12).fold(String::new(), |text, _| {
                    random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    text + scraps[(random >> 8) as usize % scraps.len()]
                })
            };
            let (text, secret) = (text(), text());
            let secrets = Secrets::new([&secret]);
            for is_cut in [false, true] {
                let masked = secrets.masked(&text, is_cut);
                assert!(masked.is_none_or(|masked| masked.contains(MASK)));
            }
            assert!(secret.trim().len() < MIN_LENGTH || !secrets.mask(&format!("{text}{secret}")).contains(&secret));
        }
    }

    #[test]
    fn nothing_of_a_secret_is_in_its_debug_text() {
        let secrets = Secrets::new(["Bearer s3cret-token"]);
        assert_eq!(format!("{secrets:?}"), "Secrets { forms: 2, .. }");
        assert!(Secrets::new(["short"]).is_empty());
    }
}
