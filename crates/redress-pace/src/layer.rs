//! The layer, with a setter for each of its settings.

mod sharing;

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, Uri};
use redress_classify::{Clock, Coverage, Dialect, PublishedLimit};
use tower_layer::Layer;

use crate::gate::Gate;
use crate::limit::Limit;
use crate::limiter::Limiter;
use crate::service::Pace;
use crate::settings::Settings;
use crate::shared::Sharing;

/// A call waits while an outage is younger than this many times its time left.
const DEFAULT_PATIENCE: u32 = 10;
/// The maximum number of bytes that waiting calls hold.
const DEFAULT_MAX_HELD: u64 = 64 << 20;

/// A layer that makes [`Pace`] services, which wait together for cool-downs and limits.
///
/// Clones of a layer, and the services that it makes, share the gates and the counts of the limits. Make one layer for each
/// upstream, or one for several: their hosts are counted apart. A limit that is added to a clone counts for that clone only.
///
/// Put it above the layers that send, and below the layers that send again, so that a retry, or a resend after a refresh,
/// waits like a first attempt.
///
/// One response starts a cool-down of at most 1 h, whatever it asks for. That is longer than the windows that vendors publish
/// for their request limits, and short enough that a mistaken hint does not stop a client for good: the calls that are
/// released then find out whether the server still refuses. A later hint extends a cool-down; a sooner one does not shorten
/// it. If several tenants call one host, set [`partition`](Self::partition), so that the cool-down of one does not delay the
/// others.
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

