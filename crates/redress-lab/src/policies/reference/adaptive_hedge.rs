//! Hedged requests whose delay follows the measured latency.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hdrhistogram::Histogram;
use http::{Request, Response};
use http_body_util::Full;
use redress::BoxError;
use tokio::time::Instant;
use tower::{ServiceExt as _, service_fn};

use super::hedge::{self, Bucket, HedgeBudget};
use crate::policy::{BoxClient, Policy, PolicyContext};
use crate::transport::LabBody;

/// Sends a second request after a quantile of the measured latency, and returns the first response (Bhope,
/// "Stragglers, Not Failures: How Adaptive Hedged Requests Reduce p99 Latency by 74 Percent", 2026).
///
/// The latency is that of calls, with their hedges. Windows of 30 s follow each other; the delay is the quantile
/// of the last complete window, and before there is one, of the current window. The first 20 calls are not hedged.
///
/// # Examples
/// ```
/// use redress_lab::policies::reference::AdaptiveHedge;
/// use redress_lab::{Run, Scenario, run};
///
/// let scenario: Scenario = r#"
///     name = "tail"
///     length = "60s"
///     clients = { callers = 10, think = "1ms" }
///     server = { kind = "fifo", rate = 10000.0, workers = 1000, service = "exponential" }
/// "#
/// .parse()?;
/// let hedge = AdaptiveHedge { name: "hedge".to_owned(), quantile: 0.9, budget: None };
/// let outcome = run(Run { scenario: &scenario, policy: &hedge, seed: 1 }, |_share| {});
/// assert!((1.08..1.20).contains(&outcome.attempts_per_call), "about one call in ten is hedged");
/// # Ok::<(), redress_lab::InvalidScenario>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct AdaptiveHedge {
    /// The name in tables and charts.
    pub name: String,
    /// The quantile, from 0 to 1. The article uses the 90th percentile.
    pub quantile: f64,
    /// The token bucket that pays for second requests; `None` for no limit.
    pub budget: Option<HedgeBudget>,
}

/// The length of a window.
const WINDOW: Duration = Duration::from_secs(30);
/// The longest latency that is told apart, in microseconds.
const HOUR: u64 = 3_600_000_000;
/// The number of calls that are measured before the first one is hedged.
const WARM_UP: u64 = 20;

/// The latencies of the current window, and the quantile of the window before.
#[derive(Debug)]
struct Latencies {
    begin: Instant,
    /// In microseconds, to a hundredth.
    current: Histogram<u64>,
    before: Option<Duration>,
}

/// The state that all calls of a client share.
#[derive(Debug)]
struct Shared {
    quantile: f64,
    bucket: Bucket,
    latencies: Mutex<Latencies>,
}

impl Policy for AdaptiveHedge {
    fn name(&self) -> &str {
        &self.name
    }

    fn about(&self) -> String {
        let Self { quantile, budget, .. } = self;
        format!("reference: a second request after the quantile {quantile} of the measured latency, from {budget:?}")
    }

    fn client(&self, context: &PolicyContext) -> BoxClient {
        let latencies = Mutex::new(Latencies::new(Instant::now()));
        let shared = Shared { quantile: self.quantile, bucket: hedge::bucket(self.budget), latencies };
        let (shared, below) = (Arc::new(shared), context.transport());
        BoxClient::new(service_fn(move |request| call(Arc::clone(&shared), below.clone(), request)))
    }
}

async fn call(
    shared: Arc<Shared>,
    below: BoxClient,
    request: Request<Full<Bytes>>,
) -> Result<Response<LabBody>, BoxError> {
    let begin = Instant::now();
    let after = shared.latencies().delay(begin, shared.quantile);
    let result = match after {
        Some(after) => hedge::call(below, request, after, shared.bucket.clone()).await,
        None => below.oneshot(request).await,
    };
    shared.latencies().record(begin.elapsed());
    result
}

impl Shared {
    fn latencies(&self) -> MutexGuard<'_, Latencies> {
        self.latencies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Latencies {
    /// Begins the first window.
    fn new(begin: Instant) -> Self {
        let current = Histogram::new_with_bounds(1, HOUR, 2).expect("the bounds and two digits are allowed");
        Self { begin, current, before: None }
    }

    /// Returns the delay before a second request, and begins a window if the current one is over.
    fn delay(&mut self, now: Instant, quantile: f64) -> Option<Duration> {
        let is_measured = self.current.len() >= WARM_UP;
        if is_measured && now - self.begin >= WINDOW {
            self.before = Some(self.at(quantile));
            self.current.reset();
            self.begin = now;
        }
        self.before.or_else(|| is_measured.then(|| self.at(quantile)))
    }

    fn at(&self, quantile: f64) -> Duration {
        Duration::from_micros(self.current.value_at_quantile(quantile))
    }

    fn record(&mut self, latency: Duration) {
        self.current.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_is_the_quantile_of_the_last_complete_window() {
        let begin = Instant::now();
        let mut latencies = Latencies::new(begin);
        let delay = |latencies: &mut Latencies, seconds| latencies.delay(begin + Duration::from_secs(seconds), 0.9);
        let millis = |delay: Option<Duration>| delay.unwrap().as_millis();
        (1..20).for_each(|nth| latencies.record(Duration::from_millis(nth)));
        assert_eq!(delay(&mut latencies, 1), None, "too few calls");
        latencies.record(Duration::from_millis(20));
        assert_eq!(millis(delay(&mut latencies, 1)), 18, "the current window");
        assert_eq!(millis(delay(&mut latencies, 30)), 18);
        (0..30).for_each(|_| latencies.record(Duration::from_millis(100)));
        assert_eq!(millis(delay(&mut latencies, 59)), 18, "the window before");
        assert_eq!(millis(delay(&mut latencies, 60)), 100);
    }
}
