//! Makes the verdict about a response from its head, its body and its dialect.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use http::header::{self, RETRY_AFTER};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Response, Uri, response};
use redress_envelope::{Decision, Dialect, Envelope, FieldError, Head, Signal, Unreadable};
use tokio::time::Instant;

use crate::api_error::{ApiError, Details, MAX_BODY, Texts};
use crate::clock::{Clock, shifted};
use crate::facts::Facts;
use crate::read_body::ReadBody;
use crate::response::ResponseExt;
use crate::timed_hint::TimedHint;
use crate::upstream::Upstream;
use crate::verdict::Verdict;

/// The maximum number of frames of a body that counts as buffered: each takes memory, even if it is empty.
const MAX_BUFFERED_FRAMES: usize = 1_024;

/// The method, URI and host of a request, for events, for the report and for rules that name a route.
#[derive(Clone, Debug)]
pub(crate) struct RequestLine {
    method: Method,
    uri: Uri,
    /// The `Host` header, where the URI names no host.
    host: Option<HeaderValue>,
}

impl RequestLine {
    /// Clones method, URI and host, which shares their bytes.
    #[inline]
    pub(crate) fn new(method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let host = if uri.authority().is_none() { headers.get(header::HOST).cloned() } else { None };
        Self { method: method.clone(), uri: uri.clone(), host }
    }

    pub(crate) const fn from_parts(method: Method, uri: Uri, host: Option<HeaderValue>) -> Self {
        Self { method, uri, host }
    }

    pub(crate) const fn method(&self) -> &Method {
        &self.method
    }

    pub(crate) const fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Returns the host and port. They are taken apart here, since a success does not need them.
    pub(crate) fn upstream(&self) -> Upstream {
        Upstream::from_uri(&self.uri, self.host.as_ref())
    }

    pub(crate) fn path(&self) -> &str {
        path_of(&self.uri)
    }
}

/// Returns the path of a URI; it is empty for one that has none.
pub(crate) fn path_of(uri: &Uri) -> &str {
    uri.path_and_query().map_or("", PathAndQuery::path)
}

/// Returns the head of a response to a request, in the form that a dialect reads.
#[inline]
pub(crate) fn head_of<'h>(method: &'h str, path: &'h str, head: &'h response::Parts, received: SystemTime) -> Head<'h> {
    Head { method, path, ..Head::new(head.status.as_u16(), &head.headers, received) }
}

/// The times of sending and receipt, and the clock that converts them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times<'c> {
    pub(crate) clock: &'c Clock,
    pub(crate) sent: Instant,
    pub(crate) received: Instant,
}

impl<'c> Times<'c> {
    /// Returns the times of a response that is judged when it is received, for callers that do not know more.
    pub(crate) fn now(clock: &'c Clock) -> Self {
        let now = Instant::now();
        Self { clock, sent: now, received: now }
    }
}

/// Returns `true` if no Classify layer found an error in a response, and neither its status nor its headers make it one.
///
/// It is the one test for a success that all layers use, whether there is a Classify layer below them or not. It allocates
/// nothing and reads no clock.
///
/// # Examples
/// ```
/// use http::Response;
/// use redress_classify::{dialects, is_success};
///
/// let generic = dialects::generic();
/// assert!(is_success(&Response::builder().status(304).body(())?, &generic));
/// assert!(!is_success(&Response::builder().status(503).body(())?, &generic));
/// # Ok::<(), http::Error>(())
/// ```
#[inline]
#[must_use]
pub fn is_success<B>(response: &Response<B>, dialect: &Dialect) -> bool {
    let status = response.status().as_u16();
    let head = || Head::new(status, response.headers(), SystemTime::UNIX_EPOCH);
    response.verdict().is_none() && (is_success_by_status(dialect, status) || !is_error_by_head(dialect, &head()))
}

/// Returns `true` if a response of this status is a success without a look at the rest of it, as most are.
#[inline]
pub(crate) fn is_success_by_status(dialect: &Dialect, status: u16) -> bool {
    dialect.class_for_status(status).is_none() && !dialect.reads_successes()
}

/// Returns `true` if the status or the headers of a response make it an error in its dialect.
#[inline]
pub(crate) fn is_error_by_head(dialect: &Dialect, head: &Head<'_>) -> bool {
    dialect.class_for_status(head.status).is_some() || dialect.signals_by_head(head)
}

