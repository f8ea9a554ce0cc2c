//! The layer and its settings.

use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, Request, Uri};
use redress_classify::{Clock, Coverage, Dialect, PublishedLimit};
use tower_layer::Layer;

use crate::gate::Gate;
use crate::limit::Limit;
use crate::limiter::Limiter;
use crate::lot::Lot;
use crate::partition::Partition;
use crate::scope::Target;
use crate::service::Pace;

/// Makes [`Pace`] services that hold their callers back together.
///
/// Clones of a layer, and the services that it makes, share one gate and the counts of its limits: make one for each
/// upstream, or one for several, whose hosts are told apart. Limits that are added to a clone count for that clone.
///
/// One answer parks its partition for 1 h at most, whatever it asks for: longer than the windows that vendors publish for their
/// request limits, and short enough that a mistaken hint shuts no client out for good. The calls that are released then find out
/// whether the server still refuses. A later hint extends a cool-down, a sooner one never cuts it. Where several tenants call one
/// host, [`partition`](Self::partition) keeps the cool-down of one from holding back the others. Where the dialect has
/// [scopes](crate#scopes), a rate limit parks only the calls that share it.
///
/// It belongs above whatever sends, below whatever sends again: so retries, and re-sends after a refresh, wait like
/// first tries.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use redress_classify::dialects;
/// use redress_pace::PaceLayer;
///
/// let layer = PaceLayer::new(dialects::veridia())
///     .deadline(Duration::from_secs(20))
///     .partition(|_, _, headers| headers.get("x-tenant")?.to_str().ok().map(str::to_owned));
/// assert!(layer.gate().is_open());
/// ```
#[derive(Clone, Debug)]
pub struct PaceLayer {
    settings: Settings,
}

type Keys = Arc<dyn Fn(&Method, &Uri, &HeaderMap) -> Option<String> + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) dialect: Dialect,
    /// `true` if responses may name the buckets of their routes.
    pub(crate) learns_buckets: bool,
    pub(crate) deadline: Option<Duration>,
    pub(crate) max_wait: Duration,
    pub(crate) fail_fast: bool,
    pub(crate) clock: Clock,
    pub(crate) lot: Arc<Lot>,
    pub(crate) limiters: Vec<Arc<Limiter>>,
    keys: Option<Keys>,
    random: Arc<dyn Fn() -> u32 + Send + Sync>,
}

