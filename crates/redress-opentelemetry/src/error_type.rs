//! The classes of failures, as values of `error.type`.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::io;

use http::StatusCode;
use redress_classify::{Error, Phase, TransportError};

use crate::conventions::OTHER;

/// An attempt whose time was over, or its call's.
pub(crate) const TIMEOUT: &str = "timeout";
/// An attempt or a call that was dropped.
pub(crate) const CANCELLED: &str = "cancelled";

/// Returns the status as text if it is an error for a client: 400 and above.
pub(crate) fn of_status(status: StatusCode) -> Option<Cow<'static, str>> {
    (status.as_u16() >= 400).then(|| Cow::Owned(status.as_str().to_owned()))
}

/// Returns the class of a failed attempt. It has few values, and never holds text of the error.
pub(crate) fn of_attempt(error: &(dyn StdError + 'static)) -> &'static str {
    let mut errors = chain(error);
    if let Some(transport) = errors.find_map(|error| error.downcast_ref::<TransportError>()) {
        return of_transport(transport);
    }
    chain(error).find_map(of_plain).unwrap_or(OTHER)
}

/// Returns `true` for an attempt that the server's application has not seen: there was no connection, or the server said that it
/// did not process it. gRPC calls a retry after it transparent (gRFC A6).
pub(crate) fn is_unprocessed(error_type: &str) -> bool {
    matches!(error_type, "connect" | "connect_timeout" | "not_sent")
}

/// Returns the class of a call without a response.
pub(crate) fn of_call(error: &Error) -> &'static str {
    match error {
        _ if error.is_deadline() => TIMEOUT,
        _ if error.is_paced() => "paced",
        _ if error.is_credentials() => "credentials",
        _ => of_attempt(error),
    }
}

fn of_transport(error: &TransportError) -> &'static str {
    match error {
        _ if error.is_request() => "invalid_request",
        _ if error.is_certificate() => "certificate",
        _ if error.is_proxy() => "proxy",
        _ if error.is_connect() && error.is_timeout() => "connect_timeout",
        // Without a certificate or a proxy it is a handshake that the server refuses.
        _ if error.is_connect() && error.is_final() => "tls",
        _ if error.is_connect() => "connect",
        _ if error.is_timeout() => TIMEOUT,
        _ if error.is_closed() => "connection_closed",
        _ if error.is_body() => "body",
        _ if error.phase() == Phase::NotSent => "not_sent",
        _ => chain(error).skip(1).find_map(of_plain).unwrap_or(OTHER),
    }
}

/// Returns the class of an error of tokio or of the operating system.
fn of_plain(error: &(dyn StdError + 'static)) -> Option<&'static str> {
    if error.is::<tokio::time::error::Elapsed>() {
        return Some(TIMEOUT);
    }
    match error.downcast_ref::<io::Error>()?.kind() {
        io::ErrorKind::ConnectionRefused => Some("connect"),
        io::ErrorKind::TimedOut => Some(TIMEOUT),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => Some("connection_closed"),
        _ => None,
    }
}

/// Returns an error and its sources, the outermost first.
fn chain<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'e (dyn StdError + 'static)| {
        let error = *error;
        // `io::Error::source` skips the wrapped error and returns the source of it.
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        }
    })
}

#[cfg(test)]
mod tests {
    use redress_classify::BoxError;

    use super::*;

    #[test]
    fn a_status_of_400_and_above_is_an_error() {
        for (status, expected) in
            [(200, None), (304, None), (399, None), (400, Some("400")), (429, Some("429")), (599, Some("599"))]
        {
            assert_eq!(of_status(StatusCode::from_u16(status).unwrap()).as_deref(), expected);
        }
    }

    #[test]
    fn each_failure_of_a_transport_has_its_class() {
        let io = |kind| io::Error::from(kind);
        for (error, class) in [
            (BoxError::from(TransportError::request("s3cret")), "invalid_request"),
            (TransportError::connect("s3cret").into(), "connect"),
            (TransportError::connect_timeout("s3cret").into(), "connect_timeout"),
            (TransportError::certificate("s3cret").into(), "certificate"),
            (TransportError::tls("s3cret").into(), "tls"),
            (TransportError::proxy("s3cret").into(), "proxy"),
            (TransportError::timeout("s3cret").into(), "timeout"),
            (TransportError::body("s3cret").into(), "body"),
            (TransportError::not_sent("s3cret").into(), "not_sent"),
            (TransportError::refused_stream("s3cret").into(), "not_sent"),
            (TransportError::rate_limited("s3cret").into(), "_OTHER"),
            (TransportError::other(io(io::ErrorKind::ConnectionReset)).into(), "connection_closed"),
            (TransportError::other("s3cret").into(), "_OTHER"),
            (io::Error::other(TransportError::connect("s3cret")).into(), "connect"),
            (io(io::ErrorKind::ConnectionRefused).into(), "connect"),
            (io(io::ErrorKind::TimedOut).into(), "timeout"),
            (io(io::ErrorKind::UnexpectedEof).into(), "connection_closed"),
            ("s3cret".into(), "_OTHER"),
        ] {
            assert_eq!(of_attempt(error.as_ref()), class, "{error:?}");
        }
    }

    #[test]
    fn each_end_of_a_call_has_its_class() {
        let now = std::time::SystemTime::UNIX_EPOCH;
        for (error, class) in [
            (Error::deadline(Phase::NotSent), "timeout"),
            (Error::paced(now), "paced"),
            (Error::credentials(redress_classify::Class::Unavailable, "s3cret".into(), None), "credentials"),
            (Error::from_inner(TransportError::connect("s3cret").into()), "connect"),
        ] {
            assert_eq!(of_call(&error), class, "{error:?}");
        }
    }
}
