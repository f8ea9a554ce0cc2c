//! Compares two policies in one scenario: who is behind in which figure, and who dominates whom.
//!
//! The figures are means over seeds, and the runs of all policies share arrivals, faults and service
//! times. The rest is noise of the policies' own random numbers and of chains of events that begin with
//! them. The tolerances are above the largest difference between two runs of redress with other jitter,
//! over all shipped scenarios in 1 and in 100 processes, five seeds each (`tests/noise.rs`):
//!
//! | figure | unit | noise | equal up to | clearly worse from |
//! |---|---|---|---|---|
//! | goodput | points of the calls | 0.21 | 0.25 | 0.5 |
//! | load (work per call) | percent of the other's | 0.3 | 1 | 2 |
//! | p99 of all calls | percent of the other's | 1.4 | 5, at least 5 ms | 10, at least 10 ms |
//! | recovery | seconds | 1.8, of 101 | 1, and 5 % of the other's | 2, and 10 % |
//!
//! Where about one call in a hundred is lost, the p99 jumps between the latency of a served call and the
//! deadline. Two of them therefore differ only if the 98.8th percentile of one is above the 99.2th of
//! the other.

use serde::{Deserialize, Serialize};

use super::Summary;

/// A figure by which two policies are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Calls served; more is better.
    Goodput,
    /// Requests that made the server work: without refused connections and probes; fewer is better.
    Load,
    /// The 99th percentile of the latency of all calls, in which a call that was not served counts with
    /// its deadline; less is better.
    P99,
    /// The recovery time; less is better.
    Recovery,
}

impl Metric {
    /// All figures.
    pub const ALL: [Self; 4] = [Self::Goodput, Self::Load, Self::P99, Self::Recovery];

    /// Returns the name, as in files and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Goodput => "goodput",
            Self::Load => "load",
            Self::P99 => "p99",
            Self::Recovery => "recovery",
        }
    }

    /// Returns the unit of [`Summary::behind`].
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Goodput => "points",
            Self::Load | Self::P99 => "%",
            Self::Recovery => "s",
        }
    }

    /// Returns the difference from another policy up to which two figures are equal, in the unit of the
    /// figure. Twice as much is clearly worse.
    fn tolerance(self, other: &Summary) -> f64 {
        match self {
            Self::Goodput => 0.25,
            Self::Load => 1.0,
            Self::P99 => f64::max(5.0, 5.0 / other.p99_all_ms.max(1e-3) * 100.0),
            Self::Recovery => 1.0 + 0.05 * other.recovery_s,
        }
    }
}

impl Summary {
    /// Returns how far this policy is behind another one in a figure, in points, percent or seconds
    /// ([`Metric::unit`]); negative if it is ahead.
    ///
    /// # Examples
    /// ```
    /// use redress_lab::compare::Metric;
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
    /// let [none, redress] = comparison.summaries().try_into().unwrap();
    /// assert!(none.behind(&redress, Metric::Goodput) > 5.0, "points");
    /// assert!(redress.behind(&none, Metric::Load) > 5.0, "percent more requests");
    /// # Ok::<(), redress_lab::InvalidScenario>(())
    /// ```
    #[must_use]
    pub fn behind(&self, other: &Self, figure: Metric) -> f64 {
        match figure {
            Metric::Goodput => other.goodput() - self.goodput(),
            Metric::Load => more(self.work, other.work),
            Metric::P99 => more(self.p99_all_ms, other.p99_all_ms),
            Metric::Recovery => self.recovery_s - other.recovery_s,
        }
    }

    /// Returns the figures in which this policy is clearly worse than another one that dominates it: by
    /// more than twice the tolerance of the figure.
    ///
    /// A policy dominates another one if it is at least equal in all figures ([`Metric`]). Figures are
    /// equal up to 0.25 points of goodput, 1 % of the load, 5 % (at least 5 ms) and 0.2 points of the
    /// calls of the p99 of all calls, 5 % and 1 s of the recovery. A policy that sent an unsafe call
    /// twice dominates none. Returns an empty list if the other one does not dominate this one.
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
        let is_ahead = |figure: &Metric| other.tolerances_behind(self, *figure) > 1.0;
        if !other.is_safe() || Metric::ALL.iter().any(is_ahead) {
            return Vec::new();
        }
        let is_clearly_worse = |figure: &Metric| self.tolerances_behind(other, *figure) > 2.0;
        Metric::ALL.into_iter().filter(is_clearly_worse).collect()
    }

    /// Returns how far this policy is behind another one, in tolerances of the figure.
    fn tolerances_behind(&self, other: &Self, figure: Metric) -> f64 {
        let by = match figure {
            Metric::P99 => more(self.p99_all_range_ms[0], other.p99_all_range_ms[1]),
            _ => self.behind(other, figure),
        };
        by / figure.tolerance(other)
    }

    /// Returns `true` if two goodputs are equal up to the tolerance.
    pub(super) fn serves_as_many_as(&self, other: &Self) -> bool {
        self.behind(other, Metric::Goodput) <= Metric::Goodput.tolerance(other)
    }
}

