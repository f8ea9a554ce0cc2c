//! Learns from the calls of one partition how fast it usually answers, how often it is called, and when it is in an outage. It
//! is given the time, and so deterministic.
//!
//! Times are logarithms of seconds: latencies are skewed, and a mean of logarithms is close to the median.

use std::time::Duration;

use redress_classify::UpstreamHealth;
use tokio::time::Instant;

use crate::outage::PastOutage;

/// A run of failures that comes by chance less often than this is an outage. With failures in 5 % of the calls that is a run of
/// 3, with 30 % one of 8, with 50 % one of 13.
const CHANCE: f64 = 2e-4;
/// For a client that calls seldom it is one that comes by chance less often than once in this time: in seconds, by the rate of
/// its calls. Few calls wait because of such a mistake, and few calls show an outage before it is over.
const TIME_OF_CHANCE: f64 = 100.0;
/// The highest chance, for any client: that of a run of 2 with failures in 14 % of the calls.
const HIGHEST_CHANCE: f64 = 0.02;
/// The rate of the calls is known after this many seconds.
const KNOWN_RATE: f64 = 10.0;
/// The lowest share of failures that is assumed, so that a single failure of a server that never failed is no outage.
const LOWEST_RISK: f64 = 0.05;
/// The highest one, so that a run of any length can be an outage.
const HIGHEST_RISK: f64 = 0.95;
/// The weight of the past in the risk: each run of failures, and each success without one before, replaces a 24th of it.
const RISK_MEMORY: f64 = 24.0;
/// The weight of the past in the latency: each answer replaces a 16th of it.
const LATENCY_MEMORY: f64 = 16.0;
/// The weight of the past in the mean from which the usual latency is taken. The lowest value of this mean over a long time
/// is close to it, while the lowest mean of 16 answers is half as long where latencies vary as those of a queue do.
const USUAL_MEMORY: f64 = 128.0;
/// The number of answers whose mean is the first usual latency.
const FIRST_ANSWERS: u32 = 32;
/// The time in which the usual latency follows a server that has become slower for good.
const DRIFT: Duration = Duration::from_secs(600);
/// The weight of the past in the share of throttled calls: each call replaces a 64th of it.
const THROTTLED_MEMORY: f64 = 64.0;
/// The share of throttled calls from which on an upstream is degraded.
const THROTTLED: f64 = 0.02;
/// An upstream that takes more than this multiple of its usual latency is degraded, if it is slower by this time at least: shorter
/// ones are those of this machine.
pub(crate) const SLOW: f64 = 2.0;
const SLOWER_BY: f64 = 0.005;
/// The longest latency that is used as a wait.
const LONGEST: f64 = 60.0;

/// How an upstream does.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    /// The number of answers that were timed.
    answers: u32,
    /// Whether the upstream was ever seen to answer.
    has_answered: bool,
    /// The number of failures since the last answer.
    failures: u32,
    /// How often a failure follows a success. An outage counts once, however long it lasts.
    risk: f64,
    /// The mean latency of the last answers.
    latency: f64,
    /// The mean latency of more answers.
    mean: f64,
    /// The usual latency: the lowest of these means in the last minutes.
    usual: f64,
    /// The shortest attempt that ended in a timeout.
    shortest_timeout: f64,
    /// The share of calls that were throttled without a hint.
    throttled: f64,
    calls: CallRate,
    last_answer: Option<Instant>,
    last_outage: Option<PastOutage>,
}

/// How often calls are made: a count that forgets within half a minute. It stands still while calls are held.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallRate {
    calls: f64,
    /// The seconds in which they were counted.
    counted_for: f64,
    last: Option<Instant>,
}

