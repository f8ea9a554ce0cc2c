//! Recognizes TOML, which is not a response: a dialect file, a script or a scenario that was given by mistake.
//!
//! ```text
//! # The errors of acme.
//! name = "acme"
//! [codes.E1]
//! status = 404
//! ```
//!
//! Without this, `status = 404` would be read as the text of an error. The first lines decide, also in a file with mistakes.

use super::lines::Lines;

/// The problem of an input in TOML.
pub(super) const PROBLEM: &str = "the input is TOML (lines `key = value`), not a response; `redress lint FILE` checks a \
     dialect file, and `--dialect FILE` reads responses with it";

/// The longest line that is tried, in bytes.
const MAX_LINE: usize = 4096;

/// Returns the number of the first line that is not a comment if the input is TOML.
///
/// That line is an entry, or the head of a table before an entry. Texts of other forms have lines such as `[error]` and
/// `level=error status=429`, which are not enough.
pub(super) fn first_line(input: &[u8]) -> Option<usize> {
    let mut lines = Lines::new(input);
    let first = next_line(&mut lines)?;
    let number = lines.number;
    let text = std::str::from_utf8(first).ok().filter(|text| text.len() <= MAX_LINE)?;
    let is_valid = toml::from_str::<toml::Table>(text).is_ok();
    let is_toml = match first.first() {
        Some(b'[') => is_valid && next_line(&mut lines).is_some_and(is_entry),
        _ => is_valid,
    };
    is_toml.then_some(number)
}

/// Takes the next line that is neither blank nor a comment.
fn next_line<'a>(lines: &mut Lines<'a>) -> Option<&'a [u8]> {
    std::iter::from_fn(|| lines.next()).map(<[u8]>::trim_ascii).find(|line| !line.is_empty() && !line.starts_with(b"#"))
}

/// Returns whether a line begins as an entry does: a bare, dotted or quoted key, and `=`.
fn is_entry(line: &[u8]) -> bool {
    let Some(at) = line.iter().position(|byte| *byte == b'=') else { return false };
    let is_of_key = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.\"' \t".contains(byte);
    !line[..at].trim_ascii().is_empty() && line[..at].iter().all(is_of_key)
}
