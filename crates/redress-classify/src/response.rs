//! What a caller asks a response.

use std::time::SystemTime;

use http::Response;

use crate::api_error::ApiError;
use crate::record::Record;
use crate::success_hint::SuccessHint;
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

    /// Returns the pause that a success asks for; `None` for an error, and in a dialect without such hints.
    ///
    /// # Examples
    /// ```
    /// use http::{Request, Response};
    /// use http_body_util::Full;
    /// use redress_classify::{ClassifyLayer, ResponseExt, dialects};
    /// use tokio::time::Instant;
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let body: &[u8] = br#"{"items":[],"backoff":10}"#;
    /// let api = ServiceBuilder::new()
    ///     .layer(ClassifyLayer::new(dialects::by_name("stackexchange").expect("it is shipped")))
    ///     .service(service_fn(|_: Request<String>| async {
    ///         Ok::<_, std::io::Error>(Response::new(Full::new(body)))
    ///     }));
    /// let response = api.oneshot(Request::new(String::new())).await?;
    /// assert!(response.verdict().is_none(), "it is a success");
    /// let hint = response.success_hint().expect("it asks for a pause");
    /// assert_eq!(hint.delay(Instant::now()).as_secs(), 10);
    /// # Ok(()) }
    /// ```
    fn success_hint(&self) -> Option<&SuccessHint>;

    /// Returns when the server asks to come back, by the caller's clock and uncapped: the hint of an error, or that of a
    /// [success](Self::success_hint).
    fn retry_at(&self) -> Option<SystemTime> {
        let after_error = self.verdict().and_then(Verdict::retry_at);
        after_error.or_else(|| self.success_hint().map(SuccessHint::retry_at))
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

    fn success_hint(&self) -> Option<&SuccessHint> {
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
