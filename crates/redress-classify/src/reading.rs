//! Reads the body of one response until the verdict is certain, or a bound is reached.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use http::response;
use redress_envelope::{Decision, Dialect, Head, Signal};
use tokio::time::{Instant, Sleep};

use crate::body::{Body, bytes_of};
use crate::telemetry;

/// The maximum number of bytes that are read from an error: over a hundred times the longest envelope that vendors
/// publish.
pub(crate) const MAX_ERROR: u64 = 64 * 1024;
/// The maximum time for which an error is read: a slow body must not delay the decision that the status already allows.
const ERROR_TIMEOUT: Duration = Duration::from_secs(2);
/// The maximum number of bytes of a success that are held while it may still be an error.
const MAX_HELD: u64 = 1024 * 1024;

/// A response whose body is being read.
pub(crate) struct Reading<R: http_body::Body> {
    head: response::Parts,
    body: Body<R>,
    stage: Stage,
}

/// The purpose of reading. Each sleep starts at the first wait for the body.
#[allow(
    clippy::large_enum_variant,
    reason = "it is on the stack while the body is there, and in a box while it is waited for"
)]
pub(crate) enum Stage {
    /// A success by its head, which may still be an error by its body. With `for_hint` it is read to its end in any case.
    Undecided { signal: Signal, for_hint: bool, sleep: Option<Pin<Box<Sleep>>> },
    /// A success whose body may hold a hint, which is certain at its end.
    Success { sleep: Option<Pin<Box<Sleep>>> },
    /// A success by its head, which may still be an error by its trailers. Its first data decides that it is not.
    Trailers { sleep: Option<Pin<Box<Sleep>>> },
    /// An error. `limit` bytes of it are read.
    Error { limit: u64, since: Instant, sleep: Option<Pin<Box<Sleep>>> },
}

/// The result of reading.
pub(crate) enum Outcome<E> {
    Success,
    /// The body of a held success failed.
    BodyFailed(E),
    /// An error, received at this instant; `whole` if its body was read to its end.
    Error {
        whole: bool,
        received: Instant,
    },
}

impl Stage {
    pub(crate) const fn undecided(signal: Signal, for_hint: bool) -> Self {
        Self::Undecided { signal, for_hint, sleep: None }
    }

    pub(crate) const fn success() -> Self {
        Self::Success { sleep: None }
    }

    pub(crate) const fn trailers() -> Self {
        Self::Trailers { sleep: None }
    }

    /// Begins to read an error. Only this stage reads the clock: a success does not.
    pub(crate) fn error() -> Self {
        Self::error_with_limit(MAX_ERROR)
    }

    fn error_with_limit(limit: u64) -> Self {
        Self::Error { limit, since: Instant::now(), sleep: None }
    }
}

impl<R: http_body::Body> Reading<R> {
    pub(crate) const fn new(head: response::Parts, body: Body<R>, stage: Stage) -> Self {
        Self { head, body, stage }
    }

    pub(crate) fn into_parts(self) -> (response::Parts, Body<R>) {
        (self.head, self.body)
    }
}

