//! The window of a release: how many calls may be in flight. It is a pure function of what the answers took.

use std::time::Duration;

use tokio::time::Instant;

use crate::health::{Health, SLOW};

/// The largest window: more than any client has in flight.
const LARGEST: f64 = 65_536.0;
/// The smallest window. Below 1 the calls go one at a time, with pauses.
const SMALLEST: f64 = 0.01;
/// A round of this multiple of the usual latency shows a queue at the server. The window shrinks.
const QUEUE: f64 = 4.0;
/// Up to this multiple the window grows.
const NO_QUEUE: f64 = 2.5;
/// The growth for each round until the first sign of a queue, and after it.
const FIRST_GROWTH: f64 = 0.5;
const LATER_GROWTH: f64 = 0.1;
/// The longest pause between two calls.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The number of calls that may be in flight during a release.
///
/// It begins with the concurrency of a good day, rate x latency, so that a fleet of many clients that share nothing brings no
/// more load than on that day. It adapts in rounds of as many answers as it has places, at least 4, or 2 below two places:
/// - More than half of a round fail, or a fifth end in a timeout while the others are slow: it is halved, down to one place or its
///   first size. If it is that small already and half of a round fail, fewer calls do not help: the failures are not those of a
///   queue, and no longer count.
/// - A round takes more than 4 times the usual latency, or comes close to the timeout of an attempt: it shrinks by 30 %, though
///   not below its first size. If it has that size and the answers get no faster, the server is slower for good: this is the
///   usual latency from then on.
/// - A round takes at most 2.5 times the usual latency, and the window is used: it grows by half, and after the first sign of a
///   queue by a tenth.
///
/// It only judges answers to calls that were sent after it last shrank.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    places: f64,
    /// Its first size.
    first: f64,
    /// The time after which a window of one place would send the next call: the usual latency at the beginning.
    pause: Duration,
    /// The usual latency, as a logarithm of seconds.
    usual: f64,
    /// The time of the last cut; calls that were sent before do not count.
    cut: Instant,
    /// Whether there was a sign of a queue.
    has_queued: bool,
    last_mean: f64,
    /// Whether the failures were as many with the smallest window.
    fails_anyway: bool,
    round: Round,
    /// The instant from which on the next call may be sent, if the window is below 1.
    next_send: Instant,
}

/// The answers of a round.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    answers: u32,
    /// The sum of the logarithms of their latencies.
    sum: f64,
    timeouts: u32,
    failures: u32,
}

/// The end of a call for the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallEnd {
    /// It was answered.
    Answered,
    /// It failed in a way that indicates overload: no connection, a rate limit, a 5xx.
    Failed,
    /// It ended in a timeout.
    TimedOut,
    /// It was dropped, or never sent.
    Unknown,
}

impl Window {
    /// Makes the window at the end of an outage or a cool-down. Where nothing is known of the upstream, it has one place.
    pub(crate) fn new(health: &Health, now: Instant) -> Self {
        let first = health.usual_concurrency().unwrap_or(1.0).clamp(SMALLEST, LARGEST);
        let usual = health.usual_latency().map_or(f64::INFINITY, |usual| usual.as_secs_f64().max(1e-6).ln());
        Self {
            places: first,
            first,
            pause: health.usual_latency().unwrap_or_default(),
            usual,
            cut: now,
            has_queued: false,
            last_mean: f64::INFINITY,
            fails_anyway: false,
            round: Round::default(),
            next_send: now,
        }
    }

    /// Returns the number of calls that may be in flight.
    pub(crate) const fn places(&self) -> f64 {
        self.places
    }

    /// Returns `true` if half of the calls fail with the smallest window, too.
    pub(crate) const fn fails_anyway(&self) -> bool {
        self.fails_anyway
    }

    /// Returns the instant before which no call may be sent.
    pub(crate) const fn next_send(&self) -> Instant {
        self.next_send
    }

