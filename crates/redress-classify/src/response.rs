//! The extension trait for responses.

use std::time::SystemTime;

use http::Response;

use crate::api_error::ApiError;
use crate::extension::extension;
use crate::record::Record;
use crate::success_hint::SuccessHint;
use crate::verdict::Verdict;

/// A mark on a rejected response: its credentials have been refreshed since, so the request may be sent once more.
///
/// The Refresh layer puts it into the response's extensions for the Backoff layer, which holds a clone of the request and
/// sends it if the request was [not processed](crate::Verdict::is_maybe_processed) or is safe to repeat. Backoff puts it
/// into the extensions of the resent request, so that Refresh does not refresh twice for one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Refreshed;

/// Methods of a response that came through a [`Classify`](crate::Classify) layer.
///
/// It is implemented for `http::Response` and cannot be implemented elsewhere.
///
/// # Examples
/// ```
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use redress_classify::{Class, ClassifyLayer, ResponseExt, dialects};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let api = ServiceBuilder::new()
///     .layer(ClassifyLayer::new(dialects::generic()))
///     .service(service_fn(|request: Request<String>| async move {
///         let status = if request.uri().path() == "/reports" { 429 } else { 200 };
///         Response::builder().status(status).header("retry-after", "30").body(Full::new(&b"[]"[..]))
///     }));
/// let get = |path| Request::get(path).body(String::new());
///
/// let success = api.clone().oneshot(get("/cats")?).await?;
/// assert!(success.verdict().is_none() && success.ok_or_api_error().is_ok());
///
/// let limited = api.oneshot(get("/reports")?).await?;
/// assert_eq!(limited.verdict().map(|verdict| verdict.class()), Some(Class::RateLimited));
/// assert!(limited.retry_at().is_some());
/// let error = limited.ok_or_api_error().expect_err("a 429");
/// assert_eq!(error.status(), 429);
/// # Ok(()) }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an `http::Response`",
    note = "`ResponseExt` has methods for `http::Response` only; call them before converting the response"
)]
pub trait ResponseExt: Sized + sealed::Sealed {
    /// Returns the verdict about an error; `None` for a success, and without a Classify layer in the stack.
    fn verdict(&self) -> Option<&Verdict>;

    /// Returns the pause that a success asks for; `None` for an error, and in a dialect without hints for successes.
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

    /// Returns the time at which the server asks to come back, by the caller's clock and without a cap: the hint of an
    /// error, or that of a [success](Self::success_hint).
    ///
    /// # Examples
    /// ```
    /// use http::Response;
    /// use redress_classify::{Clock, ResponseExt, Verdict, dialects};
    ///
    /// let mut response = Response::builder().status(503).header("retry-after", "20").body(())?;
    /// let verdict = Verdict::from_head(&response, &dialects::generic(), &Clock::system()).expect("an error");
    /// // A Classify layer does this.
    /// response.extensions_mut().insert(verdict);
    /// assert!(response.retry_at().is_some_and(|at| at > Clock::system().now()));
    /// # Ok::<(), http::Error>(())
    /// ```
    fn retry_at(&self) -> Option<SystemTime> {
        let after_error = self.verdict().and_then(Verdict::retry_at);
        after_error.or_else(|| self.success_hint().map(SuccessHint::retry_at))
    }

    /// Returns the record of the attempts; `None` if there was one attempt only.
    ///
    /// # Examples
    /// ```
    /// use http::Response;
    /// use redress_classify::{Attempt, EndReason, Record, ResponseExt};
    ///
    /// let record = Record::new(vec![Attempt::new(Some(200), None, false)], EndReason::Success);
    /// let response = Response::builder().extension(record).body(())?;
    /// assert_eq!(response.record().map(Record::end_reason), Some(EndReason::Success));
    /// # Ok::<(), http::Error>(())
    /// ```
    fn record(&self) -> Option<&Record>;

    /// Turns an error response into an [`ApiError`], and returns a success as it is.
    ///
    /// The error keeps the hint ([`retry_at`](ApiError::retry_at)) and the record of the attempts.
    ///
    /// # Errors
    /// Returns the [`ApiError`] of a response that is an error in its dialect. A response that did not come through a
    /// Classify layer has no verdict, and is returned as it is.
    ///
    /// # Examples
    /// ```
    /// use http::Response;
    /// use redress_classify::ResponseExt;
    ///
    /// let success = Response::new("[]").ok_or_api_error().expect("it has no verdict");
    /// assert_eq!(success.into_body(), "[]");
    /// ```
    fn ok_or_api_error(self) -> Result<Self, ApiError>;
}

impl<B> ResponseExt for Response<B> {
    fn verdict(&self) -> Option<&Verdict> {
        extension(self.extensions())
    }

    fn success_hint(&self) -> Option<&SuccessHint> {
        extension(self.extensions())
    }

    fn record(&self) -> Option<&Record> {
        extension(self.extensions())
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
