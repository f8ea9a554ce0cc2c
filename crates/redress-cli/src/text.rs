//! Makes the text of others safe to print.
//!
//! A message of a server may hold control characters that clear a screen, forge a line of output, or turn the direction of
//! writing. They are shown as `\u{1b}`. The list of such characters is that of the library (`redress_classify::escaped`).

/// The number of symbols of an unexpected text that an error shows: enough to recognise it.
const MAX_EXCERPT: usize = 40;

/// Escapes control characters and marks of direction: a line feed is shown as `\n`, an escape as `\u{1b}`.
///
/// Letters of all scripts stay as they are.
pub(crate) fn escaped(text: &str) -> String {
    redress_classify::escaped(text, usize::MAX)
}

/// Escapes each line of a message of the program, which may quote a text of others, and keeps its line ends.
pub(crate) fn escaped_lines(text: &str) -> String {
    text.split('\n').map(escaped).collect::<Vec<_>>().join("\n")
}

/// Quotes the beginning of an unexpected value for an error: `` `4XX` ``, or `nothing` for an empty one.
///
/// Never used for header values, request lines and URLs, which may hold credentials.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "nothing".to_owned();
    }
    let text = String::from_utf8_lossy(bytes.get(..MAX_EXCERPT * 4).unwrap_or(bytes));
    let shown: String = text.chars().take(MAX_EXCERPT).collect();
    let dots = if shown.len() < text.len() { "..." } else { "" };
    format!("`{}{dots}`", escaped(&shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_symbol_that_controls_a_terminal_is_left() {
        let hostile = "a\x1b[31m\r\n\tb\u{7f}\u{9b}\u{85}\u{202e}\u{2066}\u{061c}\u{200f}\u{2028}c";
        let shown = escaped(hostile);
        assert_eq!(shown, "a\\u{1b}[31m\\r\\n\\tb\\u{7f}\\u{9b}\\u{85}\\u{202e}\\u{2066}\\u{61c}\\u{200f}\\u{2028}c");
        assert_eq!(escaped("Größe — 語"), "Größe — 語");
        assert_eq!(escaped_lines("a\nb\x1b"), "a\nb\\u{1b}");
    }

    #[test]
    fn an_excerpt_is_short_and_visible() {
        assert_eq!(excerpt(b""), "nothing");
        assert_eq!(excerpt(b"a\x1b\xff"), "`a\\u{1b}\u{fffd}`");
        assert_eq!(excerpt(&[b'x'; 5000]), format!("`{}...`", "x".repeat(40)));
    }
}
