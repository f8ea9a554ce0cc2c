//! Retries under a rule.

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

/// Retries of failures, as far as a rule allows them.
///
/// What fails is an error, a status of 500 and above, and a 429.
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
    /// How often a request is sent at most.
    pub attempts: NonZeroU32,
    /// What allows a retry.
    pub allow: Rule,
    /// How long it waits before.
    #[serde(default)]
    pub wait: Waits,
}

/// What the calls of a client share.
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

/// An attempt under way; it leaves when it is dropped, too.
struct ActiveAttempt<'a> {
    shared: &'a Shared,
    is_retry: bool,
}

impl Reference {
    /// Retries so often, at once, as far as the rule allows.
    #[must_use]
    pub fn new(name: &str, attempts: NonZeroU32, allow: Rule) -> Self {
        Self { name: name.to_owned(), attempts, allow, wait: Waits::None }
    }

    /// Sets how long it waits before a retry.
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