impl Health {
    pub(crate) const fn new() -> Self {
        Self {
            answers: 0,
            has_answered: false,
            failures: 0,
            risk: 0.0,
            latency: 0.0,
            mean: 0.0,
            usual: 0.0,
            shortest_timeout: f64::INFINITY,
            throttled: 0.0,
            calls: CallRate { calls: 0.0, counted_for: 0.0, last: None },
            last_answer: None,
            last_outage: None,
        }
    }

    /// Records an answer: a success, or any error that shows that the server works. It stands for `calls` answers of which one
    /// is timed; `took` is the time to its head. `is_open` is `true` if no calls are held.
    pub(crate) fn on_answer(&mut self, took: Option<Duration>, calls: u8, is_open: bool, now: Instant) {
        let exponent = i32::from(calls);
        if self.failures == 0 {
            self.risk *= (1.0 - 1.0 / RISK_MEMORY).powi(exponent);
        }
        self.failures = 0;
        self.has_answered = true;
        self.throttled *= (1.0 - 1.0 / THROTTLED_MEMORY).powi(exponent);
        self.count(calls, is_open, now);
        if let Some(took) = took {
            self.learn_latency(seconds_log(took), is_open, now);
        }
    }

    /// Records a failure that an outage has, with the time that the attempt took if it ended in a timeout. Returns `true` if
    /// there are too many in a row for chance.
    pub(crate) fn on_failure(&mut self, timeout: Option<Duration>, is_open: bool, now: Instant) -> bool {
        if self.failures == 0 {
            self.risk += (1.0 - self.risk) / RISK_MEMORY;
        }
        self.failures = self.failures.saturating_add(1);
        self.count(1, is_open, now);
        if let Some(timeout) = timeout {
            self.shortest_timeout = self.shortest_timeout.min(seconds_log(timeout));
        }
        let exponent = i32::try_from(self.failures).unwrap_or(i32::MAX);
        // A host that never answered may be a wrong one: its calls fail, and do not wait.
        self.has_answered && self.risk.clamp(LOWEST_RISK, HIGHEST_RISK).powi(exponent) < self.chance()
    }

    /// Returns the chance of a run of failures below which it is an outage.
    fn chance(&self) -> f64 {
        let gap = self.gap().filter(|_| self.calls.counted_for >= KNOWN_RATE);
        gap.map_or(CHANCE, |gap| (gap.as_secs_f64() / TIME_OF_CHANCE).clamp(CHANCE, HIGHEST_CHANCE))
    }

    /// Records a call that was throttled without a hint.
    pub(crate) fn on_throttle(&mut self, is_open: bool, now: Instant) {
        self.throttled += (1.0 - self.throttled) / THROTTLED_MEMORY;
        self.count(1, is_open, now);
    }

    /// Ends an outage at its first answer, and the run of failures as [below](Self::end_failures).
    pub(crate) fn end_outage(&mut self, outage: PastOutage) -> bool {
        self.last_outage = Some(outage);
        self.end_failures()
    }

    /// Ends the run of failures. Returns `true` if each answer was recorded because of it alone.
    pub(crate) fn end_failures(&mut self) -> bool {
        let before = self.needs_each_answer();
        self.failures = 0;
        before && !self.needs_each_answer()
    }

    /// Accepts that the server has become slower, at the end of a release.
    pub(crate) fn accept_latency(&mut self) {
        self.usual = self.usual.max(self.latency - SLOW.ln());
        self.mean = self.mean.max(self.usual);
    }

    /// Returns whether the upstream throttles calls, or is slower than usual. The usual latency is known after 32 answers.
    pub(crate) fn degradation(&self) -> Option<UpstreamHealth> {
        let is_known = self.answers > FIRST_ANSWERS;
        let is_slow = || self.latency > self.usual + SLOW.ln() && self.latency.exp() - self.usual.exp() >= SLOWER_BY;
        if self.throttled >= THROTTLED {
            Some(UpstreamHealth::Throttled)
        } else {
            (is_known && is_slow()).then_some(UpstreamHealth::Degraded)
        }
    }

