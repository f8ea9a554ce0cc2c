//! What the mock answers with.

use std::pin::Pin;
use std::time::Duration;

use super::BoxError;

/// Makes the future of one answer.
pub(super) type Source<Req, Res> = Box<dyn FnMut(&Req) -> Pending<Res> + Send>;

/// An answer on its way.
pub(super) type Pending<Res> = Pin<Box<dyn Future<Output = Result<Res, BoxError>> + Send>>;

/// One scripted answer of a [`StrictMock`](super::StrictMock).
#[derive(Debug)]
#[must_use]
pub struct Answer<Res> {
    result: Result<Res, BoxError>,
    delay: Duration,
}

impl<Res> Answer<Res> {
    /// Answers with this response at once.
    pub fn ok(response: Res) -> Self {
        Self { result: Ok(response), delay: Duration::ZERO }
    }

    /// Fails with this error at once.
    pub fn error(error: impl Into<BoxError>) -> Self {
        Self { result: Err(error.into()), delay: Duration::ZERO }
    }

    /// Sets how long after the call the answer comes, in tokio's time.
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