/// Returns by how many percent one figure is above another.
fn more(one: f64, other: f64) -> f64 {
    if one <= other && other <= 0.0 { 0.0 } else { (one / other.max(1e-3) - 1.0) * 100.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(served: f64, work: f64, p99_all_ms: f64, recovery_s: f64) -> Summary {
        crate::compare::sample::summary("t", [served, work, p99_all_ms, recovery_s])
    }

    #[test]
    fn a_policy_that_is_ahead_in_one_figure_is_not_dominated() {
        use Metric::{Goodput, Load, P99, Recovery};
        let ours = summary(90.0, 120.0, 5_000.0, 50.0);
        for (other, figures) in [
            (summary(90.0, 120.0, 5_000.0, 50.0), vec![]),
            (summary(95.0, 110.0, 4_000.0, 40.0), vec![Goodput, Load, P99, Recovery]),
            // Ahead by more than the tolerance in one figure.
            (summary(89.6, 110.0, 4_000.0, 40.0), vec![]),
            (summary(95.0, 122.0, 4_000.0, 40.0), vec![]),
            (summary(95.0, 110.0, 5_400.0, 40.0), vec![]),
            (summary(95.0, 110.0, 4_000.0, 54.0), vec![]),
            // Behind within the tolerance is equal.
            (summary(89.9, 110.0, 4_000.0, 40.0), vec![Load, P99, Recovery]),
            (summary(95.0, 121.0, 5_200.0, 53.0), vec![Goodput]),
            // Equal up to twice the tolerance is not clearly worse.
            (summary(90.3, 118.0, 4_600.0, 47.0), vec![]),
            (summary(90.0, 120.0, 5_000.0, 20.0), vec![Recovery]),
        ] {
            assert_eq!(ours.dominated_by(&other), figures, "{other:?}");
        }
    }

    #[test]
    fn calls_that_are_lost_count_in_the_p99() {
        let patient = summary(99.5, 100.0, 9_600.0, 10.0);
        let hasty = Summary { p99_ms: 800.0, ..summary(63.9, 100.0, 10_000.0, 110.0) };
        assert_eq!(hasty.dominated_by(&patient), [Metric::Goodput, Metric::Recovery]);
        assert_eq!(patient.dominated_by(&hasty), []);
    }

    #[test]
    fn a_p99_at_the_edge_between_served_and_lost_calls_does_not_decide() {
        let at = |p99_all_ms, range| Summary { p99_all_range_ms: range, ..summary(99.0, 100.0, p99_all_ms, 1.0) };
        let (ours, theirs) = (at(10_000.0, [2_000.0, 10_000.0]), at(2_400.0, [1_900.0, 10_000.0]));
        assert_eq!(ours.dominated_by(&theirs), []);
        assert_eq!(ours.dominated_by(&at(800.0, [700.0, 900.0])), [Metric::P99]);
    }

    #[test]
    fn a_policy_that_sent_an_unsafe_call_twice_dominates_none() {
        let (ours, better) = (summary(90.0, 120.0, 5_000.0, 50.0), summary(99.0, 100.0, 4_000.0, 1.0));
        assert!(!ours.dominated_by(&better).is_empty());
        assert_eq!(ours.dominated_by(&Summary { done_twice: 1, ..better.clone() }), []);
        assert_eq!(ours.dominated_by(&Summary { unsafe_resends: 1, ..better }), []);
    }

    #[test]
    fn no_two_policies_dominate_each_other() {
        let figures =
            [0.0, 0.3, 0.7].map(|step| [90.0 + step, 120.0 + 4.0 * step, 50.0 + 9.0 * step, 10.0 + 5.0 * step]);
        let all: Vec<_> = (0..81_usize)
            .map(|nth| {
                let at = |figure: usize| figures[nth / 3_usize.pow(figure as u32) % 3][figure];
                summary(at(0), at(1), at(2), at(3))
            })
            .collect();
        for one in &all {
            for other in &all {
                assert!(one.dominated_by(other).is_empty() || other.dominated_by(one).is_empty());
            }
        }
    }
}
