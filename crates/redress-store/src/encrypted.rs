//! A store whose values are encrypted.

use std::fmt;

use crate::BoxError;
use crate::record::{NewRecord, Record};
use crate::record_key::RecordKey;
use crate::sealed::{self, NotOpened};
use crate::store::{Store, Written};
use crate::version::Version;

/// A [`Store`] around another one that encrypts the values by a key of the user.
///
/// Values are encrypted with XChaCha20-Poly1305 under a random nonce of 24 bytes. The key in the store and the version belong to
/// what is authenticated: a value that is copied to another key or version does not open. Encrypted are the values alone: keys,
/// versions, lengths and times of writes are as legible as before. A value becomes 44 bytes longer.
///
/// Whoever can write to the store can still remove a record or bring back an earlier one with its version. The first is "no
/// record", the second a store that went back in time; neither yields a value of the attacker's choice.
///
/// # Errors
/// A record that no key opens is an error of [`load`](Store::load) and [`replace`](Store::replace) that says so. It is never
/// taken for "no record", so that a process with a wrong key replaces nothing.
///
/// # Rotation of the key
/// 1. All processes get `new(store, old).also_reads(new)`.
/// 2. Then all of them get `new(store, new).also_reads(old)`, in any order: each reads what the other writes.
/// 3. Once each record was written again, or its lifetime has passed, they get `new(store, new)`.
///
/// # Examples
/// ```
/// use redress_store::{Encrypted, MemoryStore, NewRecord, RecordKey, Store, Version};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), redress_store::BoxError> {
/// let (inner, key) = (MemoryStore::new(), RecordKey::from_bytes([7; 32])); // take random bytes
/// let store = Encrypted::new(inner.clone(), key);
/// store.replace("portal/user-7", None, &NewRecord::new(Version::next(None), b"s3cret")).await?;
///
/// assert_eq!(store.load("portal/user-7").await?.ok_or("it was written")?.value(), b"s3cret");
/// let kept = inner.load("portal/user-7").await?.ok_or("it was written")?;
/// assert!(!kept.value().windows(6).any(|bytes| bytes == b"s3cret"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Encrypted<S> {
    store: S,
    key: RecordKey,
    old_keys: Vec<RecordKey>,
    reads_plain: bool,
}

impl<S> Encrypted<S> {
    /// Encrypts the values of a store by this key, and reads the values that it encrypted.
    #[must_use]
    pub const fn new(store: S, key: RecordKey) -> Self {
        Self { store, key, old_keys: Vec::new(), reads_plain: false }
    }

    /// Reads the values of this key too, for a rotation. It may be called for several keys; the one of [`new`](Self::new) writes.
    #[must_use]
    pub fn also_reads(mut self, key: RecordKey) -> Self {
        self.old_keys.push(key);
        self
    }

    /// Reads values that are not encrypted too, for the time until each record has been written again.
    ///
    /// The default is an error, since whoever can write to the store could else put a value of their choice there.
    #[must_use]
    pub const fn also_reads_plain(mut self) -> Self {
        self.reads_plain = true;
        self
    }

    fn open(&self, key: &str, record: &Record) -> Result<Record, BoxError> {
        let record_keys = std::iter::once(&self.key).chain(&self.old_keys);
        let value = match sealed::open(record_keys, key, record.version(), record.value()) {
            Err(NotOpened::Plain) if self.reads_plain => record.value().to_vec(),
            opened => opened?,
        };
        let opened = Record::new(record.version(), value, record.age());
        Ok(if record.is_of_former_server() { opened.of_former_server() } else { opened })
    }
}

impl<S: Store> Store for Encrypted<S> {
    async fn load(&self, key: &str) -> Result<Option<Record>, BoxError> {
        let record = self.store.load(key).await?;
        record.map(|record| self.open(key, &record)).transpose()
    }

    async fn replace(&self, key: &str, seen: Option<Version>, record: &NewRecord<'_>) -> Result<Written, BoxError> {
        let value = sealed::seal(&self.key, key, record.version(), record.value())?;
        let sealed = NewRecord::new(record.version(), &value);
        let sealed = record.end_of_life().map_or(sealed, |lifetime| sealed.lifetime(lifetime));
        let sealed = record.seen_mark().map_or(sealed, |is_marked| sealed.seen_marked(is_marked));
        match self.store.replace(key, seen, &sealed).await? {
            Written::Refused(Some(stored)) => Ok(Written::Refused(Some(self.open(key, &stored)?))),
            written => Ok(written),
        }
    }

    async fn changed(&self, key: &str, seen: Option<Version>) {
        self.store.changed(key, seen).await;
    }
}

