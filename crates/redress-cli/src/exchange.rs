//! One response with the call that it answers, and what it means.

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::time::SystemTime;

use http::header::SET_COOKIE;
use http::{Method, Request, Response, Uri, response};
use redress_backoff::BackoffLayer;
use redress_classify::{Clock, EndReason, Recovery, Secrets, Verdict};
use redress_envelope::Dialect;
use tokio::time::Instant;

use crate::input::{self, ParsedRequest, ParsedResponse};

/// One response with the call that it answers.
pub(crate) struct Exchange<'a> {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) head: response::Parts,
    pub(crate) body: Cow<'a, [u8]>,
    /// Statements about how the response was read.
    pub(crate) notes: Vec<Cow<'static, str>>,
    received: Option<SystemTime>,
    call: ParsedRequest,
}

/// The meaning of a response, and whether the library would act on it.
pub(crate) struct Judgement {
    /// `None` for a success.
    pub(crate) verdict: Option<Verdict>,
    /// Why a call would not be sent again although that could help: the wait is too long, or a second sending not safe.
    pub(crate) stop: Option<EndReason>,
    /// An instant before the response was judged, as of which a wait has all of its length.
    pub(crate) begun: Instant,
}

/// How the responses of one run are judged.
pub(crate) struct Judge {
    now: Now,
    chunk: Option<NonZeroUsize>,
}

enum Now {
    Running(Clock),
    Fixed(SystemTime),
}

impl Judge {
    /// Judges by this time, or the system's, and with bodies in chunks of so many bytes, or whole.
    pub(crate) fn new(now: Option<SystemTime>, chunk: Option<NonZeroUsize>) -> Self {
        Self { now: now.map_or_else(|| Now::Running(Clock::system()), Now::Fixed), chunk }
    }

    /// Says what a response means. Credentials of the request, and cookies, are masked where the server quotes them.
    pub(crate) fn judge(&self, dialect: &Dialect, exchange: &Exchange<'_>) -> Judgement {
        let Exchange { method, uri, head, body, .. } = exchange;
        let (clock, begun) = (self.clock(exchange), Instant::now());
        let judge = |pieces: &[&[u8]]| Verdict::from_response(dialect, method, uri, head, &clock, pieces);
        let verdict = match self.chunk {
            Some(chunk) => judge(&body.chunks(chunk.get()).collect::<Vec<_>>()),
            None => judge(&[body]),
        };
        let stop = verdict.as_ref().and_then(|verdict| stop(dialect, exchange, &clock, verdict));
        let verdict = verdict.map(|verdict| verdict.masked(&exchange.secrets()).unwrap_or(verdict));
        Judgement { verdict, stop, begun }
    }

    fn clock(&self, exchange: &Exchange<'_>) -> Clock {
        match (&self.now, exchange.received) {
            // Anchored anew each time: how long a run takes must not show.
            (Now::Fixed(now), _) => Clock::anchored(*now),
            (Now::Running(_), Some(received)) => Clock::anchored(received),
            (Now::Running(clock), None) => clock.clone(),
        }
    }
}

/// Asks the layer that retries, with its defaults, about a first attempt that ended so.
fn stop(dialect: &Dialect, exchange: &Exchange<'_>, clock: &Clock, verdict: &Verdict) -> Option<EndReason> {
    if verdict.recovery() != Recovery::Retry {
        return None;
    }
    let mut request = Request::new(());
    (*request.method_mut(), *request.uri_mut()) = (exchange.method.clone(), exchange.uri.clone());
    *request.headers_mut() = exchange.call.headers.clone();
    let layer = BackoffLayer::new(dialect.clone()).clock(clock.clone());
    let stop = layer.would_retry(&request, &exchange.head, verdict).err();
    stop.filter(|stop| matches!(stop, EndReason::HintTooLong | EndReason::NotIdempotent))
}

impl<'a> Exchange<'a> {
    /// Unpacks a response, which answers this call unless the input names another one.
    pub(crate) fn new(mut found: ParsedResponse<'a>, method: &Method, uri: &Uri) -> Self {
        input::unpack(&mut found);
        let ParsedResponse { mut call, received, status, headers, body, notes, .. } = found;
        let (mut head, ()) = Response::new(()).into_parts();
        head.status = status;
        head.headers = headers;
        let method = call.method.take().unwrap_or_else(|| method.clone());
        let uri = call.uri.take().unwrap_or_else(|| uri.clone());
        Self { method, uri, head, body, notes, received, call }
    }

    fn secrets(&self) -> Secrets {
        let sent = self.call.sent.iter().map(Vec::as_slice);
        // The attributes of a cookie are not secret (RFC 6265 section 4.1.1).
        let cookies = self.head.headers.get_all(SET_COOKIE).iter();
        let pairs = cookies.filter_map(|cookie| cookie.as_bytes().split(|byte| *byte == b';').next());
        Secrets::new(sent.chain(pairs))
    }
}
