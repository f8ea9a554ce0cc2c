//! The way of one response up through the layer.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use http::{Response, response};
use pin_project_lite::pin_project;
use redress_envelope::{Decision, Dialect, Signal};
use tokio::time::{Instant, Sleep};

use crate::BoxError;
use crate::body::{Body, bytes_of};
use crate::deadline::Deadline;
use crate::error::Error;
use crate::layer::Settings;
use crate::meaning::{Call, Receipt, Seen, judge, may_signal};
use crate::success_hint::SuccessHint;
use crate::telemetry;
use crate::transport::TransportError;

/// How much is read of a response that is known to be an error: over a hundred times the longest envelope that the
/// five vendors publish.
pub(crate) const MAX_ERROR: u64 = 64 * 1024;
/// How long it is read: a slow body must not hold up the decision that the status already allows.
const MAX_TIME: Duration = Duration::from_secs(2);
/// How much of a success is held while its signal is uncertain: no error envelope is this long.
const MAX_HELD: u64 = 1024 * 1024;

/// Why there is a response to read.
const UNFINISHED: &str = "a future is not polled after its end, and until then the response is there";

pin_project! {
    /// The future of a [`Classify`](crate::Classify) service.
    ///
    /// # Panics
    /// When it is polled after its end.
    pub struct ResponseFuture<F, R: http_body::Body> {
        #[pin]
        state: State<F, R>,
        settings: Arc<Settings>,
        call: Call,
        // The request's own.
        deadline: Option<Deadline>,
        // When the request was first waited for, which is when it was sent; a response that is there at once has none.
        sent: Option<Instant>,
    }
}

pin_project! {
    // What is read takes the place of the future below, which has ended: every layer above moves this one.
    #[project = StateProj]
    enum State<F, R: http_body::Body> {
        // The request is below.
        Below { #[pin] inner: F },
        // The response is there, and more of it is to be read; `None` when the result was given.
        Reading { reading: Option<Reading<R>> },
    }
}

/// A response in the middle of being read.
struct Reading<R: http_body::Body> {
    head: response::Parts,
    body: Body<R>,
    stage: Stage,
}

#[allow(clippy::large_enum_variant, reason = "boxing the larger one would cost a success an allocation")]
enum Stage {
    /// A success so far: the signal is uncertain. It is waited for until the sleep ends, which begins on first waiting.
    /// With `for_hint` it is held to its end even if there is none.
    Held { signal: Signal, for_hint: bool, sleep: Option<Pin<Box<Sleep>>> },
    /// A success whose body may hold a hint, which is certain at its end. It is waited for in the same way.
    Success { sleep: Option<Pin<Box<Sleep>>> },
    /// An error: its body is read up to so many bytes in all, and until the sleep ends, which begins on first waiting.
    Known { limit: u64, since: Instant, sleep: Option<Pin<Box<Sleep>>> },
}

/// What reading came to.
enum Outcome<E> {
    Success,
    /// The body of a held success failed.
    Broken(E),
    /// Whether all of the body was read.
    Error {
        whole: bool,
    },
}

impl Stage {
    /// Begins to read a response as an error; a success reads no clock.
    fn known(limit: u64) -> Self {
        Self::Known { limit, since: Instant::now(), sleep: None }
    }
}

impl<F, R: http_body::Body> ResponseFuture<F, R> {
    pub(crate) const fn new(inner: F, settings: Arc<Settings>, call: Call, deadline: Option<Deadline>) -> Self {
        Self { state: State::Below { inner }, settings, call, deadline, sent: None }
    }
}

impl<F, R, E> Future for ResponseFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<BoxError>,
    R: http_body::Body + Unpin,
    R::Error: Into<BoxError>,
{
    type Output = Result<Response<Body<R>>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let dialect = &this.settings.dialect;
        if let StateProj::Below { inner } = this.state.as_mut().project() {
            let response = match inner.poll(cx) {
                Poll::Ready(Ok(response)) => response,
                Poll::Ready(Err(error)) => {
                    let error = Error::from_inner(error.into());
                    telemetry::unanswered(dialect, &error);
                    return Poll::Ready(Err(error));
                }
                Poll::Pending => {
                    this.sent.get_or_insert_with(Instant::now);
                    return Poll::Pending;
                }
            };
            let (mut head, body) = response.into_parts();
            let body = Body::untouched(body);
            match stage(dialect, this.call, &head, &body) {
                None => {
                    stamp_hint(this.settings, this.call, &mut head, Vec::new);
                    return Poll::Ready(Ok(Response::from_parts(head, body)));
                }
                Some(stage) => this.state.set(State::Reading { reading: Some(Reading { head, body, stage }) }),
            }
        }
        let StateProj::Reading { reading } = this.state.project() else { return Poll::Pending };
        let hold = |head: Instant| this.settings.hold(this.sent.unwrap_or(head), head, *this.deadline);
        let outcome = ready!(reading.as_mut().expect(UNFINISHED).poll(cx, dialect, hold));
        let Reading { mut head, body, stage } = reading.take().expect(UNFINISHED);
        let outcome = match outcome {
            Outcome::Broken(error) => {
                let error = Error::from_inner(TransportError::body(error).into());
                telemetry::unanswered(dialect, &error);
                return Poll::Ready(Err(error));
            }
            outcome => outcome,
        };
        let verdict = match (outcome, stage) {
            (Outcome::Error { whole }, Stage::Known { since, .. }) => {
                let receipt = Receipt { clock: &this.settings.clock, sent: this.sent.unwrap_or(since), at: since };
                judge(dialect, this.call, &head, receipt, &seen(&body, whole))
            }
            _ => None,
        };
        match verdict {
            Some(verdict) => {
                telemetry::failed(&verdict);
                head.extensions.insert(verdict);
            }
            None => stamp_hint(this.settings, this.call, &mut head, || pieces_of_whole(&body)),
        }
        Poll::Ready(Ok(Response::from_parts(head, body)))
    }
}

