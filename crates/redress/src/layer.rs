//! The layer that puts all others in their order, with their settings.

use redress_backoff::{BackoffLayer, Budget};

mod sharing;
mod stack;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, Uri};
use redress_classify::{ClassifyLayer, Clock, Dialect};
use redress_pace::{Gate, PaceLayer};
use redress_refresh::{Credentials, Origin, RefreshLayer, TokenHandle};

use self::sharing::Sharing;

/// The attempt timeout unless the dialect has one. The proxies in front of most APIs give up a response that has not begun
/// after 60 s (nginx, AWS ALB) or sooner (Heroku 30 s, AWS API Gateway 29 s).
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);

/// Puts the layers over a transport, in the order in which they work:
///
/// ```text
///   caller
///     |  request goes down                 response comes up  ^
///   Backoff         keeps a copy .......... retries, resends  |
///   Pace            delays the request .... learns cool-downs |
///   Refresh         adds credentials ...... renews the token  |
///   Classify        ....................... reads the error   |
///   attempt timeout ....................... cuts an attempt   |
///     v                                                       |
///   transport: any `Service<http::Request<B>>`
/// ```
///
/// Clones of a layer, and the services that it makes, share budgets, gate, limits and credentials. Cool-downs, limits and
/// budgets are kept per upstream, which is the host and port of a request, or per tenant by [`partition`](Self::partition).
///
/// The order of the setters makes no difference if each is used once. A closure changes the settings of one layer; settings
/// of the whole stack, such as credentials, deadline and partition, are applied last, also to a layer that a closure has
/// replaced. Of two deadlines the earlier counts.
///
/// A tower user who compares: tower's `Retry` and `Timeout` leave it to a policy what a response means. These layers read
/// it by the dialect, and share the answer.
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

/// The settings of the whole stack.
#[derive(Clone, Default)]
struct Whole {
    /// A layer that holds the credentials and no settings.
    credentials: Option<RefreshLayer>,
    deadline: Option<Duration>,
    attempt_timeout: Option<Duration>,
    partition: Option<Keys>,
    clock: Option<Clock>,
    sharing: Option<Sharing>,
    /// Whether first attempts, too, go through the futures of the layers.
    is_never_straight: bool,
}

type Keys = Arc<dyn Fn(&Method, &Uri, &HeaderMap) -> Option<String> + Send + Sync>;

