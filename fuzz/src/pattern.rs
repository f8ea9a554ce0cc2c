//! Holds the patterns of rules against a naive matcher that tries each way.

use std::time::SystemTime;

use http::HeaderMap;
use redress_envelope::{Class, Dialect, Envelope, Head};

/// Reads a pattern and, behind the first line end, a text, and matches them as a rule matches a code.
///
/// # Panics
/// When the rule holds and the pattern does not match, or the other way round.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some((pattern, code)) = text.split_once('\n') else { return };
    let is_plain =
        |text: &str| !text.is_empty() && !text.contains(['\'', '"', '\\']) && !text.contains(char::is_control);
    // The naive matcher takes quadratic time.
    if !is_plain(pattern) || !is_plain(code) || code.contains(char::is_whitespace) || code.len() > 1024 {
        return;
    }
    let file = format!(
        "name = \"a\"\n[read]\ncode = \"c\"\n[[rules]]\nclass = \"rejected\"\nwhen = {{ code = '{pattern}' }}\n"
    );
    let Ok(dialect) = Dialect::from_toml("fuzz.toml", &file) else { return };
    let headers = HeaderMap::new();
    let head = Head::new(400, &headers, SystemTime::UNIX_EPOCH);
    let body = format!("{{\"c\":\"{code}\"}}");
    let envelope = Envelope::read(&dialect, &head, [body.as_bytes()]);
    let Some(read) = envelope.code.as_deref() else { return };
    let expected = matches(pattern.as_bytes(), read.as_bytes());
    let meaning = dialect.meaning(&head, &envelope);
    assert_eq!(meaning.class == Class::Rejected, expected, "{pattern} {read}");
}

/// One row for each byte of the pattern: after how many bytes of the text all before it can have matched.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for byte in pattern {
        let before = std::mem::take(&mut reached);
        reached = (0..=text.len())
            .map(|end| match byte {
                b'*' => before[..=end].contains(&true),
                byte => end > 0 && before[end - 1] && text[end - 1] == *byte,
            })
            .collect();
    }
    reached[text.len()]
}