/// Decides by the head alone whether anything is to be read; `None` hands the response on untouched.
fn stage<R>(dialect: &Dialect, call: &Call, head: &response::Parts, body: &Body<R>) -> Option<Stage>
where
    R: http_body::Body + Unpin,
{
    if dialect.class_of_status(head.status.as_u16()).is_some() {
        return Some(Stage::known(MAX_ERROR));
    }
    let about = call.head(head, SystemTime::UNIX_EPOCH);
    if dialect.signals_by_head(&about) {
        return Some(Stage::known(MAX_ERROR));
    }
    if http_body::Body::is_end_stream(body) {
        return None;
    }
    if may_signal(dialect, &about) {
        let signal = Signal::new(dialect, &about);
        if signal.decision() != Decision::Success {
            let for_hint = dialect.may_hint_in_body(&about);
            return Some(Stage::Held { signal, for_hint, sleep: None });
        }
    }
    dialect.may_hint_in_body(&about).then_some(Stage::Success { sleep: None })
}

/// Adds the pause that a success asks for; one comparison in a dialect without such hints.
fn stamp_hint<'b>(
    settings: &Settings,
    call: &Call,
    head: &mut response::Parts,
    pieces: impl FnOnce() -> Vec<&'b [u8]>,
) {
    if !settings.dialect.has_success_hints() {
        return;
    }
    let now = Instant::now();
    let receipt = Receipt { clock: &settings.clock, sent: now, at: now };
    if let Some(hint) = SuccessHint::read(&settings.dialect, call, head, receipt, pieces().into_iter()) {
        telemetry::success_hint(&settings.dialect, head.status.as_u16(), hint.delay(now));
        head.extensions.insert(hint);
    }
}

