//! Rules that permit retries: pure decisions, given the time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::window::Window;

/// A rule that permits retries.
///
/// A rule is shared by all calls of a client, and a [`Fleet`](super::Fleet) has one per client.
///
/// | rule | retries are limited by | a burst of failures |
/// |---|---|---|
/// | `always` | nothing | multiplies the load by the attempts |
/// | `breaker` | the failed share since the start | no retries |
/// | `requests` | a share of the calls | that share |
/// | `concurrency` | a share of the attempts in flight | that share, and more as attempts take longer |
/// | `successes` | a share of the successes, plus a rate | that rate |
/// | `bucket` | tokens that calls or successes deposit | the capacity, then the deposits |
/// | `grpc` | a level that failures lower | half of the capacity |
///
/// # Examples
/// ```
/// use redress_lab::policies::reference::{Deposit, Rule};
///
/// #[derive(serde::Deserialize)]
/// struct File {
///     allow: Rule,
/// }
///
/// let file: File = toml::from_str("allow = { rule = 'bucket', tokens = 5.0, deposit = 0.1, on = 'success' }").unwrap();
/// assert_eq!(file.allow, Rule::Bucket { tokens: 5.0, deposit: 0.1, on: Deposit::Success });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum Rule {
    /// Permits every retry.
    Always,
    /// A circuit breaker for retries only: permits none while more than this share of all attempts has
    /// failed (Brooker, "Fixing retries with token buckets and circuit breakers", 2022).
    Breaker {
        /// The failed share at which retries stop.
        threshold: f64,
    },
    /// Retries are at most this share of the calls of the last ten seconds (Site Reliability
    /// Engineering, chapter 21; Finagle's `RetryBudget`).
    Requests {
        /// The share.
        share: f64,
    },
    /// Retries in flight are at most this share of all attempts in flight (Envoy's retry budget).
    Concurrency {
        /// The share.
        share: f64,
        /// The number of concurrent retries that is always permitted.
        least: u32,
    },
    /// Retries are at most this share of the successes of the last ten seconds, plus a constant rate.
    Successes {
        /// The share.
        share: f64,
        /// The constant rate, in retries per second.
        floor: f64,
    },
    /// A token bucket: a retry needs more than one token and takes one (Brooker's adaptive strategy).
    Bucket {
        /// The capacity. The bucket starts full.
        tokens: f64,
        /// The tokens per deposit.
        deposit: f64,
        /// The event that makes a deposit.
        on: Deposit,
    },
    /// A token bucket that loses one token per failure and gains `ratio` per success. Retries are
    /// permitted while it is more than half full (gRPC's retry throttling, gRFC A6).
    Grpc {
        /// The capacity. The bucket starts full.
        tokens: f64,
        /// The tokens that a success adds.
        ratio: f64,
    },
}

/// The event that makes a deposit in a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Deposit {
    /// Each call, as in the code of Brooker's article.
    Call,
    /// Each successful attempt, as in its text.
    Success,
}

/// The state of a rule.
#[derive(Clone, Debug)]
pub(super) struct State {
    rule: Rule,
    level: f64,
    attempts: f64,
    failures: f64,
    under_way: f64,
    retries_under_way: f64,
    /// The events that permit retries, and the retries that used them.
    earned: Window,
    used: Window,
}

impl State {
    pub(super) fn new(rule: Rule) -> Self {
        let level = match rule {
            Rule::Bucket { tokens, .. } | Rule::Grpc { tokens, .. } => tokens,
            _ => 0.0,
        };
        let (attempts, failures, under_way, retries_under_way) = (0.0, 0.0, 0.0, 0.0);
        let (earned, used) = (Window::default(), Window::default());
        Self { rule, level, attempts, failures, under_way, retries_under_way, earned, used }
    }

    /// Records the start of an attempt.
    pub(super) fn attempt_started(&mut self, now: Duration, is_retry: bool) {
        self.attempts += 1.0;
        self.under_way += 1.0;
        if is_retry {
            self.retries_under_way += 1.0;
            return;
        }
        match self.rule {
            Rule::Requests { .. } => self.earned.add(now, 1.0),
            Rule::Bucket { deposit, on: Deposit::Call, .. } => self.deposit(deposit),
            _ => {}
        }
    }

    /// Records that an attempt is no longer in flight.
    pub(super) fn attempt_finished(&mut self, is_retry: bool) {
        self.under_way -= 1.0;
        self.retries_under_way -= f64::from(u8::from(is_retry));
    }

