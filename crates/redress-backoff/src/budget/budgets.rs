//! The budgets of a layer: one for all calls, or one for each upstream or other partition.

use std::borrow::Cow;
use std::fmt;
use std::hash::{BuildHasher, RandomState};

use http::{Extensions, HeaderMap, Method, Request, Uri};
use redress_classify::Upstream;
use redress_store::stable_hash;

use super::Budget;
use super::shared::Records;
use super::sync::Arc;
use super::table::BudgetTable;

/// The budgets of a layer: one for all calls, or one for each upstream or other partition.
///
/// If a client calls several upstreams through one layer, an outage of one must not use up the retries of the others. A
/// [`Budget`] converts into a `Budgets` that all calls share.
///
/// # Cost
/// A single budget needs no lock and no map: a success with a full bucket is two atomic loads. With keys, a success is one
/// atomic load while the buckets of all keys are full. The bucket of a key is made when one of its calls first fails, under
/// an exclusive lock, and dropped when successes have filled it again. In between each success makes and hashes its key, and
/// takes a shared lock.
///
/// # Memory
/// A key is kept as a hash (64 bits of `SipHash` with random keys), never as text. A full bucket without a user is the same as
/// none, and is dropped from time to time. At most 4,096 keys have a bucket of their own; while that many are not full, all
/// further keys share one bucket, which makes retries rarer, never more frequent.
///
/// # Examples
/// ```
/// use http::Request;
/// use redress_backoff::{BackoffLayer, Budget, Budgets, Reservation};
/// use redress_classify::dialects;
///
/// let by_tenant = Budgets::keyed(100, |_, headers, _| {
///     let tenant = headers.get("x-tenant").and_then(|tenant| tenant.to_str().ok());
///     tenant.unwrap_or_default().into()
/// });
/// let layer = BackoffLayer::new(dialects::veridia()).budget(by_tenant.clone());
///
/// let request = |tenant: &str| Request::get("https://api.example/").header("x-tenant", tenant).body(());
/// let spent = by_tenant.for_request(&request("a")?).reserve(Budget::TRANSIENT_COST).map(Reservation::spend);
/// assert_eq!(spent, Some(14));
/// assert_eq!(by_tenant.for_request(&request("a")?).level(), 86);
/// assert_eq!(by_tenant.for_request(&request("b")?).level(), 100);
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone)]
pub struct Budgets {
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Shared(Budget),
    Keyed(Arc<Keyed>),
}

struct Keyed {
    partition_by: PartitionBy,
    hasher: RandomState,
    table: BudgetTable,
}

#[derive(Clone)]
enum PartitionBy {
    Upstream,
    Key(std::sync::Arc<KeyFn>),
    /// All calls have one bucket, which processes share.
    None,
}

/// The content of a key's hash. The variants keep a user's key apart from a host of the same name.
#[derive(Hash)]
enum HashedKey {
    Upstream(Upstream),
    Key(String),
}

/// The parts of a request from which a key is made.
pub(crate) struct KeyParts<'r> {
    pub(crate) method: &'r Method,
    pub(crate) uri: &'r Uri,
    pub(crate) headers: &'r HeaderMap,
    pub(crate) extensions: &'r Extensions,
}

/// Makes the key of a request in place of its upstream, such as its tenant.
pub(crate) type PartitionFn = std::sync::Arc<dyn Fn(&Method, &Uri, &HeaderMap) -> Option<String> + Send + Sync>;

type KeyFn = dyn for<'a> Fn(&'a Uri, &'a HeaderMap, &'a Extensions) -> Cow<'a, str> + Send + Sync;

/// The number of keys that have a bucket of their own: about half a megabyte of memory.
const MAX_KEYS: usize = 4_096;
/// The number of keys for which tokens are leased, each by a task.
const MAX_LEASES: usize = 1_024;

impl Budgets {
    /// Makes a bucket of 500 tokens for each upstream: for each host and port, or each `Host` header if the URI has no host.
    ///
    /// # Examples
    /// ```
    /// use http::Request;
    /// use redress_backoff::Budgets;
    ///
    /// let budgets = Budgets::per_authority();
    /// let request = Request::get("https://api.example/v1/things").body(())?;
    /// let reserved = budgets.for_request(&request).reserve(14);
    /// assert_eq!(budgets.for_request(&Request::get("https://API.example:443/").body(())?).level(), 486);
    /// assert_eq!(budgets.for_request(&Request::get("https://other.example/").body(())?).level(), 500);
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn per_authority() -> Self {
        Self::partitioned(Budget::DEFAULT_CAPACITY, PartitionBy::Upstream)
    }

