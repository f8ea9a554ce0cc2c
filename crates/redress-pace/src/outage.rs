//! An outage of one partition: when it began, and when the next probe is due. It is given the time, and so deterministic.

use std::time::Duration;

use redress_classify::saturating;
use tokio::time::Instant;

use crate::health::Health;

/// The shortest time between two probes.
const SHORTEST_INTERVAL: f64 = 0.1;
/// The longest one, for a client that calls at least ten times a second.
const LONGEST_INTERVAL: f64 = 2.0;
/// The longest one for any client.
const LONGEST_FOR_RARE_CALLS: f64 = 30.0;
/// The number of calls that a client makes in the longest interval on a good day.
const CALLS_IN_LONGEST: f64 = 20.0;
/// The time to the next probe in calls of a good day, after one that failed at once and after one that ended in a timeout. A server
/// that hangs works on such a probe later: with half of the load of a good day it works off its queue, also in a fleet in which
/// each process probes. This is why the age of the outage does not shorten the second one.
const CALLS_PER_PROBE: f64 = 1.0;
const CALLS_PER_HANGING_PROBE: f64 = 2.0;
/// The interval as a share of the age of the outage: in the time in which the age doubles there are about seven probes.
const SHARE_OF_AGE: f64 = 0.1;
/// A probe that takes longer than this multiple of the latency is replaced by another one.
const HANGING: u32 = 4;
/// It is not replaced earlier than this, nor before twice the timeout of an attempt: a server that hangs works on each of the
/// probes later.
const SHORTEST_PROBE: Duration = Duration::from_secs(1);

/// An outage that an answer has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PastOutage {
    pub(crate) since: Instant,
    pub(crate) until: Instant,
}

/// An outage, in which single calls probe whether the upstream is back.
#[derive(Clone, Debug)]
pub(crate) struct Outage {
    /// The time at which the calls began to be held.
    since: Instant,
    /// The time of the next probe; `None` if there are none, since the gate was shut by hand.
    next: Option<Instant>,
    /// The probe in flight: the id of its call.
    probe: Option<u64>,
}

impl Outage {
    /// Begins an outage, after a failure that is a timeout or not.
    ///
    /// After a timeout it continues the last one, if that ended at most as long ago as it lasted. A server that works on a queue
    /// answers single calls in between, and probes in the short intervals of a new outage would add to the queue.
    pub(crate) fn new(health: &Health, is_timeout: bool, now: Instant, random: u32) -> Self {
        let last = health.last_outage().filter(|last| is_timeout && last.is_recent(now));
        let since = last.map_or(now, |last| last.since);
        let age = now.saturating_duration_since(since);
        Self { since, next: Some(now + interval(health, age, is_timeout, random)), probe: None }
    }

    /// Begins one without probes, which lasts until the gate is opened.
    pub(crate) const fn by_hand(now: Instant) -> Self {
        Self { since: now, next: None, probe: None }
    }

    /// Returns the time since the outage began.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    pub(crate) const fn since(&self) -> Instant {
        self.since
    }

    /// Returns the time at which a call may probe; `None` if the gate was shut by hand.
    pub(crate) const fn next_probe(&self) -> Option<Instant> {
        self.next
    }

    /// Returns `true` if a call may probe now.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.next.is_some_and(|next| next <= now)
    }

    /// Sends a call as the probe. Another one is due if it takes longer than an interval, 4 times the latency, twice the timeout of
    /// an attempt, and a second: if there is no timeout, it would hold the others until its deadline.
    pub(crate) fn send_probe(&mut self, call: u64, health: &Health, now: Instant, random: u32) {
        let hanging = health.latency().unwrap_or_default().saturating_mul(HANGING);
        let cut = health.shortest_timeout().unwrap_or_default().saturating_mul(2);
        let replaced = interval(health, self.age(now), false, random).max(hanging).max(cut).max(SHORTEST_PROBE);
        (self.probe, self.next) = (Some(call), Some(saturating::add(now, replaced)));
    }

    /// Ends a probe that failed, was dropped, or was never sent. One that was replaced changes nothing.
    pub(crate) fn end_probe(&mut self, call: u64, is_timeout: bool, health: &Health, now: Instant, random: u32) {
        if self.probe == Some(call) {
            (self.probe, self.next) = (None, Some(now + interval(health, self.age(now), is_timeout, random)));
        }
    }
}

impl PastOutage {
    /// Returns `true` if the outage ended at most as long ago as it lasted.
    fn is_recent(self, now: Instant) -> bool {
        let lasted = self.until.saturating_duration_since(self.since);
        now.saturating_duration_since(self.until) <= lasted
    }
}

/// Returns the time to the next probe: a tenth of the age of the outage, at least the time of one call on a good day, with a jitter
/// of half of it in both directions. The time of a call is at most the age, so that a client that rarely calls probes soon. After
/// a timeout it is that of two calls, whatever the age.
///
/// It is in proportion to the age, since a wait that doubles has outgrown the outage by its end.
fn interval(health: &Health, age: Duration, is_timeout: bool, random: u32) -> Duration {
    let gap = health.gap().unwrap_or_default().as_secs_f64();
    let longest = LONGEST_INTERVAL.max((gap * CALLS_IN_LONGEST).min(LONGEST_FOR_RARE_CALLS));
    let age = age.as_secs_f64();
    let shortest = if is_timeout { gap * CALLS_PER_HANGING_PROBE } else { (gap * CALLS_PER_PROBE).min(age) };
    let mean = (age * SHARE_OF_AGE).max(shortest).clamp(SHORTEST_INTERVAL, longest);
    // It is within the bounds above.
    Duration::try_from_secs_f64(mean * (0.5 + f64::from(random) / 4_294_967_296.0)).unwrap_or(SHORTEST_PROBE)
}

#[cfg(test)]
mod tests;
