//! The future of one request: sends it, waits for credentials where it must, and sends it again where it may.

use std::fmt;
use std::future::Future;
use std::ops::ControlFlow::{self, Break, Continue};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use arc_swap::Guard;
use http::{Request, Response};
use pin_project_lite::pin_project;
use redress_classify::{BoxError, CloneBody, Deadline, Error, Phase, SendState};
use tokio::time::Instant;
use tower_service::Service;

use crate::failure::Failure;
use crate::handle::{Access, Handle};
use crate::masking;
use crate::notifier::{Wait, WaitResult};
use crate::response_action::{ResponseAction, decide, with_refreshed};
use crate::snapshot::Snapshot;
use crate::state::Refusal;
use crate::straight::{Sent, SentCredentials, is_resent_above};
use crate::wait_deadline::WaitDeadline;

/// How often a request that waits looks for credentials, once a second, before it is sent with a set that was rejected
/// elsewhere.
const MAX_LOOKUPS: u8 = 3;

pin_project! {
    /// The future of a [`Refresh`](crate::Refresh) service.
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B>,
        // `None` if the request passes without credentials, or has failed.
        handle: Option<Arc<Handle>>,
        call: Call<S, B>,
    }
}

/// The call of one request, apart from its state.
struct Call<S, B> {
    /// The credentials of the request in flight.
    sent: Option<SentCredentials>,
    /// A request that is not in flight, or the copy to send again. Boxed, because few calls have one.
    retained: Option<Box<Retained<S, B>>>,
    /// Whether a rejection may still cause a refresh. One of them may.
    may_refresh: bool,
    /// How often a request that was not sent has looked for credentials.
    lookups: u8,
    deadline: WaitDeadline,
}