impl RedressLayer {
    /// Returns a stack that reads, retries and paces by this dialect, with its [attempt timeout](Self::attempt_timeout) or
    /// one of 60 s, without credentials and without a deadline.
    ///
    /// A success at the first attempt gives the retry budget 14 tokens, the cost of a retry, while Pace finds the upstream
    /// healthy, and 1 while it does not ([`healthy_refill`](BackoffLayer::healthy_refill)).
    ///
    /// The limits that the vendor publishes for its routes are kept; `.pace(PaceLayer::without_limits)` turns that off for an
    /// account whose limits were lifted.
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
            // Pace, below, marks the responses of an upstream that is not healthy.
            backoff: BackoffLayer::new(dialect).healthy_refill(Budget::TRANSIENT_COST),
        }
    }

    /// Sets the credentials, and the only origin to which they are sent.
    ///
    /// Further origins, such as those of another region, are added to the Refresh layer in [`refresh`](Self::refresh).
    ///
    /// # Examples
    /// ```
    /// use http::{Request, Response};
    /// use redress::{RedressLayer, StaticHeaders, dialects};
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let keys = StaticHeaders::new().header("x-api-key", "key")?;
    /// let layer = RedressLayer::new(dialects::generic()).credentials(keys, "https://api.example".parse()?);
    /// let service = layer.layer(service_fn(|request: Request<String>| async move {
    ///     Ok::<_, std::io::Error>(Response::new(format!("{:?}", request.headers().contains_key("x-api-key"))))
    /// }));
    /// for (url, has_key) in [("https://api.example/items", true), ("https://other.example/items", false)] {
    ///     let response = service.clone().oneshot(Request::get(url).body(String::new())?).await?;
    ///     let body = http_body_util::BodyExt::collect(response.into_body()).await?.to_bytes();
    ///     assert_eq!(body, has_key.to_string(), "{url}");
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn credentials(mut self, credentials: impl Credentials, origin: Origin) -> Self {
        self.whole.credentials = Some(RefreshLayer::new(credentials, origin));
        self
    }

    /// Sets how long a call may take, including its attempts, waits and refreshes. A call that would wait past it fails at
    /// once. The default is none.
    ///
    /// All layers have this one deadline. One that is set on a layer in a closure counts if it is earlier; that of the
    /// Backoff layer counts for the layers below it, too. A [`Deadline`](crate::Deadline) among a request's extensions takes
    /// the place of all.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    ///
    /// use http::{Request, Response};
    /// use redress::{RedressLayer, dialects};
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let layer = RedressLayer::new(dialects::generic()).deadline(Duration::from_secs(20));
    /// let silent = layer.layer(service_fn(|_: Request<String>| {
    ///     std::future::pending::<Result<Response<String>, std::io::Error>>()
    /// }));
    /// let error = silent.oneshot(Request::get("https://api.example/").body(String::new())?).await.unwrap_err();
    /// assert!(error.is_deadline());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.whole.deadline = Some(deadline);
        self
    }

    /// Sets how long one attempt may take until its response begins. An attempt that it cuts may have been processed, and is
    /// retried if that is safe.
    ///
    /// It counts from when the request is handed to the transport, and anew from each frame of a body whose
    /// [progress](redress_classify::CloneBody::progress) is visible, such as a [`ReplayBody`](redress_classify::ReplayBody);
    /// that of a buffered body is not. A success that is held because its body may signal an error is handed up within the
    /// same time. Reading the rest of the body is not bounded. An [`AttemptTimeout`](crate::AttemptTimeout) among a
    /// request's extensions takes its place.
    ///
    /// The default is that of the dialect, such as 10 min for `openai`, or else 60 s: the proxies in front of most APIs
    /// give up a response that has not begun by then, nginx and AWS's load balancers after 60 s, others sooner.
    #[must_use]
    pub const fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.whole.attempt_timeout = Some(timeout);
        self
    }

    /// Keeps cool-downs, limits and budgets per key of the request, such as its tenant, in place of its host and port.
    ///
    /// Set it where several tenants call one host and the server limits each of them separately: otherwise the
    /// `Retry-After` of one tenant delays all. `None` stands for the host and port. The key is never printed.
    ///
    /// # Examples
    /// ```
    /// use redress::{RedressLayer, dialects};
    ///
    /// let layer = RedressLayer::new(dialects::veridia())
    ///     .partition(|_, _, headers| headers.get("x-tenant")?.to_str().ok().map(str::to_owned));
    /// assert!(layer.gate().is_open());
    /// ```
    #[must_use]
    pub fn partition(
        mut self,
        key: impl Fn(&Method, &Uri, &HeaderMap) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.whole.partition = Some(Arc::new(key));
        self
    }

    /// Removes the attempt timeout, such as for long polling.
    ///
    /// Set a [`deadline`](Self::deadline) then: without either, a call to a server that does not respond never ends.
    #[must_use]
    pub const fn without_attempt_timeout(mut self) -> Self {
        self.whole.attempt_timeout = None;
        self
    }

    /// Sets the clock of all layers, for tests; the default is the system's.
    ///
    /// Waits are counted by tokio's clock. This one tells the wall-clock time, for dates in hints and for expiry.
    ///
    /// # Examples
    /// ```
    /// use std::time::SystemTime;
    ///
    /// use http::{Request, Response};
    /// use redress::{Clock, RedressLayer, ResponseExt, dialects};
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let layer = RedressLayer::new(dialects::generic()).clock(Clock::anchored(SystemTime::UNIX_EPOCH));
    /// let limited = layer.layer(service_fn(|_: Request<String>| async {
    ///     Response::builder().status(429).header("retry-after", "3600").body(String::new())
    /// }));
    /// let response = limited.oneshot(Request::get("https://api.example/").body(String::new())?).await?;
    /// assert_eq!(response.retry_at(), Some(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(3600)));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.whole.clock = Some(clock);
        self
    }

    /// Changes the settings of the Classify layer, such as how long it holds a success whose body may signal an error.
    ///
    /// A hold also ends within the stack's attempt timeout and deadline.
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

    /// Changes the settings of the Backoff layer: attempts, schedules, jitter, budget, idempotency keys.
    ///
    /// # Examples
    /// ```
    /// use redress::{BackoffLayer, RedressLayer, dialects};
    ///
    /// let layer = RedressLayer::new(dialects::generic()).backoff(BackoffLayer::without_budget);
    /// ```
    #[must_use]
    pub fn backoff(mut self, change: impl FnOnce(BackoffLayer) -> BackoffLayer) -> Self {
        self.backoff = change(self.backoff);
        self.with_shared_backoff()
    }

    /// Changes the settings of the Pace layer: limits, and how long a call waits for them and for a cool-down.
    ///
    /// # Examples
    /// ```
    /// use std::num::NonZeroU32;
    /// use std::time::Duration;
    ///
    /// use redress::{Limit, RedressLayer, dialects};
    ///
    /// let ten = NonZeroU32::new(10).expect("it is not zero");
    /// let limit = Limit::all_routes(ten, Duration::from_secs(1));
    /// let layer = RedressLayer::new(dialects::generic()).pace(|pace| pace.limit(limit).max_wait(Duration::from_secs(5)));
    /// ```
    #[must_use]
    pub fn pace(mut self, change: impl FnOnce(PaceLayer) -> PaceLayer) -> Self {
        self.pace = change(self.pace);
        self.with_shared_pace()
    }

    /// Changes the settings of the Refresh layer: further origins, the token store, timeouts. Its credentials are those of
    /// [`credentials`](Self::credentials), if they are set.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    ///
    /// use redress::{RedressLayer, dialects};
    ///
    /// let layer = RedressLayer::new(dialects::generic()).refresh(|refresh| refresh.flight_timeout(Duration::from_secs(10)));
    /// ```
    #[must_use]
    pub fn refresh(mut self, change: impl FnOnce(RefreshLayer) -> RefreshLayer) -> Self {
        self.refresh = change(self.refresh);
        self
    }

    /// Returns a handle on the gate: to see until when calls are held back by a cool-down, and to end that by hand.
    ///
    /// # Examples
    /// ```
    /// use redress::{RedressLayer, dialects};
    ///
    /// let gate = RedressLayer::new(dialects::generic()).gate();
    /// assert!(gate.is_open());
    /// ```
    #[must_use]
    pub fn gate(&self) -> Gate {
        self.whole_pace().gate()
    }

    /// Returns a handle on the credentials: to count refreshes, to install others, to log out.
    ///
    /// # Examples
    /// ```
    /// use redress::{RedressLayer, StaticHeaders, dialects};
    ///
    /// let keys = StaticHeaders::new().header("x-api-key", "key")?;
    /// let layer = RedressLayer::new(dialects::generic()).credentials(keys, "https://api.example".parse()?);
    /// assert_eq!(layer.tokens().generation(), 1);
    /// # Ok::<(), redress::BoxError>(())
    /// ```
    #[must_use]
    pub fn tokens(&self) -> TokenHandle {
        self.whole_refresh().tokens()
    }

    #[cfg(feature = "reqwest")]
    pub(crate) fn dialect(&self) -> &Dialect {
        self.classify.dialect()
    }
}
