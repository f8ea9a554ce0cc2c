//! The content of an error response, read by its dialect.

mod assembly;
mod fallback;
mod reading;
mod xml;

use std::borrow::Cow;
use std::fmt;

use reading::Reader;
pub(crate) use reading::{member_texts, whole_cells};

use crate::charset;
use crate::dialect::{CooldownScope, Dialect, UsedUp};
pub use crate::fields::FieldError;
use crate::form;
use crate::grpc;
use crate::head::Head;
use crate::hint::RetryHint;
use crate::json::Unreadable;
use crate::location::{Location, Locations};

/// The content of an error response, borrowed from its body and headers where
/// possible.
///
/// Every part is `None` (or empty) where the server said nothing, or something
/// of a type that cannot be meant.
///
/// `Debug` shows how long the message is and not what it says.
///
/// # Examples
/// ```
/// use std::time::SystemTime;
/// use redress_envelope::{Envelope, Head, dialects};
///
/// let headers = http::HeaderMap::new();
/// let head = Head::new(400, &headers, SystemTime::UNIX_EPOCH);
/// let body = br#"{"success":false,"error":{"code":"VALIDATION_ERROR","message":"wrong",
///     "details":[{"field":"name","message":"missing"}]}}"#;
/// let envelope = Envelope::read(&dialects::maleslab(), &head, [&body[..]]);
/// assert_eq!(envelope.code.as_deref(), Some("VALIDATION_ERROR"));
/// assert_eq!((&*envelope.fields[0].path, &*envelope.fields[0].message), ("name", "missing"));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Envelope<'a> {
    /// The vendor's own code, verbatim, whether it was sent as a string or as a
    /// number.
    pub code: Option<Cow<'a, str>>,
    /// The message for people. It may contain personal data, so it does not belong
    /// in logs.
    pub message: Option<Cow<'a, str>>,
    /// The vendor's id of the call, for a support ticket.
    pub request_id: Option<Cow<'a, str>>,
    /// A finer code below [`code`](Self::code).
    pub reason: Option<Cow<'a, str>>,
    /// The invalid fields of the request, in the order of the body; at most 256.
    pub fields: Vec<FieldError<'a>>,
    /// The time to retry that the server states.
    pub hint: Option<RetryHint>,
    /// The end of the rate-limit window, which many servers state in every
    /// response.
    pub reset: Option<RetryHint>,
    /// The same of a window whose quota is used up.
    used_up: UsedUp,
    /// Whether the server says, by a flag of its own, that a retry makes sense.
    pub should_retry: Option<bool>,
    /// Whether the body itself says that it is an error, by the signal that the
    /// dialect declares.
    pub signalled: bool,
    /// Why the body, or the rest of it, could not be read. What it had said before
    /// is kept.
    pub unreadable: Option<Unreadable>,
    /// The rule that holds, and the one that names codes by a pattern.
    pub(crate) rule: Option<u16>,
    pub(crate) pattern: Option<u16>,
    /// Whether there is data beside the error, or the body of a success status is a
    /// list with other items that may have succeeded; looked for only where that
    /// makes a difference.
    pub(crate) has_data: bool,
    /// Which calls a cool-down that the response asks for concerns.
    pub(crate) scope: CooldownScope,
    locations: Locations,
}