/// Returns `true` if a success by its head may be an error by its body.
///
/// A 204 or 205 has no content (RFC 9110 sections 15.3.5 and 15.3.6). A body that is neither JSON nor XML has no member
/// that a rule could name, unless the rule names its media type.
pub(crate) fn may_signal(dialect: &Dialect, head: &Head<'_>) -> bool {
    let has_content = matches!(head.status, 200..=203 | 206..=299);
    dialect.signals_in_body() && has_content && (head.may_be_document() || dialect.names_media_type(head))
}

impl Verdict {
    /// Returns the verdict about a response: the one that a Classify layer attached, or else the one that its head gives;
    /// `None` for a [success](is_success).
    ///
    /// A layer that decides by verdicts calls it, and so works above a Classify layer as well as without one.
    ///
    /// # Examples
    /// ```
    /// use http::Response;
    /// use redress_classify::{Class, Clock, Verdict, dialects};
    ///
    /// let response = Response::builder().status(503).body(())?;
    /// let verdict = Verdict::for_response(&response, &dialects::generic(), &Clock::system());
    /// assert_eq!(verdict.map(|verdict| verdict.class()), Some(Class::Unavailable));
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn for_response<B>(response: &Response<B>, dialect: &Dialect, clock: &Clock) -> Option<Self> {
        match response.extensions().get::<Self>() {
            Some(verdict) => Some(verdict.clone()),
            None => Self::from_head(response, dialect, clock),
        }
    }

    /// Reads the verdict from the status and the headers of a response that is received now; `None` for a success.
    ///
    /// # Examples
    /// ```
    /// use http::Response;
    /// use redress_classify::{Clock, Recovery, Verdict, dialects};
    ///
    /// let response = Response::builder().status(401).body(())?;
    /// let verdict = Verdict::from_head(&response, &dialects::generic(), &Clock::system()).expect("an error");
    /// assert_eq!(verdict.recovery(), Recovery::Reauthenticate);
    /// assert!(verdict.api_error().is_none(), "the body was not read");
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn from_head<B>(response: &Response<B>, dialect: &Dialect, clock: &Clock) -> Option<Self> {
        let head = Head::new(response.status().as_u16(), response.headers(), SystemTime::UNIX_EPOCH);
        if !is_error_by_head(dialect, &head) {
            return None;
        }
        let received = Instant::now();
        let received_wall = clock.wall(received);
        let head = Head::new(head.status, response.headers(), received_wall);
        let mut meaning = dialect.meaning(&head, &Envelope::read(dialect, &head, []));
        let hint = meaning.hint.take().map(|hint| TimedHint::new(hint, head.server_now(), received, received_wall));
        Some(Self::from_meaning(&meaning, hint))
    }

    /// Reads the verdict from a whole response that is received now, as a [`Classify`](crate::Classify) service does;
    /// `None` for a success.
    ///
    /// `body` is the body in pieces of any size.
    ///
    /// # Examples
    /// ```
    /// use http::{Method, Response, Uri};
    /// use redress_classify::{Class, Clock, Verdict, dialects};
    ///
    /// let (head, ()) = Response::builder().status(404).body(())?.into_parts();
    /// let (method, uri) = (Method::GET, Uri::from_static("/v1/verify/vf_1"));
    /// let body: &[u8] = br#"{"error":"verification_not_found","message":"no such verification"}"#;
    /// let verdict = Verdict::from_response(&dialects::veridia(), &method, &uri, &head, &Clock::system(), &[body]);
    /// assert_eq!(verdict.map(|verdict| verdict.class()), Some(Class::NotFound));
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn from_response(
        dialect: &Dialect,
        method: &Method,
        uri: &Uri,
        head: &response::Parts,
        clock: &Clock,
        body: &[&[u8]],
    ) -> Option<Self> {
        let (path, times) = (path_of(uri), Times::now(clock));
        let about = head_of(method.as_str(), path, head, clock.wall(times.received));
        if !is_error_by_head(dialect, &about) && !is_error_by_body(dialect, &about, body) {
            return None;
        }
        judge(
            dialect,
            (method, path),
            head,
            times,
            &ReadBody { pieces: body.iter().copied().collect(), whole: true, event: None },
        )
    }
}

