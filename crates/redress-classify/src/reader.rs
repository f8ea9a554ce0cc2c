//! Waits for the response to one request, and reads as much of its body as the verdict needs.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use http::{Response, response};
use pin_project_lite::pin_project;
use redress_envelope::{Decision, Dialect, Signal};
use tokio::time::Instant;

use crate::BoxError;
use crate::body::{Body, bytes_of};
use crate::error::Error;
use crate::judge::{Times, head_of, is_error_by_head, is_success_by_status, judge, may_signal};
use crate::read_body::{Pieces, ReadBody};
use crate::reading::{Outcome, Reading, Stage};
use crate::settings::Settings;
use crate::straight::SentParts;
use crate::success_hint::SuccessHint;
use crate::telemetry;
use crate::transport::TransportError;

/// A response with its verdict, or an error.
type Judged<R> = Result<Response<Body<R>>, Error>;

const POLLED_AFTER_END: &str = "`ResponseFuture` polled after completion";

pin_project! {
    /// The future of an inner service and the reading of its response, without the settings and the request, which are lent to
    /// each poll: many calls share them with the layers above.
    pub struct Reader<F, R: http_body::Body> {
        #[pin]
        state: State<F, R>,
        // The first time that the inner future was pending, which is when the request was sent. `None` for a response that
        // was ready at once.
        sent: Option<Instant>,
    }
}

pin_project! {
    // The response takes the place of the inner future, which has ended, since every layer above moves this future.
    #[project = StateProj]
    enum State<F, R: http_body::Body> {
        // The inner service has the request.
        Inner { #[pin] inner: F },
        // The head of the response is there, and the rest of its body is waited for; `None` after completion. In a box, since most
        // bodies that are read are there with the head, and this future is as large as its largest state.
        Reading { reading: Option<Box<Reading<R>>> },
        // The result was there from the beginning; `None` after completion.
        Ended { result: Option<Judged<R>> },
    }
}

impl<F, R: http_body::Body> Reader<F, R> {
    /// Waits for the response of an inner service.
    pub const fn new(inner: F) -> Self {
        Self { state: State::Inner { inner }, sent: None }
    }

    /// Returns a result that is there already.
    pub(crate) const fn ended(result: Judged<R>) -> Self {
        Self { state: State::Ended { result: Some(result) }, sent: None }
    }

    /// Returns `true` while the inner service has not responded.
    pub const fn awaits_head(&self) -> bool {
        matches!(self.state, State::Inner { .. })
    }

    /// Returns the time of the first poll that was pending; `None` before.
    pub const fn sent(&self) -> Option<Instant> {
        self.sent
    }
}

impl<F, R, E> Reader<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<BoxError>,
    R: http_body::Body + Unpin,
    R::Error: Into<BoxError>,
{
    /// Waits for the response, and reads of it as much as the verdict needs.
    #[inline(always)]
    pub(crate) fn poll(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        settings: &Settings,
        request: &impl SentParts,
    ) -> Poll<Judged<R>> {
        let mut this = self.project();
        match this.state.as_mut().project() {
            StateProj::Inner { inner } => {
                let Poll::Ready(result) = inner.poll(cx) else {
                    this.sent.get_or_insert_with(Instant::now);
                    return Poll::Pending;
                };
                let response = result.map_err(|error| failed(settings, request, error.into()))?;
                let (mut head, body) = response.into_parts();
                let body = Body::untouched(body);
                let is_success = is_success_by_status(&settings.dialect, head.status.as_u16());
                let stage = if is_success { None } else { first_stage(settings, request, &head, &body) };
                let Some(stage) = stage else {
                    stamp_hint(settings, request, &mut head, || Pieces::None);
                    return Poll::Ready(Ok(Response::from_parts(head, body)));
                };
                match begin_reading(Reading::new(head, body, stage), cx, settings, request, *this.sent) {
                    Ok(judged) => Poll::Ready(judged),
                    Err(reading) => {
                        this.state.set(State::Reading { reading: Some(reading) });
                        Poll::Pending
                    }
                }
            }
            StateProj::Reading { reading } => {
                let current = reading.as_mut().expect(POLLED_AFTER_END);
                let outcome = ready!(read_on(current, cx, settings, request, *this.sent));
                let reading = reading.take().expect(POLLED_AFTER_END);
                Poll::Ready(finish(*reading, outcome, settings, request, *this.sent))
            }
            StateProj::Ended { result } => Poll::Ready(result.take().expect(POLLED_AFTER_END)),
        }
    }
}

impl<F, R: http_body::Body> fmt::Debug for Reader<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Inner { .. } => "Inner",
            State::Reading { .. } => "Reading",
            State::Ended { .. } => "Ended",
        };
        f.debug_struct("Reader").field("state", &format_args!("{state}")).finish_non_exhaustive()
    }
}

/// Decides by the head whether the body is read; `None` returns the response untouched.
#[inline(never)]
fn first_stage<R>(
    settings: &Settings,
    request: &impl SentParts,
    head: &response::Parts,
    body: &Body<R>,
) -> Option<Stage>
where
    R: http_body::Body + Unpin,
{
    let dialect = &settings.dialect;
    // Most errors are known by their status, for which the request is not looked at.
    if dialect.class_for_status(head.status.as_u16()).is_some() {
        return Some(Stage::error());
    }
    let about = head_of(request.method().as_str(), request.path(), head, SystemTime::UNIX_EPOCH);
    if is_error_by_head(dialect, &about) {
        return Some(Stage::error());
    }
    if http_body::Body::is_end_stream(body) {
        return None;
    }
    if dialect.signals_in_trailers(&about) && !settings.commits_at_head {
        return Some(Stage::trailers());
    }
    let may_hint = dialect.may_hint_in_body(&about);
    if may_signal(dialect, &about) {
        let signal = Signal::new(dialect, &about);
        if signal.decision() != Decision::Success {
            return Some(Stage::undecided(signal, may_hint));
        }
    }
    may_hint.then(Stage::success)
}

