//! The way of one request down and of its response up through the layer.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use arc_swap::Guard;
use http::{Request, Response};
use pin_project_lite::pin_project;
use redress_classify::{BoxError, CloneBody, Error, Phase, SendState, try_clone_request};
use tokio::time::Instant;
use tower_service::Service;

use crate::failure::Failure;
use crate::layer::Link;
use crate::limit::Limit;
use crate::quoted;
use crate::rejection::{Judgement, Sent, is_second, judge, refreshed};
use crate::shared::Way;
use crate::snapshot::Snapshot;
use crate::state::Refusal;
use crate::waiting::{Wait, Waited};

pin_project! {
    /// The future of a [`Refresh`](crate::Refresh) service.
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B>,
        // `None` when the request passes without credentials, or has failed.
        link: Option<Arc<Link>>,
        // The credentials that the request below carries.
        sent: Option<Sent>,
        // A request that is not below, or what is needed to send it again; in a box, since nearly no call has one.
        spare: Option<Box<Spare<S, B>>>,
        // Whether a rejection may still lead to a refresh: one of them may.
        may_refresh: bool,
        // How often a request that was not sent has looked for credentials anew.
        looks: u8,
        // How long it may wait.
        limit: Limit,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, B>
    where
        S: Service<Request<B>>,
    {
        // The request is below.
        Below { #[pin] future: S::Future },
        // The request waits for credentials; nothing was sent.
        Waiting { wait: Wait },
        // A rejected response waits for the refresh, after which its request may be sent again or not.
        Rejected { wait: Wait, response: Option<S::Response>, may_resend: bool },
        // The credentials are there; the service gets ready anew.
        Readying,
        // There are no credentials and no response.
        Failed { error: Option<Error> },
    }
}

/// How often a call looks for credentials anew, once a second, before it goes with those that others may have found
/// wanting.
const MAX_LOOKS: u8 = 3;

/// A request that is not below, and a service that is not ready.
struct Spare<S, B> {
    inner: S,
    request: Request<B>,
}

impl<S, B> ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    pub(crate) const fn pass(future: S::Future) -> Self {
        Self {
            state: State::Below { future },
            link: None,
            sent: None,
            spare: None,
            may_refresh: false,
            looks: 0,
            limit: Limit::none(),
        }
    }

    /// Sends a request with credentials, by a service that is ready.
    #[inline]
    pub(crate) fn send(
        link: Arc<Link>,
        snapshot: Guard<Arc<Snapshot>>,
        limit: Limit,
        inner: &mut S,
        mut request: Request<B>,
    ) -> Self
    where
        S: Clone,
        B: CloneBody,
    {
        let may_refresh = !is_second(&request);
        let sent = Some(Sent::new(&link, &snapshot, &request, may_refresh));
        let copy = stamp(&link, &snapshot, &mut request, may_refresh);
        // What is lent is given back before anybody else's code runs.
        drop(snapshot);
        let spare = copy.map(|request| Box::new(Spare { inner: inner.clone(), request }));
        let state = State::Below { future: inner.call(request) };
        Self { state, link: Some(link), sent, spare, may_refresh, looks: 0, limit }
    }

    /// Keeps a request until the credentials are there, with a service that is not ready.
    pub(crate) fn wait(link: Arc<Link>, wait: Wait, mut limit: Limit, inner: S, request: Request<B>) -> Self {
        limit.begin(link.deadline());
        SendState::mark_queued(&request);
        let may_refresh = !is_second(&request);
        let spare = Some(Box::new(Spare { inner, request }));
        Self { state: State::Waiting { wait }, link: Some(link), sent: None, spare, may_refresh, looks: 0, limit }
    }

    pub(crate) fn fail(link: &Link, refusal: Refusal) -> Self {
        let state = State::Failed { error: Some(no_credentials(link, refusal)) };
        Self { state, link: None, sent: None, spare: None, may_refresh: false, looks: 0, limit: Limit::none() }
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
        let Some(link) = this.link.as_ref() else { return poll_without(this.state, cx) };
        loop {
            let next = match this.state.as_mut().project() {
                StateProj::Below { future } => {
                    let mut response =
                        ready!(future.poll(cx)).map_err(|error| quoted::error(&link.shared, error.into()))?;
                    let Some(sent) = this.sent.take() else { return Poll::Ready(Ok(response)) };
                    quoted::mask(&link.shared, &mut response);
                    let spare = this.spare.as_deref().map(|spare| &spare.request);
                    let judgement = judge(link, sent, &response, *this.may_refresh, spare);
                    if !matches!(judgement, Judgement::Return | Judgement::Refuse(_)) {
                        this.limit.begin(link.deadline());
                    }
                    match judgement {
                        Judgement::Return => return Poll::Ready(Ok(response)),
                        Judgement::Refuse(failure) => {
                            return Poll::Ready(Ok(quoted::not_refreshed(response, &failure)));
                        }
                        Judgement::Repeat if link.resend_above() => return Poll::Ready(Ok(refreshed(response))),
                        Judgement::Repeat => again(this.may_refresh),
                        // This drops the future below, and with it a permit that the refresh may need.
                        Judgement::Wait { wait, may_resend } => {
                            State::Rejected { wait, response: Some(response), may_resend }
                        }
                    }
                }
                StateProj::Rejected { wait, response, may_resend } => {
                    let waited = ready!(poll_wait(wait, this.limit, cx));
                    let Some(response) = response.take() else { return Poll::Pending };
                    match waited {
                        // A response in hand is returned, whatever else has failed.
                        None => return Poll::Ready(Ok(response)),
                        Some(Waited::Landed(Err(refusal))) => {
                            return Poll::Ready(Ok(quoted::not_refreshed(response, &refusal.failure)));
                        }
                        Some(_) if link.resend_above() => return Poll::Ready(Ok(refreshed(response))),
                        Some(_) if !*may_resend => return Poll::Ready(Ok(response)),
                        // This drops the response before the service gets ready: it may hold a connection.
                        Some(_) => again(this.may_refresh),
                    }
                }
                StateProj::Waiting { wait } => match ready!(poll_wait(wait, this.limit, cx)) {
                    None => return Poll::Ready(Err(Error::deadline(Phase::NotSent))),
                    Some(waited) => match go_on(link, waited, this.looks) {
                        Way::Fail(refusal) => return Poll::Ready(Err(no_credentials(link, refusal))),
                        Way::Wait(wait) => State::Waiting { wait },
                        Way::Send(_) => State::Readying,
                    },
                },
                StateProj::Readying => {
                    let Some(spare) = this.spare.as_mut() else { return Poll::Pending };
                    let Poll::Ready(ready) = spare.inner.poll_ready(cx) else {
                        ready!(this.limit.poll(cx));
                        return Poll::Ready(Err(Error::deadline(Phase::NotSent)));
                    };
                    ready.map_err(|error| Error::not_ready(error.into()))?;
                    let Some(spare) = this.spare.take() else { return Poll::Pending };
                    let Spare { mut inner, mut request } = *spare;
                    let snapshot = usable(link)?;
                    *this.sent = Some(Sent::new(link, &snapshot, &request, *this.may_refresh));
                    let copy = stamp(link, &snapshot, &mut request, *this.may_refresh);
                    SendState::mark_sent(&request);
                    let future = inner.call(request);
                    *this.spare = copy.map(|request| Box::new(Spare { inner, request }));
                    State::Below { future }
                }
                StateProj::Failed { .. } => return Poll::Pending,
            };
            this.state.set(next);
        }
    }
}