    /// Makes a bucket of `capacity` tokens for each key, which is made from the URI, the headers and the extensions.
    ///
    /// They are those of the request as the layer receives it. The key is made when a call fails, or succeeds while a bucket
    /// is not full. It may be a secret: only a hash is kept.
    #[must_use]
    pub fn keyed(
        capacity: u32,
        key: impl for<'a> Fn(&'a Uri, &'a HeaderMap, &'a Extensions) -> Cow<'a, str> + Send + Sync + 'static,
    ) -> Self {
        Self::partitioned(capacity, PartitionBy::Key(std::sync::Arc::new(key)))
    }

    /// Returns the budget that pays for the retries of this request.
    #[must_use]
    pub fn for_request<B>(&self, request: &Request<B>) -> Budget {
        self.budget(self.key(&KeyParts::from_request(request), None))
    }

    /// Returns the hashed key of a request. A layer's own `partition` takes the place of the upstream.
    pub(crate) fn key(&self, parts: &KeyParts<'_>, partition: Option<&PartitionFn>) -> u64 {
        match &self.kind {
            Kind::Shared(_) => 0,
            Kind::Keyed(keyed) => keyed.key(parts, partition),
        }
    }

    /// Returns `true` if the key depends on the headers of the request.
    pub(crate) fn reads_headers(&self, uri: &Uri, partition: Option<&PartitionFn>) -> bool {
        match &self.kind {
            Kind::Shared(_) => false,
            Kind::Keyed(keyed) => match keyed.partition_by {
                PartitionBy::Key(_) => true,
                PartitionBy::None => false,
                PartitionBy::Upstream => partition.is_some() || uri.authority().is_none(),
            },
        }
    }

    pub(crate) fn budget(&self, key: u64) -> Budget {
        match &self.kind {
            Kind::Shared(budget) => budget.clone(),
            Kind::Keyed(keyed) => keyed.table.budget(key),
        }
    }

    /// Adds tokens to the budget of a key. The closures are called, and a lock taken, only if any bucket is not full.
    #[inline]
    pub(crate) fn refill(&self, key: impl FnOnce() -> u64, tokens: impl FnOnce() -> u32) {
        match &self.kind {
            Kind::Shared(budget) => budget.refill_with(tokens),
            Kind::Keyed(keyed) if keyed.table.is_in_use() => keyed.table.refill(key(), tokens()),
            Kind::Keyed(_) => {}
        }
    }

    /// Returns the level of a key's budget.
    pub(crate) fn level(&self, key: u64) -> u32 {
        match &self.kind {
            Kind::Shared(budget) => budget.level(),
            Kind::Keyed(keyed) => keyed.table.level(key),
        }
    }

    /// Returns budgets of the same capacities and keys, whose tokens are leased from records that all processes share.
    pub(crate) fn leased(&self, records: Records) -> Self {
        let (partition_by, capacity) = match &self.kind {
            Kind::Shared(budget) => (PartitionBy::None, budget.capacity()),
            Kind::Keyed(keyed) => (keyed.partition_by.clone(), keyed.table.capacity()),
        };
        let table = BudgetTable::leased(capacity, MAX_LEASES, records);
        Self { kind: Kind::Keyed(Arc::new(Keyed { partition_by, hasher: RandomState::new(), table })) }
    }

    /// Returns `true` if the tokens are leased.
    pub(crate) fn are_leased(&self) -> bool {
        matches!(&self.kind, Kind::Keyed(keyed) if keyed.table.is_leased())
    }

    /// Leases tokens for a request, in the background, unless its key has a lease already.
    pub(crate) fn lease(&self, parts: &KeyParts<'_>, partition: Option<&PartitionFn>) {
        if let Kind::Keyed(keyed) = &self.kind {
            keyed.table.lease(keyed.key(parts, partition), || keyed.record_name(parts, partition));
        }
    }

    fn partitioned(capacity: u32, partition_by: PartitionBy) -> Self {
        let table = BudgetTable::new(capacity, MAX_KEYS);
        Self { kind: Kind::Keyed(Arc::new(Keyed { partition_by, hasher: RandomState::new(), table })) }
    }
}

/// The same as [`Budgets::per_authority`], which a layer has by default.
impl Default for Budgets {
    fn default() -> Self {
        Self::per_authority()
    }
}

impl From<Budget> for Budgets {
    fn from(budget: Budget) -> Self {
        Self { kind: Kind::Shared(budget) }
    }
}

impl fmt::Debug for Budgets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Shared(budget) => budget.fmt(f),
            Kind::Keyed(keyed) => f
                .debug_struct("Budgets")
                .field("capacity", &keyed.table.capacity())
                .field("keys", &keyed.table.len())
                .finish_non_exhaustive(),
        }
    }
}

impl Keyed {
    fn key(&self, parts: &KeyParts<'_>, partition: Option<&PartitionFn>) -> u64 {
        match &self.partition_by {
            PartitionBy::Key(key) => self.hasher.hash_one(key(parts.uri, parts.headers, parts.extensions)),
            PartitionBy::Upstream => match partition.and_then(|key| key(parts.method, parts.uri, parts.headers)) {
                Some(key) => self.hasher.hash_one(HashedKey::Key(key)),
                None => self.hasher.hash_one(HashedKey::Upstream(Upstream::new(parts.uri, parts.headers))),
            },
            PartitionBy::None => 0,
        }
    }

    /// Returns the name of the key in a store, the same in all processes: host and port, or a hash of a key, which may be a
    /// secret.
    fn record_name(&self, parts: &KeyParts<'_>, partition: Option<&PartitionFn>) -> String {
        let key = match &self.partition_by {
            PartitionBy::None => return "all".to_owned(),
            PartitionBy::Key(key) => Some(key(parts.uri, parts.headers, parts.extensions).into_owned()),
            PartitionBy::Upstream => partition.and_then(|key| key(parts.method, parts.uri, parts.headers)),
        };
        let Some(key) = key else { return Upstream::new(parts.uri, parts.headers).canonical_name() };
        format!("key-{:016x}", stable_hash(&key))
    }
}

impl<'r> KeyParts<'r> {
    pub(crate) fn from_request<B>(request: &'r Request<B>) -> Self {
        let (method, uri) = (request.method(), request.uri());
        Self { method, uri, headers: request.headers(), extensions: request.extensions() }
    }
}
