//! A response with the call that it answers, and what the library says about the two.
//!
//! The judgement has four parts, each from the type that decides it in a running program, so that `explain` cannot say anything
//! else than the layers do:
//!
//! | part | decided by |
//! |---|---|
//! | verdict | `Verdict::from_response`, or `Verdict::from_event` for an event of a stream |
//! | pause after a success | `SuccessHint::from_response` |
//! | retry or not | `BackoffLayer::would_retry`, with the default settings |
//! | cool-down | [`Cooldown`], by the rule of `redress-pace` |

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::time::SystemTime;

use http::header::SET_COOKIE;
use http::{Method, Request, Response, Uri, response};
use redress_backoff::BackoffLayer;
use redress_classify::{Clock, EndReason, Recovery, Secrets, SuccessHint, Verdict};
use redress_envelope::Dialect;
use serde::Serialize;
use tokio::time::Instant;

use crate::cooldown::Cooldown;
use crate::dialects::ReadyDialect;
use crate::input::{self, ParsedRequest, ParsedResponse};

/// One response with the call that it answers.
pub(crate) struct Exchange<'a> {
    /// The method: some dialects tell calls apart by their route, and a retry of a POST needs a proof.
    pub(crate) method: Method,
    /// The URL or the path, without a query.
    pub(crate) uri: Uri,
    /// Status and headers of the response.
    pub(crate) head: response::Parts,
    /// The body without codings.
    pub(crate) body: Cow<'a, [u8]>,
    /// The name of the event, if the body is the data of one event of a stream.
    pub(crate) event: Option<Cow<'a, str>>,
    /// Statements about how the response was read.
    pub(crate) notes: Vec<Cow<'static, str>>,
    /// The time of receipt, if the input states it, as a HAR file does.
    received: Option<SystemTime>,
    /// Idempotency keys and credentials of the request.
    call: ParsedRequest,
}

/// The meaning of a response, and what the library does about it.
pub(crate) struct Judgement {
    /// `None` for a success.
    pub(crate) verdict: Option<Verdict>,
    /// The pause that a success asks for.
    pub(crate) success_hint: Option<SuccessHint>,
    /// The later calls that wait.
    pub(crate) cooldown: Option<Cooldown>,
    /// Why a call is not sent again although that could help.
    pub(crate) no_retry: Option<NoRetry>,
    /// An instant before the response was judged: the remaining wait as of then is the whole wait.
    pub(crate) begun: Instant,
}

/// Why the library, by default, does not send a call again although a retry could help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NoRetry {
    /// The wait is longer than `max_retry_after`.
    HintTooLong,
    /// The call may have been processed and has no idempotency key.
    NotIdempotent,
    /// The error is an event of a response that has begun as a success.
    StreamHasBegun,
}

/// The settings with which the responses of one run are judged: the time of receipt and the size of chunks.
///
/// The size of chunks changes no result; the option exists to show that.
pub(crate) struct Judge {
    now: Now,
    chunk: Option<NonZeroUsize>,
}

/// The time that a response without a `Date` was received.
enum Now {
    /// The clock of the system.
    Running(Clock),
    /// The time of `--now`, so that an output can be repeated.
    Fixed(SystemTime),
}

impl Judge {
    /// Judges by this time, or by the clock of the system, and reads bodies in chunks of this size, or whole.
    pub(crate) fn new(now: Option<SystemTime>, chunk: Option<NonZeroUsize>) -> Self {
        Self { now: now.map_or_else(|| Now::Running(Clock::system()), Now::Fixed), chunk }
    }

