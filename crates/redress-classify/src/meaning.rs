//! What an error response means: a pure function of its head, its body and its dialect.

use std::borrow::Cow;
use std::time::SystemTime;

use http::header::RETRY_AFTER;
use http::{HeaderMap, Method, Uri, response};
use redress_envelope::{Class, Dialect, Envelope, FieldError, Recovery, Unreadable};
use tokio::time::Instant;

use crate::api_error::{ApiError, Details, MAX_BODY};
use crate::clock::Clock;
use crate::head;
use crate::verdict::{Basis, Hint, Verdict};

/// The call that a response answers, as far as a report tells of it.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
}

/// What was read of a body.
pub(crate) struct Seen<'b> {
    /// The pieces, in order.
    pub(crate) pieces: Vec<&'b [u8]>,
    /// Whether they are all of it.
    pub(crate) whole: bool,
}

/// When the request was sent, and when the head of its response arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receipt {
    pub(crate) clock: Clock,
    pub(crate) sent: Instant,
    pub(crate) at: Instant,
}

/// Judges a response; `None` when all of its body is read and takes back the signal that its beginning gave.
pub(crate) fn judge(
    dialect: &Dialect,
    call: &Call,
    head: &response::Parts,
    receipt: Receipt,
    seen: &Seen<'_>,
) -> Option<Verdict> {
    let wall = receipt.clock.wall(receipt.at);
    let server_now = head::server_now(&head.headers, wall);
    let pieces = || seen.pieces.iter().copied();
    let read = if seen.whole { Envelope::read(dialect, server_now, pieces()) } else { Err(Unreadable::Truncated) };
    let by_body = dialect.class_of_status(head.status.as_u16()).is_none();
    if by_body && read.as_ref().is_ok_and(|envelope| !envelope.signalled) {
        return None;
    }
    let envelope = read.unwrap_or_default();
    let meaning = meaning(dialect, head.status.as_u16(), &head.headers, &envelope);
    let hint = head::hint(&head.headers, dialect, server_now).into_iter().chain(envelope.hint.clone());
    let hint = hint.reduce(|a, b| a.later_at(b, server_now));
    let hint = hint.map(|hint| Hint::new(hint, server_now, receipt.at, wall));
    let basis = meaning.basis;
    let error = ApiError::new(details(dialect, call, head, receipt.clock.wall(receipt.sent), meaning, envelope, seen));
    Some(Verdict::answered(error, basis, hint))
}

/// What an error means, and why.
pub(crate) struct Meaning {
    pub(crate) class: Class,
    pub(crate) recovery: Recovery,
    pub(crate) basis: Basis,
    guidance: String,
}

/// Decides: the code, then the challenge, then the status, then the body's bare signal.
pub(crate) fn meaning(dialect: &Dialect, status: u16, headers: &HeaderMap, envelope: &Envelope<'_>) -> Meaning {
    let reason = envelope.reason.as_deref().and_then(|reason| dialect.reason(reason));
    if let Some(code) = envelope.code.as_deref().and_then(|code| dialect.code(code)) {
        let recovery = reason.and_then(|reason| reason.recovery).unwrap_or(code.recovery);
        let finer = reason.map(|reason| &reason.guidance).filter(|guidance| !guidance.is_empty());
        let guidance = finer.unwrap_or(&code.guidance).clone();
        return Meaning { class: code.class, recovery, basis: Basis::Code, guidance };
    }
    let of_class = |class: Class, basis| {
        let (recovery, guidance) = (class.default_recovery(), String::new());
        Meaning { class, recovery, basis, guidance }
    };
    if status == 401 && head::says_invalid_token(headers) {
        return of_class(Class::TokenExpired, Basis::Header);
    }
    let Some(class) = dialect.class_of_status(status) else {
        return of_class(Class::Unknown, Basis::Signal);
    };
    let mut meaning = of_class(class, Basis::Status);
    if let Some(row) = dialect.status(status) {
        meaning.recovery = row.recovery.unwrap_or(meaning.recovery);
        meaning.guidance.clone_from(&row.guidance);
    }
    meaning
}

/// Copies what was asked, what it means and what the server said.
fn details(
    dialect: &Dialect,
    call: &Call,
    head: &response::Parts,
    time: SystemTime,
    meaning: Meaning,
    envelope: Envelope<'_>,
    seen: &Seen<'_>,
) -> Details {
    let request_id = envelope.request_id.map(Cow::into_owned);
    Details {
        vendor: dialect.vendor().to_owned(),
        dialect: dialect.name().to_owned(),
        method: call.method.to_string(),
        path: call.uri.path().to_owned(),
        time,
        status: head.status.as_u16(),
        class: meaning.class,
        recovery: meaning.recovery,
        code: envelope.code.map(Cow::into_owned),
        reason: envelope.reason.map(Cow::into_owned),
        message: envelope.message.map(Cow::into_owned),
        request_id: request_id.or_else(|| head::request_id(&head.headers, dialect)),
        fields: envelope.fields.into_iter().map(FieldError::into_owned).collect(),
        guidance: meaning.guidance,
        retry_after: retry_after(head),
        body: excerpt(&seen.pieces),
        body_cut: !seen.whole || seen.pieces.iter().map(|piece| piece.len()).sum::<usize>() > MAX_BODY,
    }
}

fn retry_after(head: &response::Parts) -> Option<String> {
    let values = head.headers.get_all(RETRY_AFTER).iter();
    let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

fn excerpt(pieces: &[&[u8]]) -> String {
    let mut bytes = Vec::new();
    for piece in pieces {
        let room = MAX_BODY - bytes.len();
        bytes.extend_from_slice(piece.get(..room).unwrap_or(piece));
    }
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    let end = (0..=MAX_BODY.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text.truncate(end.unwrap_or_default());
    text
}