impl PaceLayer {
    /// Creates a layer that obeys cool-downs, and the limits that the dialect publishes.
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
            detects_outages: true,
            patience: DEFAULT_PATIENCE,
            max_held: DEFAULT_MAX_HELD,
            newest_first: false,
            clock: Clock::system(),
            gates: Arc::default(),
            sharing: None,
            limiters: Vec::new(),
            partition_key: None,
            random: Arc::new(|| fastrand::u32(..)),
            dialect,
        };
        published.into_iter().fold(Self { settings }, Self::limit)
    }

    /// Sets a key, such as a tenant, that replaces the host and port of a request as its partition.
    ///
    /// A cool-down holds, and a limit counts, the requests of one key. A request for which the function returns `None` is in the
    /// partition of its host and port. The function is called once for every request; the key is never printed. Up to 1,024 keys
    /// are counted apart.
    ///
    /// # Examples
    /// ```
    /// use http::Request;
    /// use redress_classify::dialects;
    /// use redress_pace::PaceLayer;
    ///
    /// let layer = PaceLayer::new(dialects::generic())
    ///     .partition(|_, _, headers| headers.get("x-tenant")?.to_str().ok().map(str::to_owned));
    /// let request = Request::get("https://api.example/").header("x-tenant", "acme").body(())?;
    /// assert_eq!(layer.gate().cooldown_until(&request), None);
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn partition(
        mut self,
        key: impl Fn(&Method, &Uri, &HeaderMap) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.settings.partition_key = Some(Arc::new(key));
        self
    }

    /// Sets the deadline of a call, counted from the call of this service. A call that would wait longer fails at once.
    ///
    /// A [`Deadline`](redress_classify::Deadline) in the extensions of a request replaces it. The default is none.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.settings.deadline = Some(deadline);
        self
    }

    /// Caps the deadline: the earlier of this one and the one set before counts. It does not cap the deadline of a request.
    #[must_use]
    pub fn cap_deadline(mut self, longest: Duration) -> Self {
        self.settings.deadline = Some(self.settings.deadline.map_or(longest, |own| own.min(longest)));
        self
    }

    /// Sets the maximum wait of a call without a deadline. A call that would wait longer fails at once.
    ///
    /// The spread of a release, up to 30 s, comes on top, and as long again for a permit of it. The default is 120 s, the longest
    /// wait that a Backoff layer accepts: a longer one is for the caller to decide on.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use redress_classify::dialects;
    /// use redress_pace::PaceLayer;
    ///
    /// let layer = PaceLayer::new(dialects::generic()).max_wait(Duration::from_secs(5));
    /// assert!(format!("{layer:?}").contains("max_wait: 5s"));
    /// ```
    #[must_use]
    pub const fn max_wait(mut self, longest: Duration) -> Self {
        self.settings.max_wait = longest;
        self
    }

    /// Adds a limit. A request is sent when all limits that cover it allow it: that of its route and that of the whole API, one
    /// for a second and one for a day.
    ///
    /// A limit for the same routes and the same time as an earlier one, such as one that the vendor publishes, replaces it. To
    /// set a looser limit in another form, drop those of the dialect first: [`without_limits`](Self::without_limits).
    ///
    /// # Examples
    /// ```
    /// use std::num::NonZeroU32;
    /// use std::time::Duration;
    /// use redress_classify::dialects;
    /// use redress_pace::{Limit, PaceLayer};
    ///
    /// let ten = NonZeroU32::new(10).expect("not zero");
    /// let layer = PaceLayer::new(dialects::generic()).limit(Limit::all_routes(ten, Duration::from_secs(1)));
    /// assert!(format!("{layer:?}").contains("requests: 10"));
    /// assert!(!format!("{:?}", layer.without_limits()).contains("requests: 10"));
    /// ```
    #[must_use]
    pub fn limit(mut self, limit: Limit) -> Self {
        let limiters = &mut self.settings.limiters;
        limiters.retain(|earlier| !limit.replaces(earlier.limit()));
        limiters.push(Limiter::new(limit, self.settings.sharing.as_deref().map(Sharing::limits)));
        // A call queues for the most specific limit first, so that in the queue of a broad one it does not delay other calls.
        limiters.sort_by_key(|limiter| Reverse(limiter.limit().specificity()));
        self
    }

    /// Drops all limits: those of the dialect, and those that were added so far.
    #[must_use]
    pub fn without_limits(mut self) -> Self {
        self.settings.limiters.clear();
        self
    }

    /// Lets no call wait: one that would wait, at a gate or for a limit, fails at once with the time at which it could be sent.
    ///
    /// # Examples
    /// ```
    /// use http::{Request, Response};
    /// use redress_classify::dialects;
    /// use redress_pace::PaceLayer;
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let layer = PaceLayer::new(dialects::generic()).fail_fast();
    /// let limited = layer.layer(service_fn(|_: Request<()>| async {
    ///     Response::builder().status(429).header("retry-after", "30").body(())
    /// }));
    /// let request = || Request::get("https://api.example/").body(());
    /// assert_eq!(limited.clone().oneshot(request()?).await?.status(), 429);
    /// let error = limited.oneshot(request()?).await.expect_err("it would wait for 30 s");
    /// assert!(error.is_paced() && error.retry_at().is_some());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub const fn fail_fast(mut self) -> Self {
        self.settings.fail_fast = true;
        self
    }

    /// Does not hold calls in an outage: each of them is sent, and fails by itself. Cool-downs and limits stay.
    ///
    /// For a layer above that has its own circuit breaker, and for calls to many hosts that are often gone.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::dialects;
    /// use redress_pace::PaceLayer;
    ///
    /// let layer = PaceLayer::new(dialects::generic()).without_outages();
    /// assert!(format!("{layer:?}").contains("detects_outages: false"));
    /// ```
    #[must_use]
    pub const fn without_outages(mut self) -> Self {
        self.settings.detects_outages = false;
        self
    }

    /// Sets how long a call waits for the end of an outage: while the outage is younger than this many times the time that the call
    /// has left. Later calls fail at once with the time of the next probe, but for the probe itself.
    ///
    /// The default is 10: with deadlines of 10 s, calls wait in the first 100 s of an outage, and later ones fail at once. In the lab
    /// 3 loses all that waiting gains in an outage of a minute (79.8 % served, 85.2 with 10), and without a bound nothing more is
    /// served than with 10. With 0 only calls that are in the line already wait.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::dialects;
    /// use redress_pace::PaceLayer;
    ///
    /// let layer = PaceLayer::new(dialects::generic()).outage_patience(1);
    /// assert!(format!("{layer:?}").contains("patience: 1"));
    /// ```
    #[must_use]
    pub const fn outage_patience(mut self, times: u32) -> Self {
        self.settings.patience = times;
        self
    }

    /// Sets the maximum number of bytes that calls hold which wait for the end of an outage: the bodies of their requests that are in
    /// memory ([`CloneBody::bytes_in_memory`](redress_classify::CloneBody::bytes_in_memory)), and the responses that a Backoff layer
    /// keeps for them. A call with a body that would exceed it fails at once; one without a body is bounded by the number of calls.
    ///
    /// The default is 64 MiB for all upstreams of the layer together: 10,000 calls, the maximum of one line, with 6.5 kB each, and
    /// little beside what a service has. Headers are not counted, and a body whose copies share their bytes is counted once.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::dialects;
    /// use redress_pace::PaceLayer;
    ///
    /// let layer = PaceLayer::new(dialects::generic()).max_waiting_bytes(8 << 20);
    /// assert!(format!("{layer:?}").contains("max_held: 8388608"));
    /// ```
    #[must_use]
    pub const fn max_waiting_bytes(mut self, bytes: u64) -> Self {
        self.settings.max_held = bytes;
        self
    }

    /// Lets the call with the latest deadline go first, in a release and as the probe of an outage. The default is the one with the
    /// earliest deadline, which serves the most calls.
    ///
    /// For screens: those who came last still look at theirs.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::dialects;
    /// use redress_pace::PaceLayer;
    ///
    /// let layer = PaceLayer::new(dialects::generic()).newest_first();
    /// assert!(format!("{layer:?}").contains("newest_first: true"));
    /// ```
    #[must_use]
    pub const fn newest_first(mut self) -> Self {
        self.settings.newest_first = true;
        self
    }

    /// Sets the clock. Tests use it; the default is the system's clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.settings.clock = clock;
        self
    }

    /// Sets the source of random numbers, uniform over all of `u32`, for tests and simulations. The default is `fastrand`.
    #[must_use]
    pub fn random(mut self, random: impl Fn() -> u32 + Send + Sync + 'static) -> Self {
        self.settings.random = Arc::new(random);
        self
    }

    #[cfg(test)]
    pub(crate) const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns a handle to inspect the gates and to open them. It uses the partitions and scopes that the layer has now.
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

/// Converts a limit that a vendor publishes; `None` if its routes are unknown.
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