impl PaceLayer {
    /// Obeys cool-downs, and the limits that the dialect publishes.
    ///
    /// A published limit whose routes are unknown is not applied. Add it with [`limit`](Self::limit).
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        let published: Vec<_> = dialect.limits().iter().filter_map(published).collect();
        let settings = Settings {
            learns_buckets: dialect.names_buckets(),
            deadline: None,
            max_wait: Duration::from_secs(120),
            fail_fast: false,
            clock: Clock::system(),
            lot: Arc::default(),
            limiters: Vec::new(),
            keys: None,
            random: Arc::new(|| fastrand::u32(..)),
            dialect,
        };
        published.into_iter().fold(Self { settings }, Self::limit)
    }

    /// Tells callers apart by a key, such as a tenant, in place of the host and port of the request.
    ///
    /// A cool-down parks, and a limit counts, the requests of one key. A request for which there is `None` goes by its
    /// host and port. The key is asked for once for every request, and never printed. Up to 1,024 keys are kept apart.
    #[must_use]
    pub fn partition(
        mut self,
        key: impl Fn(&Method, &Uri, &HeaderMap) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.settings.keys = Some(Arc::new(key));
        self
    }

    /// Sets how long a call may take in all: one whose turn comes later fails at once.
    ///
    /// A [`Deadline`](redress_classify::Deadline) in the extensions of a request takes its place.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.settings.deadline = Some(deadline);
        self
    }

    /// Caps the deadline: of this one and the one that is set the earlier counts.
    #[must_use]
    pub fn cap_deadline(mut self, longest: Duration) -> Self {
        self.settings.deadline = Some(self.settings.deadline.map_or(longest, |own| own.min(longest)));
        self
    }

    /// Sets how long a call without a deadline waits at most; one whose turn comes later fails at once.
    ///
    /// The spread of a release, up to 30 s, comes on top, and as long again for a place in it. The default is 120 s, the
    /// longest cool-down that a Backoff layer sits out: a longer one is for the caller to know about.
    #[must_use]
    pub const fn max_wait(mut self, longest: Duration) -> Self {
        self.settings.max_wait = longest;
        self
    }

    /// Adds a limit. A request is sent when all limits that cover it allow it: its own, one for the whole API, one for a
    /// second beside one for a day.
    ///
    /// A limit for the same routes and the same time as an earlier one, such as one that the vendor publishes, takes its
    /// place. For a looser limit that is written in another way, drop those of the dialect first:
    /// [`without_limits`](Self::without_limits).
    #[must_use]
    pub fn limit(mut self, limit: Limit) -> Self {
        let limiters = &mut self.settings.limiters;
        limiters.retain(|earlier| !limit.replaces(earlier.limit()));
        limiters.push(Arc::new(Limiter::new(limit)));
        // A call waits for the most specific one first, so that in the queue of a broad one it holds up no other calls.
        limiters.sort_by_key(|limiter| Reverse(limiter.limit().specificity()));
        self
    }

    /// Drops all limits: those of the dialect, and those that were added so far.
    #[must_use]
    pub fn without_limits(mut self) -> Self {
        self.settings.limiters.clear();
        self
    }

    /// Lets no call wait: what would have to, at the gate or for a limit, fails at once and says when its turn would come.
    #[must_use]
    pub const fn fail_fast(mut self) -> Self {
        self.settings.fail_fast = true;
        self
    }

    /// Sets the clock, for tests.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.settings.clock = clock;
        self
    }

    /// Sets the source of random numbers, uniform over all of `u32`, for tests and simulations.
    #[must_use]
    pub fn random(mut self, random: impl Fn() -> u32 + Send + Sync + 'static) -> Self {
        self.settings.random = Arc::new(random);
        self
    }

    /// Returns a handle that looks at the gate and opens it. It tells requests apart as the layer does now.
    #[must_use]
    pub fn gate(&self) -> Gate {
        Gate::new(Arc::new(self.settings.clone()))
    }
}

impl<S> Layer<S> for PaceLayer {
    type Service = Pace<S>;

    fn layer(&self, inner: S) -> Pace<S> {
        Pace::new(inner, Arc::new(self.settings.clone()))
    }
}

impl Settings {
    pub(crate) fn target<B>(&self, request: &Request<B>) -> Target {
        let key = self.keys.as_ref().and_then(|key| key(request.method(), request.uri(), request.headers()));
        Target::new(Partition::new(request.uri(), request.headers(), key), &self.dialect, request)
    }

    /// Returns the limits that cover a request, the most specific one first.
    pub(crate) fn limiters<B>(&self, request: &Request<B>) -> impl Iterator<Item = &Arc<Limiter>> + Clone {
        self.limiters.iter().filter(|limiter| limiter.covers(request.method(), request.uri().path()))
    }

    pub(crate) fn random(&self) -> u32 {
        (self.random)()
    }
}

/// Returns a limit that a vendor publishes, if its routes are known.
fn published(limit: &PublishedLimit) -> Option<Limit> {
    match &limit.covers {
        Coverage::All => Some(Limit::all_routes(limit.requests, limit.per)),
        Coverage::Routes(routes) => {
            let (first, others) = routes.split_first()?;
            let limit = Limit::new(first.clone(), limit.requests, limit.per);
            Some(others.iter().cloned().fold(limit, Limit::route))
        }
        _ => None,
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("dialect", &self.dialect)
            .field("deadline", &self.deadline)
            .field("max_wait", &self.max_wait)
            .field("fail_fast", &self.fail_fast)
            .field("limits", &self.limiters)
            .field("lot", &self.lot)
            .finish_non_exhaustive()
    }
}
