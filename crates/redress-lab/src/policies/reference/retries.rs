//! Retries that a rule permits.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use rand::{RngExt as _, SeedableRng as _};
use redress::BoxError;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use tower::{ServiceExt as _, service_fn};

use super::rule::{Rule, State};
use super::waits::Waits;
use crate::policy::{BoxClient, Policy, PolicyContext};
use crate::streams::Random;
use crate::transport::LabBody;

/// Retries failures as long as a rule permits it.
///
/// A failure is a transport error, a status of 500 or above, or a 429.
///
/// # Examples
/// ```
/// use redress_lab::policies::reference::Reference;
///
/// let breaker: Reference = toml::from_str(r#"
///     name = "breaker"
///     attempts = 4
///     allow = { rule = "breaker", threshold = 0.1 }
/// "#)?;
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The name in tables and charts.
    pub name: String,
    /// The maximum number of attempts, including the first.
    pub attempts: NonZeroU32,
    /// The rule that permits retries.
    pub allow: Rule,
    /// The wait before a retry.
    #[serde(default)]
    pub wait: Waits,
}

/// State shared by all calls of a client.
#[derive(Debug)]
struct Shared {
    policy: Reference,
    start: Instant,
    parts: Mutex<Parts>,
}

#[derive(Debug)]
struct Parts {
    state: State,
    random: Random,
}

/// Counts an attempt in flight until it is dropped.
struct ActiveAttempt<'a> {
    shared: &'a Shared,
    is_retry: bool,
}

impl Reference {
    /// Creates a policy that retries immediately, within the number of attempts and the rule.
    ///
    /// # Examples
    /// ```
    /// use redress_lab::Policy;
    /// use redress_lab::policies::reference::{Reference, Rule, Waits};
    /// use std::num::NonZeroU32;
    /// use std::time::Duration;
    ///
    /// let attempts = NonZeroU32::new(3).unwrap();
    /// let policy = Reference::new("grpc", attempts, Rule::Grpc { tokens: 10.0, ratio: 0.1 })
    ///     .wait(Waits::Doubling { base: Duration::from_millis(100) });
    /// assert!(policy.retries());
    /// assert!(policy.about().starts_with("reference: 3 attempts, Grpc"));
    /// ```
    #[must_use]
    pub fn new(name: &str, attempts: NonZeroU32, allow: Rule) -> Self {
        Self { name: name.to_owned(), attempts, allow, wait: Waits::None }
    }

    /// Sets the wait before a retry. Default: none.
    #[must_use]
    pub const fn wait(mut self, wait: Waits) -> Self {
        self.wait = wait;
        self
    }
}

impl Policy for Reference {
    fn name(&self) -> &str {
        &self.name
    }

    fn about(&self) -> String {
        let Self { attempts, allow, wait, .. } = self;
        format!("reference: {attempts} attempts, {allow:?}, waits {wait:?}")
    }

    fn retries(&self) -> bool {
        self.attempts.get() > 1
    }

    fn client(&self, context: &PolicyContext) -> BoxClient {
        let parts = Parts { state: State::new(self.allow), random: Random::seed_from_u64(context.seed) };
        let shared = Shared { policy: self.clone(), start: Instant::now(), parts: Mutex::new(parts) };
        let (shared, below) = (Arc::new(shared), context.transport());
        BoxClient::new(service_fn(move |request| Arc::clone(&shared).call(below.clone(), request)))
    }
}

impl Shared {
    async fn call(
        self: Arc<Self>,
        below: BoxClient,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<LabBody>, BoxError> {
        let mut nth = 0;
        loop {
            let under_way = self.begin(nth > 0);
            let result = below.clone().oneshot(request.clone()).await;
            drop(under_way);
            let is_success = is_success(&result);
            self.parts().state.record_result(self.start.elapsed(), is_success);
            nth += 1;
            if is_success || nth >= self.policy.attempts.get() || !self.parts().state.try_acquire(self.start.elapsed())
            {
                return result;
            }
            let wait = self.wait(nth);
            if !wait.is_zero() {
                sleep(wait).await;
            }
        }
    }

    fn begin(&self, is_retry: bool) -> ActiveAttempt<'_> {
        self.parts().state.attempt_started(self.start.elapsed(), is_retry);
        ActiveAttempt { shared: self, is_retry }
    }

    fn wait(&self, nth: u32) -> Duration {
        let random = self.parts().random.random();
        self.policy.wait.draw(nth, random)
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ActiveAttempt<'_> {
    fn drop(&mut self) {
        self.shared.parts().state.attempt_finished(self.is_retry);
    }
}

pub(super) fn is_success(result: &Result<Response<LabBody>, BoxError>) -> bool {
    result.as_ref().is_ok_and(|response| response.status().as_u16() < 500 && response.status().as_u16() != 429)
}
