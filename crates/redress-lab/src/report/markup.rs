//! Writes HTML and SVG. Names and texts come from users' files, so all text is escaped here.
//!
//! ```text
//! markup.element("p", &[("class", &"cut")], |markup| markup.text("a < b"))    <p class="cut">a &lt; b</p>
//! ```

use std::fmt::{self, Display, Write};

/// A growing document.
#[derive(Debug, Default)]
pub(super) struct Markup {
    written: String,
}

/// The attributes of an element. Values are escaped.
pub(super) type Attributes<'a> = &'a [(&'static str, &'a dyn Display)];

/// Escapes text for HTML and XML.
struct Escaped<'a>(&'a mut String);

impl Markup {
    /// Writes an element whose content `inside` writes.
    pub(super) fn element(&mut self, name: &'static str, attributes: Attributes<'_>, inside: impl FnOnce(&mut Self)) {
        self.tag(name, attributes, ">");
        inside(self);
        self.written.extend(["</", name, ">"]);
        if ends_a_line(name) {
            self.written.push('\n');
        }
    }

    /// Writes an element with text content.
    pub(super) fn text_element(&mut self, name: &'static str, attributes: Attributes<'_>, text: impl Display) {
        self.element(name, attributes, |inside| inside.text(text));
    }

    /// Writes an element without content, in the self-closing form.
    pub(super) fn leaf(&mut self, name: &'static str, attributes: Attributes<'_>) {
        self.tag(name, attributes, "/>");
    }

    /// Writes escaped text.
    pub(super) fn text(&mut self, text: impl Display) {
        write!(Escaped(&mut self.written), "{text}").expect("a string takes any text");
    }

    /// Writes markup, style or script verbatim. The argument must not contain user input.
    pub(super) fn trusted(&mut self, markup: &str) {
        self.written.push_str(markup);
    }

    /// Returns the document.
    pub(super) fn into_string(self) -> String {
        self.written
    }

    fn tag(&mut self, name: &str, attributes: Attributes<'_>, end: &str) {
        self.written.extend(["<", name]);
        for (attribute, value) in attributes {
            self.written.extend([" ", attribute, "=\""]);
            self.text(value);
            self.written.push('"');
        }
        self.written.push_str(end);
    }
}

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for letter in text.chars() {
            match letter {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '\n' | '\t' => self.0.push(letter),
                // XML cannot represent them.
                _ if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => self.0.push('\u{fffd}'),
                _ => self.0.push(letter),
            }
        }
        Ok(())
    }
}

/// Returns `true` if a line break follows the element, which keeps the source readable and diffs small.
fn ends_a_line(name: &str) -> bool {
    !matches!(name, "a" | "b" | "span" | "small" | "code" | "td" | "th" | "text" | "title" | "desc" | "button")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        for (text, written) in [
            ("plain", "plain"),
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("a & b", "a &amp; b"),
            ("&lt;", "&amp;lt;"),
            ("\" onload='x'", "&quot; onload=&#39;x&#39;"),
            ("]]>", "]]&gt;"),
            ("über 10 µs", "über 10 µs"),
            ("bell\u{7} nul\0 esc\u{1b} \u{ffff}", "bell\u{fffd} nul\u{fffd} esc\u{fffd} \u{fffd}"),
        ] {
            let mut markup = Markup::default();
            markup.text_element("a", &[("title", &text)], text);
            assert_eq!(markup.into_string(), format!("<a title=\"{written}\">{written}</a>"));
        }
    }
}