pin_project! {
    #[project = StateProj]
    enum State<S, B>
    where
        S: Service<Request<B>>,
    {
        // The request was passed to the service below.
        InFlight { #[pin] future: S::Future },
        // The request waits for credentials; it was not sent.
        Waiting { wait: Wait },
        // The response rejects the credentials and waits for the refresh. Then the request may be sent again or not.
        Rejected { wait: Wait, response: Option<S::Response>, may_resend: bool },
        // The credentials are there; the service gets ready again.
        Readying,
        // There are no credentials and no response.
        Failed { error: Option<Error> },
    }
}

/// A request that is not in flight, and a service that is not ready.
struct Retained<S, B> {
    inner: S,
    request: Request<B>,
}

/// The next state, or the end of the call.
type Step<S, B> = ControlFlow<Result<<S as Service<Request<B>>>::Response, Error>, State<S, B>>;

impl<S, B> ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    /// Passes a request on without credentials.
    pub(crate) const fn pass(future: S::Future) -> Self {
        Self { state: State::InFlight { future }, handle: None, call: Call::without_credentials() }
    }

    /// Sends a request with credentials, by a service that is ready.
    #[inline]
    pub(crate) fn send(
        handle: Arc<Handle>,
        snapshot: Guard<Arc<Snapshot>>,
        deadline: WaitDeadline,
        inner: &mut S,
        mut request: Request<B>,
    ) -> Self
    where
        S: Clone,
        B: CloneBody,
    {
        let may_refresh = !is_resent_above(&request);
        let sent = Some(SentCredentials::new(&handle, &snapshot, &request, may_refresh));
        let copy = handle.attach(&snapshot, &mut request, may_refresh);
        // The guard is released before other code runs.
        drop(snapshot);
        let retained = copy.map(|request| Box::new(Retained { inner: inner.clone(), request }));
        let state = State::InFlight { future: inner.call(request) };
        Self { state, handle: Some(handle), call: Call { sent, retained, may_refresh, lookups: 0, deadline } }
    }

    /// Goes on with a request that was sent once, without a copy of it.
    pub(crate) fn adopt(handle: Arc<Handle>, sent: Sent, own: Option<Deadline>, future: S::Future) -> Self {
        let Sent { credentials, may_refresh, began } = sent;
        let deadline = WaitDeadline::new(own, began);
        let call = Call { sent: Some(credentials), retained: None, may_refresh, lookups: 0, deadline };
        Self { state: State::InFlight { future }, handle: Some(handle), call }
    }

    /// Retains a request until the credentials are there, with a service that is not ready.
    pub(crate) fn wait(
        handle: Arc<Handle>,
        wait: Wait,
        mut deadline: WaitDeadline,
        inner: S,
        request: Request<B>,
    ) -> Self {
        deadline.start(handle.settings.deadline);
        SendState::mark_queued(&request);
        let may_refresh = !is_resent_above(&request);
        let retained = Some(Box::new(Retained { inner, request }));
        let state = State::Waiting { wait };
        Self { state, handle: Some(handle), call: Call { sent: None, retained, may_refresh, lookups: 0, deadline } }
    }

    pub(crate) fn fail(handle: &Handle, refusal: Refusal) -> Self {
        let state = State::Failed { error: Some(no_credentials(handle, refusal)) };
        Self { state, handle: None, call: Call::without_credentials() }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    B: CloneBody,
{
    type Output = Result<Response<R>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(handle) = this.handle.as_deref() else { return poll_without_credentials(this.state, cx) };
        loop {
            let step = match this.state.as_mut().project() {
                StateProj::InFlight { future } => match ready!(future.poll(cx)) {
                    Ok(mut response) => match this.call.decide(handle, &mut response) {
                        ResponseAction::Return => return Poll::Ready(Ok(response)),
                        action => this.call.after_response(handle, action, response),
                    },
                    Err(error) => return Poll::Ready(Err(masking::error(&handle.shared, error.into()))),
                },
                StateProj::Waiting { wait } => {
                    let waited = ready!(poll_wait(wait, &mut this.call.deadline, cx));
                    this.call.after_wait(handle, waited)
                }
                StateProj::Rejected { wait, response, may_resend } => {
                    let waited = ready!(poll_wait(wait, &mut this.call.deadline, cx));
                    let response = response.take().expect("the response is taken once, when the wait ends");
                    this.call.after_refresh(handle, waited, response, *may_resend)
                }
                StateProj::Readying => ready!(this.call.poll_ready(handle, cx)),
                StateProj::Failed { .. } => unreachable!("a failed call has no handle"),
            };
            match step {
                Continue(next) => this.state.set(next),
                Break(result) => return Poll::Ready(result),
            }
        }
    }
}

impl<S, B> Call<S, B> {
    const fn without_credentials() -> Self {
        Self { sent: None, retained: None, may_refresh: false, lookups: 0, deadline: WaitDeadline::none() }
    }
}

impl<S, B, R> Call<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    B: CloneBody,
{
    /// Decides about the response to the request in flight. The caller returns most of them, without a move through here.
    #[inline]
    fn decide(&mut self, handle: &Handle, response: &mut Response<R>) -> ResponseAction {
        let Some(sent) = self.sent.take() else { return ResponseAction::Return };
        masking::mask(&handle.shared, response);
        let copy = self.retained.as_deref().map(|retained| &retained.request);
        decide(handle, sent, response, self.may_refresh, copy)
    }

    /// Carries out the decision about a response.
    fn after_response(&mut self, handle: &Handle, action: ResponseAction, response: Response<R>) -> Step<S, B> {
        if matches!(action, ResponseAction::Resend | ResponseAction::Wait { .. }) {
            self.deadline.start(handle.settings.deadline);
        }
        match action {
            ResponseAction::Return => Break(Ok(response)),
            ResponseAction::ReturnRejectedAgain => Break(Ok(masking::rejected_again(response))),
            ResponseAction::ReturnUnrefreshed(failure) => Break(Ok(masking::not_refreshed(response, &failure))),
            ResponseAction::Resend => self.resend(handle, response),
            // This drops the future in flight, and with it a permit that the refresh may need.
            ResponseAction::Wait { wait, may_resend } => {
                Continue(State::Rejected { wait, response: Some(response), may_resend })
            }
        }
    }

    /// Decides about a rejected response once the refresh has ended; `waited` is `None` at the deadline.
    fn after_refresh(
        &mut self,
        handle: &Handle,
        waited: Option<WaitResult>,
        response: Response<R>,
        may_resend: bool,
    ) -> Step<S, B> {
        match waited {
            // A response in hand is returned, whatever else has failed.
            None => Break(Ok(response)),
            Some(WaitResult::Finished(Err(refusal))) => Break(Ok(masking::not_refreshed(response, &refusal.failure))),
            Some(_) if may_resend || handle.settings.resend_above => self.resend(handle, response),
            Some(_) => Break(Ok(response)),
        }
    }

    /// Sends the request the second time, which is the last, or leaves that to the layer above.
    ///
    /// From here, the response is dropped before the service gets ready: it may hold a connection.
    fn resend(&mut self, handle: &Handle, response: Response<R>) -> Step<S, B> {
        if handle.settings.resend_above {
            return Break(Ok(with_refreshed(response)));
        }
        self.may_refresh = false;
        Continue(State::Readying)
    }

    /// Decides about a request that was not sent, at the end of a wait; `waited` is `None` at the deadline.
    fn after_wait(&mut self, handle: &Handle, waited: Option<WaitResult>) -> Step<S, B> {
        let Some(waited) = waited else { return Break(Err(Error::deadline(Phase::NotSent))) };
        let latest = handle.shared.latest();
        let is_sendable = || latest.is_sendable_at(Instant::now());
        let access = match waited {
            WaitResult::Finished(Err(refusal)) if refusal.failure.is_cleared() => Access::Fail(refusal),
            // The current set may be accepted for this request, even if it was rejected for another one.
            WaitResult::Finished(Err(refusal)) if !is_sendable() => Access::Fail(refusal),
            WaitResult::Finished(_) => return Continue(State::Readying),
            WaitResult::Retry => {
                self.lookups = self.lookups.saturating_add(1);
                if self.lookups >= MAX_LOOKUPS && is_sendable() {
                    return Continue(State::Readying);
                }
                handle.acquire()
            }
        };
        match access {
            Access::Fail(refusal) => Break(Err(no_credentials(handle, refusal))),
            Access::Wait(wait) => Continue(State::Waiting { wait }),
            Access::Send(_) => Continue(State::Readying),
        }
    }

    /// Gets the service ready, and sends the retained request with the current credentials.
    fn poll_ready(&mut self, handle: &Handle, cx: &mut Context<'_>) -> Poll<Step<S, B>> {
        let retained = self.retained.as_mut().expect("a request that is not in flight is retained");
        let Poll::Ready(ready) = retained.inner.poll_ready(cx) else {
            ready!(self.deadline.poll(cx));
            return Poll::Ready(Break(Err(Error::deadline(Phase::NotSent))));
        };
        if let Err(error) = ready {
            return Poll::Ready(Break(Err(Error::not_ready(error.into()))));
        }
        let snapshot = handle.shared.latest();
        // There may have been a logout since the flight ended.
        if snapshot.is_empty() {
            let refusal = Refusal { failure: Failure::cleared(), retry_at: None };
            return Poll::Ready(Break(Err(no_credentials(handle, refusal))));
        }
        let Retained { mut inner, mut request } = *self.retained.take().expect("it was there above");
        self.sent = Some(SentCredentials::new(handle, &snapshot, &request, self.may_refresh));
        let copy = handle.attach(&snapshot, &mut request, self.may_refresh);
        SendState::mark_sent(&request);
        let future = inner.call(request);
        self.retained = copy.map(|request| Box::new(Retained { inner, request }));
        Poll::Ready(Continue(State::InFlight { future }))
    }
}

impl<S, B> fmt::Debug for ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").field("sent", &self.call.sent).finish_non_exhaustive()
    }
}

