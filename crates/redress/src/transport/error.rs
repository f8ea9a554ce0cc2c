//! What the errors of hyper and h2 say about a request.

use std::error::Error as StdError;

use http::Uri;
use redress_classify::{BoxError, TransportError};

/// Refuses a URI that names no server: nothing can be sent there, however often.
pub(super) fn of_uri(uri: &Uri) -> Result<(), TransportError> {
    let absolute = matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some();
    if absolute { Ok(()) } else { Err(TransportError::request("the URI is not one of http or https with a host")) }
}

/// Takes user and password out of a URI. They are not sent (RFC 9110 section 4.2.4), and the clients print them at TRACE.
pub(super) fn without_user(uri: &mut Uri) {
    let Some((_, host)) = uri.authority().and_then(|authority| authority.as_str().rsplit_once('@')) else { return };
    let Ok(authority) = host.parse() else { return };
    let mut parts = uri.clone().into_parts();
    parts.authority = Some(authority);
    if let Ok(bare) = Uri::from_parts(parts) {
        *uri = bare;
    }
}

/// Finds out how far a request got that was being sent on a connection.
pub(super) fn of_sending<E>(error: E) -> TransportError
where
    E: StdError + Send + Sync + 'static,
{
    let constructor = constructor(&error);
    constructor(error.into())
}

fn constructor(error: &(dyn StdError + 'static)) -> fn(BoxError) -> TransportError {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.downcast_ref::<h2::Error>().is_some_and(|error| error.reason() == Some(h2::Reason::REFUSED_STREAM)) {
            return TransportError::refused_stream;
        }
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            // hyper hands a request back as canceled when its connection closed before the request was begun.
            if error.is_canceled() {
                return TransportError::refused_stream;
            }
            if error.is_timeout() {
                return TransportError::timeout;
            }
            if error.is_incomplete_message() || error.is_body_write_aborted() || error.is_user() {
                return TransportError::body;
            }
        }
        next = error.source();
    }
    TransportError::other
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
    fn a_uri_without_a_server_is_refused() {
        for (uri, allowed) in [
            ("http://a/b", true),
            ("https://a", true),
            ("ftp://a/b", false),
            ("/b", false),
            ("a:80", false),
            ("*", false),
        ] {
            assert_eq!(of_uri(&uri.parse().unwrap()).is_ok(), allowed, "{uri}");
        }
    }

    #[test]
    fn a_user_is_taken_out_and_nothing_else() {
        for (uri, expected) in [
            ("http://user:s3cret@a:8080/b?c=@d", "http://a:8080/b?c=@d"),
            ("https://user@[::1]/", "https://[::1]/"),
            ("https://a/@b", "https://a/@b"),
            ("/@b", "/@b"),
        ] {
            let mut uri: Uri = uri.parse().unwrap();
            without_user(&mut uri);
            assert_eq!(uri, expected);
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
}
