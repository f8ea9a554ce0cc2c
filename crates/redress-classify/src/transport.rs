//! How far a request got when no response came, and whether another attempt can help.

mod refusal;
mod sources;

use std::error::Error as StdError;
use std::fmt;

use redress_envelope::{Class, Recovery};

use self::refusal::Refusal;
pub(crate) use self::sources::{chain, find, is_timeout, phase_of};
use crate::BoxError;
use crate::verdict::Phase;

/// A transport's failure with the phase that the request had reached.
///
/// An adapter for an HTTP client returns it, since only the adapter knows the client's errors. An error of any other
/// type means [`Phase::MaybeProcessed`], unless a refused TCP connection or tower's `Overloaded` is found among its
/// sources.
///
/// # Examples
/// A client whose errors tell a failed connection from the rest:
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

/// A request extension: the `Host` header may name another authority than the URI although the request carries
/// credentials.
///
/// Without it the adapters refuse such a request, since behind a shared front (a CDN, an ingress, a gateway) the `Host`
/// header decides whose server receives the credentials. It is for whoever has checked that header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    Timeout,
    Body,
    Other,
}

impl TransportError {
    /// The request cannot be sent as it is, such as one whose URI has no host; it would fail again.
    pub fn request(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::Request, Phase::NotSent, source)
    }

    /// No connection was made: DNS, TCP, TLS or a proxy failed before any byte of the request was sent.
    ///
    /// The sources are searched for the refusals of [`certificate`](Self::certificate), [`tls`](Self::tls) and
    /// [`proxy`](Self::proxy), in the words of rustls, OpenSSL, Schannel, Secure Transport, hyper-util and reqwest; one that
    /// is found makes the error [final](Self::is_final). Any other failure, such as a handshake that was cut, may pass.
    pub fn connect(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::Connect, Phase::NotSent, source).searched()
    }

    /// No connection was made in time; no byte of the request was sent.
    pub fn connect_timeout(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::ConnectTimeout, Phase::NotSent, source)
    }

    /// The server's certificate is not accepted: not trusted, expired, revoked, or for another name. Final.
    pub fn certificate(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::Refused(Refusal::Certificate), Phase::NotSent, source)
    }

    /// The server refused the TLS handshake by an alert (RFC 8446 section 6.2) that it would send again, such as
    /// `unknown_ca` or `certificate_required`, or has no version or cipher suite in common with the client. Final.
    pub fn tls(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::Refused(Refusal::Tls), Phase::NotSent, source)
    }

    /// The proxy refused to connect, such as by a 407 (RFC 9110 section 15.5.8). Final.
    pub fn proxy(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::Refused(Refusal::Proxy), Phase::NotSent, source)
    }

    /// Nothing was sent, for another reason than a failed connection: a full queue, a closed pool, load that was shed.
    pub fn not_sent(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::NotSent, Phase::NotSent, source)
    }

    /// The server says that it did not process the request: it refused the stream (`REFUSED_STREAM`, RFC 9113 section
    /// 8.7) or closed the connection before it (a `GOAWAY` whose last stream is a lower one, section 6.8). The same holds
    /// when the connection closed before the request was written.
    pub fn refused_stream(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::RefusedStream, Phase::NotSent, source)
    }

    /// The server asks for fewer requests without a response, as by `ENHANCE_YOUR_CALM` (RFC 9113 section 7). It does not
    /// say that this request was not processed.
    pub fn rate_limited(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::RateLimited, Phase::MaybeProcessed, source)
    }

    /// No response came in time.
    pub fn timeout(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::Timeout, Phase::MaybeProcessed, source)
    }

    /// The request's body failed while it was being sent, or the response broke off.
    pub fn body(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::Body, Phase::MaybeProcessed, source)
    }

    /// Anything else after the request may have been sent.
    ///
    /// The sources are searched as those of [`connect`](Self::connect): in TLS 1.3 a server refuses the client's
    /// certificate after the client has begun to send.
    pub fn other(source: impl Into<BoxError>) -> Self {
        Self::new(Kind::Other, Phase::MaybeProcessed, source).searched()
    }

    /// States that the request may have been processed though this failure alone would not show it, such as that of a
    /// connection behind a redirect.
    #[must_use]
    pub fn maybe_processed(self) -> Self {
        Self { phase: Phase::MaybeProcessed, ..self }
    }

    /// States that the request was not processed: it is safe to send it again.
    #[must_use]
    pub fn not_processed(self) -> Self {
        Self { phase: Phase::NotSent, ..self }
    }

    /// Makes an error of the same kind around another source.
    pub(crate) fn around(&self, source: BoxError) -> Self {
        Self { kind: self.kind, phase: self.phase, source }
    }

    /// Returns how far the request got.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether the request itself is at fault.
    #[must_use]
    pub const fn is_request(&self) -> bool {
        matches!(self.kind, Kind::Request)
    }

    /// Whether no connection was made, in time or at all.
    #[must_use]
    pub const fn is_connect(&self) -> bool {
        matches!(self.kind, Kind::Connect | Kind::ConnectTimeout | Kind::Refused(_))
    }

    /// Whether the server's certificate is not accepted.
    #[must_use]
    pub const fn is_certificate(&self) -> bool {
        matches!(self.kind, Kind::Refused(Refusal::Certificate))
    }

    /// Whether the proxy refused to connect.
    #[must_use]
    pub const fn is_proxy(&self) -> bool {
        matches!(self.kind, Kind::Refused(Refusal::Proxy))
    }

    /// Whether another attempt would fail in the same way: the request, a certificate, a TLS setting or a proxy has to
    /// change first. Such an error is never retried.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self.kind, Kind::Request | Kind::Refused(_))
    }

    /// Whether no connection or no response came in time. A failed connection counts as well if a timeout is among its
    /// sources: tower's or tokio's `Elapsed`, or the operating system's.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        match self.kind {
            Kind::ConnectTimeout | Kind::Timeout => true,
            Kind::Connect | Kind::Other => sources::has_timed_out(self.source.as_ref()),
            _ => false,
        }
    }

    /// Whether a body failed.
    #[must_use]
    pub const fn is_body(&self) -> bool {
        matches!(self.kind, Kind::Body)
    }

    /// Returns what the failure is and what to do about it.
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

    /// Looks among the sources for a refusal.
    fn searched(self) -> Self {
        match refusal::find(self.source.as_ref()) {
            Some(refusal) => Self { kind: Kind::Refused(refusal), ..self },
            None => self,
        }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Request => "the request cannot be sent as it is",
            Kind::Connect => "no connection was made",
            Kind::ConnectTimeout => "no connection was made in time",
            Kind::Refused(Refusal::Certificate) => {
                "the server's certificate was not accepted: check its issuer, names and dates"
            }
            Kind::Refused(Refusal::Tls) => {
                "the server refused the TLS handshake: check the client's certificate and TLS settings"
            }
            Kind::Refused(Refusal::Proxy) => {
                "the proxy refused to connect: check its address, its credentials and the hosts it allows"
            }
            Kind::NotSent => "the request was not sent",
            Kind::RefusedStream => "the request was refused before it was processed",
            Kind::RateLimited => "the server asked for fewer requests without a response",
            Kind::Timeout => "no response came in time",
            Kind::Body => "a body broke off",
            Kind::Other => "the connection failed",
        })
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.source.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_final_whoever_reports_it_and_says_which_it_is() {
        let unknown_issuer = || std::io::Error::other("invalid peer certificate: UnknownIssuer");
        for (error, phase) in [
            (TransportError::certificate("x"), Phase::NotSent),
            (TransportError::connect(unknown_issuer()), Phase::NotSent),
            (TransportError::connect(std::io::Error::other(unknown_issuer())), Phase::NotSent),
            (TransportError::other(unknown_issuer()), Phase::MaybeProcessed),
        ] {
            assert!(error.is_final() && error.is_certificate() && error.is_connect(), "{error:?}");
            assert!(!error.is_request() && !error.is_proxy() && !error.is_timeout(), "{error:?}");
            assert_eq!((error.phase(), error.meaning()), (phase, (Class::Unavailable, Recovery::Stop)), "{error:?}");
            assert!(error.to_string().starts_with("the server's certificate was not accepted"), "{error}");
        }
        let proxy = TransportError::connect("tunnel error: proxy authorization required");
        assert!(proxy.is_proxy() && proxy.is_final() && !proxy.is_certificate(), "{proxy:?}");
        let alert = TransportError::connect("received fatal alert: UnknownCA");
        assert!(alert.is_final() && !alert.is_proxy() && !alert.is_certificate(), "{alert:?}");
    }

    #[test]
    fn what_may_pass_is_not_final() {
        for error in [
            TransportError::connect("tls handshake eof"),
            TransportError::connect_timeout("x"),
            TransportError::not_sent("x"),
            TransportError::refused_stream("x"),
            TransportError::rate_limited("x"),
            TransportError::timeout("x"),
            TransportError::body("invalid peer certificate: UnknownIssuer"),
            TransportError::other("x"),
        ] {
            assert!(!error.is_final() && error.meaning().1 == Recovery::Retry, "{error:?}");
        }
        assert_eq!(TransportError::request("x").meaning(), (Class::Invalid, Recovery::FixRequest));
        assert_eq!(TransportError::rate_limited("x").meaning().0, Class::RateLimited);
    }
}
