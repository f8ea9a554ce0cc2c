//! What can go wrong with one request.

use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;

use crate::code::Code;
use crate::retry_after::RetryAfter;

/// How one request is to be answered, or cut off.
///
/// A fault is given to [`Sandbox::script`](crate::Sandbox::script) and used up by the first request that hits its route
/// (by more with [`times`](Self::times)). [`Fault::answer`] without any setter is the vendor's normal behaviour.
///
/// A fault that names a status, a code or a body **replaces** the answer: the request has no effect on the vendor's state.
/// The exceptions are [`Fault::drop`] and [`Fault::truncate`], which always perform the request first: the work is done,
/// and the client cannot know.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use redress_sandbox::Fault;
///
/// let overloaded = Fault::error(503).retry_after("3").times(2);
/// let slow = Fault::answer().delay(Duration::from_millis(20));
/// let lost = Fault::drop();
/// assert_ne!(format!("{overloaded:?}"), format!("{slow:?}"));
/// # drop(lost);
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Fault {
    pub(crate) kind: Kind,
    pub(crate) times: NonZeroU32,
    pub(crate) status: Option<StatusCode>,
    pub(crate) code: Option<Code>,
    pub(crate) message: Option<String>,
    pub(crate) body: Option<Bytes>,
    pub(crate) content_type: Option<HeaderValue>,
    pub(crate) retry_after: Option<RetryAfter>,
    pub(crate) headers: HeaderMap,
    pub(crate) delay: Duration,
}

/// The ways an exchange can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A complete answer.
    #[default]
    Answer,
    /// The request is performed, then the connection is closed without a byte.
    Drop,
    /// The connection is closed without a byte, and nothing was performed.
    DropBefore,
    /// The request is performed, then half of the body is sent.
    Truncate,
    /// A gateway's HTML page instead of an answer.
    ProxyHtml,
    /// A complete answer, one byte at a time.
    SlowBody,
}

impl Fault {
    /// Answers; normally, unless a setter says otherwise.
    pub fn answer() -> Self {
        Self::new(Kind::Answer)
    }

    /// Answers with this error status in the vendor's envelope, with the code and the message the vendor has for it.
    ///
    /// # Panics
    ///
    /// As [`status`](Self::status).
    pub fn error(status: u16) -> Self {
        Self::answer().status(status)
    }

    /// Performs the request, then closes the connection without a byte of an answer.
    pub fn drop() -> Self {
        Self::new(Kind::Drop)
    }

    /// Reads the request, then closes the connection without performing it and without a byte of an answer.
    pub fn drop_before() -> Self {
        Self::new(Kind::DropBefore)
    }

    /// Performs the request, sends the head with the full `Content-Length` and half of the body, then closes the connection.
    ///
    /// An answer without a body is dropped instead.
    pub fn truncate() -> Self {
        Self::new(Kind::Truncate)
    }

    /// Answers with the HTML error page of a gateway in front of the vendor, 502 unless [`status`](Self::status) says otherwise.
    ///
    /// The request has no effect. There is no envelope; the vendors that send `X-Request-Id` on every response still do.
    pub fn proxy_html() -> Self {
        Self::new(Kind::ProxyHtml)
    }

    /// Answers at once with the head, and then with one byte of the body per `gap`.
    pub fn slow_body(gap: Duration) -> Self {
        Self::new(Kind::SlowBody).delay(gap)
    }

    /// Sets how many requests use this fault up. Default: one.
    ///
    /// # Panics
    ///
    /// When `times` is zero.
    pub fn times(mut self, times: u32) -> Self {
        self.times = NonZeroU32::new(times).expect("a fault happens at least once");
        self
    }

