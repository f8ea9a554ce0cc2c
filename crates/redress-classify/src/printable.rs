//! Escapes text from a server, so that it is safe to show.

/// Returns `true` for a character that a terminal or a log acts on instead of showing it.
///
/// These are control characters (Unicode category Cc), and the format characters that change the direction of text, end a
/// line or are invisible.
///
/// # Examples
/// ```
/// use redress_classify::is_hidden;
///
/// assert!(is_hidden('\x1b') && is_hidden('\u{202e}'));
/// assert!(!is_hidden('a') && !is_hidden(' '));
/// ```
#[must_use]
pub fn is_hidden(symbol: char) -> bool {
    symbol.is_control()
        || matches!(symbol, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(symbol, '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Escapes the [hidden](is_hidden) characters of a text, so that it stays on its line and in its direction, and cuts it
/// after `max` characters.
///
/// # Examples
/// ```
/// assert_eq!(redress_classify::escaped("a\x1b[31m\nb", usize::MAX), "a\\u{1b}[31m\\nb");
/// assert_eq!(redress_classify::escaped("abcdef", 3), "abc...");
/// ```
#[must_use]
pub fn escaped(text: &str, max: usize) -> String {
    let mut out = String::new();
    for (nth, symbol) in text.chars().enumerate() {
        if nth == max {
            out.push_str("...");
            break;
        }
        if is_hidden(symbol) {
            out.extend(symbol.escape_default());
        } else {
            out.push(symbol);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_control_characters_and_cuts_long_text() {
        let hostile = "a\x1b[31m\r\nb\u{7f}\u{85}\u{202e}c";
        assert_eq!(escaped(hostile, usize::MAX), "a\\u{1b}[31m\\r\\nb\\u{7f}\\u{85}\\u{202e}c");
        assert_eq!(escaped("abcdef", 3), "abc...");
    }
}
