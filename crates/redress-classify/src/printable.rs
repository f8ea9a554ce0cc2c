//! Text that a server wrote, made safe to show.

/// Whether a terminal or a log would act on a symbol instead of showing it: control characters, and what turns the
/// direction of writing, ends a line or is not seen.
#[must_use]
pub fn is_hidden(symbol: char) -> bool {
    symbol.is_control()
        || matches!(symbol, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(symbol, '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Writes a text so that it stays on its line and in its direction: what [is hidden](is_hidden) is escaped, and what is
/// longer than `max` symbols is cut.
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
    fn hostile_text_stays_on_its_line() {
        let hostile = "a\x1b[31m\r\nb\u{7f}\u{85}\u{202e}c";
        assert_eq!(escaped(hostile, usize::MAX), "a\\u{1b}[31m\\r\\nb\\u{7f}\\u{85}\\u{202e}c");
        assert_eq!(escaped("abcdef", 3), "abc...");
    }
}
