//! The trait of a store.

use std::future::Future;
use std::time::Duration;

use crate::BoxError;
use crate::record::{NewRecord, Record};
use crate::version::Version;

/// The poll interval of a store that does not report changes.
const POLL: Duration = Duration::from_millis(250);

/// Keeps one [`Record`] for each key, where all processes with one account reach it.
///
/// A store needs one atomic operation, a compare-and-set on the [`Version`]: a script of a few lines in Redis, and in SQL
/// `UPDATE .. WHERE key = .. AND version = ..`. It keeps the bytes of a record unchanged, beside its version and the time of the
/// write. A record without a lifetime stays until it is replaced.
///
/// [`conformance::check`](crate::conformance::check) tests a store against these rules.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a store of records",
    label = "`Store` is not implemented for this type",
    note = "use `MemoryStore` within one process, or implement `Store`: `load` and `replace` are its required methods, and \
            `conformance::check` tests them"
)]
pub trait Store: Send + Sync + 'static {
    /// Returns the record of this key, `None` if there never was one or its lifetime has passed.
    ///
    /// # Errors
    /// Returns an error if the store is unavailable. The error is not shown, so that it may contain secrets.
    fn load(&self, key: &str) -> impl Future<Output = Result<Option<Record>, BoxError>> + Send;

    /// Replaces the record if its version is `seen`; `None` means that there is no record.
    ///
    /// It compares and writes atomically: of any number of calls with the same version at most one succeeds.
    ///
    /// # Errors
    /// Returns an error if it is unknown whether the record was written.
    ///
    /// # Cancel safety
    /// A call that is dropped has written the whole record or nothing, and may still write it afterwards.
    fn replace(
        &self,
        key: &str,
        seen: Option<Version>,
        record: &NewRecord<'_>,
    ) -> impl Future<Output = Result<Written, BoxError>> + Send;

    /// Waits until the version of the record is no longer `seen`; it may return earlier. The default waits 250 ms.
    ///
    /// A wait without a change takes at least 10 ms, and lets other tasks run; the layers read the record after each wait.
    fn changed(&self, key: &str, seen: Option<Version>) -> impl Future<Output = ()> + Send {
        let _ = (key, seen);
        tokio::time::sleep(POLL)
    }
}

/// The answer of a store to a write.
///
/// # Examples
/// ```
/// use redress_store::Written;
///
/// assert!(Written::Done.is_written() && !Written::Refused(None).is_written());
/// ```
#[derive(Clone, Debug)]
pub enum Written {
    /// The record was written.
    Done,
    /// Nothing was written: the record had another version. It is returned as it is now, `None` if there is none.
    Refused(Option<Record>),
}

impl Written {
    /// Returns `true` if the record was written.
    #[must_use]
    pub const fn is_written(&self) -> bool {
        matches!(self, Self::Done)
    }
}
