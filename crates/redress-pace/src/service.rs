//! The service: a request waits for its gates and limits, and its response may start a cool-down.

use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use redress_classify::straight::CallTime;
use redress_classify::{BoxError, CloneBody, Error, SendState};
use tokio::time::Instant;
use tower_service::Service;

use crate::admission::{Admission, refused};
use crate::future::{ResponseFuture, UNPAID, is_paid};
use crate::gates::{Held, Permit, is_open, try_enter};
use crate::limiter::try_send_by_all;
use crate::scope::Target;
use crate::settings::Settings;
use crate::shared::Sharing;

/// Delays requests while their upstream cools down, and keeps them within its limits.
///
/// Made by a [`PaceLayer`](crate::PaceLayer).
///
/// # The request
/// is passed on unchanged, once neither its scope nor its partition cools down and all limits that cover it allow it. If that
/// would take too long, the call fails at once and the request is not sent. A request that had to wait carries its
/// [`Deadline`](redress_classify::Deadline), if it has one, in its extensions, so that no inner layer starts a new one.
///
/// # The response
/// is returned unchanged. It starts a cool-down in these cases:
/// - A rate limit, for the length of the server's hint, or else of the wait that the vendor publishes. It concerns the calls
///   of the same partition, or those of its [scope](crate#scopes).
/// - A 503 with a hint, for the calls of the same partition.
/// - A success with a hint that its dialect declares for successes ([`SuccessHint`](redress_classify::SuccessHint)), for the
///   calls of the same scope.
///
/// No other response does, nor a rate limit without any time. `RateLimit` fields on successes are not read. A success does not end
/// a cool-down.
///
/// Failures in a row begin an [outage](crate#outages), in which calls with a deadline wait for a probe to be answered. A response
/// that fails in it is marked with [`UpstreamHealth::Outage`](redress_classify::UpstreamHealth), and one of an upstream that is slow,
/// throttles or recovers with `Degraded`, for the layers above.
///
/// After a cool-down the waiting calls are released one after the other, within half of its length and at most 30 s, and no
/// more at a time than the server answers in time; see [the release](crate#the-release). A later hint extends a cool-down, a
/// sooner one changes nothing. One hint starts a cool-down of at most one hour, lest a mistaken one stop a client for good.
///
/// # How it differs from tower's `RateLimit`
/// tower's has one window for all requests of a service, makes its caller wait in `poll_ready`, and can allow nearly twice the
/// limit within one interval. This layer counts by route and host, lets a call be cancelled, and obeys hints.
///
/// # Errors
/// - [`is_paced`](Error::is_paced): the call would wait past its deadline, or longer than the maximum wait, or waited for the end of
///   an outage until too little time was left. The request was not sent, and [`retry_at`](Error::retry_at) is the time at which it
///   could be: that of the next probe in an outage. For a call that waited for a cool-down and got no permit of the release in
///   time, that time is an estimate: the spread of the release from now. Also a resend for which the retry budget has no tokens
///   when it is admitted, and a [hedge](redress_classify::SendState::hedge) while there is a cool-down, an outage or a release, or
///   if it would have to wait for a limit.
/// - [`is_deadline`](Error::is_deadline): the call was admitted, but its deadline had passed: the machine was suspended, or
///   the inner service took long to get ready, which this layer does not limit.
/// - Otherwise the error of the inner service.
///
/// # Panics
/// The future panics if it is polled after completion.
///
/// # Cancel safety
/// Dropping the future drops the request, or its position in a queue or a release, which passes to the next call. A request
/// that was not sent does not count against a limit.
///
/// # Examples
/// ```
/// use http::{Request, Response};
/// use redress_classify::dialects;
/// use redress_pace::PaceLayer;
/// use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use tokio::time::Instant;
///
/// let mut api = ServiceBuilder::new()
///     .layer(PaceLayer::new(dialects::generic()))
///     .service(service_fn(|request: Request<()>| async move {
///         let status = if request.uri().path() == "/first" { 429 } else { 200 };
///         Response::builder().status(status).header("retry-after", "2").body(())
///     }));
/// let start = Instant::now();
/// api.ready().await?.call(Request::get("https://api.example/first").body(())?).await?;
/// let response = api.ready().await?.call(Request::get("https://api.example/second").body(())?).await?;
/// assert_eq!(response.status(), 200);
/// assert!(start.elapsed() >= Duration::from_secs(2), "it waited for the hint");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Pace<S> {
    pub(crate) inner: S,
    pub(crate) settings: Arc<Settings>,
}