impl<R: http_body::Body + Unpin> Reading<R> {
    /// Reads on. A hold takes as long as `hold` says, given when the head came.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        dialect: &Dialect,
        hold: impl Fn(Instant) -> Duration,
    ) -> Poll<Outcome<R::Error>> {
        loop {
            if let Stage::Known { limit, .. } = self.stage
                && self.body.held().exceeds(limit)
            {
                return Poll::Ready(Outcome::Error { whole: false });
            }
            match self.body.poll_hold(cx) {
                Poll::Pending => return self.poll_time(cx, dialect, hold),
                Poll::Ready(false) => return Poll::Ready(self.ended()),
                Poll::Ready(true) => {}
            }
            if let Some(outcome) = self.look(dialect) {
                return Poll::Ready(outcome);
            }
        }
    }

    fn ended(&mut self) -> Outcome<R::Error> {
        match self.stage {
            Stage::Held { .. } | Stage::Success { .. } => {
                self.body.take_error().map_or(Outcome::Success, Outcome::Broken)
            }
            Stage::Known { .. } => Outcome::Error { whole: self.body.is_whole() },
        }
    }

    /// Looks at the frame that has just come, while the signal is uncertain.
    fn look(&mut self, dialect: &Dialect) -> Option<Outcome<R::Error>> {
        let held = self.body.held();
        let (signal, for_hint, sleep) = match &mut self.stage {
            Stage::Held { signal, for_hint, sleep } => (signal, *for_hint, sleep),
            Stage::Success { .. } => return self.end_overlong(dialect),
            Stage::Known { .. } => return None,
        };
        let data = held.last()?;
        match bytes_of(data).map_or(Decision::Success, |bytes| signal.feed(bytes)) {
            Decision::Success if for_hint => {
                self.stage = Stage::Success { sleep: sleep.take() };
                self.end_overlong(dialect)
            }
            Decision::Success => Some(Outcome::Success),
            Decision::Error => {
                self.stage = Stage::known(held.bytes().saturating_add(MAX_ERROR));
                None
            }
            Decision::Undecided => self.end_overlong(dialect),
        }
    }

    /// Ends the hold of a success of which too much is held.
    fn end_overlong(&self, dialect: &Dialect) -> Option<Outcome<R::Error>> {
        let held = self.body.held();
        held.exceeds(MAX_HELD).then(|| {
            telemetry::overlong(dialect, self.head.status.as_u16(), held.bytes());
            Outcome::Success
        })
    }

    /// Ends the reading of a slow body. What was there together with the head was read by now, so that it counts from now.
    fn poll_time(
        &mut self,
        cx: &mut Context<'_>,
        dialect: &Dialect,
        hold: impl Fn(Instant) -> Duration,
    ) -> Poll<Outcome<R::Error>> {
        match &mut self.stage {
            Stage::Known { sleep, .. } => {
                let sleep = sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(MAX_TIME)));
                ready!(sleep.as_mut().poll(cx));
                Poll::Ready(Outcome::Error { whole: false })
            }
            Stage::Held { sleep, .. } | Stage::Success { sleep } => {
                let sleep = sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(hold(Instant::now()))));
                ready!(sleep.as_mut().poll(cx));
                telemetry::overdue(dialect, self.head.status.as_u16(), self.body.held().bytes());
                Poll::Ready(Outcome::Success)
            }
        }
    }
}

/// Returns the pieces of a body that was read to its end; none of any other body, of which no member counts.
fn pieces_of_whole<R: http_body::Body>(body: &Body<R>) -> Vec<&[u8]> {
    let seen = seen(body, body.is_whole());
    if seen.whole { seen.pieces } else { Vec::new() }
}

fn seen<R: http_body::Body>(body: &Body<R>, whole: bool) -> Seen<'_> {
    let mut seen = Seen { pieces: Vec::new(), whole, event: None };
    for data in body.held().data() {
        match bytes_of(data) {
            Some(bytes) => seen.pieces.push(bytes),
            None => seen.whole = false,
        }
    }
    seen
}
