//! Walks over an input line by line, and counts the lines for error messages.
//!
//! Lines end with LF or CRLF. The walk borrows the input and is `Copy`, so that a reader can look ahead and come back.
//!
//! A look ahead costs nothing but the walk itself:
//!
//! ```text
//! let ahead = *lines;      a copy
//! ahead.next();            the original stays where it is
//! ```

use super::parsed::FormatError;

/// A place between two lines.
#[derive(Clone, Copy)]
pub(super) struct Lines<'a> {
    /// The bytes that no line was taken of yet.
    pub(super) rest: &'a [u8],
    /// The number of the line that was taken last.
    pub(super) number: usize,
}

impl<'a> Lines<'a> {
    /// Begins before the first line.
    pub(super) const fn new(rest: &'a [u8]) -> Self {
        Self { rest, number: 0 }
    }

    /// Takes a line without its end; the last one may have none.
    pub(super) fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        self.number += 1;
        let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') else {
            return Some(std::mem::take(&mut self.rest));
        };
        let line = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// Returns the next line and stays where it is.
    pub(super) fn peek(mut self) -> Option<&'a [u8]> {
        self.next()
    }

    /// Goes to the next line that is not blank.
    pub(super) fn skip_empty(&mut self) {
        while self.peek().is_some_and(|line| line.trim_ascii().is_empty()) {
            self.next();
        }
    }

    /// States a problem of the line that was taken last.
    pub(super) fn mistake(&self, problem: impl Into<String>) -> FormatError {
        FormatError { line: self.number.max(1), problem: problem.into() }
    }
}

/// Takes the colours out of a line that was copied from a terminal (ECMA-48 section 8.3.117).
///
/// Only colours are taken out. A sequence that moves the cursor stays, and is escaped when it is printed.
pub(super) fn without_colours(line: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    if !line.contains(&0x1b) {
        return line.into();
    }
    let mut plain = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some((byte, after)) = rest.split_first() {
        let parameters = after.strip_prefix(b"[").filter(|_| *byte == 0x1b).unwrap_or_default();
        let end = parameters.iter().position(|byte| !byte.is_ascii_digit() && *byte != b';');
        match end.filter(|end| parameters[*end] == b'm') {
            Some(end) => rest = &parameters[end + 1..],
            None => {
                plain.push(*byte);
                rest = after;
            }
        }
    }
    plain.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_colours_are_taken_out() {
        for (line, plain) in [
            ("\x1b[1mdate\x1b[0m: x", "date: x"),
            ("\x1b[38;5;12mA\x1b[m", "A"),
            ("\x1b[2J", "\x1b[2J"),
            ("\x1b[", "\x1b["),
            ("\x1b", "\x1b"),
        ] {
            assert_eq!(&*without_colours(line.as_bytes()), plain.as_bytes());
        }
    }
}
