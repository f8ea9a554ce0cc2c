//! The layer and its settings.

mod budget;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use redress_classify::{Clock, Dialect, IdempotencyHeader, Schedule};
use tower_layer::Layer;

use crate::schedule::Jitter;
use crate::service::Backoff;
use crate::settings::Settings;

/// A layer that retries failed requests as a vendor's dialect advises.
///
/// [`new`](Self::new) gives the recommended behaviour, and each setter replaces one part of it. Clones of a layer, and the services
/// that it makes, share the [`Budgets`](crate::Budgets) of the upstreams.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use redress_backoff::{BackoffLayer, Jitter};
/// use redress_classify::dialects;
///
/// let layer = BackoffLayer::new(dialects::ranex()).deadline(Duration::from_secs(30)).jitter(Jitter::Equal);
/// assert_eq!(layer.configured_deadline(), Some(Duration::from_secs(30)));
/// ```
#[derive(Clone, Debug)]
pub struct BackoffLayer {
    pub(crate) settings: Settings,
}

impl BackoffLayer {
    /// Makes a layer with the attempts, the schedule, the idempotent routes and the header for idempotency keys of a dialect.
    ///
    /// The defaults, for a dialect without advice, are those of the AWS SDKs' standard mode of 2026:
    ///
    /// | setting | default |
    /// |---|---|
    /// | [`max_attempts`](Self::max_attempts) | 3 |
    /// | [`jitter`](Self::jitter) | [`Jitter::Full`] |
    /// | [`transient_backoff`](Self::transient_backoff) | 50 ms, doubling up to 20 s |
    /// | [`throttling_backoff`](Self::throttling_backoff) | 1 s, doubling up to 20 s |
    /// | [`max_retry_after`](Self::max_retry_after) | 120 s |
    /// | [`budget`](Self::budget) | 500 tokens for each upstream |
    /// | [`deadline`](Self::deadline) | none |
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        Self { settings: Settings::new(dialect) }
    }

    /// Sets the maximum number of attempts, including the first. The resend after a token refresh does not count, nor do
    /// those that wait for the end of an outage in a layer below: a call with a deadline is sent again at most 32 times like
    /// that, each time paid from the budget or as the one probe of the outage. With 1 there are no such resends either.
    ///
    /// A request with [`NoRetry`](crate::NoRetry) among its extensions is attempted once.
    ///
    /// # Examples
    /// ```
    /// use std::num::NonZeroU32;
    /// use http::{Request, Response};
    /// use redress_backoff::BackoffLayer;
    /// use redress_classify::{Clock, EndReason, Verdict, dialects};
    ///
    /// let once = BackoffLayer::new(dialects::generic()).max_attempts(NonZeroU32::MIN);
    /// let response = Response::builder().status(503).body(())?;
    /// let verdict = Verdict::from_head(&response, &dialects::generic(), &Clock::system()).expect("an error");
    /// let result = once.would_retry(&Request::new(()), &response.into_parts().0, &verdict);
    /// assert_eq!(result, Err(EndReason::MaxAttempts));
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub const fn max_attempts(mut self, attempts: NonZeroU32) -> Self {
        self.settings.max_attempts = attempts;
        self
    }

    /// Sets the jitter of waits.
    #[must_use]
    pub const fn jitter(mut self, jitter: Jitter) -> Self {
        self.settings.jitter = jitter;
        self
    }

    /// Sets the waits after transient failures, in place of the vendor's schedule too.
    ///
    /// # Examples
    /// ```
    /// use std::{num::NonZeroU32, time::Duration};
    /// use redress_backoff::BackoffLayer;
    /// use redress_classify::{Schedule, dialects};
    ///
    /// // 200 ms, 400 ms, 800 ms and so on, up to 5 s; the jitter is applied to each of them.
    /// let schedule = Schedule {
    ///     base: Duration::from_millis(200),
    ///     factor: NonZeroU32::new(2).expect("not zero"),
    ///     cap: Duration::from_secs(5),
    /// };
    /// let layer = BackoffLayer::new(dialects::ranex()).transient_backoff(schedule);
    /// ```
    #[must_use]
    pub const fn transient_backoff(mut self, schedule: Schedule) -> Self {
        self.settings.transient_backoff = schedule;
        self.settings.published_backoff = None;
        self
    }

    /// Sets the waits after throttling, for a response without a hint and a vendor that publishes no wait.
    #[must_use]
    pub const fn throttling_backoff(mut self, schedule: Schedule) -> Self {
        self.settings.throttling_backoff = schedule;
        self
    }

    /// Sets the wait after throttling without a hint, in place of the vendor's. It is the same before each retry.
    #[must_use]
    pub const fn default_throttle_wait(mut self, wait: Duration) -> Self {
        self.settings.default_throttle_wait = Some(wait);
        self
    }

    /// Sets the longest hint that is obeyed, 120 s by default. A call whose server asks for a longer wait fails at once
    /// ([`EndReason::HintTooLong`](redress_classify::EndReason::HintTooLong)).
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use http::{Request, Response};
    /// use redress_backoff::BackoffLayer;
    /// use redress_classify::{Clock, EndReason, Verdict, dialects};
    ///
    /// let response = Response::builder().status(429).header("retry-after", "300").body(())?;
    /// let verdict = Verdict::from_head(&response, &dialects::generic(), &Clock::system()).expect("an error");
    /// let (head, ()) = response.into_parts();
    /// let layer = BackoffLayer::new(dialects::generic());
    /// assert_eq!(layer.would_retry(&Request::new(()), &head, &verdict), Err(EndReason::HintTooLong));
    /// let patient = layer.max_retry_after(Duration::from_secs(600));
    /// assert_eq!(patient.would_retry(&Request::new(()), &head, &verdict), Ok(()));
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub const fn max_retry_after(mut self, longest: Duration) -> Self {
        self.settings.max_retry_after = longest;
        self
    }

    /// Sets the longest time of a call, from [`call`](tower_service::Service::call) on and with its waits. An attempt that is in
    /// flight at the deadline is cancelled.
    ///
    /// A [`Deadline`](redress_classify::Deadline) among the extensions of a request takes the place of this one.
    ///
    /// # Examples
    /// ```
    /// use std::{future::pending, io, time::Duration};
    /// use http::{Request, Response};
    /// use redress_backoff::BackoffLayer;
    /// use redress_classify::dialects;
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let layer = BackoffLayer::new(dialects::generic()).deadline(Duration::from_secs(30));
    /// let silent = service_fn(|_: Request<String>| pending::<io::Result<Response<String>>>());
    /// let error = ServiceBuilder::new().layer(layer).service(silent).oneshot(Request::default()).await.unwrap_err();
    /// assert!(error.is_deadline());
    /// # }
    /// ```
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.settings.deadline = Some(deadline);
        self
    }

    /// Caps the deadline: the earlier of this one and the one that is set applies.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use redress_backoff::BackoffLayer;
    /// use redress_classify::dialects;
    ///
    /// let layer = BackoffLayer::new(dialects::ranex()).deadline(Duration::from_secs(30));
    /// let capped = layer.cap_deadline(Duration::from_secs(10)).cap_deadline(Duration::from_secs(60));
    /// assert_eq!(capped.configured_deadline(), Some(Duration::from_secs(10)));
    /// ```
    #[must_use]
    pub fn cap_deadline(mut self, longest: Duration) -> Self {
        self.settings.deadline = Some(self.settings.deadline.map_or(longest, |own| own.min(longest)));
        self
    }

    /// Returns the deadline of calls; `None` if there is none.
    #[must_use]
    pub const fn configured_deadline(&self) -> Option<Duration> {
        self.settings.deadline
    }

    /// Gives each request of the header's methods an idempotency key, in place of the dialect's declaration.
    ///
    /// The key is made once per call, and all attempts carry the same. A request that has the header keeps it, and one with an
    /// [`IdempotencyKey`](crate::IdempotencyKey) among its extensions gets that one. A request with a key counts as idempotent:
    /// set this only for an API that processes requests with the same key once.
    ///
    /// # Examples
    /// ```
    /// use http::HeaderName;
    /// use redress_backoff::BackoffLayer;
    /// use redress_classify::{IdempotencyHeader, dialects};
    ///
    /// let header = IdempotencyHeader::new(HeaderName::from_static("idempotency-key"));
    /// let layer = BackoffLayer::new(dialects::veridia()).idempotency_key(header);
    /// ```
    #[must_use]
    pub fn idempotency_key(mut self, header: IdempotencyHeader) -> Self {
        self.settings.key_header = Some(header);
        self.settings.generates_keys = true;
        self
    }

    /// Generates no idempotency keys, even if the dialect declares a header for them.
    ///
    /// A request with a key of its own, in the header or as an extension, keeps it and counts as idempotent.
    #[must_use]
    pub const fn without_idempotency_key(mut self) -> Self {
        self.settings.generates_keys = false;
        self
    }

    /// Treats a request that got a 503 with `Retry-After` as maybe processed.
    ///
    /// By default it counts as not processed (RFC 9110 section 15.6.4), so any request is retried, even a POST without an
    /// idempotency key. Set this for a gateway in front of a service: it may give up on a request that the service processes. The
    /// hint is obeyed in both cases.
    ///
    /// # Examples
    /// ```
    /// use http::{Request, Response};
    /// use redress_backoff::BackoffLayer;
    /// use redress_classify::{Clock, EndReason, Verdict, dialects};
    ///
    /// let post = Request::post("/").body(())?;
    /// let response = Response::builder().status(503).header("retry-after", "1").body(())?;
    /// let verdict = Verdict::from_head(&response, &dialects::generic(), &Clock::system()).expect("an error");
    /// let (head, ()) = response.into_parts();
    /// let layer = BackoffLayer::new(dialects::generic());
    /// assert_eq!(layer.would_retry(&post, &head, &verdict), Ok(()));
    /// assert_eq!(layer.uncertain_503().would_retry(&post, &head, &verdict), Err(EndReason::NotIdempotent));
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub const fn uncertain_503(mut self) -> Self {
        self.settings.trusts_503 = false;
        self
    }

    /// Hedges calls: if an answer takes longer than 95 % of them do, a second attempt is sent while the first goes on. Off by
    /// default.
    ///
    /// The first outcome that no retry would follow is returned, and the other attempt is cancelled. After a failure that a
    /// retry would follow, the other attempt goes on; if it fails too, the call goes on as after two failed attempts.
    ///
    /// A request is hedged once at most, and only its first attempt, if all of these hold:
    /// - Its method is safe (GET, HEAD, OPTIONS, TRACE), it has an idempotency key, or the dialect or the caller says that it is
    ///   [`Idempotent`](crate::Idempotent). A PUT or DELETE is not: the second of two may get another answer, such as a 404. The body
    ///   can be copied, the request has no [`NoRetry`](crate::NoRetry), and its gRPC method no retry policy.
    /// - [`max_attempts`](Self::max_attempts), which counts the hedge, is above 1.
    /// - The 95th percentile of the time from the send to the response head of the same host is known, from 50 answers on. Later one
    ///   call in 16 is timed, and the estimate follows the last 256 of them.
    /// - Hedges are at most 5 % of the calls that could have one, and 2 may be saved up: one hedge for 20 calls. One that does not win
    ///   doubles that number, up to 640, and one that wins quarters it, since hedges are of no use to a server with a queue.
    /// - The [`budget`](Self::budget) has 14 tokens, which a hedge takes as a retry does.
    /// - No Backoff layer above may hedge the request.
    /// - Less than 15 % of about the last 32 calls were late: else the upstream as a whole is slow, and its hedges would be, too.
    /// - The last answer had no [`UpstreamHealth`](redress_classify::UpstreamHealth): the upstream is not in an outage, not slow, and
    ///   does not recover. A hedge that a layer below would queue, for a cool-down or a limit, is given up.
    ///
    /// The percentile is that of a host, for all its routes. A call costs two to four allocations and two readings of the clock
    /// more, and a timer.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Mutex;
    /// use std::time::Duration;
    /// use http::{Request, Response};
    /// use redress_backoff::BackoffLayer;
    /// use redress_classify::{ResponseExt, dialects};
    /// use tokio::time::{Instant, sleep};
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // 60 answers take 10 ms each, the next one a minute, and then 10 ms again.
    /// let sent = Mutex::new(0);
    /// let api = BackoffLayer::new(dialects::generic()).hedge().layer(service_fn(|_: Request<String>| {
    ///     let nth = { let mut sent = sent.lock().expect("no panic"); *sent += 1; *sent };
    ///     let latency = if nth == 61 { Duration::from_secs(60) } else { Duration::from_millis(10) };
    ///     async move { sleep(latency).await; Ok::<_, std::io::Error>(Response::new(String::new())) }
    /// }));
    /// let request = || Request::get("https://api.example/v1/things").body(String::new());
    /// for _ in 0..60 {
    ///     api.clone().oneshot(request()?).await?;
    /// }
    /// let start = Instant::now();
    /// let response = api.oneshot(request()?).await?;
    /// assert!(start.elapsed() < Duration::from_millis(30));
    /// let record = response.record().expect("there were two attempts");
    /// assert_eq!(record.to_string(), "2 attempts, cancelled, 200 success on hedge; succeeded");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn hedge(mut self) -> Self {
        self.settings.hedged = Some(Arc::default());
        self
    }

    /// Sets the clock, for tests.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.settings.clock = clock;
        self
    }

    /// Sets the source of random numbers, for tests and simulations. They must be uniformly distributed over all of `u32`.
    #[must_use]
    pub fn random(mut self, random: impl Fn() -> u32 + Send + Sync + 'static) -> Self {
        self.settings.set_random(random);
        self
    }
}

impl<S> Layer<S> for BackoffLayer {
    type Service = Backoff<S>;

    fn layer(&self, inner: S) -> Backoff<S> {
        Backoff::new(inner, Arc::new(self.settings.for_service()))
    }
}
