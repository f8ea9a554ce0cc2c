//! What an error response means: a pure function of its head, its body and its dialect.

use std::borrow::Cow;
use std::time::SystemTime;

use http::header::RETRY_AFTER;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Uri, response};
use redress_envelope::{Dialect, Envelope, FieldError, Head, Meaning, Unreadable};
use tokio::time::Instant;

use crate::api_error::{ApiError, Details, Locations, MAX_BODY};
use crate::clock::Clock;
use crate::verdict::{Evidence, Hint, Verdict};

/// The call that a response answers, as far as a report tells of it.
#[derive(Debug)]
pub(crate) struct Call {
    method: Method,
    path: Option<PathAndQuery>,
}

impl Call {
    /// Remembers a request, without copying bytes.
    #[inline]
    pub(crate) fn new(method: &Method, uri: &Uri) -> Self {
        Self { method: method.clone(), path: uri.path_and_query().cloned() }
    }

    fn path(&self) -> &str {
        self.path.as_ref().map_or("", PathAndQuery::path)
    }

    /// Returns what reading the response needs of its head.
    pub(crate) fn head<'h>(&'h self, head: &'h response::Parts, received: SystemTime) -> Head<'h> {
        let (method, path) = (self.method.as_str(), self.path());
        Head { method, path, ..Head::new(head.status.as_u16(), &head.headers, received) }
    }
}

/// What was read of a body.
pub(crate) struct Seen<'b> {
    /// The pieces, in order.
    pub(crate) pieces: Vec<&'b [u8]>,
    /// Whether they are all of it.
    pub(crate) whole: bool,
    /// The name of the event whose data they are; `None` where they are the body of a response.
    pub(crate) event: Option<&'b str>,
}

/// When the request was sent, and when the head of its response arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receipt<'c> {
    pub(crate) clock: &'c Clock,
    pub(crate) sent: Instant,
    pub(crate) at: Instant,
}

/// Whether a success may be an error by its body; 204 and 205 have no content, whatever else comes, and what is neither
/// JSON nor XML has no member for a rule to ask for.
pub(crate) fn may_signal(dialect: &Dialect, head: &Head<'_>) -> bool {
    let has_content = matches!(head.status, 200..=203 | 206..=299);
    dialect.signals_in_body() && has_content && (head.may_be_document() || dialect.names_media_type(head))
}

/// Judges a response; `None` when all of its body is read and takes back the signal that its beginning gave.
pub(crate) fn judge(
    dialect: &Dialect,
    call: &Call,
    head: &response::Parts,
    receipt: Receipt<'_>,
    seen: &Seen<'_>,
) -> Option<Verdict> {
    let received = receipt.clock.wall(receipt.at);
    let about = Head { event: seen.event, ..call.head(head, received) };
    let mut envelope = Envelope::read(dialect, &about, seen.pieces.iter().copied());
    if !seen.whole && envelope.unreadable.is_none_or(|why| why == Unreadable::Empty) {
        envelope.unreadable = Some(Unreadable::Truncated);
    }
    let by_body = dialect.class_of_status(about.status).is_none();
    if by_body && seen.whole && envelope.unreadable.is_none() && !envelope.signalled {
        return None;
    }
    let mut meaning = dialect.meaning(&about, &envelope);
    let hint = meaning.hint.take().map(|hint| Hint::new(hint, about.server_now(), receipt.at, received));
    let (evidence, scope) = (Evidence::of(&meaning), meaning.scope);
    let read = seen.pieces.iter().fold(0, |sum: u64, piece| sum.saturating_add(piece.len() as u64));
    let time = receipt.clock.wall(receipt.sent);
    let details = Details { hint, ..details(dialect, call, &about, time, meaning, envelope, seen) };
    Some(Verdict::answered(ApiError::new(details), evidence, scope, read))
}

/// Copies what was asked, what it means and what the server said.
fn details(
    dialect: &Dialect,
    call: &Call,
    about: &Head<'_>,
    time: SystemTime,
    meaning: Meaning,
    envelope: Envelope<'_>,
    seen: &Seen<'_>,
) -> Details {
    let locations = Locations {
        code: envelope.code_location(dialect),
        message: envelope.message_location(dialect),
        request_id: envelope.request_id_location(dialect),
    };
    Details {
        vendor: dialect.vendor().to_owned(),
        dialect: dialect.name().to_owned(),
        method: call.method.to_string(),
        path: dialect.masked_path(call.path()).into_owned(),
        time,
        status: about.status,
        class: meaning.class,
        recovery: meaning.recovery,
        code_is_known: envelope.code.as_ref().is_some_and(|code| dialect.code(code).is_some()),
        code: envelope.code.map(Cow::into_owned),
        reason: envelope.reason.map(Cow::into_owned),
        message: envelope.message.map(Cow::into_owned),
        request_id: envelope.request_id.map(Cow::into_owned),
        fields: envelope.fields.into_iter().map(FieldError::into_owned).collect(),
        guidance: meaning.guidance,
        locations,
        retry_after: retry_after(about.headers),
        hint: None,
        not_refreshed: None,
        body: excerpt(about, &seen.pieces),
        body_cut: !seen.whole || seen.pieces.iter().map(|piece| piece.len()).sum::<usize>() > MAX_BODY,
    }
}

fn retry_after(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(RETRY_AFTER).iter();
    let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

fn excerpt(about: &Head<'_>, pieces: &[&[u8]]) -> String {
    let mut text = about.decoded(pieces.iter().copied()).unwrap_or_else(|| {
        let mut bytes = Vec::new();
        for piece in pieces {
            let room = MAX_BODY - bytes.len();
            bytes.extend_from_slice(piece.get(..room).unwrap_or(piece));
        }
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let end = (0..=MAX_BODY.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text.truncate(end.unwrap_or_default());
    text
}
