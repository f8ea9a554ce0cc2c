//! The error of a transport, with the phase that the request reached.

mod changes;
mod display;
mod refusal;
mod sources;

use std::time::Duration;

use redress_envelope::{Class, Recovery};

use self::refusal::Refusal;
pub(crate) use self::sources::{cause, chain, find, is_timeout, phase_of};
use crate::BoxError;
use crate::phase::Phase;

/// The error of a transport, with the phase that the request reached.
///
/// An adapter for an HTTP client converts the client's errors to this type, since it alone knows them. An error of any
/// other type means [`Phase::MaybeProcessed`], unless a refused TCP connection or tower's `Overloaded` is among its
/// sources.
///
/// The constructors name the failure; the phase and the recovery follow from it. A *final* failure, such as an untrusted
/// certificate, is never retried.
///
/// # Examples
/// An adapter for a client whose errors distinguish a failed connection:
/// ```
/// use redress_classify::{Phase, TransportError};
///
/// # #[derive(Debug)] struct ClientError;
/// # impl std::fmt::Display for ClientError {
/// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("client") }
/// # }
/// # impl std::error::Error for ClientError {}
/// # impl ClientError { fn is_connect(&self) -> bool { true } fn is_timeout(&self) -> bool { true } }
/// fn transport_error(error: ClientError) -> TransportError {
///     match (error.is_connect(), error.is_timeout()) {
///         (true, true) => TransportError::connect_timeout(error),
///         (true, false) => TransportError::connect(error),
///         (false, true) => TransportError::timeout(error),
///         (false, false) => TransportError::other(error),
///     }
/// }
/// let error = transport_error(ClientError);
/// assert!(error.phase() == Phase::NotSent && error.is_timeout());
/// ```
#[derive(Debug)]
pub struct TransportError {
    kind: Kind,
    phase: Phase,
    source: BoxError,
}

/// A request extension that allows a `Host` header with another authority than the URI, although the request carries
/// credentials.
///
/// Without it the adapters refuse such a request, since behind a shared front (a CDN, an ingress, a gateway) the `Host`
/// header decides which server receives the credentials. Set it only on a request whose `Host` header you have checked.
///
/// # Examples
/// ```
/// use http::Request;
/// use redress_classify::ForeignHost;
///
/// let request = Request::get("https://gateway.example/v1/cats").header("host", "cats.example").extension(ForeignHost);
/// assert!(request.body(())?.extensions().get::<ForeignHost>().is_some());
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ForeignHost;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Request,
    Connect,
    ConnectTimeout,
    Refused(Refusal),
    NotSent,
    RefusedStream,
    RateLimited,
    /// The limit of the time, if it is known.
    Timeout(Option<Duration>),
    Closed,
    Body,
    Other,
}