/// Reads what has arrived of a body. Returns the reading if the rest must be waited for.
#[inline(never)]
fn begin_reading<R>(
    mut reading: Reading<R>,
    cx: &mut Context<'_>,
    settings: &Settings,
    request: &impl SentParts,
    sent: Option<Instant>,
) -> Result<Judged<R>, Box<Reading<R>>>
where
    R: http_body::Body + Unpin,
    R::Error: Into<BoxError>,
{
    match read_on(&mut reading, cx, settings, request, sent) {
        Poll::Ready(outcome) => Ok(finish(reading, outcome, settings, request, sent)),
        Poll::Pending => Err(Box::new(reading)),
    }
}

/// Reads on, up to the verdict or the last frame that has arrived.
fn read_on<R>(
    reading: &mut Reading<R>,
    cx: &mut Context<'_>,
    settings: &Settings,
    request: &impl SentParts,
    sent: Option<Instant>,
) -> Poll<Outcome<R::Error>>
where
    R: http_body::Body + Unpin,
{
    let hold = |head: Instant| settings.hold(sent.unwrap_or(head), head, request.deadline());
    reading.poll(cx, &settings.dialect, hold)
}

/// Returns the response with the verdict or the hint that its body gave.
fn finish<R>(
    reading: Reading<R>,
    outcome: Outcome<R::Error>,
    settings: &Settings,
    request: &impl SentParts,
    sent: Option<Instant>,
) -> Judged<R>
where
    R: http_body::Body + Unpin,
    R::Error: Into<BoxError>,
{
    let (mut head, body) = reading.into_parts();
    let verdict = match outcome {
        Outcome::BodyFailed(error) => return Err(failed(settings, request, TransportError::body(error).into())),
        Outcome::Error { whole, received } => {
            let times = Times { clock: &settings.clock, sent: sent.unwrap_or(received), received };
            let with_trailers = with_trailers(&settings.dialect, &head, &body);
            let (read, line) = (read_body(&body, whole), (request.method(), request.path()));
            let verdict = judge(&settings.dialect, line, with_trailers.as_ref().unwrap_or(&head), times, &read);
            if let Some(verdict) = &verdict {
                telemetry::error_response(request, verdict);
            }
            verdict
        }
        Outcome::Success => None,
    };
    match verdict {
        Some(verdict) => {
            head.extensions.insert(verdict);
        }
        None => stamp_hint(settings, request, &mut head, || pieces(&body)),
    }
    Ok(Response::from_parts(head, body))
}

/// Returns the head with the fields of the trailers, where the status of a gRPC call is in these: a call that fails before
/// its first message has it in either place (gRPC over HTTP/2, "Responses").
fn with_trailers<R>(dialect: &Dialect, head: &response::Parts, body: &Body<R>) -> Option<response::Parts>
where
    R: http_body::Body,
{
    let trailers = body.held().trailers().filter(|_| dialect.is_grpc() && head.status.is_success())?;
    let mut whole = head.clone();
    whole.headers.extend(trailers.clone());
    Some(whole)
}

/// Converts an error of the inner service or of a body, and reports it.
#[cold]
pub(crate) fn failed(settings: &Settings, request: &impl SentParts, error: BoxError) -> Error {
    let upstream = request.to_sent().upstream();
    let error = Error::from_inner(error).with_upstream(&upstream);
    telemetry::no_response(&settings.dialect, &upstream, &error);
    error
}

/// Adds the pause that a success asks for. It costs one comparison in a dialect without such hints.
#[inline(always)]
fn stamp_hint<'b>(
    settings: &Settings,
    request: &impl SentParts,
    head: &mut response::Parts,
    pieces: impl FnOnce() -> Pieces<'b>,
) {
    if settings.dialect.has_success_hints() {
        read_hint(settings, request, head, pieces);
    }
}

#[inline(never)]
fn read_hint<'b>(
    settings: &Settings,
    request: &impl SentParts,
    head: &mut response::Parts,
    pieces: impl FnOnce() -> Pieces<'b>,
) {
    let (times, line) = (Times::now(&settings.clock), (request.method(), request.path()));
    if let Some(hint) = SuccessHint::read(&settings.dialect, line, head, times, pieces().iter().copied()) {
        telemetry::success_hint(&settings.dialect, head.status.as_u16(), hint.delay(times.received));
        head.extensions.insert(hint);
    }
}

/// Returns the pieces of a body that were read; none if one of them is missing. The reader takes no hint from a document
/// that is not complete.
fn pieces<R: http_body::Body>(body: &Body<R>) -> Pieces<'_> {
    let read = read_body(body, true);
    if read.whole { read.pieces } else { Pieces::None }
}

fn read_body<R: http_body::Body>(body: &Body<R>, whole: bool) -> ReadBody<'_> {
    let pieces = body.held().data().filter_map(bytes_of).collect();
    let is_missing = body.held().data().any(|data| bytes_of(data).is_none());
    ReadBody { pieces, whole: whole && !is_missing, event: None }
}
