//! Styled text on standard output.
//!
//! Styles are ANSI escapes in the text; `anstream` removes them if standard output is not a terminal or `NO_COLOR` is set. Text of
//! a server is escaped before it is styled: see [`text`](crate::text).

use std::io::{self, Write as _};

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};

use crate::failure::Failure;

/// No style.
pub(crate) const PLAIN: Style = Style::new();
/// Names of rows, sections and columns.
pub(crate) const LABEL: Style = Style::new().bold();
/// Sources: read last.
pub(crate) const DIM: Style = Style::new().dimmed();
/// A success.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// An error, and a reason to act.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();

/// Puts a text into a style. An empty text stays empty, so that no escape is printed for it.
pub(crate) fn styled(style: Style, text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("{style}{text}{style:#}")
}

/// Writes a text to standard output, with its styles on a terminal unless `NO_COLOR` is set.
///
/// # Errors
/// An output that cannot be written; a closed pipe is [`Failure::ClosedPipe`].
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = AutoStream::auto(io::stdout().lock());
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