impl<S: fmt::Debug> fmt::Debug for Encrypted<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encrypted")
            .field("store", &self.store)
            .field("old_keys", &self.old_keys.len())
            .field("reads_plain", &self.reads_plain)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{MemoryStore, conformance};

    const SECRET: &[u8] = b"a refresh token";

    fn key(byte: u8) -> RecordKey {
        RecordKey::from_bytes([byte; 32])
    }

    fn contains(bytes: &[u8], part: &[u8]) -> bool {
        bytes.windows(part.len()).any(|window| window == part)
    }

    async fn write(store: &impl Store, key: &str, seen: Option<Version>) -> Version {
        let version = Version::next(seen);
        assert!(store.replace(key, seen, &NewRecord::new(version, SECRET)).await.unwrap().is_written());
        version
    }

    async fn reads(store: &impl Store, key: &str) -> bool {
        store.load(key).await.is_ok_and(|record| record.is_some_and(|record| record.value() == SECRET))
    }

    #[tokio::test(start_paused = true)]
    async fn it_keeps_the_rules_of_a_store() {
        conformance::check(Encrypted::new(MemoryStore::new(), key(1))).await;
        conformance::check(Encrypted::new(MemoryStore::new(), key(1)).also_reads(key(2)).also_reads_plain()).await;
    }

    #[tokio::test]
    async fn neither_the_store_nor_debug_nor_an_error_has_the_value_or_the_key() {
        let inner = MemoryStore::new();
        let store = Encrypted::new(inner.clone(), key(b'K')).also_reads(key(b'L'));
        let version = write(&store, "login", None).await;
        let kept = inner.load("login").await.unwrap().unwrap();
        assert!(kept.version() == version && kept.value().len() == SECRET.len() + 44);
        assert!(!contains(kept.value(), SECRET) && !contains(kept.value(), &[b'K'; 32]));

        let error = Encrypted::new(inner, key(b'M')).load("login").await.unwrap_err();
        for shown in [format!("{store:?} {store:#?} {:?}", key(b'K')), format!("{error} {error:?}")] {
            assert!(
                !contains(shown.as_bytes(), SECRET) && !shown.contains("KKKK") && !shown.contains("75, 75"),
                "{shown}"
            );
        }
    }

    #[tokio::test]
    async fn equal_values_are_encrypted_differently() {
        let inner = MemoryStore::new();
        let store = Encrypted::new(inner.clone(), key(1));
        let version = Version::next(None);
        let (mut values, record) = (Vec::new(), NewRecord::new(version, SECRET));
        for key in ["a", "b"] {
            store.replace(key, None, &record).await.unwrap();
            values.push(inner.load(key).await.unwrap().unwrap().value().to_vec());
        }
        assert_ne!(values[0][4..28], values[1][4..28], "the nonces are equal");
        assert_ne!(values[0][28..], values[1][28..]);
    }

    #[tokio::test]
    async fn a_record_of_another_key_is_an_error_and_is_not_replaced() {
        let inner = MemoryStore::new();
        let version = write(&Encrypted::new(inner.clone(), key(1)), "login", None).await;
        let wrong = Encrypted::new(inner.clone(), key(2)).also_reads_plain();
        let error = wrong.load("login").await.unwrap_err();
        assert!(error.to_string().contains("no key opens it"), "{error}");
        let written = wrong.replace("login", None, &NewRecord::new(Version::next(None), b"other")).await;
        assert!(written.unwrap_err().to_string().contains("no key opens it"));
        assert_eq!(inner.load("login").await.unwrap().unwrap().version(), version);
    }

    #[tokio::test]
    async fn a_value_that_was_moved_or_changed_does_not_open() {
        let inner = MemoryStore::new();
        let store = Encrypted::new(inner.clone(), key(1));
        let version = write(&store, "login", None).await;
        let value = inner.load("login").await.unwrap().unwrap().value().to_vec();

        inner.replace("other", None, &NewRecord::new(version, &value)).await.unwrap();
        assert!(!reads(&store, "other").await, "under another key");

        let mut seen = version;
        let moved = Version::from_parts(version.number() + 1, version.id());
        inner.replace("login", Some(seen), &NewRecord::new(moved, &value)).await.unwrap();
        assert!(!reads(&store, "login").await, "under another number");
        seen = moved;
        let moved = Version::from_parts(version.number(), version.id() ^ 1);
        inner.replace("login", Some(seen), &NewRecord::new(moved, &value)).await.unwrap();
        assert!(!reads(&store, "login").await, "under another id");
        seen = moved;
        for place in 0..value.len() {
            for wrong in [value[..place].to_vec(), {
                let mut v = value.clone();
                v[place] ^= 1;
                v
            }] {
                inner.replace("login", Some(seen), &NewRecord::new(version, &wrong)).await.unwrap();
                assert!(store.load("login").await.is_err(), "byte {place} of {}", value.len());
                seen = version;
            }
        }
        inner.replace("login", Some(seen), &NewRecord::new(version, &value)).await.unwrap();
        assert!(reads(&store, "login").await, "and the original opens");
    }

    #[tokio::test]
    async fn the_key_is_rotated_without_an_interruption() {
        let inner = MemoryStore::new();
        let (old, new) = (key(1), key(2));
        let before = Encrypted::new(inner.clone(), old.clone()).also_reads(new.clone());
        let after = Encrypted::new(inner.clone(), new.clone()).also_reads(old.clone());
        let first = write(&before, "login", None).await;
        assert!(reads(&after, "login").await);
        write(&after, "login", Some(first)).await;
        assert!(reads(&before, "login").await);
        assert!(reads(&Encrypted::new(inner.clone(), new), "login").await, "the first key writes");
        assert!(!reads(&Encrypted::new(inner, old), "login").await);
    }

    #[tokio::test]
    async fn a_plain_record_is_read_only_if_that_is_set() {
        let inner = MemoryStore::new();
        let seen = write(&inner, "login", None).await;
        let strict = Encrypted::new(inner.clone(), key(1));
        let error = strict.load("login").await.unwrap_err();
        assert!(error.to_string().contains("not encrypted"), "{error}");
        assert!(strict.replace("login", None, &NewRecord::new(Version::next(None), b"")).await.is_err());

        let lenient = strict.clone().also_reads_plain();
        assert!(reads(&lenient, "login").await);
        write(&lenient, "login", Some(seen)).await;
        assert!(reads(&strict, "login").await, "the next write is encrypted");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lifetime_reaches_the_store() {
        let store = Encrypted::new(MemoryStore::new(), key(1));
        let record = NewRecord::new(Version::next(None), SECRET).lifetime(Duration::from_secs(1));
        store.replace("lease", None, &record).await.unwrap();
        assert!(reads(&store, "lease").await);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(store.load("lease").await.unwrap().is_none());
    }
}
