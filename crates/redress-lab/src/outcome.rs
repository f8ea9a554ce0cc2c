//! What a run came to.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::scenario::Scenario;

/// What one policy did in one scenario with one seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The scenario's name.
    pub scenario: String,
    /// The policy's name.
    pub policy: String,
    /// The seed.
    pub seed: u64,
    /// How many calls there were.
    pub calls: u64,
    /// Goodput: how many got what they asked for, in time.
    pub served: u64,
    /// How many ended with a response that is an error.
    pub refused: u64,
    /// How many ended without a response in time.
    pub lost: u64,
    /// How many never ended; anything but 0 is a mistake of the lab.
    pub unfinished: u64,
    /// Load: how many requests arrived at the server.
    pub attempts: u64,
    /// Requests at the server for each call.
    pub attempts_per_call: f64,
    /// How many calls sent nothing, one request, two, and so on; the last counts all that sent more.
    pub calls_by_attempts: [u64; Self::ATTEMPTS],
    /// How many tokens were asked for.
    pub logins: u64,
    /// How many requests came earlier than the server had asked the very call to come again.
    pub early_retries: u64,
    /// How many calls that may not be sent twice the server did more than once.
    pub done_twice: u64,
    /// The most requests at the server in a second.
    pub peak_second: u64,
    /// How long the served calls took, from the moment when they should have begun.
    pub latency_ms: Quantiles,
    /// How long it took after the trouble until calls were served as before it.
    pub recovery: RecoveryTime,
    /// Second by second.
    pub seconds: Vec<Second>,
}

/// Latencies in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// The mean.
    pub mean: f64,
    /// Half of the calls took at most this.
    pub p50: f64,
    /// Nine in ten.
    pub p90: f64,
    /// 99 in a hundred.
    pub p99: f64,
    /// 999 in a thousand.
    pub p999: f64,
    /// The slowest.
    pub max: f64,
}

/// How long it took after the trouble until calls were served as before it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecoveryTime {
    /// There was no trouble that ended within the run.
    NotDisturbed,
    /// So many seconds after the end of the trouble.
    After(u64),
    /// Not within the run.
    Never,
}

/// What happened in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Second {
    /// Calls that began.
    pub offered: u64,
    /// Requests that arrived at the server.
    pub load: u64,
    /// Calls that were served.
    pub goodput: u64,
    /// Of the calls that began in this second, how many were served in the end.
    pub kept: u64,
}

impl Outcome {
    /// How many counts `calls_by_attempts` has.
    pub const ATTEMPTS: usize = 8;
}

impl RecoveryTime {
    /// Returns the seconds; a recovery that never came takes longer than any other.
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

/// How many seconds together show that it is over, and not a lucky moment.
const WINDOW: usize = 5;
/// The share of calls, of those served before the trouble, that has to be served again.
const AS_BEFORE: f64 = 0.95;

/// Finds the first second after the trouble of which, with the four after it, the calls are served as before.
pub(crate) fn recovery(scenario: &Scenario, seconds: &[Second]) -> RecoveryTime {
    let (Some(begin), Some(end)) = (scenario.disturbances_begin(), scenario.disturbances_end()) else {
        return RecoveryTime::NotDisturbed;
    };
    let index = |at: std::time::Duration| usize::try_from(at.as_secs()).unwrap_or(usize::MAX);
    let before = share(&seconds[..index(begin).min(seconds.len())]).unwrap_or(1.0);
    // A second that the trouble reaches into is not after it.
    let first = index(end) + usize::from(end.subsec_nanos() > 0);
    let last = index(scenario.length).min(seconds.len());
    let recovered = (first..last).find(|from| {
        let window = &seconds[*from..(from + WINDOW).min(last)];
        share(window).is_some_and(|share| share >= AS_BEFORE * before)
    });
    recovered.map_or(RecoveryTime::Never, |second| RecoveryTime::After((second - first) as u64))
}

/// Returns the share of the calls of these seconds that were served.
fn share(seconds: &[Second]) -> Option<f64> {
    let offered: u64 = seconds.iter().map(|second| second.offered).sum();
    let kept: u64 = seconds.iter().map(|second| second.kept).sum();
    (offered > 0).then(|| kept as f64 / offered as f64)
}
