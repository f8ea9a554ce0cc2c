//! The hooks of a layer: a decision about retries, and observers of attempts and waits.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redress_classify::{Attempt, Verdict};

use crate::layer::BackoffLayer;

/// The closures that a user has set.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    retry_if: Option<Arc<RetryIf>>,
    on_attempt: Option<Arc<OnAttempt>>,
    on_wait: Option<Arc<OnWait>>,
}

type RetryIf = dyn Fn(&Verdict, u32) -> Option<bool> + Send + Sync;
type OnAttempt = dyn Fn(&Attempt, u32) + Send + Sync;
type OnWait = dyn Fn(&Verdict, u32, Duration) + Send + Sync;

impl BackoffLayer {
    /// Decides which failures are worth another attempt, in place of the verdict's recovery.
    ///
    /// The closure is given the verdict of each failed attempt and the number of attempts so far, this one included:
    /// `Some(true)` asks for a retry, `Some(false)` ends the call ([`EndReason::NotRetryable`]), `None` leaves the decision to the
    /// verdict. It must not block. A second call replaces the first.
    ///
    /// `Some(true)` does not make a retry unsafe or unbounded: a request that may have been processed is retried only if it is
    /// idempotent, and the body, the maximum of attempts, the hint, the deadline and the budget are checked as for any retry. The
    /// hook is not called for errors of the layers below, such as a missed deadline, nor for the resend after a refresh.
    ///
    /// [`EndReason::NotRetryable`]: redress_classify::EndReason::NotRetryable
    ///
    /// # Examples
    /// ```
    /// use http::{Request, Response};
    /// use redress_backoff::BackoffLayer;
    /// use redress_classify::{Class, ResponseExt, dialects};
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // Right after its upload a document may be unknown to the next server.
    /// let layer = BackoffLayer::new(dialects::generic())
    ///     .retry_if(|verdict, attempt| (verdict.class() == Class::NotFound && attempt == 1).then_some(true));
    /// let service = ServiceBuilder::new().layer(layer).service(service_fn(|_: Request<String>| async {
    ///     Ok::<_, std::io::Error>(Response::builder().status(404).body(String::new()).expect("a status"))
    /// }));
    /// let response = service.oneshot(Request::get("/documents/7").body(String::new())?).await?;
    /// assert_eq!(response.record().map(|record| record.attempts().len()), Some(2));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn retry_if(mut self, hook: impl Fn(&Verdict, u32) -> Option<bool> + Send + Sync + 'static) -> Self {
        self.settings.hooks.retry_if = Some(Arc::new(hook));
        self
    }

    /// Observes each attempt that ends, successes and resends after a refresh included.
    ///
    /// The closure is given the attempt, as the [`Record`](redress_classify::Record) will have it, and its number; a resend
    /// has the number of the attempt that it repeats, and so has a resend in an outage. [`Attempt::wait`] is set if a retry
    /// follows after a wait of this layer. It is called within the poll of the call, so the current `tracing` span is that
    /// of the call; it must not block. An attempt is not observed if it is dropped, or if its result was retried by another
    /// Backoff layer below. A second call replaces the first.
    ///
    /// # Examples
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use http::{Request, Response};
    /// use redress_backoff::BackoffLayer;
    /// use redress_classify::dialects;
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let seen = Arc::new(Mutex::new(Vec::new()));
    /// let statuses = Arc::clone(&seen);
    /// let layer = BackoffLayer::new(dialects::generic())
    ///     .on_attempt(move |attempt, number| statuses.lock().expect("no panic").push((number, attempt.status)));
    /// let service = ServiceBuilder::new().layer(layer).service(service_fn(|_: Request<String>| async {
    ///     Ok::<_, std::io::Error>(Response::builder().status(503).body(String::new()).expect("a status"))
    /// }));
    /// service.oneshot(Request::get("/").body(String::new())?).await?;
    /// assert_eq!(*seen.lock().expect("no panic"), [(1, Some(503)), (2, Some(503)), (3, Some(503))]);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn on_attempt(mut self, hook: impl Fn(&Attempt, u32) + Send + Sync + 'static) -> Self {
        self.settings.hooks.on_attempt = Some(Arc::new(hook));
        self
    }

    /// Observes each wait before a retry, when it begins.
    ///
    /// The closure is given the verdict of the failed attempt, the number of that attempt and the length of the wait. It is
    /// called right after [`on_attempt`](Self::on_attempt), in the same way. The resend after a refresh has no wait, and one
    /// in an outage waits in a layer below. A second call replaces the first.
    ///
    /// # Examples
    /// ```
    /// use redress_backoff::BackoffLayer;
    /// use redress_classify::dialects;
    ///
    /// let layer = BackoffLayer::new(dialects::generic())
    ///     .on_wait(|verdict, attempt, wait| eprintln!("attempt {attempt}: {}; next in {wait:.1?}", verdict.class()));
    /// ```
    #[must_use]
    pub fn on_wait(mut self, hook: impl Fn(&Verdict, u32, Duration) + Send + Sync + 'static) -> Self {
        self.settings.hooks.on_wait = Some(Arc::new(hook));
        self
    }
}

impl Hooks {
    /// Returns `true` if there is an observer of attempts, which sees successes too.
    #[inline]
    pub(crate) fn observe_attempts(&self) -> bool {
        self.on_attempt.is_some()
    }

    pub(crate) fn retry_if(&self, verdict: &Verdict, attempt: u32) -> Option<bool> {
        self.retry_if.as_ref().and_then(|retry_if| retry_if(verdict, attempt))
    }

    /// Calls the observers of an attempt that has ended, and of the wait that follows it.
    pub(crate) fn attempt_ended(&self, attempt: &Attempt, number: u32) {
        if let Some(on_attempt) = &self.on_attempt {
            on_attempt(attempt, number);
        }
        if let (Some(on_wait), Some(verdict), Some(wait)) = (&self.on_wait, &attempt.verdict, attempt.wait) {
            on_wait(verdict, number, wait);
        }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("retry_if", &self.retry_if.is_some())
            .field("on_attempt", &self.on_attempt.is_some())
            .field("on_wait", &self.on_wait.is_some())
            .finish()
    }
}
