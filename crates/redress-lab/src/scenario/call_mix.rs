//! The mix of calls: routes, methods and deadlines, and the draw of one call.

use std::time::Duration;

use rand::RngExt as _;
use serde::{Deserialize, Serialize};

use super::{Clients, InvalidScenario, Scenario, duration, invalid, share};
use crate::streams::Random;

/// A deadline that a share of the calls has: `[[clients.deadlines]]`.
///
/// # Examples
///
/// Screens that wait for two seconds, and jobs that wait for ever:
///
/// ```
/// use redress_lab::policies::NoRetry;
/// use redress_lab::{Run, Scenario, run};
///
/// let scenario: Scenario = r#"
///     name = "mixed"
///     length = "60s"
///     clients = { rate = 10.0, deadline = "10s", deadlines = [{ deadline = "2s", share = 0.5 }], no_deadline = 0.2 }
///     server = { kind = "fifo", rate = 100.0 }
///     fault = [{ kind = "hold", from = "20s", for = "15s" }]
/// "#
/// .parse()?;
/// let outcome = run(Run { scenario: &scenario, policy: &NoRetry, seed: 1 }, |_share| {});
/// assert!(outcome.latency_ms.max > 10_000.0, "a call without a deadline waits until it is served");
/// # Ok::<(), redress_lab::InvalidScenario>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DeadlineShare {
    /// The time that the caller waits in total.
    #[serde(with = "duration")]
    pub deadline: Duration,
    /// The share of the calls that have it.
    pub share: f64,
}

/// One call of the workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallKind {
    /// The index of its route: 0 for `clients.path`, and from 1 on the routes of the file.
    pub(crate) route: usize,
    pub(crate) is_post: bool,
    /// The time that the caller waits; `None` for a call without a deadline.
    pub(crate) deadline: Option<Duration>,
}

impl Scenario {
    /// Draws route, method and deadline of a call. A scenario without a choice draws no number for it,
    /// so that a new key changes no run of a scenario that does not use it.
    pub(crate) fn draw_call(&self, random: &mut Random) -> CallKind {
        let route = if self.route.is_empty() { 0 } else { self.draw_route(random.random()) };
        let own = route.checked_sub(1).map(|nth| &self.route[nth]);
        let post = own.and_then(|route| route.post).unwrap_or(self.clients.post);
        let is_post = random.random::<f64>() < post;
        let deadline = match own.and_then(|route| route.deadline) {
            Some(deadline) => Some(deadline),
            None if self.clients.has_one_deadline() => Some(self.clients.deadline),
            None => self.clients.deadline_at(random.random()),
        };
        CallKind { route, is_post, deadline }
    }

    fn draw_route(&self, mut at: f64) -> usize {
        for (nth, route) in self.route.iter().enumerate() {
            if at < route.share {
                return nth + 1;
            }
            at -= route.share;
        }
        0
    }

    /// Returns the index of the route with this path, 0 for any other path.
    pub(crate) fn route_of(&self, path: &str) -> usize {
        self.route.iter().position(|route| route.path == path).map_or(0, |nth| nth + 1)
    }

    /// Returns `true` if each call has the deadline of the clients.
    pub(crate) fn has_one_deadline(&self) -> bool {
        self.clients.has_one_deadline() && self.route.iter().all(|route| route.deadline.is_none())
    }

    /// Returns the longest time that a caller waits: that of a call without a deadline is the length of
    /// the run.
    pub(crate) fn longest_deadline(&self) -> Duration {
        let Clients { deadline, deadlines, no_deadline, .. } = &self.clients;
        let own = self.route.iter().filter_map(|route| route.deadline);
        let endless = (*no_deadline > 0.0).then_some(self.length);
        deadlines.iter().map(|it| it.deadline).chain(own).chain(endless).fold(*deadline, Duration::max)
    }

    /// Returns the mean work of a call, in requests of the server's own mean service time.
    pub(crate) fn mean_work(&self) -> f64 {
        self.route.iter().fold(1.0, |sum, route| sum + route.share * (route.work(&self.server) - 1.0))
    }
}

impl Clients {
    fn has_one_deadline(&self) -> bool {
        self.deadlines.is_empty() && self.no_deadline <= 0.0
    }

    /// Returns the deadline of a call by a random number from 0 to 1.
    fn deadline_at(&self, mut at: f64) -> Option<Duration> {
        for DeadlineShare { deadline, share } in &self.deadlines {
            if at < *share {
                return Some(*deadline);
            }
            at -= share;
        }
        (at >= self.no_deadline).then_some(self.deadline)
    }

    pub(super) fn check_deadlines(&self) -> Result<(), InvalidScenario> {
        if self.deadline.is_zero() || self.deadlines.iter().any(|it| it.deadline.is_zero()) {
            return Err(invalid("`deadline` must be above 0"));
        }
        for one in &self.deadlines {
            share("deadlines.share", one.share)?;
        }
        let sum = share("no_deadline", self.no_deadline)? + self.deadlines.iter().map(|it| it.share).sum::<f64>();
        // Sums of decimal fractions are rounded.
        if sum > 1.0 + 1e-9 {
            return Err(invalid(
                "`deadlines.share` and `no_deadline` must add up to at most 1; the rest has the `deadline`",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

    use super::*;
    use crate::streams::{Stream, stream};

    fn drawn(more: &str) -> Vec<CallKind> {
        let text = format!(
            "name = 't'\nlength = '10s'\nserver = {{ kind = 'fifo', rate = 10.0 }}\n\
             clients = {{ rate = 1.0, deadline = '9s', post = 0.2, {more}"
        );
        let (scenario, mut random) = (text.parse::<Scenario>().unwrap(), stream(1, Stream::Arrivals));
        (0..10_000).map(|_| scenario.draw_call(&mut random)).collect()
    }

    fn share(calls: &[CallKind], is: impl Fn(&CallKind) -> bool) -> f64 {
        let count = calls.iter().filter(|call| is(call)).count() as f64 / calls.len() as f64;
        (count * 20.0).round() / 20.0
    }

    #[test]
    fn calls_have_the_shares_of_the_file() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let calls = drawn(
            "no_deadline = 0.3, deadlines = [{ deadline = '1s', share = 0.2 }, { deadline = '2s', share = 0.1 }] }\n\
             route = [{ path = '/a', share = 0.25, post = 1.0 }, { path = '/b', share = 0.05, deadline = '3s' }]",
        );
        let route = |nth| share(&calls, |call| call.route == nth);
        assert_eq!([route(0), route(1), route(2)], [0.7, 0.25, 0.05]);
        assert!(calls.iter().all(|call| call.route != 1 || call.is_post));
        assert!(calls.iter().all(|call| (call.route == 2) == (call.deadline == seconds(3))));
        let others: Vec<_> = calls.into_iter().filter(|call| call.route != 2).collect();
        let waits = [seconds(1), seconds(2), None, seconds(9)].map(|of| share(&others, |call| call.deadline == of));
        assert_eq!(waits, [0.2, 0.1, 0.3, 0.4]);
    }

    #[test]
    fn a_call_without_a_choice_draws_its_method_only() {
        let (one, mut random) = (drawn("}"), stream(1, Stream::Arrivals));
        assert!(one.iter().all(|call| call.is_post == (random.random::<f64>() < 0.2)));
    }
}