/// The next step of a request.
enum Step {
    Send(Option<Box<Permit>>, Option<Instant>),
    Wait(Box<Admission>, Held),
    Reject(Error),
}

impl<S> Pace<S> {
    pub(crate) const fn new(inner: S, settings: Arc<Settings>) -> Self {
        Self { inner, settings }
    }

    /// Counts a request and lets it pass, or starts its wait.
    fn admit<B: CloneBody>(&self, request: &Request<B>) -> (Step, Target) {
        let (mut target, mut time) = (None, CallTime::default());
        let is_admitted = self.settings.admits_now(request, &mut target, &mut time);
        let target = target.unwrap_or_else(|| self.settings.target(request));
        let step = if is_admitted { Step::Send(None, time.known()) } else { self.admit_slowly(request, &target) };
        (step, target)
    }

    /// Lets a request pass that may have to wait, or starts its wait.
    #[cold]
    fn admit_slowly<B: CloneBody>(&self, request: &Request<B>, target: &Target) -> Step {
        let settings = &self.settings;
        if let Some(sharing) = &settings.sharing
            && !sharing.is_loaded(&target.partition)
            && let Some(step) = self.load(sharing, request, target)
        {
            return step;
        }
        let mut limiters = settings.limiters(request);
        let all = limiters.clone();
        let (first, second) = (limiters.next(), limiters.next());
        let now = Instant::now();
        let count = || match (first, second) {
            (Some(only), None) => only.try_send(&target.partition, now),
            _ => try_send_by_all(all.clone(), &target.partition, now),
        };
        if SendState::is_hedge(request) {
            if is_open(settings, target, now) && count() {
                return Step::Send(None, Some(now));
            }
            return Step::Reject(refused(settings, target, now, "a hedge does not wait"));
        }
        let caller = settings.caller(request, now);
        if let Some(permit) = try_enter(settings, target, caller, now)
            && count()
        {
            return Step::Send(permit, Some(now));
        }
        match Admission::new(settings, target, all.cloned().collect(), caller, now) {
            Ok(admission) => Step::Wait(Box::new(admission), settings.gates.hold(caller.bytes)),
            Err(error) => Step::Reject(error),
        }
    }

    /// Lets a call wait for the first load of the cool-downs of its partition; `None` if it need not, or must not wait.
    #[cold]
    fn load<B: CloneBody>(&self, sharing: &Sharing, request: &Request<B>, target: &Target) -> Option<Step> {
        if SendState::is_hedge(request) {
            return None;
        }
        let settings = &self.settings;
        let now = Instant::now();
        let caller = settings.caller(request, now);
        let load = sharing.first_load(settings, &target.partition, caller.max_wait.load_until(now))?;
        let (held, limiters) = (settings.gates.hold(caller.bytes), settings.limiters(request).cloned().collect());
        Some(Step::Wait(Box::new(Admission::loading(settings, target, limiters, caller, load)), held))
    }

    /// Sends a request that is admitted, unless the retry budget has no tokens for it.
    #[inline]
    fn send<B>(
        &mut self,
        request: Request<B>,
        target: Target,
        permit: Option<Box<Permit>>,
        now: Option<Instant>,
    ) -> ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        let settings = &self.settings;
        if !is_paid(&request, permit.as_deref()) {
            let error = refused(settings, &target, now.unwrap_or_else(Instant::now), UNPAID);
            return ResponseFuture::rejected(error, settings, target);
        }
        let sent = settings.gates.timed(|| settings.random(), || now.unwrap_or_else(Instant::now));
        // This is the service that `poll_ready` made ready.
        ResponseFuture::sent(self.inner.call(request), settings, target, permit, sent)
    }
}

impl<S, B, R> Service<Request<B>> for Pace<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    B: CloneBody,
{
    type Response = Response<R>;
    type Error = Error;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx).map_err(|error| Error::not_ready(error.into()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (step, target) = self.admit(&request);
        match step {
            Step::Send(permit, now) => self.send(request, target, permit, now),
            Step::Wait(admission, held) => {
                // The ready service may hold a resource that others need, such as a permit of a concurrency limit. It is
                // dropped before the wait, and a clone gets ready afterwards.
                let unready = self.inner.clone();
                drop(mem::replace(&mut self.inner, unready.clone()));
                ResponseFuture::waiting(held, *admission, unready, request, &self.settings, target)
            }
            Step::Reject(error) => ResponseFuture::rejected(error, &self.settings, target),
        }
    }
}