/// Polls a call that carries no credentials, or that has failed for want of them.
fn poll_without_credentials<S, B>(
    state: Pin<&mut State<S, B>>,
    cx: &mut Context<'_>,
) -> Poll<Result<S::Response, Error>>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
{
    match state.project() {
        StateProj::InFlight { future } => future.poll(cx).map_err(|error| Error::from_inner(error.into())),
        StateProj::Failed { error } => Poll::Ready(Err(error.take().expect("not polled after completion"))),
        _ => unreachable!("a call that waits or is sent again has a handle"),
    }
}

/// Waits for a flight until the deadline. Returns `None` if the deadline passed, also if the flight ended after it.
fn poll_wait(wait: &mut Wait, deadline: &mut WaitDeadline, cx: &mut Context<'_>) -> Poll<Option<WaitResult>> {
    match wait.poll(cx) {
        Poll::Ready(WaitResult::Finished(Ok(_)) | WaitResult::Retry) if deadline.has_passed() => {}
        Poll::Ready(waited) => return Poll::Ready(Some(waited)),
        Poll::Pending => ready!(deadline.poll(cx)),
    }
    tracing::debug!(target: "redress::refresh", "the deadline passed during the wait");
    Poll::Ready(None)
}

fn no_credentials(handle: &Handle, refusal: Refusal) -> Error {
    let retry_at = refusal.retry_at.map(|instant| handle.settings.clock().wall(instant));
    let detail = refusal.failure.to_string();
    Error::credentials(refusal.failure.class(), refusal.failure.into(), retry_at).with_detail(detail)
}
