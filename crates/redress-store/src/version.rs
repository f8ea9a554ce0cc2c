//! Versions, by which writes are compared.

use std::error::Error as StdError;
use std::fmt;
use std::str::FromStr;

/// The version of a record: how many writes came before it, and the random id of its own write.
///
/// As text it is the number in decimal, a hyphen, and the id in 32 lower-case hexadecimal digits. It is not secret.
///
/// # Examples
/// ```
/// use redress_store::Version;
///
/// let first = Version::next(None);
/// let second = Version::next(Some(first));
/// assert_eq!((first.number(), second.number()), (1, 2));
/// assert_ne!(first, Version::next(None), "each write has its own id");
/// assert_eq!(second.to_string().parse(), Ok(second));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    number: u64,
    id: u128,
}

/// A text that is not a [`Version`].
///
/// # Examples
/// ```
/// use redress_store::Version;
///
/// let error = "7".parse::<Version>().unwrap_err();
/// assert_eq!(error.to_string(), "not a version: expected a number, a hyphen, and 32 lower-case hexadecimal digits");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidVersion;

impl Version {
    /// Makes the version of a write that replaces `seen`, with a fresh random id.
    #[must_use]
    pub fn next(seen: Option<Self>) -> Self {
        Self { number: seen.map_or(0, |seen| seen.number).saturating_add(1), id: fastrand::u128(..) }
    }

    /// Makes a version of its parts.
    #[must_use]
    pub const fn from_parts(number: u64, id: u128) -> Self {
        Self { number, id }
    }

    /// Returns the number of the write, 1 for the first. A lower one than before shows that the store has lost writes.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.number
    }

    /// Returns the random id of the write.
    #[must_use]
    pub const fn id(self) -> u128 {
        self.id
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:032x}", self.number, self.id)
    }
}

impl FromStr for Version {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let version = text.split_once('-').and_then(|(number, id)| {
            Some(Self { number: number.parse().ok()?, id: u128::from_str_radix(id, 16).ok()? })
        });
        // Only what `Display` writes: two texts of one version would be two versions to a store that compares texts.
        version.filter(|version| version.to_string() == text).ok_or(InvalidVersion)
    }
}

impl fmt::Display for InvalidVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a version: expected a number, a hyphen, and 32 lower-case hexadecimal digits")
    }
}

impl StdError for InvalidVersion {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_written_form_is_read() {
        for version in [Version::from_parts(0, 0), Version::from_parts(u64::MAX, u128::MAX), Version::next(None)] {
            assert_eq!(version.to_string().parse(), Ok(version));
        }
        let zeros = "0".repeat(32);
        for text in
            ["", "-", "1", "1-", "-1", "1-0", &format!("01-{zeros}"), &format!("+1-{zeros}"), &format!("1-{zeros}0")]
        {
            assert_eq!(text.parse::<Version>(), Err(InvalidVersion), "{text}");
        }
        assert_eq!(format!("1-{}", "A".repeat(32)).parse::<Version>(), Err(InvalidVersion));
    }

    #[test]
    fn the_last_number_is_followed_by_itself() {
        let last = Version::from_parts(u64::MAX, 1);
        let next = Version::next(Some(last));
        assert!(next.number() == u64::MAX && next != last);
    }
}
