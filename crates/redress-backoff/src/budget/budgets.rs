//! A budget for each upstream or partition.

use std::borrow::Cow;
use std::fmt;
use std::hash::{BuildHasher, RandomState};

use http::{Extensions, HeaderMap, Method, Request, Uri};
use redress_classify::Upstream;

use super::Budget;
use super::sync::Arc;
use super::table::Table;

/// The budgets of a layer: one for all of its calls, or one for each upstream or other partition.
///
/// Where a client calls several upstreams through one layer, an outage of one should not use up the retries of the
/// others. A [`Budget`] turns into a `Budgets` that gives this one budget to all calls.
///
/// # Cost
/// One budget for all: no lock, no map; a success with a full bucket is two atomic loads. Keyed, a success is one atomic load
/// while the buckets of all keys are full. A bucket is made when a call of its key first fails, under an exclusive lock, and
/// dropped when successes have filled it again; in between each success makes and hashes its key, and takes a lock that
/// successes share.
///
/// # Memory
/// Of a key a hash is kept (64 bits of `SipHash` with random keys), never the key. A bucket that is full and that nobody
/// holds is dropped at times, since a full bucket is the same as none. No more than 4,096 keys have a bucket of their
/// own; while so many owe tokens, all others share one, which makes retries rarer, never more frequent.
///
/// # Examples
/// ```
/// use http::Request;
/// use redress_backoff::{BackoffLayer, Budget, Budgets};
/// use redress_classify::dialects;
///
/// let by_tenant = Budgets::keyed(100, |_, headers, _| {
///     let tenant = headers.get("x-tenant").and_then(|tenant| tenant.to_str().ok());
///     tenant.unwrap_or_default().into()
/// });
/// let layer = BackoffLayer::new(dialects::veridia()).budget(by_tenant.clone());
///
/// let request = |tenant: &str| Request::get("https://api.example/").header("x-tenant", tenant).body(());
/// let _ = by_tenant.for_request(&request("a")?).reserve(Budget::TRANSIENT_COST).map(redress_backoff::Reservation::spend);
/// assert_eq!((by_tenant.for_request(&request("a")?).level(), by_tenant.for_request(&request("b")?).level()), (86, 100));
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone)]
pub struct Budgets {
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    One(Budget),
    Keyed(Arc<Keyed>),
}

struct Keyed {
    partition: Partition,
    hasher: RandomState,
    table: Table,
}

enum Partition {
    Authority,
    Key(Box<KeyFn>),
}

/// What keeps a key of the user's apart from a host of the same name.
#[derive(Hash)]
enum Whose {
    Upstream(Upstream),
    Key(String),
}

/// The parts of a request that a key is made of.
pub(crate) struct About<'r> {
    pub(crate) method: &'r Method,
    pub(crate) uri: &'r Uri,
    pub(crate) headers: &'r HeaderMap,
    pub(crate) extensions: &'r Extensions,
}

/// What tells callers apart in place of the upstream.
pub(crate) type Keys = std::sync::Arc<dyn Fn(&Method, &Uri, &HeaderMap) -> Option<String> + Send + Sync>;

type KeyFn = dyn for<'a> Fn(&'a Uri, &'a HeaderMap, &'a Extensions) -> Cow<'a, str> + Send + Sync;

/// How many keys may owe tokens before further ones share a bucket: about half a megabyte of memory.
const ROOM: usize = 4_096;

impl Budgets {
    /// Gives each upstream a bucket of 500 tokens: each host and port, or each `Host` where the URI has none.
    #[must_use]
    pub fn per_authority() -> Self {
        Self::partitioned(Budget::DEFAULT_CAPACITY, Partition::Authority)
    }

    /// Gives each key a bucket of so many tokens; the key is made of the URI, the headers and the extensions.
    ///
    /// It is made of the request as the layer gets it, when a call fails, or succeeds while a bucket is not full. A key may
    /// be a secret: only a hash is kept.
    #[must_use]
    pub fn keyed(
        capacity: u32,
        key: impl for<'a> Fn(&'a Uri, &'a HeaderMap, &'a Extensions) -> Cow<'a, str> + Send + Sync + 'static,
    ) -> Self {
        Self::partitioned(capacity, Partition::Key(Box::new(key)))
    }

    /// Returns the budget from which the retries of this request are taken.
    #[must_use]
    pub fn for_request<B>(&self, request: &Request<B>) -> Budget {
        self.budget(self.key(&About::of(request), None))
    }

    /// Returns what stands for the key of a request; a layer's own key takes the place of the upstream.
    pub(crate) fn key(&self, about: &About<'_>, own: Option<&Keys>) -> u64 {
        match &self.kind {
            Kind::One(_) => 0,
            Kind::Keyed(keyed) => keyed.key(about, own),
        }
    }

    /// Whether the key is made of headers, too.
    pub(crate) fn reads_headers(&self, uri: &Uri, own: Option<&Keys>) -> bool {
        match &self.kind {
            Kind::One(_) => false,
            Kind::Keyed(keyed) => match keyed.partition {
                Partition::Key(_) => true,
                Partition::Authority => own.is_some() || uri.authority().is_none(),
            },
        }
    }

    pub(crate) fn budget(&self, key: u64) -> Budget {
        match &self.kind {
            Kind::One(budget) => budget.clone(),
            Kind::Keyed(keyed) => keyed.table.budget(key),
        }
    }

    /// Gives tokens to a key's budget. The key is made only if it makes a difference, and there is no lock while all are full.
    #[inline]
    pub(crate) fn refill(&self, key: impl FnOnce() -> u64, tokens: u32) {
        match &self.kind {
            Kind::One(budget) => budget.refill(tokens),
            Kind::Keyed(keyed) if keyed.table.is_in_use() => keyed.table.refill(key(), tokens),
            Kind::Keyed(_) => {}
        }
    }

    /// Returns the level of a key's budget.
    pub(crate) fn level(&self, key: u64) -> u32 {
        match &self.kind {
            Kind::One(budget) => budget.level(),
            Kind::Keyed(keyed) => keyed.table.level(key),
        }
    }

    fn partitioned(capacity: u32, partition: Partition) -> Self {
        let keyed = Keyed { partition, hasher: RandomState::new(), table: Table::new(capacity, ROOM) };
        Self { kind: Kind::Keyed(Arc::new(keyed)) }
    }
}

impl From<Budget> for Budgets {
    fn from(budget: Budget) -> Self {
        Self { kind: Kind::One(budget) }
    }
}

impl fmt::Debug for Budgets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::One(budget) => budget.fmt(f),
            Kind::Keyed(keyed) => f
                .debug_struct("Budgets")
                .field("capacity", &keyed.table.capacity())
                .field("keys", &keyed.table.len())
                .finish_non_exhaustive(),
        }
    }
}

impl Keyed {
    fn key(&self, about: &About<'_>, own: Option<&Keys>) -> u64 {
        match &self.partition {
            Partition::Key(key) => self.hasher.hash_one(key(about.uri, about.headers, about.extensions)),
            Partition::Authority => match own.and_then(|key| key(about.method, about.uri, about.headers)) {
                Some(key) => self.hasher.hash_one(Whose::Key(key)),
                None => self.hasher.hash_one(Whose::Upstream(Upstream::new(about.uri, about.headers))),
            },
        }
    }
}

impl<'r> About<'r> {
    pub(crate) fn of<B>(request: &'r Request<B>) -> Self {
        let (method, uri) = (request.method(), request.uri());
        Self { method, uri, headers: request.headers(), extensions: request.extensions() }
    }
}
