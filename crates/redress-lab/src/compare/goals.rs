//! The goals that a policy is held to in each scenario.

use serde::{Deserialize, Serialize};

use super::{Comparison, Metric, Summary};

/// A goal of a policy in one scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// The goodput is within 1 point of the best policy that sends no unsafe call twice; 2 points with
    /// several processes, as each of them sees a part of the failures only.
    Goodput,
    /// The load is at most 1.05 times the least of the policies that serve as many calls and send no
    /// unsafe call twice.
    Load,
    /// The recovery takes at most 1.05 times as long as without retries, and 1 s.
    Recovery,
    /// No request is sent before a hint of the server allows it.
    Early,
    /// With several processes, the goodput is at most 1 point below that without retries.
    NoHarm,
}

/// The figures of a policy in one scenario beside those that its goals compare them with.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GoalRow {
    /// The name of the scenario.
    pub scenario: String,
    /// The number of processes.
    pub clients: u32,
    /// The figures of the policy.
    pub summary: Summary,
    /// The best policy that sent no unsafe call twice.
    pub best: Summary,
    /// The least load of the policies that serve as many calls and sent no unsafe call twice.
    pub least_work: f64,
    /// The policy `none`, if it was run.
    pub none: Option<Summary>,
}

impl Goal {
    /// All goals.
    pub const ALL: [Self; 5] = [Self::Goodput, Self::Load, Self::Recovery, Self::Early, Self::NoHarm];

    /// Returns the name, as in the file of exceptions.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Goodput => "goodput",
            Self::Load => "load",
            Self::Recovery => "recovery",
            Self::Early => "early",
            Self::NoHarm => "no_harm",
        }
    }

    /// Returns the unit of [`GoalRow::miss`].
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Goodput | Self::NoHarm => "points",
            Self::Load => "%",
            Self::Recovery => "s",
            Self::Early => "requests",
        }
    }
}

impl Comparison {
    /// Returns the figures of a policy beside those that its goals compare them with; `None` if it was
    /// not run.
    ///
    /// # Examples
    /// ```
    /// use redress_lab::compare::Goal;
    /// use redress_lab::policies::{NoRetry, RedressStack};
    /// use redress_lab::{Comparison, Policy, Scenario};
    ///
    /// let scenario: Scenario = r#"
    ///     name = "errors"
    ///     length = "60s"
    ///     clients = { rate = 10.0, deadline = "10s" }
    ///     server = { kind = "fifo", rate = 100.0 }
    ///     fault = [{ kind = "answer", from = "0s", share = 0.1 }]
    /// "#
    /// .parse()?;
    /// let policies: [Box<dyn Policy>; 2] = [Box::new(NoRetry), Box::new(RedressStack::new())];
    /// let comparison = Comparison::run(&scenario, &policies, &[1], |_share| {});
    /// let redress = comparison.goals("redress").unwrap();
    /// assert!(Goal::ALL.iter().all(|goal| redress.miss(*goal).is_none()));
    /// let none = comparison.goals("none").unwrap();
    /// assert!(none.miss(Goal::Goodput).is_some_and(|points| points > 5.0), "a tenth of the calls, but for one point");
    /// # Ok::<(), redress_lab::InvalidScenario>(())
    /// ```
    #[must_use]
    pub fn goals(&self, policy: &str) -> Option<GoalRow> {
        let summaries = self.summaries();
        let summary = summaries.iter().find(|it| it.policy == policy)?.clone();
        let safe = || summaries.iter().filter(|it| it.is_safe());
        let best = safe().max_by(|one, other| one.goodput().total_cmp(&other.goodput())).unwrap_or(&summary).clone();
        let equal = safe().filter(|it| it.serves_as_many_as(&summary));
        Some(GoalRow {
            scenario: self.scenario.name.clone(),
            clients: self.scenario.clients.clients.get(),
            least_work: equal.map(|it| it.work).fold(summary.work, f64::min),
            none: summaries.iter().find(|it| it.policy == "none").cloned(),
            summary,
            best,
        })
    }
}

impl GoalRow {
    /// Returns by how much the policy misses a goal, in points, percent, seconds or requests
    /// ([`Goal::unit`]); `None` if it reaches the goal, or if the goal does not apply.
    #[must_use]
    pub fn miss(&self, goal: Goal) -> Option<f64> {
        let Self { summary, best, none, .. } = self;
        let is_fleet = self.clients > 1;
        let by = match goal {
            Goal::Goodput => summary.behind(best, Metric::Goodput) - if is_fleet { 2.0 } else { 1.0 },
            Goal::Load => (summary.work / self.least_work.max(1e-3) - 1.05) * 100.0,
            Goal::Recovery => summary.recovery_s - (none.as_ref()?.recovery_s * 1.05 + 1.0),
            Goal::Early => summary.early_retries as f64,
            Goal::NoHarm if is_fleet => summary.behind(none.as_ref()?, Metric::Goodput) - 1.0,
            Goal::NoHarm => return None,
        };
        (by > 0.0).then_some(by)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

    use super::*;
    use crate::compare::sample::summary;

    #[test]
    fn a_miss_is_what_is_above_the_bound() {
        let row = |clients, served: f64, work: f64, recovery_s: f64, early_retries| {
            let summary = Summary { early_retries, ..summary("ours", [served, work, 100.0, recovery_s]) };
            let (best, none) = (summary_of("peer", 98.0), Some(summary_of("none", 95.0)));
            GoalRow { scenario: "t".to_owned(), clients, summary, best, least_work: 100.0, none }
        };
        let round = |miss: Option<f64>| miss.map(|by| (by * 1000.0).round() / 1000.0);
        for (row, expected) in [
            (row(1, 97.5, 104.0, 11.0, 0), [None, None, None, None, None]),
            (row(1, 96.5, 107.0, 13.0, 2), [Some(0.5), Some(2.0), Some(1.5), Some(2.0), None]),
            (row(100, 96.5, 100.0, 0.0, 0), [None, None, None, None, None]),
            (row(100, 93.0, 100.0, 0.0, 0), [Some(3.0), None, None, None, Some(1.0)]),
        ] {
            assert_eq!(Goal::ALL.map(|goal| round(row.miss(goal))), expected, "{row:?}");
        }
    }

    fn summary_of(name: &str, served: f64) -> Summary {
        summary(name, [served, 100.0, 100.0, 10.0])
    }
}
