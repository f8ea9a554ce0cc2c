//! Holds the patterns of rules against a naive matcher that tries each way.

use std::time::SystemTime;

use http::HeaderMap;
use redress_envelope::{Class, Dialect, Envelope, Head};

/// Reads a pattern and, behind the first line end, a text, and matches them as a rule matches a code and, whatever its case,
/// a message.
///
/// # Panics
/// When a rule holds and the pattern does not match, or the other way round.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some((pattern, text)) = text.split_once('\n') else { return };
    let is_plain =
        |text: &str| !text.is_empty() && !text.contains(['\'', '"', '\\']) && !text.contains(char::is_control);
    // The naive matcher takes quadratic time.
    if !is_plain(pattern) || !is_plain(text) || text.contains(char::is_whitespace) || text.len() > 1024 {
        return;
    }
    if let Some(found) = holds("code", pattern, text) {
        assert_eq!(found, matches(pattern.as_bytes(), text.as_bytes()), "code {pattern} {text}");
    }
    let (pattern, lower) = (pattern.to_ascii_uppercase(), text.to_ascii_lowercase());
    if let Some(found) = holds("message", &pattern, text) {
        let expected = matches(pattern.to_ascii_lowercase().as_bytes(), lower.as_bytes());
        assert_eq!(found, expected, "message {pattern} {text}");
    }
}

/// Whether a rule with this condition holds for a text; `None` where the pattern is refused.
fn holds(condition: &str, pattern: &str, text: &str) -> Option<bool> {
    let file = format!(
        "name = \"a\"\n[read]\n{condition} = \"c\"\n[[rules]]\nclass = \"rejected\"\nwhen = {{ {condition} = '{pattern}' }}\n"
    );
    let dialect = Dialect::from_toml("fuzz.toml", &file).ok()?;
    let headers = HeaderMap::new();
    let head = Head::new(400, &headers, SystemTime::UNIX_EPOCH);
    let body = format!("{{\"c\":\"{text}\"}}");
    let envelope = Envelope::read(&dialect, &head, [body.as_bytes()]);
    Some(dialect.meaning(&head, &envelope).class == Class::Rejected)
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
