//! What a caller asks a response.

use std::time::SystemTime;

use http::Response;

use crate::api_error::ApiError;
use crate::record::Record;
use crate::verdict::Verdict;

/// Marks a rejected response whose request may be sent once more: its credentials have just been refreshed.
///
/// The Refresh layer leaves it in the response's extensions for the Backoff layer, which keeps the copy and sends it if the
/// request was [not processed](crate::Verdict::is_maybe_processed) or is safe to repeat. Backoff puts it
/// into the extensions of the request that it sends again, so that Refresh does not refresh for that request twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refreshed;

/// Answers for a response that came through the stack.
///
/// It is implemented for `http::Response` and cannot be implemented elsewhere.
pub trait ResponseExt: Sized + sealed::Sealed {
    /// Returns what the response means; `None` when it is a success.
    fn verdict(&self) -> Option<&Verdict>;

    /// Returns when the server asks to come back, by the caller's clock and uncapped.
    fn retry_at(&self) -> Option<SystemTime> {
        self.verdict().and_then(Verdict::retry_at)
    }

    /// Returns the record of the attempts; `None` when there was one only.
    fn record(&self) -> Option<&Record>;

    /// Turns a response that is an error into an [`ApiError`], and leaves a success as it is. The error keeps the hint,
    /// [`retry_at`](ApiError::retry_at) and the record of the attempts.
    ///
    /// # Errors
    /// The [`ApiError`], when the response is an error by its dialect. A response that no Classify layer has seen has
    /// no verdict, and so comes back as it is.
    fn ok_or_api_error(self) -> Result<Self, ApiError>;
}

impl<B> ResponseExt for Response<B> {
    fn verdict(&self) -> Option<&Verdict> {
        self.extensions().get()
    }

    fn record(&self) -> Option<&Record> {
        self.extensions().get()
    }

    fn ok_or_api_error(mut self) -> Result<Self, ApiError> {
        match self.verdict().and_then(Verdict::api_error).cloned() {
            Some(error) => Err(error.with_record(self.extensions_mut().remove())),
            None => Ok(self),
        }
    }
}

mod sealed {
    pub trait Sealed {}

    impl<B> Sealed for http::Response<B> {}
}
