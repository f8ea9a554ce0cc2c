//! Unique identifiers.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A generator of identifiers with a random seed, so that two servers do not issue the same ones. Not
/// cryptographically secure.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    seed: RandomState,
    next: AtomicU64,
}

impl Ids {
    /// Returns a new identifier of `length` letters and digits.
    pub(crate) fn alphanumeric(&self, length: usize) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (0..length)
            .map(|place| {
                let hash = self.seed.hash_one((number, place));
                let index = usize::try_from(hash % 62).unwrap_or(0);
                char::from(ALPHABET[index])
            })
            .collect()
    }

    /// Returns a new identifier in the form of a version 4 UUID.
    pub(crate) fn uuid(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (high, low) = (self.seed.hash_one((number, 0)), self.seed.hash_one((number, 1)));
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            low >> 48 & 0xfff,
            low & 0xffff_ffff_ffff
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_differ_and_have_the_requested_length() {
        let ids = Ids::default();
        let (first, second) = (ids.alphanumeric(20), ids.alphanumeric(20));
        assert_eq!(first.len(), 20);
        assert!(first.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(first, second);
    }

    #[test]
    fn a_uuid_has_its_five_groups() {
        let uuid = Ids::default().uuid();
        let groups: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12], "{uuid}");
    }
}
