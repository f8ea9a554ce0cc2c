//! The outcome of one run.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::scenario::Scenario;

/// The outcome of one policy in one scenario with one seed.
///
/// Calls and requests are counted apart: a caller makes a *call*, and the policy sends one or more
/// *requests* for it.
///
/// # Examples
/// ```
/// use redress_lab::outcome::RecoveryTime;
/// use redress_lab::policies::NoRetry;
/// use redress_lab::{Run, Scenario, run};
///
/// let scenario: Scenario = r#"
///     name = "hold"
///     length = "60s"
///     clients = { rate = 10.0, deadline = "1s" }
///     server = { kind = "fifo", rate = 100.0 }
///     fault = [{ kind = "hold", from = "20s", for = "5s" }]
/// "#
/// .parse()?;
/// let outcome = run(Run { scenario: &scenario, policy: &NoRetry, seed: 1 }, |_share| {});
/// assert_eq!(outcome.calls_by_attempts[1], outcome.calls, "one request per call");
/// assert_eq!(outcome.calls, outcome.served + outcome.lost);
/// assert_eq!(outcome.seconds[22].goodput, 0, "all requests are held");
/// assert_eq!(outcome.recovery, RecoveryTime::After(0));
/// assert!(outcome.latency_ms.p50 < 20.0 && outcome.latency_ms.max <= 1_000.0);
/// # Ok::<(), redress_lab::InvalidScenario>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The name of the scenario.
    pub scenario: String,
    /// The name of the policy.
    pub policy: String,
    /// The seed.
    pub seed: u64,
    /// The number of calls.
    pub calls: u64,
    /// Goodput: the number of calls that were fulfilled before their deadline.
    pub served: u64,
    /// The number of calls that ended with an error response.
    pub refused: u64,
    /// The number of calls that ended without a response before their deadline.
    pub lost: u64,
    /// The number of calls that never ended. Anything but 0 is a bug in the lab.
    pub unfinished: u64,
    /// Load: the number of requests that were sent to the server.
    pub attempts: u64,
    /// The number of these that met a refused connection: they made the server no work.
    pub refused_connections: u64,
    /// The number of these that reached the server as the probe of an outage, which redress's gate sends.
    pub probes: u64,
    /// The number of failed attempts that any rule of retries repeats: a status of 502, 503 or 504 without a hint, or a
    /// broken or refused connection, of a call that is idempotent and has more than 5 s left. Timeouts are not counted.
    pub chances: u64,
    /// The mean number of requests per call at the server.
    pub attempts_per_call: f64,
    /// The number of calls by the number of requests sent: none, one, two, and so on. The last entry
    /// counts all calls with more.
    pub calls_by_attempts: [u64; Self::ATTEMPTS],
    /// The number of logins.
    pub logins: u64,
    /// The number of requests that arrived earlier than a `Retry-After` of the server allowed for this
    /// call.
    pub early_retries: u64,
    /// The number of requests that are not idempotent and were sent although an earlier one of the same call
    /// may have been processed, as far as the caller knows: one without an answer, or with an error that does
    /// not rule it out (all but a refused connection, 401, 413, 421, 425 and 429).
    pub unsafe_resends: u64,
    /// The number of calls that are not idempotent and that the server performed more than once.
    pub done_twice: u64,
    /// The largest number of requests at the server in one second.
    pub peak_second: u64,
    /// The latencies of the served calls in milliseconds, from the intended start of the call.
    pub latency_ms: Quantiles,
    /// The 99th percentile of all calls in milliseconds. A call that was not served counts with its deadline, and with the
    /// length of the scenario if it has none.
    pub p99_all_ms: f64,
    /// The 98.8th and the 99.2th percentile of all calls: the range in which the 99th lies if 0.2 points of the calls ended
    /// otherwise.
    pub p99_all_range_ms: [f64; 2],
    /// The time from the end of the last disturbance until goodput was back to normal.
    pub recovery: RecoveryTime,
    /// The time series, second by second.
    pub seconds: Vec<Second>,
}