    /// Records the result of an attempt.
    pub(super) fn record_result(&mut self, now: Duration, is_success: bool) {
        self.failures += f64::from(u8::from(!is_success));
        match self.rule {
            Rule::Successes { .. } if is_success => self.earned.add(now, 1.0),
            Rule::Bucket { deposit, on: Deposit::Success, .. } if is_success => self.deposit(deposit),
            Rule::Grpc { ratio, .. } if is_success => self.deposit(ratio),
            Rule::Grpc { .. } => self.level = (self.level - 1.0).max(0.0),
            _ => {}
        }
    }

    /// Takes the permission for a retry, if the rule grants it.
    pub(super) fn try_acquire(&mut self, now: Duration) -> bool {
        let is_allowed = match self.rule {
            Rule::Always => true,
            Rule::Breaker { threshold } => self.failures / self.attempts <= threshold,
            Rule::Requests { share } => self.used.sum(now) + 1.0 <= share * self.earned.sum(now),
            Rule::Successes { share, floor } => {
                self.used.sum(now) + 1.0 <= share * self.earned.sum(now) + floor * Window::SPAN.as_secs_f64()
            }
            Rule::Concurrency { share, least } => {
                self.retries_under_way + 1.0 <= (share * (self.under_way + 1.0)).max(f64::from(least))
            }
            Rule::Bucket { .. } => self.level > 1.0,
            Rule::Grpc { tokens, .. } => self.level > tokens / 2.0,
        };
        if is_allowed {
            match self.rule {
                Rule::Bucket { .. } => self.level -= 1.0,
                Rule::Requests { .. } | Rule::Successes { .. } => self.used.add(now, 1.0),
                _ => {}
            }
        }
        is_allowed
    }

    fn deposit(&mut self, amount: f64) {
        if let Rule::Bucket { tokens, .. } | Rule::Grpc { tokens, .. } = self.rule {
            self.level = (self.level + amount).min(tokens);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the number of retries that are permitted in a row.
    fn allowed(state: &mut State, now: Duration) -> usize {
        (0..1_000).take_while(|_| state.try_acquire(now)).count()
    }

    #[test]
    fn each_rule_permits_the_number_of_retries_of_its_source() {
        let failures = |rule| {
            let mut state = State::new(rule);
            for _ in 0..100 {
                state.attempt_started(Duration::ZERO, false);
                state.attempt_finished(false);
                state.record_result(Duration::ZERO, false);
            }
            allowed(&mut state, Duration::ZERO)
        };
        let bucket = |on| Rule::Bucket { tokens: 5.0, deposit: 0.1, on };
        for (rule, expected) in [
            (Rule::Always, 1_000),
            (Rule::Breaker { threshold: 0.1 }, 0),
            (Rule::Requests { share: 0.2 }, 20),
            (Rule::Successes { share: 0.2, floor: 0.0 }, 0),
            (Rule::Successes { share: 0.2, floor: 1.5 }, 15),
            (bucket(Deposit::Call), 4),
            (Rule::Grpc { tokens: 10.0, ratio: 0.1 }, 0),
        ] {
            assert_eq!(failures(rule), expected, "{rule:?}");
        }
    }

    #[test]
    fn permissions_expire_after_ten_seconds() {
        let mut state = State::new(Rule::Requests { share: 1.0 });
        state.attempt_started(Duration::ZERO, false);
        let mut later = state.clone();
        assert_eq!(allowed(&mut state, Duration::from_secs(9)), 1);
        assert_eq!(allowed(&mut later, Duration::from_secs(11)), 0);
    }

    #[test]
    fn a_share_of_concurrency_counts_attempts_in_flight() {
        let mut state = State::new(Rule::Concurrency { share: 0.2, least: 3 });
        for nth in 0..100 {
            state.attempt_started(Duration::ZERO, nth >= 80);
        }
        assert!(!state.try_acquire(Duration::ZERO));
        state.attempt_finished(true);
        assert!(state.try_acquire(Duration::ZERO));
        let mut idle = State::new(Rule::Concurrency { share: 0.2, least: 3 });
        idle.attempt_started(Duration::ZERO, true);
        idle.attempt_started(Duration::ZERO, true);
        assert!(idle.try_acquire(Duration::ZERO));
        idle.attempt_started(Duration::ZERO, true);
        assert!(!idle.try_acquire(Duration::ZERO));
    }

    #[test]
    fn successes_refill_the_bucket_that_failures_drained() {
        let mut state = State::new(Rule::Grpc { tokens: 10.0, ratio: 0.5 });
        for _ in 0..5 {
            state.record_result(Duration::ZERO, false);
        }
        assert!(!state.try_acquire(Duration::ZERO));
        state.record_result(Duration::ZERO, true);
        assert!(state.try_acquire(Duration::ZERO));
    }
}