impl<'a> Envelope<'a> {
    /// Reads a response, its body given in as many pieces as it came in.
    ///
    /// It never fails: what is neither JSON nor XML leaves headers, status and, if
    /// it is a plain text, a message. Of a repeated key the last one counts, of
    /// repeated elements the first that says something. A member of a wrong type is
    /// absent, and the rest stays as it is. Where the body is cut makes no
    /// difference.
    ///
    /// # Examples
    /// ```
    /// use std::time::SystemTime;
    /// use redress_envelope::{Envelope, Head, dialects};
    ///
    /// let headers = http::HeaderMap::new();
    /// let head = Head::new(500, &headers, SystemTime::UNIX_EPOCH);
    /// let body = br#"{"error":"internal","message":"oops","requestId":"9f51"}"#;
    /// let envelope = Envelope::read(&dialects::veridia(), &head, [&body[..]]);
    /// assert_eq!(envelope.code.as_deref(), Some("internal"));
    /// assert_eq!(envelope.request_id.as_deref(), Some("9f51"));
    /// ```
    // Small, and part of its caller, so that a body in one piece is not put into memory to be read from there.
    #[inline(always)]
    pub fn read<I>(dialect: &Dialect, head: &Head<'a>, pieces: I) -> Self
    where
        I: IntoIterator<Item = &'a [u8]>,
        I::IntoIter: Clone,
    {
        let pieces = pieces.into_iter();
        if dialect.is_grpc()
            && let Some(status) = grpc::document(head.headers)
        {
            return Self::read_text(dialect, head, &status);
        }
        if !head.headers.is_empty()
            && let Some(text) = charset::stated(head, pieces.clone())
        {
            return Self::read_text(dialect, head, &text);
        }
        let mut reader = Reader::new(dialect.compiled());
        for piece in pieces.clone() {
            if !reader.feed(piece) {
                break;
            }
        }
        let mut text = None;
        if !reader.is_json() {
            if let Some(text) = charset::declared(pieces.clone()) {
                return Self::read_text(dialect, head, &text);
            }
            if let Some(pairs) = form::pairs(head, pieces.clone()) {
                let envelope = Reader::new(dialect.compiled()).read_pairs(head, pairs);
                if envelope.code.is_some() || envelope.message.is_some() {
                    return envelope;
                }
            }
            text = reader.read_other(pieces);
        }
        reader.envelope(head, &mut text)
    }

    /// Reads a body that had to be decoded.
    #[cold]
    fn read_text(dialect: &Dialect, head: &Head<'_>, text: &str) -> Self {
        let mut reader = Reader::new(dialect.compiled());
        reader.feed(text.as_bytes());
        let mut plain = if reader.is_json() { None } else { reader.read_other([text.as_bytes()].into_iter()) };
        reader.envelope(head, &mut plain).into_owned()
    }

    /// Copies what is borrowed.
    fn into_owned<'o>(self) -> Envelope<'o> {
        let owned = |text: Option<Cow<'_, str>>| text.map(|text| Cow::Owned(text.into_owned()));
        Envelope {
            code: owned(self.code),
            message: owned(self.message),
            request_id: owned(self.request_id),
            reason: owned(self.reason),
            fields: self.fields.into_iter().map(FieldError::into_owned).collect(),
            hint: self.hint,
            reset: self.reset,
            used_up: self.used_up,
            scope: self.scope,
            should_retry: self.should_retry,
            signalled: self.signalled,
            unreadable: self.unreadable,
            rule: self.rule,
            pattern: self.pattern,
            has_data: self.has_data,
            locations: self.locations,
        }
    }

    /// Returns the place that the code was read from.
    ///
    /// `dialect` must be the one that read the envelope; the index of the source is
    /// relative to it.
    ///
    /// # Examples
    /// ```
    /// use std::time::SystemTime;
    /// use redress_envelope::{Envelope, Head, Location, dialects};
    ///
    /// let headers = http::HeaderMap::new();
    /// let head = Head::new(400, &headers, SystemTime::UNIX_EPOCH);
    /// let veridia = dialects::veridia();
    /// let envelope = Envelope::read(&veridia, &head, [&br#"{"error":"invalid_body"}"#[..]]);
    /// assert_eq!(envelope.code_location(&veridia), Some(Location::Body("error".to_owned())));
    /// assert_eq!(envelope.message_location(&veridia), None);
    /// ```
    #[must_use]
    pub fn code_location(&self, dialect: &Dialect) -> Option<Location> {
        self.locations.code(dialect)
    }

    /// Returns the place that the message was read from.
    ///
    /// See [`code_location`](Self::code_location).
    ///
    /// # Examples
    /// ```
    /// use std::time::SystemTime;
    /// use redress_envelope::{Envelope, Head, Location, dialects};
    ///
    /// let headers = http::HeaderMap::new();
    /// let head = Head::new(502, &headers, SystemTime::UNIX_EPOCH);
    /// let ranex = dialects::ranex();
    /// let envelope = Envelope::read(&ranex, &head, [&b"upstream is down"[..]]);
    /// assert_eq!(envelope.message_location(&ranex), Some(Location::WholeBody));
    /// ```
    #[must_use]
    pub fn message_location(&self, dialect: &Dialect) -> Option<Location> {
        self.locations.message(dialect)
    }

    /// Returns the place that the request id was read from.
    ///
    /// See [`code_location`](Self::code_location).
    ///
    /// # Examples
    /// ```
    /// use std::time::SystemTime;
    /// use http::{HeaderMap, HeaderValue};
    /// use redress_envelope::{Envelope, Head, Location, dialects};
    ///
    /// let mut headers = HeaderMap::new();
    /// headers.insert("x-request-id", HeaderValue::from_static("req_7"));
    /// let head = Head::new(500, &headers, SystemTime::UNIX_EPOCH);
    /// let ranex = dialects::ranex();
    /// let envelope = Envelope::read(&ranex, &head, []);
    /// assert_eq!(envelope.request_id_location(&ranex), Some(Location::Header("x-request-id".to_owned())));
    /// ```
    #[must_use]
    pub fn request_id_location(&self, dialect: &Dialect) -> Option<Location> {
        self.locations.request_id(dialect)
    }

    /// Returns the places that code, message and request id were read from, which
    /// are written out when they are asked for.
    ///
    /// # Examples
    /// ```
    /// use std::time::SystemTime;
    /// use redress_envelope::{Envelope, Head, Location, dialects};
    ///
    /// let headers = http::HeaderMap::new();
    /// let head = Head::new(400, &headers, SystemTime::UNIX_EPOCH);
    /// let veridia = dialects::veridia();
    /// let locations = Envelope::read(&veridia, &head, [&br#"{"error":"invalid_body"}"#[..]]).locations();
    /// assert_eq!(locations.code(&veridia), Some(Location::Body("error".to_owned())));
    /// ```
    #[must_use]
    pub const fn locations(&self) -> Locations {
        self.locations
    }

    /// Returns the end of a window whose quota is used up.
    pub(crate) fn used_up(&self) -> Option<&RetryHint> {
        match &self.used_up {
            UsedUp::None => None,
            UsedUp::Reset => self.reset.as_ref(),
            UsedUp::Before(end) => Some(end),
        }
    }
}

impl fmt::Debug for Envelope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("code", &self.code)
            .field("message_bytes", &self.message.as_ref().map(|message| message.len()))
            .field("request_id", &self.request_id)
            .field("reason", &self.reason)
            .field("fields", &self.fields)
            .field("hint", &self.hint)
            .field("reset", &self.reset)
            .field("should_retry", &self.should_retry)
            .field("signalled", &self.signalled)
            .field("unreadable", &self.unreadable)
            .finish_non_exhaustive()
    }
}
