//! The retry loop: one call, its attempts and the waits between them.

use std::fmt;
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use redress_classify::straight::CallTime;
use redress_classify::{BoxError, CloneBody, Deadline, Error, Phase};
use tokio::time::{Instant, Sleep};
use tower_service::Service;

use crate::call::{Call, Step};
use crate::hedge::Race;
use crate::settings::Settings;
use crate::straight::{First, is_late, prepare};
use crate::telemetry::NoHedge;
use crate::wait::Wait;

pin_project! {
    /// The future of a [`Backoff`](crate::Backoff) service.
    ///
    /// # Panics
    /// If it is polled after it has completed. Also if it must wait outside of a tokio runtime with a timer, or in one that is
    /// shutting down; that message is tokio's. A result that is there at the first poll needs no runtime.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S::Future, S::Response>,
        // Made by the first poll that is pending: a result that is there at once needs no timer.
        #[pin]
        deadline_sleep: Option<Sleep>,
        service: S,
        call: Call<B, S::Response>,
    }

    impl<S, B> PinnedDrop for ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        fn drop(this: Pin<&mut Self>) {
            match this.state {
                State::Done | State::TooLate => {}
                State::InFlight { .. } | State::Racing { .. } => this.call.dropped(Phase::MaybeProcessed),
                State::Waiting { .. } | State::Readying => this.call.dropped(Phase::NotSent),
            }
        }
    }
}

/// The result of a call.
type Outcome<R> = Result<Response<R>, Error>;