fn is_error_by_body(dialect: &Dialect, head: &Head<'_>, body: &[&[u8]]) -> bool {
    if !may_signal(dialect, head) {
        return false;
    }
    let mut signal = Signal::new(dialect, head);
    body.iter().any(|piece| signal.feed(piece) == Decision::Error)
}

/// Makes the verdict about an error response.
///
/// Returns `None` for a body that was read to its end and does not confirm the error that its beginning signalled.
pub(crate) fn judge(
    dialect: &Dialect,
    (method, path): (&Method, &str),
    head: &response::Parts,
    times: Times<'_>,
    body: &ReadBody<'_>,
) -> Option<Verdict> {
    let received = times.clock.wall(times.received);
    let about = Head { event: body.event, ..head_of(method.as_str(), path, head, received) };
    let mut envelope = Envelope::read(dialect, &about, body.pieces.iter().copied());
    if !body.whole && envelope.unreadable.is_none_or(|why| why == Unreadable::Empty) {
        envelope.unreadable = Some(Unreadable::Truncated);
    }
    let by_body = dialect.class_for_status(about.status).is_none();
    if by_body && body.whole && envelope.unreadable.is_none() && !envelope.signalled {
        return None;
    }
    let mut meaning = dialect.meaning(&about, &envelope);
    let hint = meaning.hint.take().map(|hint| TimedHint::new(hint, about.server_now(), times.received, received));
    let facts = Facts {
        body_read: body.pieces.iter().fold(0, |sum, piece| sum.saturating_add(piece.len() as u64)),
        is_body_buffered: body.whole && body.pieces.len() <= MAX_BUFFERED_FRAMES,
        ..Facts::from_meaning(&meaning, hint)
    };
    let time = shifted(received, times.received, times.sent);
    let details = details(dialect, (method, path), &about, (time, facts), meaning.guidance, envelope, body);
    Some(Verdict::from_error(ApiError::new(details)))
}

/// Copies the parts of an error that outlive its response.
fn details(
    dialect: &Dialect,
    (method, path): (&Method, &str),
    about: &Head<'_>,
    (time, facts): (SystemTime, Facts),
    guidance: Arc<str>,
    envelope: Envelope<'_>,
    body: &ReadBody<'_>,
) -> Details {
    let excerpt = excerpt(about, &body.pieces);
    let (code, reason, message) = (envelope.code.as_deref(), envelope.reason.as_deref(), envelope.message.as_deref());
    let retry_after = retry_after(about.headers);
    let words = [code, reason, message, envelope.request_id.as_deref(), retry_after.as_deref()];
    Details {
        facts,
        dialect: dialect.clone(),
        method: method.clone(),
        time,
        status: about.status,
        code_is_known: code.is_some_and(|code| dialect.code(code).is_some()),
        body_cut: !body.whole || body.pieces.iter().map(|piece| piece.len()).sum::<usize>() > MAX_BODY,
        texts: Texts::new(&dialect.masked_path(path), &excerpt, words),
        locations: envelope.locations(),
        written: OnceLock::new(),
        fields: envelope.fields.into_iter().map(FieldError::into_owned).collect(),
        guidance,
        not_refreshed: None,
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    let mut values = headers.get_all(RETRY_AFTER).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let mut joined = values.next()?;
    for value in values {
        let joined = joined.to_mut();
        joined.push_str(", ");
        joined.push_str(&value);
    }
    Some(joined)
}

fn excerpt<'b>(about: &Head<'_>, pieces: &[&'b [u8]]) -> Cow<'b, str> {
    let text = match (about.decoded(pieces.iter().copied()), pieces) {
        (Some(text), _) => Cow::Owned(text),
        (None, [piece]) => {
            let piece = piece.get(..MAX_BODY).unwrap_or(piece);
            // Nearly all texts are valid, which takes a fraction of the time to find out.
            str::from_utf8(piece).map_or_else(|_| String::from_utf8_lossy(piece), Cow::Borrowed)
        }
        (None, _) => {
            let mut bytes = Vec::new();
            for piece in pieces {
                let room = MAX_BODY - bytes.len();
                bytes.extend_from_slice(piece.get(..room).unwrap_or(piece));
            }
            Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
        }
    };
    let end = (0..=MAX_BODY.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[..end]),
        Cow::Owned(mut text) => {
            text.truncate(end);
            Cow::Owned(text)
        }
    }
}