/// Latency quantiles in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// The mean.
    pub mean: f64,
    /// The median.
    pub p50: f64,
    /// The 90th percentile.
    pub p90: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The 99.9th percentile.
    pub p999: f64,
    /// The maximum.
    pub max: f64,
}

/// The time from the end of the last disturbance until goodput was back to normal.
///
/// Normal means at least 95 % of the served share before the first disturbance, in a window of five
/// seconds. Five seconds are long enough to exclude a single good second in a server that is still
/// overloaded.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecoveryTime {
    /// The scenario has no disturbance that ends within the run.
    NotDisturbed,
    /// Goodput was back after this number of whole seconds.
    After(u64),
    /// Goodput was not back by the end of the run.
    Never,
}

/// The counts of one second of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Second {
    /// Calls that began.
    pub offered: u64,
    /// Requests that arrived at the server.
    pub load: u64,
    /// Calls that were served.
    pub goodput: u64,
    /// Calls that began in this second and were served, whenever that was.
    pub kept: u64,
}

impl Outcome {
    /// The number of entries of `calls_by_attempts`.
    pub const ATTEMPTS: usize = 8;

    /// Returns the number of requests that made the server work: all but refused connections and probes.
    #[must_use]
    pub const fn work(&self) -> u64 {
        self.attempts.saturating_sub(self.refused_connections).saturating_sub(self.probes)
    }
}

impl RecoveryTime {
    /// Returns the time in seconds: 0 without a disturbance, and infinity for [`Never`](Self::Never).
    ///
    /// # Examples
    /// ```
    /// use redress_lab::outcome::RecoveryTime;
    ///
    /// assert!(RecoveryTime::After(30).seconds() < RecoveryTime::Never.seconds());
    /// ```
    #[must_use]
    pub fn seconds(self) -> f64 {
        match self {
            Self::NotDisturbed => 0.0,
            #[expect(clippy::cast_precision_loss, reason = "seconds of a run")]
            Self::After(seconds) => seconds as f64,
            Self::Never => f64::INFINITY,
        }
    }
}

pub(crate) fn quantiles(latencies: &Histogram<u64>) -> Quantiles {
    let at = |quantile| latencies.value_at_quantile(quantile) as f64 / 1_000.0;
    Quantiles {
        mean: latencies.mean() / 1_000.0,
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        max: latencies.max() as f64 / 1_000.0,
    }
}

/// The length of the window in seconds: long enough to exclude a single good second.
const WINDOW: usize = 5;
/// The required share of the goodput before the disturbance.
const AS_BEFORE: f64 = 0.95;

/// Finds the first window after the disturbances in which goodput is back to normal.
pub(crate) fn recovery(scenario: &Scenario, seconds: &[Second]) -> RecoveryTime {
    let (Some(begin), Some(end)) = (scenario.disturbances_begin(), scenario.disturbances_end()) else {
        return RecoveryTime::NotDisturbed;
    };
    let index = |at: std::time::Duration| usize::try_from(at.as_secs()).unwrap_or(usize::MAX);
    let before = share(&seconds[..index(begin).min(seconds.len())]).unwrap_or(1.0);
    // A second that is partly disturbed does not count as after the disturbance.
    let first = index(end) + usize::from(end.subsec_nanos() > 0);
    let last = index(scenario.length).min(seconds.len());
    let recovered = (first..last).find(|from| {
        let window = &seconds[*from..(from + WINDOW).min(last)];
        share(window).is_some_and(|share| share >= AS_BEFORE * before)
    });
    recovered.map_or(RecoveryTime::Never, |second| RecoveryTime::After((second - first) as u64))
}

/// Returns the served share of the calls that began in these seconds; `None` without calls.
fn share(seconds: &[Second]) -> Option<f64> {
    let offered: u64 = seconds.iter().map(|second| second.offered).sum();
    let kept: u64 = seconds.iter().map(|second| second.kept).sum();
    (offered > 0).then(|| kept as f64 / offered as f64)
}
