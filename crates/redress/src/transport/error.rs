//! What the errors of hyper and h2 say about a request.

use std::error::Error as StdError;

use redress_classify::{BoxError, TransportError};

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