    /// Returns the meaning of a response.
    ///
    /// Credentials of the request, and cookies of the response, are masked in the words of the server. Masking comes last,
    /// so that it cannot change the class.
    pub(crate) fn judge(&self, known: &ReadyDialect, exchange: &Exchange<'_>) -> Judgement {
        let (clock, begun, dialect) = (self.clock(exchange), Instant::now(), &known.dialect);
        let pieces: Vec<&[u8]> = match self.chunk {
            Some(chunk) => exchange.body.chunks(chunk.get()).collect(),
            None => vec![&exchange.body],
        };
        let verdict = exchange.verdict(dialect, &clock, &pieces);
        let success_hint = if verdict.is_none() { exchange.success_hint(dialect, &clock, &pieces) } else { None };
        let cooldown = match &verdict {
            _ if exchange.event.is_some() => None,
            Some(verdict) => Cooldown::after_error(dialect, exchange, verdict),
            None => success_hint.as_ref().map(|_| Cooldown::after_success(dialect, exchange)),
        };
        let no_retry = verdict.as_ref().and_then(|verdict| no_retry(&known.backoff, exchange, clock, verdict));
        let verdict = verdict.map(|verdict| verdict.masked(&exchange.secrets()).unwrap_or(verdict));
        Judgement { verdict, success_hint, cooldown, no_retry, begun }
    }

    /// Returns the clock of an exchange: `--now`, the time that the input states, or the system.
    fn clock(&self, exchange: &Exchange<'_>) -> Clock {
        match (&self.now, exchange.received) {
            // Anchored anew each time: how long a run takes must not show.
            (Now::Fixed(now), _) => Clock::anchored(*now),
            (Now::Running(_), Some(received)) => Clock::anchored(received),
            (Now::Running(clock), None) => clock.clone(),
        }
    }
}

/// Returns why the library, by default, does not send the call again; `None` if it does, or if a retry does not help.
fn no_retry(backoff: &BackoffLayer, exchange: &Exchange<'_>, clock: Clock, verdict: &Verdict) -> Option<NoRetry> {
    if verdict.recovery() != Recovery::Retry {
        return None;
    }
    if exchange.event.is_some() {
        return Some(NoRetry::StreamHasBegun);
    }
    let mut request = Request::new(());
    (*request.method_mut(), *request.uri_mut()) = (exchange.method.clone(), exchange.uri.clone());
    *request.headers_mut() = exchange.call.headers.clone();
    match backoff.clone().clock(clock).would_retry(&request, &exchange.head, verdict).err()? {
        EndReason::HintTooLong => Some(NoRetry::HintTooLong),
        EndReason::NotIdempotent => Some(NoRetry::NotIdempotent),
        _ => None,
    }
}

impl<'a> Exchange<'a> {
    /// Unpacks a response.
    ///
    /// Method and URL are those of the command line, unless the input states its own: a HAR file has one for each entry.
    pub(crate) fn new(mut found: ParsedResponse<'a>, method: &Method, uri: &Uri) -> Self {
        input::unpack(&mut found);
        let ParsedResponse { mut call, received, status, headers, body, event, notes, .. } = found;
        let (mut head, ()) = Response::new(()).into_parts();
        head.status = status;
        head.headers = headers;
        let method = call.method.take().unwrap_or_else(|| method.clone());
        let uri = call.uri.take().unwrap_or_else(|| uri.clone());
        Self { method, uri, head, body, event, notes, received, call }
    }

    /// Judges the response, or the event, without masking.
    fn verdict(&self, dialect: &Dialect, clock: &Clock, pieces: &[&[u8]]) -> Option<Verdict> {
        let Self { method, uri, head, body, event, .. } = self;
        match event {
            Some(name) => Verdict::from_event(dialect, method, uri, head, clock, Some(name), body),
            None => Verdict::from_response(dialect, method, uri, head, clock, pieces),
        }
    }

    /// Reads the pause that a success asks for; an event of a stream has none.
    fn success_hint(&self, dialect: &Dialect, clock: &Clock, pieces: &[&[u8]]) -> Option<SuccessHint> {
        let Self { method, uri, head, event, .. } = self;
        let is_whole = event.is_none();
        is_whole.then(|| SuccessHint::from_response(dialect, method, uri, head, clock, pieces)).flatten()
    }

    /// Returns the credentials that must not be printed: those of the request, and the cookies of the response.
    fn secrets(&self) -> Secrets {
        let sent = self.call.sent.iter().map(Vec::as_slice);
        // The attributes of a cookie are not secret (RFC 6265 section 4.1.1).
        let cookies = self.head.headers.get_all(SET_COOKIE).iter();
        let pairs = cookies.filter_map(|cookie| cookie.as_bytes().split(|byte| *byte == b';').next());
        Secrets::new(sent.chain(pairs))
    }
}
