//! One response with the call that it answers, and what it means.

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::time::SystemTime;

use http::{HeaderMap, Method, Response, StatusCode, Uri, response};
use redress_classify::{Clock, Verdict};
use redress_envelope::Dialect;
use tokio::time::Instant;

/// One response with the call that it answers.
pub(crate) struct Exchange<'a> {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) head: response::Parts,
    pub(crate) body: Cow<'a, [u8]>,
}

/// How the responses of one run are judged.
pub(crate) struct Judge {
    now: Now,
    chunk: Option<NonZeroUsize>,
    begun: Instant,
}

enum Now {
    Running(Clock),
    Fixed(SystemTime),
}

impl Judge {
    /// Judges by this time, or the system's, and with bodies in chunks of so many bytes, or whole.
    pub(crate) fn new(now: Option<SystemTime>, chunk: Option<NonZeroUsize>) -> Self {
        Self { now: now.map_or_else(|| Now::Running(Clock::system()), Now::Fixed), chunk, begun: Instant::now() }
    }

    /// Returns an instant before any response is judged, as of which a wait has all of its length.
    pub(crate) const fn begun(&self) -> Instant {
        self.begun
    }

    /// Says what a response means; `None` for a success.
    pub(crate) fn judge(&self, dialect: &Dialect, exchange: &Exchange<'_>) -> Option<Verdict> {
        let Exchange { method, uri, head, body } = exchange;
        let clock = match &self.now {
            Now::Running(clock) => clock.clone(),
            // Anchored anew each time: how long a run takes must not show.
            Now::Fixed(now) => Clock::anchored(*now),
        };
        let judge = |pieces: &[&[u8]]| Verdict::of_response(dialect, method, uri, head, &clock, pieces);
        match self.chunk {
            Some(chunk) => judge(&body.chunks(chunk.get()).collect::<Vec<_>>()),
            None => judge(&[body]),
        }
    }
}

impl<'a> Exchange<'a> {
    /// States what answered a GET of `/`.
    pub(crate) fn new(status: StatusCode, headers: HeaderMap, body: Cow<'a, [u8]>) -> Self {
        let (mut head, ()) = Response::new(()).into_parts();
        head.status = status;
        head.headers = headers;
        Self { method: Method::GET, uri: Uri::from_static("/"), head, body }
    }
}