impl<R: http_body::Body + Unpin> Reading<R> {
    /// Reads on. `hold` returns the maximum time for which a success is held, given the time of its head.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        dialect: &Dialect,
        hold: impl Fn(Instant) -> Duration,
    ) -> Poll<Outcome<R::Error>> {
        loop {
            if let Stage::Error { limit, since, .. } = self.stage
                && self.body.held().exceeds(limit)
            {
                return Poll::Ready(Outcome::Error { whole: false, received: since });
            }
            match self.body.poll_hold(cx) {
                Poll::Pending => return self.poll_timeout(cx, dialect, hold),
                Poll::Ready(false) => return Poll::Ready(self.outcome_at_end()),
                Poll::Ready(true) => {}
            }
            if let Some(outcome) = self.read_last_frame(dialect) {
                return Poll::Ready(outcome);
            }
        }
    }

    fn outcome_at_end(&mut self) -> Outcome<R::Error> {
        match self.stage {
            Stage::Undecided { .. } | Stage::Success { .. } | Stage::Trailers { .. } => {
                self.body.take_error().map_or(Outcome::Success, Outcome::BodyFailed)
            }
            Stage::Error { since, .. } => Outcome::Error { whole: self.body.is_whole(), received: since },
        }
    }

    /// Reads the frame that has just arrived, while the response may be an error.
    fn read_last_frame(&mut self, dialect: &Dialect) -> Option<Outcome<R::Error>> {
        let held = self.body.held();
        let (signal, for_hint, sleep) = match &mut self.stage {
            Stage::Undecided { signal, for_hint, sleep } => (signal, *for_hint, sleep),
            Stage::Success { .. } => return self.outcome_if_too_long(dialect),
            Stage::Trailers { .. } => return self.outcome_of_trailers(dialect),
            Stage::Error { .. } => return None,
        };
        let data = held.last()?;
        match bytes_of(data).map_or(Decision::Success, |bytes| signal.feed(bytes)) {
            Decision::Success if for_hint => {
                self.stage = Stage::Success { sleep: sleep.take() };
                self.outcome_if_too_long(dialect)
            }
            Decision::Success => Some(Outcome::Success),
            Decision::Error => {
                self.stage = Stage::error_with_limit(held.bytes().saturating_add(MAX_ERROR));
                None
            }
            Decision::Undecided => self.outcome_if_too_long(dialect),
        }
    }

    /// Decides by the first frame that has data, or by the trailers. An empty frame decides nothing.
    fn outcome_of_trailers(&self, dialect: &Dialect) -> Option<Outcome<R::Error>> {
        let held = self.body.held();
        if held.bytes() > 0 {
            return Some(Outcome::Success);
        }
        let Some(trailers) = held.trailers() else { return self.outcome_if_too_long(dialect) };
        let is_error = dialect.signals_by_head(&Head::new(self.head.status.as_u16(), trailers, SystemTime::UNIX_EPOCH));
        Some(if is_error { Outcome::Error { whole: true, received: Instant::now() } } else { Outcome::Success })
    }

    /// Ends the hold of a success that exceeds [`MAX_HELD`].
    fn outcome_if_too_long(&self, dialect: &Dialect) -> Option<Outcome<R::Error>> {
        let held = self.body.held();
        held.exceeds(MAX_HELD).then(|| {
            telemetry::long_body(dialect, self.head.status.as_u16(), held.bytes());
            Outcome::Success
        })
    }

    /// Ends the reading of a slow body. The time counts from the first wait: the frames that arrived with the head have
    /// been read by then.
    fn poll_timeout(
        &mut self,
        cx: &mut Context<'_>,
        dialect: &Dialect,
        hold: impl Fn(Instant) -> Duration,
    ) -> Poll<Outcome<R::Error>> {
        match &mut self.stage {
            Stage::Error { since, sleep, .. } => {
                let sleep = sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(ERROR_TIMEOUT)));
                ready!(sleep.as_mut().poll(cx));
                Poll::Ready(Outcome::Error { whole: false, received: *since })
            }
            Stage::Trailers { sleep } => {
                ready!(poll_hold_time(sleep, cx, hold));
                telemetry::no_message_yet(dialect);
                Poll::Ready(Outcome::Success)
            }
            Stage::Undecided { sleep, .. } | Stage::Success { sleep } => {
                ready!(poll_hold_time(sleep, cx, hold));
                telemetry::slow_body(dialect, self.head.status.as_u16(), self.body.held().bytes());
                Poll::Ready(Outcome::Success)
            }
        }
    }
}

/// Waits for the end of a hold, whose time is asked for once.
fn poll_hold_time(
    sleep: &mut Option<Pin<Box<Sleep>>>,
    cx: &mut Context<'_>,
    hold: impl Fn(Instant) -> Duration,
) -> Poll<()> {
    let sleep = sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(hold(Instant::now()))));
    sleep.as_mut().poll(cx)
}
