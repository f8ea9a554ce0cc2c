//! The head of a response, and the request that it answers.

use std::cell::OnceCell;
use std::fmt;
use std::time::SystemTime;

use http::header::{AGE, CONTENT_TYPE, DATE};
use http::{HeaderMap, HeaderName, HeaderValue};
use redress_skip::ascii;

use crate::charset;
use crate::date::parse_date;

/// The head of a response, with the method and path of its request.
///
/// The fields are public, since a caller states all of them; [`Head::new`]
/// fills in a `GET /` for tests and simple cases.
///
/// # Examples
/// ```
/// use std::time::SystemTime;
/// use redress_envelope::Head;
///
/// let headers = http::HeaderMap::new();
/// let head = Head { method: "POST", path: "/v1/orders", ..Head::new(503, &headers, SystemTime::now()) };
/// assert_eq!((head.status, head.event), (503, None));
/// ```
// Exhaustive, so that `..Head::new(..)` works in other crates. A further field has a default there.
#[derive(Clone, Copy)]
pub struct Head<'h> {
    /// The method of the request.
    pub method: &'h str,
    /// The path of the request; a query does not matter.
    pub path: &'h str,
    /// The status.
    pub status: u16,
    /// The headers of the response.
    pub headers: &'h HeaderMap,
    /// When the response was received, by the caller's clock.
    pub received: SystemTime,
    /// The name of the event, where the body is that of one event of a stream and
    /// not of a whole response; `message` for an event without a name, as
    /// server-sent events have it, and for a line of a stream of lines.
    pub event: Option<&'h str>,
}

/// The time by the server's clock, read from its `Date` when it is first asked
/// for: few responses need it.
pub(crate) struct ServerClock<'h> {
    date: Option<&'h HeaderValue>,
    age: Option<&'h HeaderValue>,
    received: SystemTime,
    now: OnceCell<SystemTime>,
}

impl<'h> ServerClock<'h> {
    /// Creates the clock of the server that sent a response.
    pub(crate) fn new(head: &Head<'h>) -> Self {
        Self::from_headers(head.headers.get(DATE), head.headers.get(AGE), head.received)
    }

    /// Creates the clock from the `Date` and `Age` of a response that was received
    /// at this time.
    pub(crate) const fn from_headers(
        date: Option<&'h HeaderValue>,
        age: Option<&'h HeaderValue>,
        received: SystemTime,
    ) -> Self {
        Self { date, age, received, now: OnceCell::new() }
    }

    pub(crate) fn now(&self) -> SystemTime {
        *self.now.get_or_init(|| self.read())
    }

    fn read(&self) -> SystemTime {
        let is_aged = self.age.is_some_and(|age| age.as_bytes() != b"0");
        let date = self.date.filter(|_| !is_aged).and_then(|date| ascii(date.as_bytes()));
        date.and_then(|date| parse_date(date, self.received)).unwrap_or(self.received)
    }
}

impl<'h> Head<'h> {
    /// Creates the head of a response to a `GET /`.
    ///
    /// # Examples
    /// ```
    /// use std::time::SystemTime;
    /// use redress_envelope::Head;
    ///
    /// let headers = http::HeaderMap::new();
    /// let head = Head::new(503, &headers, SystemTime::UNIX_EPOCH);
    /// assert_eq!((head.method, head.path), ("GET", "/"));
    /// ```
    #[must_use]
    pub const fn new(status: u16, headers: &'h HeaderMap, received: SystemTime) -> Self {
        Self { method: "GET", path: "/", status, headers, received, event: None }
    }

    /// Returns the time by the server's clock: its `Date`, unless the response was
    /// cached on the way or has none.
    ///
    /// Delays of dates are counted from it, so that a difference between the two
    /// clocks does not matter.
    ///
    /// # Examples
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use http::{HeaderMap, HeaderValue, header};
    /// use redress_envelope::Head;
    ///
    /// let mut headers = HeaderMap::new();
    /// headers.insert(header::DATE, HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"));
    /// let head = Head::new(503, &headers, SystemTime::UNIX_EPOCH);
    /// assert_eq!(head.server_now(), SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777));
    /// ```
    #[must_use]
    pub fn server_now(&self) -> SystemTime {
        ServerClock::new(self).now()
    }

    /// Returns `true` if it is an event that is called `error`, which in every
    /// stream tells of one.
    pub(crate) fn is_error_event(&self) -> bool {
        self.event == Some("error")
    }

    /// Returns `true` if the body is a stream of events (`text/event-stream`),
    /// which is never read for a signal.
    ///
    /// # Examples
    /// ```
    /// use std::time::SystemTime;
    /// use http::{HeaderMap, HeaderValue, header};
    /// use redress_envelope::Head;
    ///
    /// let mut headers = HeaderMap::new();
    /// headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    /// assert!(Head::new(200, &headers, SystemTime::UNIX_EPOCH).is_event_stream());
    /// ```
    #[must_use]
    pub fn is_event_stream(&self) -> bool {
        self.media_type().eq_ignore_ascii_case("text/event-stream")
    }

