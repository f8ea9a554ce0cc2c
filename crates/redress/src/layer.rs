//! The layers in their right order.

use crate::service::Redress;
use crate::timeout::TimedAttempts;
use redress_backoff::BackoffLayer;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tower_layer::Layer;

use http::{HeaderMap, Method, Uri};
use redress_classify::{ClassifyLayer, Clock, Dialect};
use redress_pace::{Gate, PaceLayer};
use redress_refresh::{Credentials, Origin, RefreshLayer, TokenHandle};

/// How long an attempt may take unless its dialect says otherwise. The proxies in front of most APIs give up an answer that
/// has not begun after 60 s (nginx, AWS ALB) or sooner (Heroku 30 s, AWS API Gateway 29 s).
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);

/// Puts the layers over a transport, in the order in which they work:
///
/// ```text
///   caller
///     |  request goes down                 response comes up  ^
///   Backoff         keeps the copy ........ retries, re-sends |
///   Pace            waits for its turn .... learns cool-downs |
///   Refresh         stamps credentials .... renews the token  |
///   Classify        ....................... says what it means|
///   attempt timeout ....................... cuts the attempt  |
///     v                                                       |
///   transport: any `Service<http::Request<B>>`
/// ```
///
/// Clones of a layer, and the services that it makes, share budgets, gate, limits and credentials. Cool-downs, limits and
/// budgets are kept apart by upstream, the host and port of a request; [`partition`](Self::partition) keeps them apart by
/// tenant.
///
/// The order of the setters makes no difference, if each is used once. A closure changes the layer as it is by default;
/// what is set on the whole stack, such as credentials, deadline and partition, is applied last, also to a layer that a
/// closure has replaced. Of two deadlines the earlier counts.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use redress::{Jitter, RedressLayer, StaticHeaders, dialects};
///
/// # fn main() -> Result<(), redress::BoxError> {
/// let keys = StaticHeaders::new().header("x-api-key", "key")?.header("x-api-secret", "secret")?;
/// let layer = RedressLayer::new(dialects::ranex())
///     .credentials(keys, "https://api.ranex.example".parse()?)
///     .deadline(Duration::from_secs(20))
///     .attempt_timeout(Duration::from_secs(5))
///     .backoff(|backoff| backoff.jitter(Jitter::Equal));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedressLayer {
    classify: ClassifyLayer,
    refresh: RefreshLayer,
    pace: PaceLayer,
    backoff: BackoffLayer,
    whole: Whole,
}

/// What is set on the whole stack.
#[derive(Clone, Default)]
struct Whole {
    /// A layer that holds the credentials and no settings.
    credentials: Option<RefreshLayer>,
    deadline: Option<Duration>,
    attempt_timeout: Option<Duration>,
    partition: Option<Keys>,
    clock: Option<Clock>,
}

type Keys = Arc<dyn Fn(&Method, &Uri, &HeaderMap) -> Option<String> + Send + Sync>;

