//! Summarises a policy over several seeds, and compares two summaries.

use serde::{Deserialize, Serialize};

use crate::outcome::{Outcome, RecoveryTime};
use crate::scenario::Scenario;

/// The figures of a policy in one scenario: means over its seeds, and sums of the violations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The name of the policy.
    pub policy: String,
    /// The number of calls.
    pub calls: f64,
    /// The number of calls that were fulfilled before their deadline.
    pub served: f64,
    /// The number of calls that ended with an error response.
    pub refused: f64,
    /// The number of calls that ended without a response before their deadline.
    pub lost: f64,
    /// The number of requests that were sent to the server.
    pub attempts: f64,
    /// The number of these that met a refused connection.
    pub refused_connections: f64,
    /// The number of these that reached the server as the probe of an outage.
    pub probes: f64,
    /// The number of requests that made the server work: all others. Policies are compared by this load.
    pub work: f64,
    /// The largest number of requests at the server in one second.
    pub peak_second: f64,
    /// The median latency of the served calls, in milliseconds.
    pub p50_ms: f64,
    /// Their 99th percentile, in milliseconds.
    pub p99_ms: f64,
    /// The 99th percentile of all calls, in milliseconds. A call that was not served counts with its deadline.
    pub p99_all_ms: f64,
    /// The range in which it lies if 0.2 points of the calls ended otherwise, in milliseconds.
    pub p99_all_range_ms: [f64; 2],
    /// The recovery time in seconds. A run without recovery counts with the time from the end of the
    /// last disturbance to the end of the run, which is a lower bound.
    pub recovery_s: f64,
    /// The number of runs without recovery.
    pub never_recovered: u32,
    /// The number of requests that arrived before the server's hint allowed them, in all runs.
    pub early_retries: u64,
    /// The number of requests that are not idempotent and were sent although an earlier one may have been
    /// processed, in all runs.
    pub unsafe_resends: u64,
    /// The number of calls that are not idempotent and were performed twice, in all runs.
    pub done_twice: u64,
    /// The number of failed attempts that any rule of retries repeats, in all runs; see
    /// [`Outcome::chances`](crate::Outcome::chances).
    pub chances: u64,
}

impl Summary {
    pub(crate) fn from_outcomes(scenario: &Scenario, outcomes: &[Outcome]) -> Self {
        let mean =
            |figure: &dyn Fn(&Outcome) -> f64| outcomes.iter().map(figure).sum::<f64>() / outcomes.len().max(1) as f64;
        let left = scenario.length.saturating_sub(scenario.disturbances_end().unwrap_or_default()).as_secs_f64();
        let recovery = |outcome: &Outcome| outcome.recovery.seconds().min(left);
        let never = outcomes.iter().filter(|outcome| outcome.recovery == RecoveryTime::Never).count();
        Self {
            policy: outcomes.first().map(|outcome| outcome.policy.clone()).unwrap_or_default(),
            calls: mean(&|outcome| outcome.calls as f64),
            served: mean(&|outcome| outcome.served as f64),
            refused: mean(&|outcome| outcome.refused as f64),
            lost: mean(&|outcome| outcome.lost as f64),
            attempts: mean(&|outcome| outcome.attempts as f64),
            refused_connections: mean(&|outcome| outcome.refused_connections as f64),
            probes: mean(&|outcome| outcome.probes as f64),
            work: mean(&|outcome| outcome.work() as f64),
            peak_second: mean(&|outcome| outcome.peak_second as f64),
            p50_ms: mean(&|outcome| outcome.latency_ms.p50),
            p99_ms: mean(&|outcome| outcome.latency_ms.p99),
            p99_all_ms: mean(&|outcome| outcome.p99_all_ms),
            p99_all_range_ms: [0, 1].map(|end| mean(&|outcome| outcome.p99_all_range_ms[end])),
            recovery_s: mean(&recovery),
            never_recovered: u32::try_from(never).unwrap_or(u32::MAX),
            early_retries: outcomes.iter().map(|outcome| outcome.early_retries).sum(),
            unsafe_resends: outcomes.iter().map(|outcome| outcome.unsafe_resends).sum(),
            done_twice: outcomes.iter().map(|outcome| outcome.done_twice).sum(),
            chances: outcomes.iter().map(|outcome| outcome.chances).sum(),
        }
    }

    /// Returns `true` if no call that is not idempotent was sent or performed twice where that was not safe.
    #[must_use]
    pub const fn is_safe(&self) -> bool {
        self.unsafe_resends == 0 && self.done_twice == 0
    }

    /// Returns the share of calls that were served, in percent.
    #[must_use]
    pub fn goodput(&self) -> f64 {
        self.served / self.calls.max(1.0) * 100.0
    }
}
