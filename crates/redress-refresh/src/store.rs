//! Stores in which several processes share one set of credentials.

mod json;
mod memory;
pub(crate) mod millis;
mod record;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use redress_classify::BoxError;

pub use memory::MemoryStore;
pub(crate) use record::Lease;
pub use record::{InvalidRecord, RecordVersion, TokenRecord};

/// The poll interval of a store that does not report changes.
const POLL: Duration = Duration::from_millis(250);

/// Keeps one [`TokenRecord`] for each key, where all processes with one account reach it.
///
/// The layer contains the protocol. When the credentials are rejected or expire, it reads the record. A newer set is adopted
/// without a call. Otherwise it writes a lease, and only the process that has written the lease calls the issuer. The result
/// replaces the lease, unless another process has written meanwhile. So a store needs one atomic operation, a compare-and-set
/// on the [`RecordVersion`]: a script of a few lines in Redis, and in SQL
/// `UPDATE .. WHERE key = .. AND generation = .. AND lease IS NOT DISTINCT FROM ..`.
///
/// A store keeps the bytes of [`TokenRecord::expose_bytes`] unchanged, encrypted if it can, beside the parts of the version. It
/// must not let records expire: a lease that has ended shows that a refresh token may be spent.
/// [`conformance::check`](crate::conformance::check) tests a store against these rules.
///
/// The key is a name that the user chose. It is not a token and contains none.
///
/// # Examples
/// ```
/// use redress_refresh::{Credentials, MemoryStore, RefreshLayer};
///
/// # fn layers(first: impl Credentials, second: impl Credentials) -> Result<(), redress_refresh::InvalidOrigin> {
/// let store = MemoryStore::new();
/// let one = RefreshLayer::new(first, "https://api.example.com".parse()?).store(store.clone(), "portal/user-7");
/// let other = RefreshLayer::new(second, "https://api.example.com".parse()?).store(store, "portal/user-7");
/// # Ok(()) }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a store of token records",
    label = "`TokenStore` is not implemented for this type",
    note = "use `MemoryStore` within one process, or implement `TokenStore`: `load` and `replace` are its required \
            methods, and `conformance::check` tests them"
)]
pub trait TokenStore: Send + Sync + 'static {
    /// Returns the record of this key, `None` if there never was one.
    ///
    /// # Errors
    /// Returns an error if the store is unavailable. The error is not shown, so that it may contain secrets.
    fn load(&self, key: &str) -> impl Future<Output = Result<Option<TokenRecord>, BoxError>> + Send;

    /// Replaces the record if its version is `seen`; `None` means that there is no record. Returns `true` if it was replaced.
    ///
    /// It compares and writes atomically: of any number of calls with the same version at most one succeeds.
    ///
    /// # Errors
    /// Returns an error if it is unknown whether the record was written.
    ///
    /// # Cancel safety
    /// A call that is dropped has written the whole record or nothing.
    fn replace(
        &self,
        key: &str,
        seen: Option<&RecordVersion>,
        record: &TokenRecord,
    ) -> impl Future<Output = Result<bool, BoxError>> + Send;

    /// Waits until the version of the record is no longer `seen`; it may return earlier. The default waits 250 ms.
    ///
    /// A wait without a change should take at least 10 ms, and must let other tasks run. The layer keeps 50 ms between two
    /// waits of a flight, so that a store that returns at once is read at most 20 times a second;
    /// [`conformance::check`](crate::conformance::check) refuses such a store.
    ///
    /// A process waits here while another one refreshes, at most until the end of the lease.
    fn changed(&self, key: &str, seen: Option<&RecordVersion>) -> impl Future<Output = ()> + Send {
        let _ = (key, seen);
        tokio::time::sleep(POLL)
    }
}

type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A [`TokenStore`] as a trait object; its futures are boxed.
pub(crate) trait Store: Send + Sync {
    fn load<'a>(&'a self, key: &'a str) -> Pending<'a, Result<Option<TokenRecord>, BoxError>>;
    fn replace<'a>(
        &'a self,
        key: &'a str,
        seen: Option<&'a RecordVersion>,
        record: &'a TokenRecord,
    ) -> Pending<'a, Result<bool, BoxError>>;
    fn changed<'a>(&'a self, key: &'a str, seen: Option<&'a RecordVersion>) -> Pending<'a, ()>;
}

impl<T: TokenStore> Store for T {
    fn load<'a>(&'a self, key: &'a str) -> Pending<'a, Result<Option<TokenRecord>, BoxError>> {
        Box::pin(TokenStore::load(self, key))
    }

    fn replace<'a>(
        &'a self,
        key: &'a str,
        seen: Option<&'a RecordVersion>,
        record: &'a TokenRecord,
    ) -> Pending<'a, Result<bool, BoxError>> {
        Box::pin(TokenStore::replace(self, key, seen, record))
    }

    fn changed<'a>(&'a self, key: &'a str, seen: Option<&'a RecordVersion>) -> Pending<'a, ()> {
        Box::pin(TokenStore::changed(self, key, seen))
    }
}
