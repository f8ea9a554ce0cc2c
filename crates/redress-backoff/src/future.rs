//! One call: its attempts, the waits between them, and the end.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use redress_classify::{BoxError, CloneBody, Deadline, Error, Phase};
use tokio::time::{Instant, Sleep};
use tower_service::Service;

use crate::call::{Call, Next};
use crate::idempotency_key;
use crate::settings::Settings;
use crate::wait::Wait;

pin_project! {
    /// The future of a [`Backoff`](crate::Backoff) service.
    ///
    /// # Panics
    /// When it is polled after its end. And where no tokio runtime with a timer runs, or one that is shutting down, with
    /// tokio's own words, as soon as there is something to wait for; a result that is there at once needs none.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S::Future, S::Response>,
        // Made when the first attempt has to be waited for: a result that is there at once needs no timer.
        #[pin]
        deadline_sleep: Option<Sleep>,
        service: S,
        call: Call<B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, T> {
        /// The request came too late to be sent at all.
        Late,
        /// An attempt is in flight.
        Attempt { #[pin] future: F },
        /// The last attempt failed; the next one waits for its time.
        Waiting { wait: Wait<T> },
        /// It is time; the service below must be ready first.
        Readying,
        /// The result was given.
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
        let is_late = Deadline::from_request(&request).is_some_and(|deadline| deadline.has_passed(Instant::now()));
        let call = Call::new(&request, settings);
        let state = if is_late { State::Late } else { State::Attempt { future: service.call(request) } };
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
        loop {
            let next = match this.state.as_mut().project() {
                StateProj::Late => Next::Return(Err(this.call.cut(Phase::NotSent))),
                StateProj::Attempt { future } => match future.poll(cx) {
                    Poll::Ready(Ok(response)) if this.call.succeeds_at_once(&response) => Next::Return(Ok(response)),
                    Poll::Ready(Ok(response)) => this.call.answered(response),
                    Poll::Ready(Err(error)) => this.call.failed(Error::from_inner(error.into())),
                    Poll::Pending => {
                        ready!(poll_deadline(this.deadline_sleep.as_mut(), this.call.deadline, cx));
                        Next::Return(Err(this.call.cut(Phase::MaybeProcessed)))
                    }
                },
                StateProj::Waiting { wait } => {
                    ready!(wait.poll(cx));
                    this.state.set(State::Readying);
                    continue;
                }
                StateProj::Readying => match this.call.hindered() {
                    Some(error) => Next::Return(Err(error)),
                    None => match this.service.poll_ready(cx) {
                        Poll::Ready(Ok(())) => {
                            let request = this.call.next_request().expect("nothing hinders it, so there is a copy");
                            let future = this.service.call(request);
                            this.state.set(State::Attempt { future });
                            continue;
                        }
                        Poll::Ready(Err(error)) => Next::Return(Err(this.call.not_ready(error.into()))),
                        Poll::Pending => {
                            ready!(poll_deadline(this.deadline_sleep.as_mut(), this.call.deadline, cx));
                            Next::Return(Err(this.call.cut(Phase::NotSent)))
                        }
                    },
                },
                StateProj::Done => panic!("a finished call was polled again"),
            };
            match next {
                Next::Return(result) => {
                    this.state.set(State::Done);
                    return Poll::Ready(result);
                }
                Next::Again(wait) => this.state.set(State::Waiting { wait }),
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

/// Waits for the deadline, if there is one.
fn poll_deadline(mut sleep: Pin<&mut Option<Sleep>>, deadline: Option<Deadline>, cx: &mut Context<'_>) -> Poll<()> {
    let Some(deadline) = deadline else { return Poll::Pending };
    if sleep.is_none() {
        sleep.set(Some(tokio::time::sleep_until(deadline.instant())));
    }
    sleep.as_pin_mut().map_or(Poll::Pending, |sleep| sleep.poll(cx))
}
