//! The maximum wait of one call.

use std::time::Duration;

use http::Request;
use redress_classify::{Deadline, Error, Phase, saturating};
use tokio::time::Instant;

use crate::cooldown::Cooldown;
use crate::fail_fast::FailFast;
use crate::settings::Settings;

/// How long the first call to a partition waits for the cool-downs that other processes share.
pub(crate) const FIRST_LOAD: Duration = Duration::from_millis(250);

/// The latest instant at which a call may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MaxWait {
    latest: Instant,
    limit: WaitLimit,
}

/// The limit of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitLimit {
    /// The call must be over at the instant, and so must be sent before.
    Deadline,
    /// The call has no deadline, and may still be sent at the instant.
    Longest,
    /// The call must not wait at all.
    FailFast,
}

impl MaxWait {
    /// Returns the maximum wait of a request: its own deadline, else that of the settings, else their longest wait.
    pub(crate) fn new<B>(settings: &Settings, request: &Request<B>, now: Instant) -> Self {
        if settings.fail_fast || settings.gates.has_ended_waits() || request.extensions().get::<FailFast>().is_some() {
            return Self::fail_fast(now);
        }
        let from_settings = || settings.deadline.map(|deadline| Deadline::new(saturating::add(now, deadline)));
        match Deadline::from_request(request).or_else(from_settings) {
            Some(deadline) => Self { latest: deadline.instant(), limit: WaitLimit::Deadline },
            None => Self { latest: saturating::add(now, settings.max_wait), limit: WaitLimit::Longest },
        }
    }

    /// Returns that of a call that must not wait.
    pub(crate) const fn fail_fast(now: Instant) -> Self {
        Self { latest: now, limit: WaitLimit::FailFast }
    }

    /// Returns the latest instant, which orders the calls that wait.
    pub(crate) const fn latest(&self) -> Instant {
        self.latest
    }

    pub(crate) const fn limit(&self) -> WaitLimit {
        self.limit
    }

    fn is_deadline(&self) -> bool {
        self.limit == WaitLimit::Deadline
    }

    /// Returns `true` if the call may be sent at this instant.
    pub(crate) fn allows(&self, at: Instant) -> bool {
        if self.is_deadline() { at < self.latest } else { at <= self.latest }
    }

    /// Returns `true` if the call may be sent at this instant, or need not wait at all.
    pub(crate) fn allows_send(&self, at: Instant, now: Instant) -> bool {
        at == now || self.allows(at)
    }

    /// Fails if the deadline has passed.
    pub(crate) fn check(&self, now: Instant) -> Result<(), Error> {
        if self.is_deadline() && self.latest <= now { Err(Error::deadline(Phase::NotSent)) } else { Ok(()) }
    }

    /// Returns the instant at which a call leaves a cool-down: a random one within its spread.
    ///
    /// Near a deadline the spread is narrower, so that half of the time that is left remains for the call.
    pub(crate) fn release_at(&self, cooldown: &Cooldown, random: u32) -> Instant {
        let slack = self.latest.saturating_duration_since(cooldown.until) / 2;
        let spread = if self.is_deadline() { cooldown.spread.min(slack) } else { cooldown.spread };
        cooldown.until + saturating::fraction(spread, random)
    }

    /// Returns the instant until which a call waits in a line. A deadline leaves twice the usual latency for the answer.
    /// `grace` is the spread for a call that waited for a cool-down, and may have used up its maximum wait.
    pub(crate) fn line_until(&self, usual: Duration, grace: Duration, now: Instant) -> Instant {
        if self.is_deadline() {
            self.latest.checked_sub(usual.saturating_mul(2)).unwrap_or(now)
        } else {
            saturating::add(self.latest.max(now), grace)
        }
    }

    /// Returns the instant until which a call waits for the first load of shared cool-downs: 250 ms, and of a deadline at most half
    /// of the time that is left; `None` for a call that must not wait. A store in the same network answers in a few milliseconds;
    /// one that does not within 250 ms counts as unavailable.
    pub(crate) fn load_until(&self, now: Instant) -> Option<Instant> {
        let left = self.latest.saturating_duration_since(now);
        let longest = if self.is_deadline() { left / 2 } else { left };
        (self.limit != WaitLimit::FailFast).then(|| now + longest.min(FIRST_LOAD))
    }

    /// Returns the deadline, if there is one.
    pub(crate) fn deadline(&self) -> Option<Deadline> {
        self.is_deadline().then(|| Deadline::new(self.latest))
    }
}

#[cfg(test)]
mod tests {
    use redress_classify::dialects;

    use super::*;
    use crate::PaceLayer;

    const S: Duration = Duration::from_secs(1);

    fn max_wait(layer: &PaceLayer, own: Option<Duration>, now: Instant) -> MaxWait {
        let mut request = Request::new(());
        if let Some(own) = own {
            request.extensions_mut().insert(Deadline::new(now + own));
        }
        MaxWait::new(layer.settings(), &request, now)
    }

    #[test]
    fn a_deadline_is_exclusive_and_the_longest_wait_inclusive() {
        let now = Instant::now();
        let layer = || PaceLayer::new(dialects::generic());
        for (layer, own, longest, at_the_end) in [
            (layer(), None, 120 * S, true),
            (layer().max_wait(5 * S), None, 5 * S, true),
            (layer().deadline(9 * S), None, 9 * S, false),
            (layer().deadline(9 * S), Some(20 * S), 20 * S, false),
            (layer().fail_fast(), Some(20 * S), Duration::ZERO, true),
        ] {
            let wait = max_wait(&layer, own, now);
            assert_eq!(wait.allows(now + longest), at_the_end, "{wait:?}");
            assert!(!wait.allows(now + longest + S) && wait.allows_send(now, now), "{wait:?}");
            assert_eq!(wait.deadline().is_some(), !at_the_end);
            assert_eq!(wait.check(now + longest).is_ok(), at_the_end);
        }
    }

    #[test]
    fn half_of_the_time_left_remains_for_the_call_after_the_spread() {
        let now = Instant::now();
        let cooldown = Cooldown::new(now, 20 * S).expect("it is not zero");
        let layer = || PaceLayer::new(dialects::generic());
        for (layer, latest) in
            [(layer(), 30 * S), (layer().deadline(24 * S), 22 * S), (layer().deadline(90 * S), 30 * S)]
        {
            let wait = max_wait(&layer, None, now);
            let release = wait.release_at(&cooldown, u32::MAX);
            assert!(release < now + latest && release + S > now + latest, "{wait:?}");
            assert_eq!(wait.release_at(&cooldown, 0), now + 20 * S);
        }
        let hurried = max_wait(&layer().deadline(4 * S), None, now);
        assert_eq!(hurried.line_until(S, 9 * S, now), now + 2 * S);
        assert!(hurried.line_until(9 * S, S, now) <= now, "no time is left");
        let patient = max_wait(&layer().max_wait(4 * S), None, now);
        assert_eq!(patient.line_until(S, 9 * S, now), now + 13 * S);
    }
}
