//! Records, as they are written and as they are read.

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::version::Version;

/// A record to write.
///
/// # Examples
/// ```
/// use redress_store::{NewRecord, Version};
/// use std::time::Duration;
///
/// let version = Version::next(None);
/// let record = NewRecord::new(version, b"30000").lifetime(Duration::from_secs(30));
/// assert_eq!((record.version(), record.value()), (version, b"30000".as_slice()));
/// assert_eq!(record.end_of_life(), Some(Duration::from_secs(30)));
/// ```
#[derive(Clone, Copy)]
pub struct NewRecord<'a> {
    version: Version,
    value: &'a [u8],
    lifetime: Option<Duration>,
    seen_mark: Option<bool>,
}

/// A record of a store. `Debug` does not show the value, and the value is wiped when the record is dropped.
///
/// # Examples
/// ```
/// use redress_store::{Record, Version};
/// use std::time::Duration;
///
/// let record = Record::new(Version::next(None), b"s3cret".to_vec(), Duration::from_secs(2));
/// assert_eq!((record.value(), record.age()), (b"s3cret".as_slice(), Duration::from_secs(2)));
/// assert!(!format!("{record:?}").contains("s3cret"));
/// ```
#[derive(Clone)]
pub struct Record {
    version: Version,
    value: Zeroizing<Vec<u8>>,
    age: Duration,
    is_of_former_server: bool,
}

impl<'a> NewRecord<'a> {
    /// Makes a record that the store keeps until it is replaced.
    #[must_use]
    pub const fn new(version: Version, value: &'a [u8]) -> Self {
        Self { version, value, lifetime: None, seen_mark: None }
    }

    /// Lets the store remove the record once that time has passed since it was written. The default is never.
    ///
    /// A store may keep it for longer.
    #[must_use]
    pub const fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Compares the mark of a [former server](Record::of_former_server), as the version is compared: a record that was read without
    /// the mark and has it now is not replaced, since its server was replaced meanwhile. One that was read with the mark loses it.
    ///
    /// Without this a mark hinders no write, and stays.
    #[must_use]
    pub const fn seen_marked(mut self, is_marked: bool) -> Self {
        self.seen_mark = Some(is_marked);
        self
    }

    /// Returns the version of this write.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Returns the bytes to keep. They may be secret.
    #[must_use]
    pub const fn value(&self) -> &'a [u8] {
        self.value
    }

    /// Returns the time after which the store may remove the record, `None` if it must keep it.
    #[must_use]
    pub const fn end_of_life(&self) -> Option<Duration> {
        self.lifetime
    }

    /// Returns whether the writer has read the record that it replaces with the mark of a former server, `None` if it does not care.
    #[must_use]
    pub const fn seen_mark(&self) -> Option<bool> {
        self.seen_mark
    }
}

impl Record {
    /// Makes a record that was written `age` ago by the clock of the store.
    #[must_use]
    pub fn new(version: Version, value: Vec<u8>, age: Duration) -> Self {
        Self { version, value: Zeroizing::new(value), age, is_of_former_server: false }
    }

    /// Marks a record that another server wrote than the one that returns it, or the same one before its last start: writes that
    /// came after it may be lost.
    ///
    /// A store marks it if it can tell, such as by an id of the server that it keeps beside the record. Limits and budgets then count
    /// what their holders may have taken in lost writes, as if the version had fallen. The mark stays until a write that has
    /// [seen](NewRecord::seen_marked) it, so that one process deals with it: it costs a shared limit a lease.
    ///
    /// # Examples
    /// ```
    /// use redress_store::{Record, Version};
    /// use std::time::Duration;
    ///
    /// let record = Record::new(Version::next(None), b"value".to_vec(), Duration::ZERO);
    /// assert!(!record.is_of_former_server());
    /// assert!(record.of_former_server().is_of_former_server());
    /// ```
    #[must_use]
    pub fn of_former_server(mut self) -> Self {
        self.is_of_former_server = true;
        self
    }

    /// Returns the version of the write.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Returns the bytes, as they were written. They may be secret.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// Returns how long ago the record was written, by the clock of the store. Zero if that clock was set back since.
    #[must_use]
    pub const fn age(&self) -> Duration {
        self.age
    }

    /// Returns `true` if the store has [marked](Self::of_former_server) the record.
    #[must_use]
    pub const fn is_of_former_server(&self) -> bool {
        self.is_of_former_server
    }
}

impl fmt::Debug for NewRecord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewRecord")
            .field("version", &self.version)
            .field("len", &self.value.len())
            .field("lifetime", &self.lifetime)
            .field("seen_mark", &self.seen_mark)
            .finish()
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("version", &self.version)
            .field("len", &self.value.len())
            .field("age", &self.age)
            .field("is_of_former_server", &self.is_of_former_server)
            .finish()
    }
}