    /// Returns `true` if the media type is one that a JSON or XML document may
    /// have, so that the body may signal an error.
    ///
    /// It may be missing, `text/plain` or `text/html` too, as many servers label a
    /// document wrongly. Streams of documents (`application/x-ndjson`,
    /// `application/json-seq`, ...), which do not end with the first one, and
    /// whatever is neither JSON nor XML, such as `multipart/*`, `image/*` or
    /// `application/octet-stream`, are not.
    ///
    /// # Examples
    /// ```
    /// use std::time::SystemTime;
    /// use http::{HeaderMap, HeaderValue, header};
    /// use redress_envelope::Head;
    ///
    /// let may_be = |media_type: &'static str| {
    ///     let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(media_type))]);
    ///     Head::new(200, &headers, SystemTime::UNIX_EPOCH).may_be_document()
    /// };
    /// assert!(may_be("application/problem+json") && may_be("text/plain"));
    /// assert!(!may_be("image/png") && !may_be("application/x-ndjson"));
    /// ```
    #[must_use]
    pub fn may_be_document(&self) -> bool {
        let Some((kind, subtype)) = self.media_type().split_once('/') else { return true };
        let subtype = subtype.to_ascii_lowercase();
        let ends_in = |suffix: &str| {
            subtype.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with(['+', '-']))
        };
        let is_stream = ["stream", "seq", "grpc"].iter().any(|part| subtype.contains(part));
        let is_json = ends_in("json") || subtype.starts_with("x-amz-json-");
        let is_document = is_json || ends_in("xml") || ends_in("javascript");
        match kind.to_ascii_lowercase().as_str() {
            "*" => true,
            "application" => is_document && !is_stream && !subtype.contains("ndjson"),
            "text" => is_document || matches!(subtype.as_str(), "plain" | "html"),
            _ => false,
        }
    }

    /// Returns a body as UTF-8 where the head states another charset, or a byte
    /// order mark of UTF-16 does; `None` for a body whose bytes are to be taken as
    /// they are.
    ///
    /// # Examples
    /// ```
    /// use std::time::SystemTime;
    /// use http::{HeaderMap, HeaderValue, header};
    /// use redress_envelope::Head;
    ///
    /// let latin1 = HeaderValue::from_static("application/json; charset=iso-8859-1");
    /// let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, latin1)]);
    /// let head = Head::new(400, &headers, SystemTime::UNIX_EPOCH);
    /// assert_eq!(head.decoded([&b"\"Zo\xeb\""[..]]).as_deref(), Some("\"Zo\u{eb}\""));
    /// assert_eq!(head.decoded([&b"\"Zoe\""[..]]), None);
    /// ```
    #[must_use]
    pub fn decoded<'a, I>(&self, pieces: I) -> Option<String>
    where
        I: IntoIterator<Item = &'a [u8]>,
        I::IntoIter: Clone,
    {
        let pieces = pieces.into_iter();
        charset::stated(self, pieces.clone()).or_else(|| charset::declared(pieces))
    }

    /// Returns every value of a header that is a text, without blanks around it.
    pub(crate) fn texts(&self, name: &HeaderName) -> impl Iterator<Item = &'h str> + use<'h> {
        self.headers.get_all(name).iter().filter_map(|value| std::str::from_utf8(value.as_bytes()).ok()).map(str::trim)
    }

    /// Returns the media type without its parameters; empty when there is none.
    pub(crate) fn media_type(&self) -> &'h str {
        let kind = self.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        kind.split(';').next().unwrap_or_default().trim()
    }
}

/// Shows neither path nor headers, which may hold credentials.
impl fmt::Debug for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head").field("method", &self.method).field("status", &self.status).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_date_is_counted_by_the_servers_own_clock() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let date = (DATE, "Sun, 06 Nov 1994 08:49:37 GMT");
        for (pairs, now) in [
            (vec![date.clone()], 784_111_777),
            (vec![date.clone(), (AGE, "0")], 784_111_777),
            (vec![date, (AGE, "7")], 5),
            (vec![(DATE, "today")], 5),
            (vec![], 5),
        ] {
            let headers = pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
            assert_eq!(Head::new(503, &headers, at(5)).server_now(), at(now), "{pairs:?}");
        }
    }

    #[test]
    fn a_stream_and_its_event_of_an_error_are_known_by_their_names() {
        for (kind, expected) in [
            ("text/event-stream", true),
            ("Text/Event-Stream; charset=utf-8", true),
            ("application/json", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().unwrap())]);
            let mut head = Head::new(200, &headers, SystemTime::UNIX_EPOCH);
            assert_eq!(head.is_event_stream(), expected, "{kind}");
            assert!(!head.is_error_event());
            for (event, expected) in [("error", true), ("message", false)] {
                head.event = Some(event);
                assert_eq!(head.is_error_event(), expected, "{event}");
            }
        }
    }
}
