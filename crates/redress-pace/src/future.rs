//! The future of a call: waits for its admission, sends the request, and learns from the response.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use redress_classify::{BoxError, Error, SendState, UpstreamHealth, Verdict};
use tokio::time::Instant;
use tower_service::Service;

use crate::admission::{Admission, refused};
use crate::gates::{CallResult, Held, Permit, Sent};
use crate::learn::{error_result, learn, response_result};
use crate::scope::Target;
use crate::settings::Settings;

pin_project! {
    /// The future of a [`Pace`](crate::Pace) service.
    ///
    /// # Panics
    /// Panics if it is polled after completion.
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B>,
        settings: Arc<Settings>,
        target: Target,
        // The permit of the request, if it was sent as a probe or during a release.
        permit: Option<Box<Permit>>,
        // The time at which it was sent, if it is timed.
        sent: Option<Sent>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, B>
    where
        S: Service<Request<B>>,
    {
        // The inner service has the request.
        Inner { #[pin] future: S::Future },
        // The request waits for its admission. It was not sent.
        Waiting { waiting: Option<Box<Waiting<S, B>>> },
        // The request is admitted, and the inner service gets ready.
        Readying { waiting: Option<Box<Waiting<S, B>>> },
        // The wait would be too long.
        Rejected { error: Option<Error> },
        // The future has completed.
        Done,
    }
}

/// Why a resend that was admitted is not sent.
pub(crate) const UNPAID: &str = "the retry budget is used up";

/// A request that was not sent, and a service that is not ready.
struct Waiting<S, B> {
    /// The memory that it holds, counted until it is sent.
    held: Held,
    admission: Admission,
    inner: S,
    request: Request<B>,
}

impl<S, B> ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    /// Waits for the response to a request that was sent.
    #[inline]
    pub(crate) fn sent(
        future: S::Future,
        settings: &Arc<Settings>,
        target: Target,
        permit: Option<Box<Permit>>,
        sent: Option<Sent>,
    ) -> Self {
        Self { state: State::Inner { future }, settings: Arc::clone(settings), target, permit, sent }
    }

    /// Keeps a request until its admission, with a service that is not ready.
    pub(crate) fn waiting(
        held: Held,
        admission: Admission,
        inner: S,
        request: Request<B>,
        settings: &Arc<Settings>,
        target: Target,
    ) -> Self {
        SendState::mark_queued(&request);
        let waiting = Some(Box::new(Waiting { held, admission, inner, request }));
        Self::unsent(State::Waiting { waiting }, settings, target)
    }

    /// Fails at the first poll.
    pub(crate) fn rejected(error: Error, settings: &Arc<Settings>, target: Target) -> Self {
        Self::unsent(State::Rejected { error: Some(error) }, settings, target)
    }

    fn unsent(state: State<S, B>, settings: &Arc<Settings>, target: Target) -> Self {
        Self { state, settings: Arc::clone(settings), target, permit: None, sent: None }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
{
    type Output = Result<Response<R>, Error>;

    // The future above polls it where it lies, and takes the response from there without a move.
    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        const PRESENT: &str = "the request is present until it is sent";
        let mut this = self.project();
        let result = loop {
            let next = match this.state.as_mut().project() {
                StateProj::Inner { future } => {
                    let mut polled = future.poll(cx);
                    if let Poll::Ready(Ok(response)) = &mut polled {
                        // Nearly all calls end here. The response is moved once.
                        observe(response, this.settings, this.target, this.permit, *this.sent);
                        this.state.set(State::Done);
                        return polled.map_err(|error| Error::from_inner(error.into()));
                    }
                    break ready!(polled)
                        .map_err(|error| observed(error, this.settings, this.target, this.permit, *this.sent));
                }
                StateProj::Waiting { waiting } => {
                    let admission = &mut waiting.as_mut().expect(PRESENT).admission;
                    match ready!(admission.poll(cx, Instant::now())) {
                        Ok(()) => State::Readying { waiting: waiting.take() },
                        Err(error) => break Err(error),
                    }
                }
                StateProj::Readying { waiting } => {
                    let current = waiting.as_mut().expect(PRESENT);
                    match ready!(current.poll_commit(this.settings, this.target, cx)) {
                        Ok(Some(now)) => {
                            *this.sent = this.settings.gates.timed(|| this.settings.random(), || now);
                            let (future, permit) = waiting.take().expect(PRESENT).send();
                            *this.permit = permit;
                            State::Inner { future }
                        }
                        Ok(None) => {
                            // A gate has closed. The service that is ready must not be kept through another wait.
                            current.inner = current.inner.clone();
                            State::Waiting { waiting: waiting.take() }
                        }
                        Err(error) => break Err(error),
                    }
                }
                StateProj::Rejected { error } => break Err(error.take().expect("the state is `Done` afterwards")),
                StateProj::Done => panic!("`ResponseFuture` polled after completion"),
            };
            this.state.set(next);
        };
        // Frees the position in a queue and the permit now, not when the future is dropped.
        this.state.set(State::Done);
        *this.permit = None;
        Poll::Ready(result)
    }
}

impl<S, B> Waiting<S, B>
where
    S: Service<Request<B>>,
{
    /// Commits the admission once the service is ready, and returns the time; `None` if a gate has closed since.
    fn poll_commit(
        &mut self,
        settings: &Settings,
        target: &Target,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Instant>, Error>>
    where
        S::Error: Into<BoxError>,
    {
        ready!(self.inner.poll_ready(cx)).map_err(|error| Error::not_ready(error.into()))?;
        let now = Instant::now();
        let is_committed = self.admission.commit(now)?;
        if is_committed && !is_paid(&self.request, self.admission.permit()) {
            return Poll::Ready(Err(refused(settings, target, now, UNPAID)));
        }
        Poll::Ready(Ok(is_committed.then_some(now)))
    }

    /// Sends the request, which is committed. The position in the queue ends before the inner service is called, so that the
    /// next call goes on whatever the service does.
    fn send(self) -> (S::Future, Option<Box<Permit>>) {
        let Self { held, admission, mut inner, mut request } = self;
        drop(held);
        if let Some(deadline) = admission.deadline() {
            request.extensions_mut().insert(deadline);
        }
        let permit = admission.into_permit();
        SendState::mark_sent(&request);
        (inner.call(request), permit)
    }
}

/// Returns `true` if a request that is admitted may be sent: it is the probe of an outage, or paid for.
#[inline]
pub(crate) fn is_paid<B>(request: &Request<B>, permit: Option<&Permit>) -> bool {
    if permit.is_some_and(Permit::is_probe) {
        SendState::mark_probe(request);
        return true;
    }
    SendState::pay(request)
}

/// Learns from a response, and marks it with the health of its upstream. Passes the permit on last: by then the gate has closed
/// if it must.
pub(crate) fn observe<R>(
    response: &mut Response<R>,
    settings: &Arc<Settings>,
    target: &Target,
    permit: &mut Option<Box<Permit>>,
    sent: Option<Sent>,
) {
    let verdict = Verdict::for_response(response, &settings.dialect, &settings.clock);
    learn(settings, target, response, verdict.as_ref());
    let end = response_result(response, verdict.as_ref());
    if permit.is_none() && sent.is_none() && end == CallResult::Answered && settings.gates.ignores_answers() {
        return;
    }
    if let Some(health) = record(settings, target, permit, sent, end) {
        health.mark(response.extensions_mut());
    }
}

/// Learns from an error, and marks it with the health of its upstream.
#[cold]
fn observed(
    error: impl Into<BoxError>,
    settings: &Arc<Settings>,
    target: &Target,
    permit: &mut Option<Box<Permit>>,
    sent: Option<Sent>,
) -> Error {
    let error = Error::from_inner(error.into());
    match record(settings, target, permit, sent, error_result(&error)) {
        Some(health) => error.with_upstream_health(health),
        None => error,
    }
}

/// Records the end of a call, passes its permit on, and returns the health of its upstream unless that is good.
fn record(
    settings: &Arc<Settings>,
    target: &Target,
    permit: &mut Option<Box<Permit>>,
    sent: Option<Sent>,
    end: CallResult,
) -> Option<UpstreamHealth> {
    // It is the jitter of the next probe.
    let random = if matches!(end, CallResult::Failed { .. }) { settings.random() } else { 0 };
    settings.record(target, permit.take(), sent, end, random)
}

impl<S, B> fmt::Debug for ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").field("target", &self.target).finish_non_exhaustive()
    }
}
