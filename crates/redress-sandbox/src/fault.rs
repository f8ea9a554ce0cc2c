//! Faults of single requests.

mod setters;

use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserialize;

use crate::code::Code;
use crate::retry_after::RetryAfter;

/// The answer to one request, or the way in which its connection ends.
///
/// [`Sandbox::script`](crate::Sandbox::script) takes faults. The first request whose route matches uses
/// a fault up, or the first few with [`times`](Self::times). [`Fault::answer`] without a setter is the
/// vendor's normal behaviour.
///
/// A fault with a status, a code, a message or a body **replaces** the answer: the request has no
/// effect on the vendor's state. [`Fault::drop`] and [`Fault::truncate`] are the exceptions. They
/// always perform the request first, so the work is done and the client cannot know it.
///
/// | situation | fault |
/// |---|---|
/// | overloaded, with a hint | `Fault::error(503).retry_after("3")` |
/// | rate limited | `Fault::error(429).retry_after("date:+2")` |
/// | processed, response lost | `Fault::drop()` |
/// | not processed, connection closed | `Fault::drop_before()` |
/// | response cut off | `Fault::truncate()` |
/// | gateway without its backend | `Fault::proxy_html()` |
/// | slow server | `Fault::answer().delay(..)` |
/// | slow body | `Fault::slow_body(..)` |
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

/// The ways in which an exchange can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A complete answer.
    #[default]
    Answer,
    /// The request is performed, then the connection is closed without a byte.
    Drop,
    /// The connection is closed without a byte, and the request is not performed.
    DropBefore,
    /// The request is performed, then half of the body is sent.
    Truncate,
    /// The HTML page of a gateway instead of an answer.
    ProxyHtml,
    /// A complete answer, one byte at a time.
    SlowBody,
}

impl Fault {
    /// Answers normally, unless a setter changes the answer.
    pub fn answer() -> Self {
        Self::new(Kind::Answer)
    }

    /// Answers with this error status in the vendor's envelope, with the vendor's code and message for
    /// it.
    ///
    /// # Panics
    ///
    /// Panics as [`status`](Self::status) does.
    ///
    /// # Examples
    ///
    /// ```
    /// use redress_sandbox::{Fault, Sandbox, Vendor};
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest/send.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// let sandbox = Sandbox::start(Vendor::Veridia).await?;
    /// sandbox.script("*", [Fault::error(500)]);
    /// let response = send(&sandbox, "GET /v1/verify/7", "").await?;
    /// assert_eq!(response.status(), 500);
    /// assert!(response.body().contains(r#""error":"internal"#), "{}", response.body());
    /// # Ok(())
    /// # }
    /// ```
    pub fn error(status: u16) -> Self {
        Self::answer().status(status)
    }

    /// Performs the request, then closes the connection without a byte of the answer. A client must
    /// treat the request as possibly processed.
    pub fn drop() -> Self {
        Self::new(Kind::Drop)
    }

    /// Reads the request, then closes the connection without performing it. The client sees the same as
    /// with [`drop`](Self::drop).
    ///
    /// # Examples
    ///
    /// ```
    /// use redress_sandbox::{Fault, Sandbox, Vendor};
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest/send.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// let sandbox = Sandbox::start(Vendor::Ranex).await?;
    /// sandbox.script("*", [Fault::drop_before(), Fault::drop()]);
    /// let create = r#"{"externalUserId":"user-1"}"#;
    /// assert!(send(&sandbox, "POST /v1/applicants", create).await.is_err());
    /// assert_eq!(sandbox.applicants(), 0);
    /// assert!(send(&sandbox, "POST /v1/applicants", create).await.is_err());
    /// assert_eq!(sandbox.applicants(), 1, "`drop` has performed the request");
    /// # Ok(())
    /// # }
    /// ```
    pub fn drop_before() -> Self {
        Self::new(Kind::DropBefore)
    }

    /// Performs the request, sends the head with the full `Content-Length` and half of the body, then
    /// closes the connection.
    ///
    /// An answer without a body is dropped instead.
    ///
    /// # Examples
    ///
    /// ```
    /// use redress_sandbox::{Fault, Sandbox, Vendor};
    ///
    /// # use http_body_util::{BodyExt, Full};
    /// # use hyper_util::{client::legacy::Client, rt::TokioExecutor};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Client::builder(TokioExecutor::new()).build_http();
    /// let sandbox = Sandbox::start(Vendor::Ranex).await?;
    /// sandbox.script("*", [Fault::truncate()]);
    /// let request = http::Request::post(format!("{}/v1/applicants", sandbox.url()))
    ///     .header("X-Api-Key", "sandbox-key")
    ///     .header("X-Api-Secret", "sandbox-secret")
    ///     .body(Full::<bytes::Bytes>::from(r#"{"externalUserId":"user-1"}"#))?;
    /// let response = client.request(request).await?;
    /// assert_eq!(response.status(), 201);
    /// assert!(response.into_body().collect().await.is_err(), "the body breaks off");
    /// assert_eq!(sandbox.applicants(), 1, "the request was performed");
    /// # Ok(())
    /// # }
    /// ```
    pub fn truncate() -> Self {
        Self::new(Kind::Truncate)
    }

    /// Answers with the HTML error page of a gateway in front of the vendor. Default status: 502.
    ///
    /// The request is not performed, and the page has no envelope. Vendors that send `X-Request-Id` on
    /// every response still send it.
    ///
    /// # Examples
    ///
    /// ```
    /// use redress_sandbox::{Fault, Sandbox, Vendor};
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest/send.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// let sandbox = Sandbox::start(Vendor::Ranex).await?;
    /// sandbox.script("*", [Fault::proxy_html().status(504)]);
    /// let response = send(&sandbox, "GET /v1/applicants/7", "").await?;
    /// assert_eq!((response.status().as_u16(), &response.headers()["content-type"]), (504, &"text/html".parse()?));
    /// assert!(response.body().starts_with("<html>"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn proxy_html() -> Self {
        Self::new(Kind::ProxyHtml)
    }

    /// Sends the head immediately, and then one byte of the body per `gap`.
    pub fn slow_body(gap: Duration) -> Self {
        Self::new(Kind::SlowBody).delay(gap)
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

    /// Returns `true` if the vendor performs the request.
    pub(crate) fn performs(&self) -> bool {
        match self.kind {
            Kind::Drop | Kind::Truncate => true,
            Kind::DropBefore | Kind::ProxyHtml => false,
            Kind::Answer | Kind::SlowBody => !self.replaces(),
        }
    }

    /// Returns `true` if the vendor's own answer is discarded.
    pub(crate) fn replaces(&self) -> bool {
        self.status.is_some() || self.code.is_some() || self.message.is_some() || self.body.is_some()
    }

    /// Returns `true` if the client receives no byte of an answer with this body.
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

/// Returns the status if it can be the final one of a response; 1xx cannot.
pub(crate) fn status_code(status: u16) -> Option<StatusCode> {
    (200..=599).contains(&status).then(|| StatusCode::from_u16(status).ok()).flatten()
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