pin_project! {
    #[project = StateProj]
    enum State<F, T> {
        /// The deadline had passed before the first attempt.
        TooLate,
        /// An attempt is in flight.
        InFlight { #[pin] attempt: F },
        /// The first attempt of a call that may be hedged is in flight, or its hedge, or both.
        Racing { race: Pin<Box<Race<F>>> },
        /// The last attempt failed, and the wait for the next one has begun.
        Waiting { wait: Wait<T> },
        /// The wait is over; the service below must become ready.
        Readying,
        /// The result was returned.
        Done,
    }
}

impl<S, B> ResponseFuture<S, B>
where
    S: Service<Request<B>>,
    B: CloneBody,
{
    /// Sends the request, unless its own deadline has passed.
    #[inline]
    pub(crate) fn new(mut service: S, mut request: Request<B>, settings: Arc<Settings>) -> Self {
        prepare(&mut request, &settings);
        let mut time = CallTime::default();
        let is_late = is_late(&request, &mut time);
        let call = Call::new(First::new(&request, &settings, &mut time), settings);
        if !is_late && call.is_hedged() {
            return Self::begin_race(service, request, call);
        }
        let state = if is_late { State::TooLate } else { State::InFlight { attempt: service.call(request) } };
        Self { state, deadline_sleep: None, service, call }
    }

    /// Goes on with a call whose first attempt was sent.
    pub(crate) const fn adopt(attempt: S::Future, service: S, call: Call<B, S::Response>) -> Self {
        Self { state: State::InFlight { attempt }, deadline_sleep: None, service, call }
    }

    /// Sends the first attempt of a layer that hedges. It is apart from the usual path, which it must not make longer.
    #[inline(never)]
    fn begin_race(mut service: S, mut request: Request<B>, mut call: Call<B, S::Response>) -> Self {
        let state = match call.plan_hedge(&mut request) {
            None => State::InFlight { attempt: service.call(request) },
            Some((state, plan)) => State::Racing { race: Box::pin(Race::new(service.call(request), state, plan)) },
        };
        Self { state, deadline_sleep: None, service, call }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    B: CloneBody,
    R: Body + Unpin,
{
    type Output = Result<Response<R>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let step = match this.state.as_mut().project() {
                StateProj::TooLate => Step::Return(this.call.deadline_exceeded(Phase::NotSent)),
                StateProj::InFlight { attempt } => {
                    let polled = attempt.poll(cx);
                    if let Poll::Ready(Ok(response)) = &polled
                        && this.call.ends_plainly(response)
                    {
                        this.state.set(State::Done);
                        return polled.map_err(|error| Error::from_inner(error.into()));
                    }
                    match polled {
                        Poll::Ready(Ok(response)) => this.call.on_other_response(response),
                        Poll::Ready(Err(error)) => this.call.on_error(Error::from_inner(error.into())),
                        Poll::Pending => ready!(poll_in_flight(this.call, this.deadline_sleep.as_mut(), cx)),
                    }
                }
                StateProj::Racing { race } => {
                    ready!(poll_race(race.as_mut(), this.service, this.call, this.deadline_sleep.as_mut(), cx))
                }
                StateProj::Waiting { wait } => {
                    ready!(wait.poll(cx));
                    this.state.set(State::Readying);
                    continue;
                }
                StateProj::Readying => {
                    let resend = poll_resend(this.service, this.call, this.deadline_sleep.as_mut(), cx);
                    match ready!(resend) {
                        ControlFlow::Break(result) => Step::Return(result),
                        ControlFlow::Continue(attempt) => {
                            this.state.set(State::InFlight { attempt });
                            continue;
                        }
                    }
                }
                StateProj::Done => panic!("`ResponseFuture` polled after completion"),
            };
            match step {
                Step::Return(result) => {
                    this.state.set(State::Done);
                    return Poll::Ready(result);
                }
                Step::Retry(wait) => this.state.set(State::Waiting { wait }),
                // The race goes on.
                Step::GoOn => {}
            }
        }
    }
}

impl<S, B> fmt::Debug for ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

/// Makes the service ready and sends the request of the next attempt. Breaks with the result of the call if there is none.
#[inline(never)]
fn poll_resend<S, B, R>(
    service: &mut S,
    call: &mut Call<B, Response<R>>,
    deadline_sleep: Pin<&mut Option<Sleep>>,
    cx: &mut Context<'_>,
) -> Poll<ControlFlow<Outcome<R>, S::Future>>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    B: CloneBody,
    R: Body,
{
    if let ControlFlow::Break(result) = call.check_resendable(Instant::now()) {
        return Poll::Ready(ControlFlow::Break(result));
    }
    let is_ready = service.poll_ready(cx);
    Poll::Ready(match ready!(or_deadline(is_ready, deadline_sleep, call.deadline(), cx)) {
        Some(Ok(())) => match call.next_request() {
            Ok(request) => ControlFlow::Continue(service.call(request)),
            Err(error) => ControlFlow::Break(Err(error)),
        },
        Some(Err(error)) => ControlFlow::Break(Err(call.on_not_ready(error.into()))),
        None => ControlFlow::Break(call.deadline_exceeded(Phase::NotSent)),
    })
}

/// Ends an attempt in flight at the deadline.
fn poll_in_flight<B: CloneBody, R: Body>(
    call: &mut Call<B, Response<R>>,
    deadline_sleep: Pin<&mut Option<Sleep>>,
    cx: &mut Context<'_>,
) -> Poll<Step<Response<R>>> {
    poll_deadline(deadline_sleep, call.deadline(), cx)
        .map(|()| Step::Return(call.deadline_exceeded(Phase::MaybeProcessed)))
}

/// Polls the attempts of a race, and ends one of them.
#[inline(never)]
fn poll_race<S, B, R>(
    mut race: Pin<&mut Race<S::Future>>,
    service: &S,
    call: &mut Call<B, Response<R>>,
    deadline_sleep: Pin<&mut Option<Sleep>>,
    cx: &mut Context<'_>,
) -> Poll<Step<Response<R>>>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
    B: CloneBody,
    R: Body,
{
    let racer = race.as_mut().poll(cx, |cx| send_hedge(service, call, cx));
    Poll::Ready(match ready!(or_deadline(racer, deadline_sleep, call.deadline(), cx)) {
        Some((racer, result)) => call.on_racer(racer, race.sent(), result),
        None => Step::Return(call.deadline_exceeded(Phase::MaybeProcessed)),
    })
}

/// Sends the hedge of a call; `None` if it may not be sent, or if it would have to wait.
fn send_hedge<S, B>(service: &S, call: &mut Call<B, S::Response>, cx: &mut Context<'_>) -> Option<S::Future>
where
    S: Service<Request<B>> + Clone,
    B: CloneBody,
{
    if !call.reserve_hedge(Instant::now()) {
        return None;
    }
    // A service that is not ready is dropped: it would become so, and be kept from others, while the first attempt goes on.
    let mut service = service.clone();
    if !matches!(service.poll_ready(cx), Poll::Ready(Ok(()))) {
        call.give_up_hedge(NoHedge::NotReady);
        return None;
    }
    let request = call.hedge_request();
    if request.is_none() {
        call.give_up_hedge(NoHedge::NotClonable);
    }
    request.map(|request| service.call(request))
}

/// Returns the output, or `None` if the deadline passes first. Without a deadline it waits for the output alone.
fn or_deadline<T>(
    output: Poll<T>,
    sleep: Pin<&mut Option<Sleep>>,
    deadline: Option<Deadline>,
    cx: &mut Context<'_>,
) -> Poll<Option<T>> {
    match output {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => poll_deadline(sleep, deadline, cx).map(|()| None),
    }
}

/// Waits for the deadline. Without one it waits for ever.
fn poll_deadline(mut sleep: Pin<&mut Option<Sleep>>, deadline: Option<Deadline>, cx: &mut Context<'_>) -> Poll<()> {
    let Some(deadline) = deadline else { return Poll::Pending };
    if sleep.is_none() {
        sleep.set(Some(tokio::time::sleep_until(deadline.instant())));
    }
    sleep.as_pin_mut().map_or(Poll::Pending, |sleep| sleep.poll(cx))
}
