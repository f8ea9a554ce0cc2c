//! The way of one request down and of its response up through the layer.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use redress_classify::{self as classify, BoxError, Class, CooldownScope, Error, ResponseExt, SuccessHint, Verdict};
use tokio::time::Instant;
use tower_service::Service;

use crate::layer::Settings;
use crate::lot::Place;
use crate::parking::{Parking, cool_down};
use crate::scope::Target;
use crate::telemetry;
use crate::turn::Turn;

pin_project! {
    /// The future of a [`Pace`](crate::Pace) service.
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B>,
        settings: Arc<Settings>,
        target: Target,
        // What the request below holds while a crowd is released.
        place: Option<Box<Place>>,
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
        // The request waits for its turn; nothing was sent.
        Held { held: Option<Box<Held<S, B>>> },
        // It is its turn; the service gets ready anew.
        Readying { held: Option<Box<Held<S, B>>> },
        // Its turn comes too late.
        Refused { error: Option<Error> },
        // The result was given.
        Done,
    }
}

/// A request that is not below, and a service that is not ready.
struct Held<S, B> {
    turn: Turn,
    inner: S,
    request: Request<B>,
}

impl<S, B> ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    #[inline]
    pub(crate) fn send(future: S::Future, settings: &Arc<Settings>, target: Target, place: Option<Box<Place>>) -> Self {
        Self { state: State::Below { future }, settings: Arc::clone(settings), target, place }
    }

    /// Keeps a request until its turn, with a service that is not ready.
    pub(crate) fn wait(turn: Turn, inner: S, request: Request<B>, settings: &Arc<Settings>, target: Target) -> Self {
        classify::SendState::mark_queued(&request);
        let held = Some(Box::new(Held { turn, inner, request }));
        Self { state: State::Held { held }, settings: Arc::clone(settings), target, place: None }
    }

    pub(crate) fn fail(error: Error, settings: &Arc<Settings>, target: Target) -> Self {
        Self { state: State::Refused { error: Some(error) }, settings: Arc::clone(settings), target, place: None }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<BoxError>,
{
    type Output = Result<Response<R>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        const HELD: &str = "a request that is held is there";
        let mut this = self.project();
        let result = loop {
            let next = match this.state.as_mut().project() {
                StateProj::Below { future } => {
                    let result = ready!(future.poll(cx)).map_err(|error| Error::from_inner(error.into()));
                    if let Ok(response) = &result {
                        learn(this.settings, this.target, response);
                    }
                    if let Some(place) = this.place.take() {
                        // The gate has closed by now if it had to: the next one does not go there.
                        place.end(is_overload(&result), Instant::now());
                    }
                    break result;
                }
                StateProj::Held { held } => match ready!(held.as_mut().expect(HELD).turn.poll(cx)) {
                    Ok(()) => State::Readying { held: held.take() },
                    Err(error) => break Err(error),
                },
                StateProj::Readying { held } => {
                    let waiting = held.as_mut().expect(HELD);
                    if let Err(error) = ready!(waiting.inner.poll_ready(cx)) {
                        break Err(Error::not_ready(error.into()));
                    }
                    match waiting.turn.take() {
                        Ok(true) => {
                            let Held { turn, mut inner, mut request } = *held.take().expect(HELD);
                            if let Some(deadline) = turn.deadline() {
                                request.extensions_mut().insert(deadline);
                            }
                            // The next in the queue goes on, whatever the service does with this request.
                            *this.place = turn.end();
                            classify::SendState::mark_sent(&request);
                            State::Below { future: inner.call(request) }
                        }
                        Ok(false) => {
                            // The gate has closed: the service that is ready may not be held through another wait.
                            let unready = waiting.inner.clone();
                            waiting.inner = unready;
                            State::Held { held: held.take() }
                        }
                        Err(error) => break Err(error),
                    }
                }
                StateProj::Refused { error } => break Err(error.take().expect("it fails once")),
                StateProj::Done => panic!("a finished call was polled again"),
            };
            this.state.set(next);
        };
        // What is left of the call, its place in the queue too, is given back now.
        this.state.set(State::Done);
        *this.place = None;
        Poll::Ready(result)
    }
}

impl<S, B> fmt::Debug for ResponseFuture<S, B>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").field("target", &self.target).finish_non_exhaustive()
    }
}

/// Whether a call failed as calls fail when a server is asked too much.
fn is_overload<R>(result: &Result<Response<R>, Error>) -> bool {
    let Ok(response) = result else { return true };
    let class = response.verdict().map(Verdict::class);
    let status = response.status();
    matches!(class, Some(Class::RateLimited | Class::Unavailable))
        || status.is_server_error()
        || status == StatusCode::TOO_MANY_REQUESTS
}

/// Closes the gate for the others when the response says so, and learns which bucket its route is in.
fn learn<R>(settings: &Settings, target: &Target, response: &Response<R>) {
    if settings.learns_buckets {
        let said = settings.dialect.bucket_for_response(response.status(), response.headers());
        settings.lot.learn(target, said);
    }
    let stamped = response.verdict().cloned();
    let verdict = stamped.or_else(|| Verdict::from_head(response, &settings.dialect, &settings.clock));
    let Some(verdict) = verdict else { return learn_from_success(settings, target, response) };
    let (now, throttle_wait) = (Instant::now(), settings.dialect.retry().throttle_wait);
    let Some(wait) = cool_down(&verdict, response.status().as_u16(), throttle_wait, now) else { return };
    park(settings, target, concerned(&verdict), (wait, verdict.class().as_str()), now);
}

/// Begins the cool-down that a success asks for, in a dialect that declares hints for successes.
fn learn_from_success<R>(settings: &Settings, target: &Target, response: &Response<R>) {
    if !settings.dialect.has_success_hints() {
        return;
    }
    let stamped = response.extensions().get().cloned();
    let hint = stamped.or_else(|| SuccessHint::from_head(response, &settings.dialect, &settings.clock));
    let Some(hint) = hint else { return };
    let scope = settings.dialect.bucket_for_response(response.status(), response.headers());
    let now = Instant::now();
    park(settings, target, scope, (hint.delay(now), "success"), now);
}

/// Parks the calls that share the scope for a time, with the class of the response that asked for it.
fn park(settings: &Settings, target: &Target, scope: CooldownScope, (wait, class): (Duration, &str), now: Instant) {
    let Some(parking) = Parking::of(now, wait) else { return };
    settings.lot.learn(target, scope);
    if settings.lot.park(target, scope, parking, now) {
        settings.limiters.iter().for_each(|limiter| limiter.nudge(&target.partition));
        telemetry::parked(&settings.dialect, target, scope, class, wait);
    }
}

/// Returns which calls a cool-down concerns. A service that is unavailable is so for all of them.
fn concerned(verdict: &Verdict) -> CooldownScope {
    if verdict.class() == Class::RateLimited { verdict.cooldown_scope() } else { CooldownScope::Upstream }
}