    pub(crate) fn is_degraded(&self) -> bool {
        self.degradation().is_some()
    }

    /// Returns `true` if each answer must be recorded: after a failure, and while the upstream is degraded.
    pub(crate) fn needs_each_answer(&self) -> bool {
        self.is_failing() || self.is_degraded()
    }

    /// Returns `true` after a failure, until the next answer.
    pub(crate) const fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// Returns the mean number of calls in flight while all is well: rate x latency, which may be far below 1. `None` if it is
    /// unknown.
    pub(crate) fn usual_concurrency(&self) -> Option<f64> {
        Some(self.usual_latency()?.as_secs_f64() / self.gap()?.as_secs_f64())
    }

    /// Returns the usual latency; `None` before the first answer.
    pub(crate) fn usual_latency(&self) -> Option<Duration> {
        (self.answers > 0).then(|| from_log(self.usual))
    }

    /// Returns the mean latency of the last answers, at least the usual one; `None` before the first answer.
    pub(crate) fn latency(&self) -> Option<Duration> {
        (self.answers > 0).then(|| from_log(self.latency.max(self.usual)))
    }

    /// Returns the shortest attempt that ended in a timeout; `None` if there was none.
    pub(crate) fn shortest_timeout(&self) -> Option<Duration> {
        self.shortest_timeout.is_finite().then(|| from_log(self.shortest_timeout))
    }

    /// Returns the last outage that has ended.
    pub(crate) const fn last_outage(&self) -> Option<PastOutage> {
        self.last_outage
    }

    /// Returns the mean time between two calls; `None` before the first call.
    pub(crate) fn gap(&self) -> Option<Duration> {
        self.calls.gap()
    }

    fn count(&mut self, calls: u8, is_open: bool, now: Instant) {
        if is_open { self.calls.count(calls, now) } else { self.calls.last = None }
    }

    fn learn_latency(&mut self, took: f64, is_open: bool, now: Instant) {
        self.answers = self.answers.saturating_add(1);
        if self.answers == 1 {
            (self.latency, self.mean, self.usual) = (took, took, took);
        }
        self.latency += (took - self.latency) / LATENCY_MEMORY;
        if self.answers <= FIRST_ANSWERS {
            self.mean += (took - self.mean) / f64::from(self.answers);
            self.usual = self.mean;
        } else {
            self.mean += (took - self.mean) / USUAL_MEMORY;
        }
        if self.mean < self.usual {
            self.usual = self.mean;
        } else if is_open {
            let passed = self.last_answer.map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
            self.usual += (self.mean - self.usual) * (passed.as_secs_f64() / DRIFT.as_secs_f64()).min(1.0);
        }
        self.last_answer = Some(now);
    }
}

impl CallRate {
    const MEMORY: f64 = 30.0;

    pub(crate) fn count(&mut self, calls: u8, now: Instant) {
        let passed = self.last.map_or(0.0, |last| now.saturating_duration_since(last).as_secs_f64());
        self.counted_for = (self.counted_for + passed).min(1e6);
        self.calls = self.calls * (-passed / Self::MEMORY).exp() + f64::from(calls);
        self.last = Some(now);
    }

    /// Returns the mean time between two calls; `None` before the first one.
    pub(crate) fn gap(&self) -> Option<Duration> {
        let span = Self::MEMORY * (1.0 - (-self.counted_for / Self::MEMORY).exp());
        // The first calls may come in a burst, which says nothing about their rate.
        let gap = (self.calls > 0.0).then(|| (span.max(0.1) / self.calls).min(1e6));
        gap.and_then(|gap| Duration::try_from_secs_f64(gap).ok())
    }
}

/// Returns the logarithm of a duration in seconds; at least that of a microsecond.
fn seconds_log(duration: Duration) -> f64 {
    duration.as_secs_f64().max(1e-6).ln()
}

fn from_log(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.exp().min(LONGEST)).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests;