impl TransportError {
    /// Creates the error of a request that cannot be sent as it is, such as one whose URI has no host. Not retried.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::{TransportError};
    ///
    /// assert!(TransportError::request("the URI has no host").is_final());
    /// ```
    pub fn request(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::Request, Phase::NotSent, source)
    }

    /// Creates the error of a failed connection: DNS, TCP, TLS or a proxy failed before any byte of the request was sent.
    ///
    /// The sources are searched for the refusals of [`certificate`](Self::certificate), [`tls`](Self::tls) and
    /// [`proxy`](Self::proxy), as rustls, OpenSSL, Schannel, Secure Transport, hyper-util and reqwest word them; with one of
    /// them the error is [final](Self::is_final). Any other failure, such as a TLS handshake that was cut, may be temporary.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::{TransportError};
    ///
    /// let untrusted = TransportError::connect("invalid peer certificate: UnknownIssuer");
    /// assert!(untrusted.is_certificate() && untrusted.is_final());
    /// assert!(!TransportError::connect("connection refused").is_final());
    /// ```
    pub fn connect(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::Connect, Phase::NotSent, source).searched()
    }

    /// Creates the error of a connection that was not made in time; no byte of the request was sent.
    pub fn connect_timeout(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::ConnectTimeout, Phase::NotSent, source)
    }

    /// Creates the error of a server certificate that was not accepted: not trusted, expired, revoked, or for another name.
    /// Final.
    pub fn certificate(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::Refused(Refusal::Certificate), Phase::NotSent, source)
    }

    /// Creates the error of a TLS handshake that the server refused by an alert (RFC 8446 section 6.2) which it would send
    /// again, such as `unknown_ca` or `certificate_required`, or for lack of a common version or cipher suite. Final.
    pub fn tls(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::Refused(Refusal::Tls), Phase::NotSent, source)
    }

    /// Creates the error of a proxy that refused to connect, such as by a 407 (RFC 9110 section 15.5.8). Final.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::{TransportError};
    ///
    /// let error = TransportError::proxy("407 Proxy Authentication Required");
    /// assert!(error.is_proxy() && error.is_final());
    /// ```
    pub fn proxy(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::Refused(Refusal::Proxy), Phase::NotSent, source)
    }

    /// Creates the error of a request that was not sent although no connection failed: a full queue, a closed pool, load
    /// that was shed.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::{Phase, TransportError};
    ///
    /// assert_eq!(TransportError::not_sent("the queue is full").phase(), Phase::NotSent);
    /// ```
    pub fn not_sent(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::NotSent, Phase::NotSent, source)
    }

    /// Creates the error of a request that the server did not process by its own statement: it refused the stream
    /// (`REFUSED_STREAM`, RFC 9113 section 8.7), or sent a `GOAWAY` whose last stream is a lower one (section 6.8).
    ///
    /// Use it too if the connection closed before the request was written.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::{Phase, TransportError};
    ///
    /// assert_eq!(TransportError::refused_stream("REFUSED_STREAM").phase(), Phase::NotSent);
    /// ```
    pub fn refused_stream(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::RefusedStream, Phase::NotSent, source)
    }

    /// Creates the error of a server that asks for fewer requests without a response, as by `ENHANCE_YOUR_CALM` (RFC 9113
    /// section 7). The request may have been processed.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::{Phase, TransportError};
    ///
    /// assert_eq!(TransportError::rate_limited("ENHANCE_YOUR_CALM").phase(), Phase::MaybeProcessed);
    /// ```
    pub fn rate_limited(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::RateLimited, Phase::MaybeProcessed, source)
    }

    /// Creates the error of an attempt without a response in time.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::{Phase, TransportError};
    ///
    /// let error = TransportError::timeout("no response within 5s");
    /// assert!(error.is_timeout() && error.phase() == Phase::MaybeProcessed);
    /// ```
    pub fn timeout(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::Timeout(None), Phase::MaybeProcessed, source)
    }

    /// Creates the error of an attempt without a response within this time, which `Display` shows.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use redress_classify::TransportError;
    ///
    /// let error = TransportError::timeout_after(Duration::from_millis(1_500));
    /// assert!(error.is_timeout());
    /// assert_eq!(error.to_string(), "timed out after 1.5 s");
    /// ```
    #[must_use]
    pub fn timeout_after(limit: Duration) -> Self {
        Self::new(Kind::Timeout(Some(limit)), Phase::MaybeProcessed, format!("no response within {limit:?}"))
    }

    /// Creates the error of a connection that closed after the request was begun and before its response was.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::{Phase, TransportError};
    ///
    /// let error = TransportError::closed("connection closed before message completed");
    /// assert!(error.is_closed() && error.phase() == Phase::MaybeProcessed);
    /// assert_eq!(error.to_string(), "the connection closed before the response began");
    /// ```
    pub fn closed(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::Closed, Phase::MaybeProcessed, source)
    }

    /// Creates the error of a request body that failed while it was sent, or of a response that broke off.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::{TransportError};
    ///
    /// assert!(TransportError::body("unexpected end of file").is_body());
    /// ```
    pub fn body(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::Body, Phase::MaybeProcessed, source)
    }

    /// Creates the error of any other failure after the request may have been sent.
    ///
    /// The sources are searched as those of [`connect`](Self::connect) are: in TLS 1.3 a server refuses the client's
    /// certificate after the client has begun to send.
    pub fn other(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::Other, Phase::MaybeProcessed, source).searched()
    }

    /// Returns the phase that the request reached.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Returns `true` if the request itself is invalid.
    #[must_use]
    pub const fn is_request(&self) -> bool {
        matches!(self.kind, Kind::Request)
    }

    /// Returns `true` if no connection was made, in time or at all.
    #[must_use]
    pub const fn is_connect(&self) -> bool {
        matches!(self.kind, Kind::Connect | Kind::ConnectTimeout | Kind::Refused(_))
    }

    /// Returns `true` if the server's certificate was not accepted.
    #[must_use]
    pub const fn is_certificate(&self) -> bool {
        matches!(self.kind, Kind::Refused(Refusal::Certificate))
    }

    /// Returns `true` if the proxy refused to connect.
    #[must_use]
    pub const fn is_proxy(&self) -> bool {
        matches!(self.kind, Kind::Refused(Refusal::Proxy))
    }

    /// Returns `true` if another attempt would fail in the same way, until the request, a certificate, a TLS setting or a
    /// proxy is changed. Such an error is never retried.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self.kind, Kind::Request | Kind::Refused(_))
    }

    /// Returns `true` if there was no connection or no response in time.
    ///
    /// A failed connection counts as well if a timeout is among its sources: tower's or tokio's `Elapsed`, or the operating
    /// system's `TimedOut`.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        match self.kind {
            Kind::ConnectTimeout | Kind::Timeout(_) => true,
            Kind::Connect | Kind::Other => sources::has_timed_out(self.source.as_ref()),
            _ => false,
        }
    }

    /// Returns `true` if the text of the error names a timeout.
    pub(crate) const fn is_named_timeout(&self) -> bool {
        matches!(self.kind, Kind::ConnectTimeout | Kind::Timeout(_))
    }

    /// Returns `true` if the connection closed before the response began.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.kind, Kind::Closed)
    }

    /// Returns `true` if a body failed.
    #[must_use]
    pub const fn is_body(&self) -> bool {
        matches!(self.kind, Kind::Body)
    }

    /// Returns the class of the failure, and the recovery.
    pub(crate) const fn meaning(&self) -> (Class, Recovery) {
        match self.kind {
            Kind::Request => (Class::Invalid, Recovery::FixRequest),
            Kind::Refused(_) => (Class::Unavailable, Recovery::Stop),
            Kind::RateLimited => (Class::RateLimited, Recovery::Retry),
            _ => (Class::Unavailable, Recovery::Retry),
        }
    }

    fn new(kind: Kind, phase: Phase, source: impl Into<BoxError>) -> Self {
        Self { kind, phase, source: source.into() }
    }

    /// Searches the sources for a refusal, and takes its kind.
    fn searched(self) -> Self {
        match refusal::find(self.source.as_ref()) {
            Some(refusal) => Self { kind: Kind::Refused(refusal), ..self },
            None => self,
        }
    }
}

#[cfg(test)]
mod tests;
