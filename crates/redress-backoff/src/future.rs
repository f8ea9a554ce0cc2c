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
use redress_classify::{BoxError, CloneBody, Deadline, Error, Phase};
use tokio::time::{Instant, Sleep};
use tower_service::Service;

use crate::call::{Call, Step};
use crate::grpc;
use crate::idempotency_key;
use crate::settings::Settings;
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
                State::InFlight { .. } => this.call.dropped(Phase::MaybeProcessed),
                State::Waiting { .. } | State::Readying => this.call.dropped(Phase::NotSent),
            }
        }
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, T> {
        /// The deadline had passed before the first attempt.
        TooLate,
        /// An attempt is in flight.
        InFlight { #[pin] attempt: F },
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
        idempotency_key::stamp(&mut request, &settings);
        grpc::stamp(&mut request, &settings);
        let is_late = Deadline::from_request(&request).is_some_and(|deadline| deadline.has_passed(Instant::now()));
        let call = Call::new(&request, settings);
        let state = if is_late { State::TooLate } else { State::InFlight { attempt: service.call(request) } };
        Self { state, deadline_sleep: None, service, call }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    B: CloneBody,
    R: Body + Unpin,
{
    type Output = Result<Response<R>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let deadline = this.call.deadline();
        loop {
            let result = match this.state.as_mut().project() {
                StateProj::TooLate => this.call.deadline_exceeded(Phase::NotSent),
                StateProj::InFlight { attempt } => {
                    let attempt = attempt.poll(cx);
                    let step = match ready!(or_deadline(attempt, this.deadline_sleep.as_mut(), deadline, cx)) {
                        Some(Ok(response)) => this.call.on_response(response),
                        Some(Err(error)) => this.call.on_error(Error::from_inner(error.into())),
                        None => Step::Return(this.call.deadline_exceeded(Phase::MaybeProcessed)),
                    };
                    match step {
                        Step::Return(result) => result,
                        Step::Retry(wait) => {
                            this.state.set(State::Waiting { wait });
                            continue;
                        }
                    }
                }
                StateProj::Waiting { wait } => {
                    ready!(wait.poll(cx));
                    this.state.set(State::Readying);
                    continue;
                }
                StateProj::Readying => match this.call.check_resendable(Instant::now()) {
                    ControlFlow::Break(result) => result,
                    ControlFlow::Continue(()) => {
                        let is_ready = this.service.poll_ready(cx);
                        match ready!(or_deadline(is_ready, this.deadline_sleep.as_mut(), deadline, cx)) {
                            Some(Ok(())) => {
                                let attempt = this.service.call(this.call.next_request());
                                this.state.set(State::InFlight { attempt });
                                continue;
                            }
                            Some(Err(error)) => Err(this.call.on_not_ready(error.into())),
                            None => this.call.deadline_exceeded(Phase::NotSent),
                        }
                    }
                },
                StateProj::Done => panic!("`ResponseFuture` polled after completion"),
            };
            this.state.set(State::Done);
            return Poll::Ready(result);
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

/// Returns the output, or `None` if the deadline passes first. Without a deadline it waits for the output alone.
fn or_deadline<T>(
    output: Poll<T>,
    mut sleep: Pin<&mut Option<Sleep>>,
    deadline: Option<Deadline>,
    cx: &mut Context<'_>,
) -> Poll<Option<T>> {
    if let Poll::Ready(output) = output {
        return Poll::Ready(Some(output));
    }
    let Some(deadline) = deadline else { return Poll::Pending };
    if sleep.is_none() {
        sleep.set(Some(tokio::time::sleep_until(deadline.instant())));
    }
    sleep.as_pin_mut().map_or(Poll::Pending, |sleep| sleep.poll(cx).map(|()| None))
}