    /// Records a call that is sent. With less than one place, the next one pauses.
    pub(crate) fn on_send(&mut self, now: Instant) {
        if self.places < 1.0 {
            let pause = Duration::try_from_secs_f64(self.pause.as_secs_f64() / self.places).unwrap_or(LONGEST_PAUSE);
            self.next_send = now + pause.min(LONGEST_PAUSE);
        }
    }

    /// Records the end of a call that was sent at `sent`. `is_used` is `true` if calls wait, or most places are taken.
    pub(crate) fn on_end(&mut self, end: CallEnd, sent: Instant, is_used: bool, health: &Health, now: Instant) {
        if sent < self.cut {
            return;
        }
        match end {
            CallEnd::Answered => {
                self.round.answers += 1;
                self.round.sum += now.saturating_duration_since(sent).as_secs_f64().max(1e-6).ln();
            }
            CallEnd::Failed => self.round.failures += 1,
            CallEnd::TimedOut => self.round.timeouts += 1,
            CallEnd::Unknown => return,
        }
        let shortest: f64 = if self.places < 2.0 { 2.0 } else { 4.0 };
        if f64::from(self.round.ends()) >= self.places.max(shortest) {
            self.end_round(is_used, health, now);
        }
    }

    fn end_round(&mut self, is_used: bool, health: &Health, now: Instant) {
        let round = std::mem::take(&mut self.round);
        let mean = round.mean();
        self.usual = mean.map_or(self.usual, |mean| self.usual.min(mean));
        // Without an answer it is as slow as it can be.
        let ratio = mean.map_or(f64::INFINITY, |mean| (mean - self.usual).exp());
        let (low, high) = self.thresholds(health);
        let before = self.places;
        let is_failing = round.share(round.failures) > 0.5 && !self.fails_anyway;
        if is_failing || (round.share(round.timeouts) > 0.2 && ratio > SLOW) {
            let smallest = self.first.min(1.0);
            self.fails_anyway |= round.timeouts == 0 && self.places <= smallest;
            self.places = (self.places / 2.0).max(smallest);
        } else if ratio > high {
            self.shrink(mean);
        } else if ratio <= low && is_used {
            let share = if self.has_queued { LATER_GROWTH } else { FIRST_GROWTH };
            let least = (self.places / 4.0).min(1.0);
            self.places = (self.places + (self.places * share).max(least)).min(LARGEST);
        }
        self.last_mean = mean.unwrap_or(f64::INFINITY);
        self.has_queued |= self.places < before || ratio > low;
        if self.places < before {
            self.cut = now;
        }
    }

    fn shrink(&mut self, mean: Option<f64>) {
        if let Some(mean) = mean.filter(|mean| self.places <= self.first && *mean > self.last_mean - 0.1) {
            // So slow with no more calls than on a good day, and it gets no better: it is slower now.
            self.usual = mean;
        }
        self.places = (self.places * 0.7).max(self.first.min(self.places));
    }

    /// Returns the ratios to the usual latency up to which the window grows, and above which it shrinks. On the way from the
    /// usual latency to a timeout a third is fine, and two thirds are not.
    fn thresholds(&self, health: &Health) -> (f64, f64) {
        let timeout = health.shortest_timeout().map_or(f64::INFINITY, |timeout| timeout.as_secs_f64().ln());
        let room = (timeout - self.usual).max(0.0);
        (NO_QUEUE.min((room / 3.0).exp()), QUEUE.min((room * 2.0 / 3.0).exp()))
    }
}

impl Round {
    const fn ends(&self) -> u32 {
        self.answers + self.timeouts + self.failures
    }

    fn share(&self, ends: u32) -> f64 {
        f64::from(ends) / f64::from(self.ends().max(1))
    }

    fn mean(&self) -> Option<f64> {
        (self.answers > 0).then(|| self.sum / f64::from(self.answers))
    }
}

#[cfg(test)]
pub(crate) mod tests;