    /// Sets the status, from 200 to 599. Without a code the vendor's envelope carries the code that goes with it.
    ///
    /// # Panics
    ///
    /// When `status` is outside that range.
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status_code(status).expect("a status is between 200 and 599"));
        self
    }

    /// Sets the envelope's code. Without a status the answer has the one the vendor documents for this code.
    ///
    /// The ranex envelope has no code, and leaves it out.
    pub fn code(mut self, code: impl Into<Code>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Sets the envelope's message.
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// Sends exactly this body instead of an envelope.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sets the `Content-Type`. Default: `application/json`, and `text/html` for a gateway's page.
    ///
    /// # Panics
    ///
    /// When `content_type` is not the text of a header.
    pub fn content_type(mut self, content_type: &str) -> Self {
        self.content_type = Some(header_value(content_type));
        self
    }

    /// Sets the `Retry-After` header: `"3"` is sent as it is, `"date:+2"` becomes the HTTP-date 2 s after the moment of sending.
    ///
    /// # Panics
    ///
    /// When `value` is not the text of a header, or starts with `date:` and no whole number of seconds follows.
    pub fn retry_after(mut self, value: &str) -> Self {
        match value.parse() {
            Ok(value) => self.retry_after = Some(value),
            Err(error) => panic!("{error}"),
        }
        self
    }

    /// Sets one more header of the answer, in place of the vendor's own of that name.
    ///
    /// # Panics
    ///
    /// When `name` or `value` cannot be sent as a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().expect("a header name is an HTTP token");
        self.headers.append(name, header_value(value));
        self
    }

    /// Waits this long before the answer, or before the connection is closed. The request has been performed by then.
    ///
    /// The time between two bytes for [`Fault::slow_body`].
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    fn new(kind: Kind) -> Self {
        Self {
            kind,
            times: NonZeroU32::MIN,
            status: None,
            code: None,
            message: None,
            body: None,
            content_type: None,
            retry_after: None,
            headers: HeaderMap::new(),
            delay: Duration::ZERO,
        }
    }

    /// Whether the vendor performs the request.
    pub(crate) fn performs(&self) -> bool {
        match self.kind {
            Kind::Drop | Kind::Truncate => true,
            Kind::DropBefore | Kind::ProxyHtml => false,
            Kind::Answer | Kind::SlowBody => !self.replaces(),
        }
    }

    /// Whether the vendor's own answer is thrown away.
    pub(crate) fn replaces(&self) -> bool {
        self.status.is_some() || self.code.is_some() || self.message.is_some() || self.body.is_some()
    }

    /// Whether the client gets no byte of an answer that has this body.
    pub(crate) fn cuts(&self, body: &[u8]) -> bool {
        match self.kind {
            Kind::Drop | Kind::DropBefore => true,
            Kind::Truncate => body.is_empty(),
            Kind::Answer | Kind::ProxyHtml | Kind::SlowBody => false,
        }
    }
}

impl Default for Fault {
    fn default() -> Self {
        Self::answer()
    }
}

/// Returns the status, if it can be the last one of a response (1xx cannot).
pub(crate) fn status_code(status: u16) -> Option<StatusCode> {
    (200..=599).contains(&status).then(|| StatusCode::from_u16(status).ok()).flatten()
}

fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("a header value is visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_performs_the_request_unless_it_replaces_the_answer() {
        let cases = [
            (Fault::answer(), true, "normal"),
            (Fault::answer().delay(Duration::from_millis(1)), true, "late"),
            (Fault::answer().retry_after("1"), true, "with a header"),
            (Fault::error(503), false, "an error"),
            (Fault::answer().code("internal"), false, "a code"),
            (Fault::answer().body("x"), false, "a raw body"),
            (Fault::drop(), true, "cut off after"),
            (Fault::drop_before(), false, "cut off before"),
            (Fault::truncate(), true, "truncated"),
            (Fault::truncate().status(500), true, "truncated error"),
            (Fault::proxy_html(), false, "a gateway's page"),
            (Fault::slow_body(Duration::from_millis(1)), true, "slow"),
        ];
        for (fault, expected, name) in cases {
            assert_eq!(fault.performs(), expected, "{name}");
        }
    }

    #[test]
    #[should_panic(expected = "a status is between 200 and 599")]
    fn an_informational_status_is_refused() {
        drop(Fault::error(100));
    }
}
