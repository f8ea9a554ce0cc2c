//! Translates errors of hyper and h2 into [`TransportError`]s, which tell how far a request got.

use std::error::Error as StdError;

use redress_classify::{BoxError, TransportError};

/// A constructor of [`TransportError`], chosen by the type of the client's error.
type Constructor = fn(BoxError) -> TransportError;

/// Returns the error of a request that got no connection.
#[cfg(feature = "hyper")]
pub(super) fn of_connecting<E>(error: E) -> TransportError
where
    E: StdError + Send + Sync + 'static,
{
    let is_user = sources(&error).any(|error| error.downcast_ref().is_some_and(hyper::Error::is_user));
    if is_user { TransportError::request(error) } else { TransportError::connect(error) }
}

/// Returns the error of a request that was handed to a connection.
pub(super) fn of_sending<E>(error: E) -> TransportError
where
    E: StdError + Send + Sync + 'static,
{
    let constructor = sources(&error).find_map(of_one).unwrap_or(TransportError::other);
    constructor(error.into())
}

/// Converts an error of a client that is built on hyper, so that the layers above learn how far the request got.
///
/// For tonic's `Channel` and other clients that have no adapter here: `ServiceBuilder::map_err(hyper_error)` above the
/// client. The error of hyper or h2 among the sources decides, as in the adapters: a refused stream, a `GOAWAY` below the
/// request's stream and a connection that closed before it took the request mean that it was not processed. An error without
/// one of them is returned as it is.
///
/// # Examples
/// ```
/// use redress::TransportError;
/// use redress::transport::hyper_error;
///
/// let error = hyper_error(h2::Error::from(h2::Reason::REFUSED_STREAM));
/// let error = error.downcast_ref::<TransportError>().expect("a stream that was refused");
/// assert_eq!(error.phase(), redress::Phase::NotSent);
///
/// let other = hyper_error("the socket is gone");
/// assert!(other.downcast_ref::<TransportError>().is_none());
/// ```
#[cfg(feature = "hyper")]
pub fn hyper_error(error: impl Into<BoxError>) -> BoxError {
    let error = error.into();
    let constructor = sources(error.as_ref()).find_map(of_one);
    match constructor {
        Some(constructor) => constructor(error).into(),
        None => error,
    }
}

fn sources<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| {
        let error: &'e (dyn StdError + 'static) = *error;
        error.source()
    })
}

fn of_one(error: &(dyn StdError + 'static)) -> Option<Constructor> {
    if let Some(error) = error.downcast_ref::<h2::Error>() {
        return of_stream(error);
    }
    let error = error.downcast_ref::<hyper::Error>()?;
    // hyper returns a request as canceled if its connection closed before the request was begun.
    if error.is_canceled() {
        Some(|error| TransportError::other(error).not_processed())
    } else if error.is_timeout() {
        Some(TransportError::timeout)
    } else if error.is_incomplete_message() {
        Some(TransportError::closed)
    } else if error.is_user() {
        Some(TransportError::body)
    } else {
        None
    }
}

/// Returns the error of a stream. With the server's `GOAWAY` h2 ends only the streams that the server did not process
/// (RFC 9113 section 6.8); those at or below its last stream go on, and end differently if the connection closes.
fn of_stream(error: &h2::Error) -> Option<Constructor> {
    let refused = error.is_go_away() && error.is_remote() || error.reason() == Some(h2::Reason::REFUSED_STREAM);
    let calm = !error.is_library() && error.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM);
    match (refused, calm) {
        (true, true) => Some(|error| TransportError::rate_limited(error).not_processed()),
        (true, false) => Some(TransportError::refused_stream),
        (false, true) => Some(TransportError::rate_limited),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use redress_classify::Phase;

    use super::*;

    /// An HTTP client's error around that of its protocol.
    #[derive(Debug)]
    struct Client(h2::Error);

    impl fmt::Display for Client {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("client error")
        }
    }

    impl StdError for Client {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn a_refused_stream_was_not_sent_and_any_other_reset_may_have_been_processed() {
        for (reason, phase) in [
            (h2::Reason::REFUSED_STREAM, Phase::NotSent),
            (h2::Reason::INTERNAL_ERROR, Phase::MaybeProcessed),
            (h2::Reason::CANCEL, Phase::MaybeProcessed),
        ] {
            assert_eq!(of_sending(Client(reason.into())).phase(), phase, "{reason:?}");
        }
    }

    #[test]
    fn a_request_to_calm_down_is_rate_limited_and_may_have_been_processed() {
        let error = of_sending(Client(h2::Reason::ENHANCE_YOUR_CALM.into()));
        assert_eq!(error.phase(), Phase::MaybeProcessed);
        assert!(error.to_string().contains("fewer requests"), "{error}");
    }

    /// Hands a request to a connection of HTTP/1.1 that is closed before it is begun; returns hyper's error.
    async fn canceled() -> hyper::Error {
        let (client, _server) = tokio::io::duplex(64);
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(client)).await.unwrap();
        let response = sender.send_request(http::Request::new(String::new()));
        drop(connection);
        response.await.expect_err("the connection is closed")
    }

    #[tokio::test]
    async fn a_request_that_its_connection_never_began_was_not_sent() {
        let error = canceled().await;
        assert!(error.is_canceled(), "{error:?}");
        assert_eq!(of_sending(error).phase(), Phase::NotSent);
    }
}
