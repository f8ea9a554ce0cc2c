//! Client-side throttling: requests that the server would refuse are not sent.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use rand::{RngExt as _, SeedableRng as _};
use redress::BoxError;
use tokio::time::Instant;
use tower::{ServiceExt as _, service_fn};

use super::retries::is_success;
use super::window::Window;
use crate::policy::{BoxClient, Policy, PolicyContext};
use crate::streams::Random;
use crate::transport::LabBody;

/// Rejects calls in the client with the probability `(requests - k * accepts) / (requests + 1)` (Site Reliability
/// Engineering, chapter 21, "Client-Side Throttling").
///
/// Both are counts of the last two minutes: all calls of the client, rejected ones included, and those that the
/// server accepted. A call is sent at most once. The source recommends 2 for `k`.
///
/// # Examples
/// ```
/// use redress_lab::policies::reference::Throttle;
/// use redress_lab::{Run, Scenario, run};
///
/// let scenario: Scenario = r#"
///     name = "a tenth is accepted"
///     length = "10m"
///     clients = { rate = 100.0 }
///     server = { kind = "fifo", rate = 10000.0 }
///     limit = { requests = 10, per = "1s", hint = false }
/// "#
/// .parse()?;
/// let outcome = run(Run { scenario: &scenario, policy: &Throttle { name: "sre".to_owned(), k: 2.0 }, seed: 1 }, |_share| {});
/// assert!((0.18..0.24).contains(&outcome.attempts_per_call), "twice the accepted calls are sent");
/// # Ok::<(), redress_lab::InvalidScenario>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Throttle {
    /// The name in tables and charts.
    pub name: String,
    /// The multiplier of the accepted calls.
    pub k: f64,
}

/// The time over which the source counts.
const SPAN: Duration = Duration::from_secs(120);

/// The counts of a client.
#[derive(Debug)]
struct Counts {
    requests: Window,
    accepts: Window,
    random: Random,
}

/// The state that all calls of a client share.
#[derive(Debug)]
struct Shared {
    k: f64,
    start: Instant,
    counts: Mutex<Counts>,
}

impl Policy for Throttle {
    fn name(&self) -> &str {
        &self.name
    }

    fn about(&self) -> String {
        format!("reference: client-side throttling, k = {}", self.k)
    }

    fn retries(&self) -> bool {
        false
    }

    fn client(&self, context: &PolicyContext) -> BoxClient {
        let random = Random::seed_from_u64(context.seed);
        let counts = Mutex::new(Counts { requests: Window::new(SPAN), accepts: Window::new(SPAN), random });
        let shared = Arc::new(Shared { k: self.k, start: Instant::now(), counts });
        let below = context.transport();
        BoxClient::new(service_fn(move |request| call(Arc::clone(&shared), below.clone(), request)))
    }
}

async fn call(
    shared: Arc<Shared>,
    below: BoxClient,
    request: Request<Full<Bytes>>,
) -> Result<Response<LabBody>, BoxError> {
    if shared.counts().rejects(shared.start.elapsed(), shared.k) {
        return Err("rejected by client-side throttling".into());
    }
    let result = below.oneshot(request).await;
    if is_success(&result) {
        shared.counts().accepts.add(shared.start.elapsed(), 1.0);
    }
    result
}

impl Shared {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// Decides on a call, and counts it.
    fn rejects(&mut self, now: Duration, k: f64) -> bool {
        let (requests, accepts) = (self.requests.sum(now), self.accepts.sum(now));
        self.requests.add(now, 1.0);
        self.random.random::<f64>() < (requests - k * accepts) / (requests + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share of calls that are rejected with these counts of the last two minutes.
    fn rejected(requests: f64, accepts: f64, k: f64) -> f64 {
        let random = Random::seed_from_u64(1);
        let mut counts = Counts { requests: Window::new(SPAN), accepts: Window::new(SPAN), random };
        counts.requests.add(Duration::ZERO, requests);
        counts.accepts.add(Duration::ZERO, accepts);
        let share = (0..1_000).filter(|_| counts.rejects(Duration::from_secs(1), k)).count() as f64;
        share / 1_000.0
    }

    #[test]
    fn calls_are_rejected_with_the_probability_of_the_source() {
        for (requests, accepts, k, expected) in [
            (1e9, 1e9, 2.0, 0.0),
            (1e9, 0.5e9, 2.0, 0.0),
            (1e9, 1e8, 2.0, 0.8),
            (1e9, 1e8, 1.1, 0.89),
            (1e9, 0.0, 2.0, 1.0),
        ] {
            assert!((rejected(requests, accepts, k) - expected).abs() < 0.04, "{requests} {accepts} {k}");
        }
    }

    #[test]
    fn the_first_call_is_sent() {
        let random = Random::seed_from_u64(1);
        let mut counts = Counts { requests: Window::new(SPAN), accepts: Window::new(SPAN), random };
        assert!(!counts.rejects(Duration::ZERO, 2.0));
    }
}
