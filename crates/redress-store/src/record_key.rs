//! The key by which records are encrypted.

use std::error::Error as StdError;
use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

/// The number of bytes of a key.
const LEN: usize = 32;

/// A key of 32 bytes, by which [`Encrypted`](crate::Encrypted) encrypts records.
///
/// As text it is 64 hexadecimal digits, in which case letters may have either case: `openssl rand -hex 32` prints a fresh one.
/// Take it from a generator of random bytes; a password is not a key. `Debug` does not show it, it has no `Display`, and its
/// bytes are wiped when it is dropped.
///
/// # Examples
/// From an environment variable:
/// ```
/// use redress_store::RecordKey;
///
/// # fn read() -> Result<RecordKey, Box<dyn std::error::Error>> {
/// let key: RecordKey = std::env::var("PORTAL_RECORD_KEY")?.parse()?;
/// # Ok(key)
/// # }
/// let key: RecordKey = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff".parse()?;
/// assert_eq!(format!("{key:?}"), "RecordKey(..)");
/// # Ok::<(), redress_store::InvalidRecordKey>(())
/// ```
#[derive(Clone)]
pub struct RecordKey {
    bytes: Zeroizing<[u8; LEN]>,
}

/// A text that is not a [`RecordKey`]. It does not contain the text.
///
/// # Examples
/// ```
/// use redress_store::RecordKey;
///
/// let error = "s3cret".parse::<RecordKey>().unwrap_err();
/// assert_eq!(error.to_string(), "not a record key: expected 64 hexadecimal digits, found 6 bytes");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidRecordKey {
    len: usize,
}

impl RecordKey {
    /// Makes a key of its bytes, which must be random.
    #[must_use]
    pub fn from_bytes(bytes: [u8; LEN]) -> Self {
        Self { bytes: Zeroizing::new(bytes) }
    }

    pub(crate) fn bytes(&self) -> &[u8; LEN] {
        &self.bytes
    }
}

impl FromStr for RecordKey {
    type Err = InvalidRecordKey;

    fn from_str(text: &str) -> Result<Self, InvalidRecordKey> {
        let invalid = InvalidRecordKey { len: text.len() };
        let mut bytes = Zeroizing::new([0; LEN]);
        if text.len() != 2 * LEN {
            return Err(invalid);
        }
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = digit(digits[0]).zip(digit(digits[1])).map(|(high, low)| high << 4 | low).ok_or(invalid)?;
        }
        Ok(Self { bytes })
    }
}

fn digit(symbol: u8) -> Option<u8> {
    match symbol {
        b'0'..=b'9' => Some(symbol - b'0'),
        b'a'..=b'f' => Some(symbol - b'a' + 10),
        b'A'..=b'F' => Some(symbol - b'A' + 10),
        _ => None,
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordKey(..)")
    }
}

impl fmt::Display for InvalidRecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a record key: expected 64 hexadecimal digits, found {} bytes", self.len)
    }
}

impl StdError for InvalidRecordKey {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_of_either_case_are_read_and_nothing_else() {
        let text = "0123456789abcdef".repeat(4);
        for text in [&text, &text.to_uppercase()] {
            let key: RecordKey = text.parse().unwrap();
            assert_eq!(key.bytes()[..8], [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]);
        }
        for text in ["", "0", &text[1..], &format!("{text}\n"), &text.replace('a', "g"), &"\u{e9}".repeat(32)] {
            assert!(text.parse::<RecordKey>().is_err(), "{text}");
        }
    }
}
