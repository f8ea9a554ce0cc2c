//! Scripted answers of the mock.

use std::pin::Pin;
use std::time::Duration;

use super::BoxError;

/// Creates the future of one answer.
pub(super) type Source<Req, Res> = Box<dyn FnMut(&Req) -> Pending<Res> + Send>;

/// A pending answer.
pub(super) type Pending<Res> = Pin<Box<dyn Future<Output = Result<Res, BoxError>> + Send>>;

/// One scripted answer of a [`StrictMock`](super::StrictMock).
#[derive(Debug)]
#[must_use]
pub struct Answer<Res> {
    result: Result<Res, BoxError>,
    delay: Duration,
}

impl<Res> Answer<Res> {
    /// Creates an answer that returns this response immediately.
    pub fn ok(response: Res) -> Self {
        Self { result: Ok(response), delay: Duration::ZERO }
    }

    /// Creates an answer that fails with this error immediately.
    ///
    /// # Examples
    ///
    /// ```
    /// use redress_sandbox::strict_mock::{Answer, StrictMock};
    /// use tower::ServiceExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mock: StrictMock<(), ()> = StrictMock::scripted([Answer::error("connection reset")]);
    /// assert_eq!(mock.oneshot(()).await.unwrap_err().to_string(), "connection reset");
    /// # }
    /// ```
    pub fn error(error: impl Into<BoxError>) -> Self {
        Self { result: Err(error.into()), delay: Duration::ZERO }
    }

    /// Sets the delay between the call and the answer, on tokio's clock. Default: none.
    ///
    /// With a paused clock the delay takes no real time.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    pub(super) async fn wait(self) -> Result<Res, BoxError> {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        self.result
    }
}
