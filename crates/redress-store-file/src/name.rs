//! File names of keys.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// The longest name in full. File systems allow 255 bytes, and the suffix takes seven.
const LONGEST: usize = 150;
/// How much of a longer name is kept before its hash, for whoever lists the directory.
const BEGINNING: usize = 100;
/// The number of lock files. Two keys that share one wait for each other, for about the time of one write.
pub(crate) const LOCKS: u8 = 64;

/// Returns the name of a key's files, without their suffix.
///
/// Digits, lower-case letters, `-` and `_` stand for themselves, all other bytes are percent-encoded: names are distinct on file
/// systems that fold case or normalize Unicode too. A name of more than 150 bytes is its beginning, a `+`, and the SHA-256 of
/// the key.
pub(crate) fn stem(key: &str) -> String {
    let mut name = escape(key, |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'-' | b'_'));
    if name.len() > LONGEST {
        name.truncate(BEGINNING);
        name.push('+');
        name.push_str(&hex(&Sha256::digest(key)));
    }
    name
}

/// Returns the number of the lock file that protects the files of this name.
pub(crate) fn lock_number(stem: &str) -> u8 {
    Sha256::digest(stem)[0] % LOCKS
}

/// Percent-encodes the bytes that are not kept. The result is one line of ASCII or of the bytes that are kept.
pub(crate) fn escape(text: &str, keep: impl Fn(u8) -> bool) -> String {
    let mut escaped = Vec::with_capacity(text.len());
    for byte in text.bytes() {
        if keep(byte) {
            escaped.push(byte);
        } else {
            escaped.extend_from_slice(format!("%{byte:02x}").as_bytes());
        }
    }
    String::from_utf8(escaped).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Reads a text that [`escape`] wrote.
pub(crate) fn unescape(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first == b'%' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(first);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Returns bytes in lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_safe_in_every_file_system() {
        let long = ["k".repeat(151), "k".repeat(152), format!("{}/", "k".repeat(151)), "\u{e9}".repeat(200)];
        let keys = ["", "a", "A", "a/b", "a%2fb", "../a", ".", "..", "a\0", "\u{e9}", "e\u{301}", "a+b", "lock-00"];
        let stems: Vec<_> = keys.into_iter().chain(long.iter().map(String::as_str)).map(stem).collect();
        for (place, stem) in stems.iter().enumerate() {
            assert!(stem.len() <= 200, "{stem}");
            assert!(
                stem.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'-' | b'_' | b'%' | b'+')),
                "{stem}"
            );
            assert!(!stems[..place].contains(stem), "{stem}");
        }
    }

    #[test]
    fn the_name_of_a_key_does_not_change_between_versions_of_this_crate() {
        assert_eq!(stem("portal/user-7"), "portal%2fuser-7");
        assert_eq!(lock_number("portal%2fuser-7"), Sha256::digest("portal%2fuser-7")[0] & 63);
        let long = stem(&"k".repeat(400));
        assert_eq!(long, format!("{}+{}", "k".repeat(100), hex(&Sha256::digest("k".repeat(400)))));
    }

    #[test]
    fn an_escaped_text_is_read_as_it_was() {
        for text in ["", "portal/user-7", "100%", "%41", "a\nb", "\u{e9}\u{1F511}"] {
            assert_eq!(unescape(&escape(text, |byte| !byte.is_ascii_control() && byte != b'%')).as_deref(), Some(text));
        }
        for text in ["%", "%4", "%zz", "%ff"] {
            assert_eq!(unescape(text), None, "{text}");
        }
    }
}
