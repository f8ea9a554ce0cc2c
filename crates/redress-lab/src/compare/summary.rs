//! What a policy came to over several seeds, and whether another one is better in everything.

use serde::{Deserialize, Serialize};

use crate::outcome::{Outcome, RecoveryTime};
use crate::scenario::Scenario;

/// What a policy came to, on average over its seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The policy's name.
    pub policy: String,
    /// Calls.
    pub calls: f64,
    /// Calls that got what they asked for, in time.
    pub served: f64,
    /// Calls that ended with a response that is an error.
    pub refused: f64,
    /// Calls that ended without a response in time.
    pub lost: f64,
    /// Requests at the server.
    pub attempts: f64,
    /// The most requests at the server in a second.
    pub peak_second: f64,
    /// Half of the served calls took at most so many milliseconds.
    pub p50_ms: f64,
    /// 99 in 100 of them.
    pub p99_ms: f64,
    /// Seconds from the end of the trouble until calls were served as before; a run in which they never were counts with
    /// all of the time that was left.
    pub recovery_s: f64,
    /// In how many of the runs calls were never served as before.
    pub never_recovered: u32,
    /// Requests that came before the server's hint, in all runs.
    pub early_retries: u64,
    /// Calls that may not be sent twice and were done twice, in all runs.
    pub done_twice: u64,
}

/// What two policies are held against each other by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Calls served: more is better.
    Goodput,
    /// Requests at the server: fewer is better.
    Load,
    /// How long 99 in 100 of the served calls took at most: less is better.
    P99,
    /// How long it took until calls were served as before: less is better.
    Recovery,
}

/// From which difference on one figure is worse than another, and not equal to it.
const MARGIN: f64 = 0.02;

impl Summary {
    pub(crate) fn of(scenario: &Scenario, outcomes: &[Outcome]) -> Self {
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

    /// Returns the figures by which this one is more than 2 % worse than another, if it is worse or equal by all of them: then
    /// the other one dominates it. Empty when it does not.
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

    /// Returns a figure such that less is better.
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
        Summary { served, attempts, p99_ms, recovery_s, ..Summary::of(&scenario(), &[]) }
    }

    fn scenario() -> Scenario {
        let text = "name = 't'\nlength = '1s'\nclients = { rate = 1.0 }\nserver = { kind = 'fifo', rate = 1.0 }";
        text.parse().expect("a scenario")
    }

    #[test]
    fn who_is_better_in_one_figure_is_not_dominated() {
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
