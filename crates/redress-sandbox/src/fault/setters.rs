//! The settings of a fault: how often it happens, and the answer.

use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use super::{Fault, status_code};
use crate::code::Code;

impl Fault {
    /// Sets the number of requests that use up this fault. Default: 1.
    ///
    /// # Panics
    ///
    /// Panics if `times` is zero.
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
    /// sandbox.script("*", [Fault::error(503).times(2)]);
    /// assert_eq!(sandbox.unused_faults(), 2);
    /// for expected in [503, 503, 404] {
    ///     assert_eq!(send(&sandbox, "GET /v1/applicants/7", "").await?.status(), expected);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn times(mut self, times: u32) -> Self {
        self.times = NonZeroU32::new(times).expect("a fault happens at least once");
        self
    }

    /// Sets the status, from 200 to 599. Without a code the envelope has the vendor's code for this
    /// status.
    ///
    /// # Panics
    ///
    /// Panics if `status` is outside that range.
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status_code(status).expect("a status is between 200 and 599"));
        self
    }

    /// Sets the code of the envelope. Without a status the answer has the status that the vendor
    /// documents for this code.
    ///
    /// The envelope of ranex has no code and ignores it.
    ///
    /// # Examples
    ///
    /// ```
    /// use redress_sandbox::{Fault, Sandbox, Vendor};
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest/send.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// let sandbox = Sandbox::start(Vendor::Verilock).await?;
    /// sandbox.script("*", [Fault::answer().code("rate_limit_exceeded").retry_after("3")]);
    /// let response = send(&sandbox, "GET /v1/sessions", "").await?;
    /// assert_eq!(response.status(), 429, "the documented status of this code");
    /// assert_eq!(response.headers()["retry-after"], "3");
    /// # Ok(())
    /// # }
    /// ```
    pub fn code(mut self, code: impl Into<Code>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Sets the message of the envelope.
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// Sends exactly this body instead of an envelope.
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
    /// sandbox.script("*", [Fault::answer().body("not JSON").content_type("text/plain").header("x-trace", "7")]);
    /// let response = send(&sandbox, "GET /v1/applicants/7", "").await?;
    /// assert_eq!((response.status().as_u16(), response.body().as_str()), (200, "not JSON"));
    /// assert_eq!(response.headers()["x-trace"], "7");
    /// # Ok(())
    /// # }
    /// ```
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sets the `Content-Type`. Default: `application/json`, and `text/html` for a gateway's page.
    ///
    /// # Panics
    ///
    /// Panics if `content_type` is not a valid header value.
    pub fn content_type(mut self, content_type: &str) -> Self {
        self.content_type = Some(header_value(content_type));
        self
    }

    /// Sets the `Retry-After` header: `"3"` is sent verbatim, and `"date:+2"` becomes the HTTP-date 2 s
    /// after the time of sending.
    ///
    /// # Panics
    ///
    /// Panics if `value` is not a valid header value, or starts with `date:` without a whole number of
    /// seconds after it.
    ///
    /// # Examples
    ///
    /// ```
    /// use redress_sandbox::Fault;
    ///
    /// let past_date = Fault::error(503).retry_after("date:-30");
    /// let invalid = Fault::error(503).retry_after("soon");
    /// assert!(std::panic::catch_unwind(|| Fault::error(503).retry_after("date:soon")).is_err());
    /// # drop((past_date, invalid));
    /// ```
    pub fn retry_after(mut self, value: &str) -> Self {
        match value.parse() {
            Ok(value) => self.retry_after = Some(value),
            Err(error) => panic!("{error}"),
        }
        self
    }

    /// Adds a header, which replaces the vendor's header of that name.
    ///
    /// # Panics
    ///
    /// Panics if `name` or `value` is not valid in a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().expect("a header name is an HTTP token");
        self.headers.append(name, header_value(value));
        self
    }

    /// Sets the delay before the answer, or before the connection is closed. The request is performed
    /// before the delay.
    ///
    /// For [`Fault::slow_body`] it is the time between two bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// use redress_sandbox::{Fault, Sandbox, Vendor};
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctest/send.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// use std::time::{Duration, Instant};
    ///
    /// let sandbox = Sandbox::start(Vendor::Ranex).await?;
    /// sandbox.script("*", [Fault::answer().delay(Duration::from_millis(20))]);
    /// let start = Instant::now();
    /// assert_eq!(send(&sandbox, "GET /v1/applicants/7", "").await?.status(), 404, "the normal answer, later");
    /// assert!(start.elapsed() >= Duration::from_millis(20));
    /// # Ok(())
    /// # }
    /// ```
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("a header value is visible ASCII")
}
