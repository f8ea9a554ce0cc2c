//! Where several processes keep one set of credentials.

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

/// How often a store that cannot tell of changes is asked.
const POLL: Duration = Duration::from_millis(250);

/// Keeps one [`TokenRecord`] for each key, where all processes of a fleet reach it.
///
/// The layer does all the thinking: when the credentials have run out, it reads the record; a newer set is adopted
/// without a call. Otherwise it writes the lease to refresh, with the end of its lease, and only who has written it calls
/// the issuer. What comes of it is written in its place, unless somebody else has written meanwhile. So a store needs one
/// atomic operation, a compare-and-set on the record's [`RecordVersion`]: a script of a few lines in Redis, and in SQL
/// `UPDATE .. WHERE key = .. AND generation = .. AND lease IS NOT DISTINCT FROM ..`.
///
/// A store keeps the bytes of [`TokenRecord::expose_bytes`] as they are, encrypted if it can, beside the parts of the version. It
/// lets nothing expire by itself: a lease that has ended shows that a refresh token may be spent.
/// [`conformance::check`](crate::conformance::check) tests a store against these rules.
///
/// The key is a name that the user chose, never a token, nor anything made of one.
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
pub trait TokenStore: Send + Sync + 'static {
    /// Returns the record of this key, `None` when there never was one.
    ///
    /// # Errors
    /// When the store cannot tell. The error is not shown: it may hold what it likes.
    fn load(&self, key: &str) -> impl Future<Output = Result<Option<TokenRecord>, BoxError>> + Send;

    /// Puts a record in the place of the one with that version, or of none; returns whether it did.
    ///
    /// It compares and writes in one step that nothing can come between: of any number of calls with the same version one
    /// at most succeeds.
    ///
    /// # Errors
    /// When it is not known to have been written.
    ///
    /// # Cancel safety
    /// A call that is dropped has written all or nothing.
    fn replace(
        &self,
        key: &str,
        seen: Option<&RecordVersion>,
        record: &TokenRecord,
    ) -> impl Future<Output = Result<bool, BoxError>> + Send;

    /// Waits until the record no longer has that version; it may return earlier. The default waits 250 ms.
    ///
    /// A wait that ends early for no change should take 10 ms or more, and must not keep the thread: it lets other tasks run.
    /// The layer itself leaves 50 ms between two waits of a flight, so that a store that returns at once costs 20 looks a
    /// second and no more; [`conformance::check`](crate::conformance::check) refuses such a store.
    ///
    /// Processes that wait for another one's refresh wait here, until the lease ends at the latest.
    fn changed(&self, key: &str, seen: Option<&RecordVersion>) -> impl Future<Output = ()> + Send {
        let _ = (key, seen);
        tokio::time::sleep(POLL)
    }
}

type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A [`TokenStore`] without its type, boxed once per flight and call.
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