impl RedressLayer {
    /// Reads, retries and paces as this dialect says, with its [attempt timeout](Self::attempt_timeout) or one of 60 s;
    /// without credentials and deadline.
    ///
    /// The limits that the vendor publishes for its routes are kept. A tenant whose limits were lifted says so:
    /// `.pace(PaceLayer::without_limits)`.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        Self {
            classify: ClassifyLayer::new(dialect.clone()),
            refresh: RefreshLayer::none(),
            pace: PaceLayer::new(dialect.clone()),
            whole: Whole {
                attempt_timeout: Some(dialect.attempt_timeout().unwrap_or(ATTEMPT_TIMEOUT)),
                ..Whole::default()
            },
            backoff: BackoffLayer::new(dialect),
        }
    }

    /// Sets the credentials, and the only origin to which they may go.
    #[must_use]
    pub fn credentials(mut self, credentials: impl Credentials, origin: Origin) -> Self {
        self.whole.credentials = Some(RefreshLayer::new(credentials, origin));
        self
    }

    /// Sets how long a call may take in all: attempts, waits, refreshes. What would have to wait longer fails at once.
    ///
    /// All layers have this one deadline. One that is set on a layer in a closure counts if it is earlier; that of the
    /// Backoff layer counts for the layers below it, too.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.whole.deadline = Some(deadline);
        self
    }

    /// Sets how long one attempt may take until its response begins; what it cuts may have been processed.
    ///
    /// It counts from when the request is handed to the transport, and anew from each frame of a body whose
    /// [progress](redress_classify::CloneBody::progress) is visible, such as a [`ReplayBody`](redress_classify::ReplayBody);
    /// that of a buffered body is not. A success that is held because its body may signal an error is handed up within the
    /// same time. Reading the rest of the body is not bounded.
    ///
    /// The default is what the dialect says, such as 10 min for `openai`, or else 60 s: the proxies in front of most APIs
    /// give up an answer that has not begun by then, nginx and AWS's load balancers after 60 s, others sooner.
    #[must_use]
    pub const fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.whole.attempt_timeout = Some(timeout);
        self
    }

    /// Tells callers apart by a key, such as a tenant, in place of the host and port of the request.
    ///
    /// A cool-down holds back, a limit counts, and a budget serves the requests of one key. Set it where several tenants
    /// call one host and the server limits each of them by itself: otherwise the `Retry-After` of one tenant holds back all.
    /// A request for which there is `None` goes by its host and port. The key is never printed.
    ///
    /// # Examples
    /// ```
    /// use redress::{RedressLayer, dialects};
    ///
    /// let layer = RedressLayer::new(dialects::veridia())
    ///     .partition(|_, _, headers| headers.get("x-tenant")?.to_str().ok().map(str::to_owned));
    /// ```
    #[must_use]
    pub fn partition(
        mut self,
        key: impl Fn(&Method, &Uri, &HeaderMap) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.whole.partition = Some(Arc::new(key));
        self
    }

    /// Lets an attempt take as long as the server and the deadline allow, such as for long polling.
    ///
    /// Without a deadline, too, a server that says nothing makes a call that never ends.
    #[must_use]
    pub const fn without_attempt_timeout(mut self) -> Self {
        self.whole.attempt_timeout = None;
        self
    }

    /// Sets the clock of all layers, for tests; the default is the system's.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.whole.clock = Some(clock);
        self
    }

    /// Changes the settings of the Classify layer, such as how long it holds a success whose body may signal an error.
    ///
    /// The stack's attempt timeout and deadline are told to it, too: a hold ends within both.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    ///
    /// use redress::{RedressLayer, dialects};
    ///
    /// let layer = RedressLayer::new(dialects::vlens()).classify(|classify| classify.hold_timeout(Duration::from_secs(1)));
    /// ```
    #[must_use]
    pub fn classify(mut self, change: impl FnOnce(ClassifyLayer) -> ClassifyLayer) -> Self {
        self.classify = change(self.classify);
        self
    }

    /// Changes the settings of the Backoff layer.
    #[must_use]
    pub fn backoff(mut self, change: impl FnOnce(BackoffLayer) -> BackoffLayer) -> Self {
        self.backoff = change(self.backoff);
        self
    }

    /// Changes the settings of the Pace layer.
    #[must_use]
    pub fn pace(mut self, change: impl FnOnce(PaceLayer) -> PaceLayer) -> Self {
        self.pace = change(self.pace);
        self
    }

    /// Changes the settings of the Refresh layer. Its credentials are those of [`credentials`](Self::credentials), if there
    /// are any.
    #[must_use]
    pub fn refresh(mut self, change: impl FnOnce(RefreshLayer) -> RefreshLayer) -> Self {
        self.refresh = change(self.refresh);
        self
    }

    /// Returns a handle on the gate: to see which calls are parked until when, to let them go by hand.
    #[must_use]
    pub fn gate(&self) -> Gate {
        self.whole_pace().gate()
    }

    /// Returns a handle on the credentials: to count refreshes, to put others in place, to log out.
    #[must_use]
    pub fn tokens(&self) -> TokenHandle {
        self.whole_refresh().tokens()
    }

    /// Returns how long a call may take: the earlier of the deadlines of the stack and of its uppermost layer.
    pub(crate) fn longest_call(&self) -> Option<Duration> {
        self.whole.deadline.into_iter().chain(self.backoff.configured_deadline()).min()
    }

    /// Returns the Classify layer with what is set on the whole stack: they bound how long it holds a success.
    fn whole_classify(&self) -> ClassifyLayer {
        let classify = set(self.classify.clone(), self.whole.attempt_timeout, ClassifyLayer::attempt_timeout);
        let classify = set(classify, self.longest_call(), ClassifyLayer::cap_deadline);
        set(classify, self.whole.clock.clone(), ClassifyLayer::clock)
    }

    /// Returns the Backoff layer with what is set on the whole stack.
    fn whole_backoff(&self) -> BackoffLayer {
        let backoff = set(self.backoff.clone(), self.longest_call(), BackoffLayer::cap_deadline);
        let backoff = set(backoff, self.whole.clock.clone(), BackoffLayer::clock);
        set(backoff, self.whole.partition.clone(), |backoff, key| {
            backoff.partition(move |method, uri, headers| key(method, uri, headers))
        })
    }

    /// Returns the Pace layer with what is set on the whole stack.
    fn whole_pace(&self) -> PaceLayer {
        let pace = set(self.pace.clone(), self.longest_call(), PaceLayer::cap_deadline);
        let pace = set(pace, self.whole.clock.clone(), PaceLayer::clock);
        set(pace, self.whole.partition.clone(), |pace, key| {
            pace.partition(move |method, uri, headers| key(method, uri, headers))
        })
    }

    /// Returns the Refresh layer with what is set on the whole stack. Backoff sends again what it hands up.
    fn whole_refresh(&self) -> RefreshLayer {
        let refresh = set(self.refresh.clone().resend_above(), self.longest_call(), RefreshLayer::cap_deadline);
        let refresh = set(refresh, self.whole.clock.clone(), RefreshLayer::clock);
        set(refresh, self.whole.credentials.as_ref(), RefreshLayer::credentials_from)
    }
}

/// Changes a layer by a setting, if it is set.
fn set<L, T>(layer: L, setting: Option<T>, change: impl FnOnce(L, T) -> L) -> L {
    match setting {
        Some(setting) => change(layer, setting),
        None => layer,
    }
}

impl<S> Layer<S> for RedressLayer {
    type Service = Redress<S>;

    fn layer(&self, transport: S) -> Redress<S> {
        let attempt = TimedAttempts::new(transport, self.whole.attempt_timeout);
        let below = self.whole_refresh().layer(self.whole_classify().layer(attempt));
        Redress::new(self.whole_backoff().layer(self.whole_pace().layer(below)))
    }
}

impl fmt::Debug for RedressLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedressLayer")
            .field("classify", &self.classify)
            .field("refresh", &self.whole_refresh())
            .field("pace", &self.whole_pace())
            .field("backoff", &self.whole_backoff())
            .field("attempt_timeout", &self.whole.attempt_timeout)
            .field("deadline", &self.whole.deadline)
            .finish()
    }
}
