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
    /// The number of requests at the server.
    pub attempts: f64,
    /// The largest number of requests at the server in one second.
    pub peak_second: f64,
    /// The median latency of the served calls, in milliseconds.
    pub p50_ms: f64,
    /// Their 99th percentile, in milliseconds.
    pub p99_ms: f64,
    /// The recovery time in seconds. A run without recovery counts with the time from the end of the
    /// last disturbance to the end of the run, which is a lower bound.
    pub recovery_s: f64,
    /// The number of runs without recovery.
    pub never_recovered: u32,
    /// The number of requests that arrived before the server's hint allowed them, in all runs.
    pub early_retries: u64,
    /// The number of calls that are not idempotent and were performed twice, in all runs.
    pub done_twice: u64,
}

/// A figure by which two policies are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Calls served; more is better.
    Goodput,
    /// Requests at the server; fewer is better.
    Load,
    /// The 99th percentile of the latency; less is better.
    P99,
    /// The recovery time; less is better.
    Recovery,
}

/// The smallest relative difference that counts, to ignore the noise of the seeds.
const MARGIN: f64 = 0.02;

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
            peak_second: mean(&|outcome| outcome.peak_second as f64),
            p50_ms: mean(&|outcome| outcome.latency_ms.p50),
            p99_ms: mean(&|outcome| outcome.latency_ms.p99),
            recovery_s: mean(&recovery),
            never_recovered: u32::try_from(never).unwrap_or(u32::MAX),
            early_retries: outcomes.iter().map(|outcome| outcome.early_retries).sum(),
            done_twice: outcomes.iter().map(|outcome| outcome.done_twice).sum(),
        }
    }

    /// Returns the figures in which this policy is more than 2 % worse than another one that dominates
    /// it.
    ///
    /// A policy dominates another one if it is at least as good in all figures ([`Metric`]). Returns an
    /// empty list if the other one does not dominate this one.
    ///
    /// # Examples
    /// ```
    /// use redress_lab::compare::Metric;
    /// use redress_lab::policies::{BudgetSetting, NoRetry, RedressStack, StackSettings};
    /// use redress_lab::{Comparison, Policy, Scenario};
    ///
    /// let scenario: Scenario = r#"
    ///     name = "down"
    ///     length = "30s"
    ///     clients = { rate = 10.0, deadline = "10s" }
    ///     server = { kind = "fifo", rate = 100.0 }
    ///     fault = [{ kind = "answer", from = "0s", for = "30s" }]
    /// "#
    /// .parse()?;
    /// let patient = StackSettings { name: "no budget".to_owned(), budget: Some(BudgetSetting::Is(false)), ..Default::default() };
    /// let policies: [Box<dyn Policy>; 2] = [Box::new(NoRetry), Box::new(RedressStack::from_settings(patient))];
    /// let comparison = Comparison::run(&scenario, &policies, &[1], |_share| {});
    /// let [none, retries] = comparison.summaries().try_into().unwrap();
    /// // Nothing succeeds, so retries only add load.
    /// assert_eq!(retries.dominated_by(&none), [Metric::Load]);
    /// assert_eq!(none.dominated_by(&retries), []);
    /// # Ok::<(), redress_lab::InvalidScenario>(())
    /// ```
    #[must_use]
    pub fn dominated_by(&self, other: &Self) -> Vec<Metric> {
        let figures = [Metric::Goodput, Metric::Load, Metric::P99, Metric::Recovery];
        let badness = |figure| (self.badness(figure), other.badness(figure));
        let is_never_better = figures.iter().all(|figure| {
            let (mine, theirs) = badness(*figure);
            mine >= theirs
        });
        let worse = |figure: &Metric| {
            let (mine, theirs) = badness(*figure);
            (mine - theirs).abs() > MARGIN * mine.abs().max(theirs.abs())
        };
        if is_never_better { figures.into_iter().filter(worse).collect() } else { Vec::new() }
    }

    /// Returns a figure for which less is better.
    fn badness(&self, figure: Metric) -> f64 {
        match figure {
            Metric::Goodput => -self.served,
            Metric::Load => self.attempts,
            Metric::P99 => self.p99_ms,
            Metric::Recovery => self.recovery_s,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(served: f64, attempts: f64, p99_ms: f64, recovery_s: f64) -> Summary {
        Summary { served, attempts, p99_ms, recovery_s, ..Summary::from_outcomes(&scenario(), &[]) }
    }

    fn scenario() -> Scenario {
        let text = "name = 't'\nlength = '1s'\nclients = { rate = 1.0 }\nserver = { kind = 'fifo', rate = 1.0 }";
        text.parse().expect("a scenario")
    }

    #[test]
    fn a_policy_that_is_better_in_one_figure_is_not_dominated() {
        let ours = summary(100.0, 120.0, 50.0, 5.0);
        for (other, figures) in [
            (summary(100.0, 120.0, 50.0, 5.0), vec![]),
            (summary(110.0, 110.0, 40.0, 4.0), vec![Metric::Goodput, Metric::Load, Metric::P99, Metric::Recovery]),
            (summary(99.0, 100.0, 40.0, 4.0), vec![]),
            (summary(101.0, 119.0, 49.9, 4.95), vec![]),
            (summary(100.0, 120.0, 50.0, 0.0), vec![Metric::Recovery]),
        ] {
            assert_eq!(ours.dominated_by(&other), figures, "{other:?}");
        }
    }
}