impl<S, B> fmt::Debug for ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").field("sent", &self.sent).finish_non_exhaustive()
    }
}

/// Polls what needs no credentials, or has none.
fn poll_without<S, B>(state: Pin<&mut State<S, B>>, cx: &mut Context<'_>) -> Poll<Result<S::Response, Error>>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
{
    match state.project() {
        StateProj::Below { future } => future.poll(cx).map_err(|error| Error::from_inner(error.into())),
        StateProj::Failed { error } => error.take().map_or(Poll::Pending, |error| Poll::Ready(Err(error))),
        _ => Poll::Pending,
    }
}

/// Waits for a flight, but no longer than the call may take; `None` when the deadline passed, or what came came too late.
fn poll_wait(wait: &mut Wait, limit: &mut Limit, cx: &mut Context<'_>) -> Poll<Option<Waited>> {
    match wait.poll(cx) {
        Poll::Ready(Waited::Landed(Ok(_)) | Waited::Retry) if limit.has_passed() => {}
        Poll::Ready(waited) => return Poll::Ready(Some(waited)),
        Poll::Pending => ready!(limit.poll(cx)),
    }
    tracing::debug!(target: "redress::refresh", "the deadline passed during the wait");
    Poll::Ready(None)
}

/// Decides about a request that was not sent, at the end of a wait.
fn go_on(link: &Link, waited: Waited, looks: &mut u8) -> Way {
    let latest = link.shared.latest();
    match waited {
        Waited::Landed(Err(refusal)) if refusal.failure.is_cleared() => Way::Fail(refusal),
        // What is at hand may be good enough for this request, even if another one was rejected with it.
        Waited::Landed(Err(refusal)) if !latest.is_sendable_at(Instant::now()) => Way::Fail(refusal),
        Waited::Landed(_) => Way::Send(Guard::from_inner(latest)),
        Waited::Retry => {
            *looks = looks.saturating_add(1);
            let may_go = *looks >= MAX_LOOKS && latest.is_sendable_at(Instant::now());
            if may_go { Way::Send(Guard::from_inner(latest)) } else { link.shared.seek_again(link.terms()) }
        }
    }
}

/// Prepares to send a request the second time, which is the last.
fn again<S, B>(may_refresh: &mut bool) -> State<S, B>
where
    S: Service<Request<B>>,
{
    *may_refresh = false;
    State::Readying
}

/// Puts the credentials on a request; returns a copy without them if it may have to be sent again from here.
fn stamp<B: CloneBody>(
    link: &Link,
    snapshot: &Snapshot,
    request: &mut Request<B>,
    may_refresh: bool,
) -> Option<Request<B>> {
    let is_kept = may_refresh && !link.resend_above() && !link.shared.is_static();
    let copy = if is_kept { try_clone_request(request) } else { None };
    snapshot.stamp(request);
    copy
}

/// Returns the credentials of now: since the flight landed there may have been a logout.
fn usable(link: &Link) -> Result<Arc<Snapshot>, Error> {
    let snapshot = link.shared.latest();
    if snapshot.is_empty() {
        return Err(no_credentials(link, Refusal { failure: Failure::cleared(), retry_at: None }));
    }
    Ok(snapshot)
}

fn no_credentials(link: &Link, refusal: Refusal) -> Error {
    let retry_at = refusal.retry_at.map(|instant| link.clock().wall(instant));
    let detail = refusal.failure.to_string();
    Error::credentials(refusal.failure.class(), refusal.failure.into(), retry_at).with_detail(detail)
}
