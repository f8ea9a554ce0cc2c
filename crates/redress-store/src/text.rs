//! Records that are lines of text, of which the first one names the format.

use std::error::Error as StdError;
use std::fmt;
use std::str::Lines;

/// A record that cannot be read.
///
/// # Examples
/// ```
/// use redress_store::{Unreadable, read_lines};
///
/// assert_eq!(read_lines(b"portal-quota 3\n17", "portal-quota", 2).err(), Some(Unreadable::Newer));
/// assert_eq!((Unreadable::Newer.as_str(), Unreadable::Foreign.as_str()), ("newer", "foreign"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It has a later format. It belongs to a newer version of the program, and must stay.
    Newer,
    /// Other bytes. They may be replaced.
    Foreign,
}

/// Returns the lines of a text record behind the first one, which has its name, a space, and the number of its format.
///
/// # Errors
/// Fails if the record has another name, another format, or is not UTF-8.
///
/// # Examples
/// ```
/// use redress_store::read_lines;
///
/// let mut lines = read_lines(b"portal-quota 2\n17", "portal-quota", 2)?;
/// assert_eq!((lines.next(), lines.next()), (Some("17"), None));
/// # Ok::<(), redress_store::Unreadable>(())
/// ```
pub fn read_lines<'r>(value: &'r [u8], name: &str, format: u32) -> Result<Lines<'r>, Unreadable> {
    let mut lines = std::str::from_utf8(value).map_err(|_| Unreadable::Foreign)?.lines();
    let number = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse::<u32>().ok();
    match lines.next().and_then(number) {
        Some(found) if found == format => Ok(lines),
        Some(found) if found > format => Err(Unreadable::Newer),
        _ => Err(Unreadable::Foreign),
    }
}

/// Hashes a text, such as a key that may be a secret, to a part of the key of a record. All processes get the same, whatever they
/// were built with: it is FNV-1a of 64 bits.
///
/// # Examples
/// ```
/// use redress_store::stable_hash;
///
/// assert_eq!(format!("{:016x}", stable_hash("a")), "af63dc4c8601ec8c");
/// ```
#[must_use]
pub fn stable_hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

impl Unreadable {
    /// Returns the name in events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Newer => "newer",
            Self::Foreign => "foreign",
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Newer => "a record of a later format",
            Self::Foreign => "other bytes than a record of this name",
        })
    }
}

impl StdError for Unreadable {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_format_is_told_from_other_bytes() {
        let read = |text: &'static [u8]| read_lines(text, "quota", 2).map(Iterator::count);
        assert_eq!(
            (read(b"quota 2"), read(b"quota 2\n\n1"), read(b"quota 3\n1")),
            (Ok(0), Ok(2), Err(Unreadable::Newer))
        );
        for text in
            ["", "quota", "quota ", "quota  2", "quota2", "quota 1", "quota -2", "Quota 2", "limit 3", " quota 2"]
        {
            assert_eq!(read_lines(text.as_bytes(), "quota", 2).err(), Some(Unreadable::Foreign), "{text}");
        }
        assert_eq!(read(b"quota 3\n\xff"), Err(Unreadable::Foreign), "it is no text");
    }
}
