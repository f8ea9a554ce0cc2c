//! The lengths of waits, with their jitter: pure arithmetic that saturates.

use std::time::Duration;

use redress_classify::{Schedule, saturating};

/// The jitter of waits: it spreads retries, so that callers that failed at the same time do not return at the same time.
///
/// The names are those of the AWS article *Exponential Backoff and Jitter* (2015). A wait that a server or vendor asks for is
/// never shortened: with any jitter but [`None`](Self::None) it is prolonged by up to half.
///
/// # Examples
/// ```
/// use redress_backoff::{BackoffLayer, Jitter};
/// use redress_classify::dialects;
///
/// assert_eq!(Jitter::default(), Jitter::Full);
/// let layer = BackoffLayer::new(dialects::generic()).jitter(Jitter::Equal);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Jitter {
    /// From zero to the whole wait. It spreads best, so it is the default.
    #[default]
    Full,
    /// From half of the wait to the whole wait.
    Equal,
    /// From the shortest wait to three times the last one.
    Decorrelated,
    /// The wait itself, for tests and for a single caller: callers that failed at the same time return at the same time.
    None,
}

/// The range of a wait before it is drawn: from `floor` to `floor + spread`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delay {
    pub(crate) floor: Duration,
    pub(crate) spread: Duration,
}

/// The longest jitter that is added to a server's hint.
const MAX_HINT_SPREAD: Duration = Duration::from_secs(30);

impl Delay {
    /// Returns the range of the nth wait (from 1) of the layer's own schedule.
    pub(crate) fn own(schedule: Schedule, nth: u32, jitter: Jitter, last: Option<Duration>) -> Self {
        let ceiling = nth_wait(schedule, nth);
        let half = ceiling / 2;
        match jitter {
            Jitter::Full => Self { floor: Duration::ZERO, spread: ceiling },
            Jitter::Equal => Self { floor: half, spread: ceiling - half },
            Jitter::Decorrelated => {
                let floor = schedule.base.min(schedule.cap);
                let top = last.unwrap_or(floor).saturating_mul(3).min(schedule.cap);
                Self { floor, spread: top.saturating_sub(floor) }
            }
            Jitter::None => Self { floor: ceiling, spread: Duration::ZERO },
        }
    }

    /// Returns the range of a wait that the vendor publishes: never shorter, at most half longer.
    pub(crate) fn published(wait: Duration, jitter: Jitter) -> Self {
        let spread = if jitter == Jitter::None { Duration::ZERO } else { wait / 2 };
        Self { floor: wait, spread }
    }

    /// Returns the range of a wait of gRPC's policy: from 20 % less to 20 % more (gRFC A6, "Exponential Backoff").
    pub(crate) fn grpc(wait: Duration, jitter: Jitter) -> Self {
        let fifth = if jitter == Jitter::None { Duration::ZERO } else { wait / 5 };
        Self { floor: wait - fifth, spread: fifth * 2 }
    }

    /// Returns the range of a server's hint: never shorter, at most half longer, at most 30 s longer.
    pub(crate) fn hinted(wait: Duration, jitter: Jitter) -> Self {
        let Self { floor, spread } = Self::published(wait, jitter);
        Self { floor, spread: spread.min(MAX_HINT_SPREAD) }
    }

    /// Raises the range to the upper half of `longest`, unless it reaches `longest` already.
    pub(crate) fn up_to(self, longest: Duration) -> Self {
        if longest <= self.floor.saturating_add(self.spread) {
            return self;
        }
        let floor = self.floor.max(longest / 2);
        Self { floor, spread: longest - floor }
    }

    /// Lowers the end of the range to `latest`, which is not below the floor.
    pub(crate) fn until(self, latest: Duration) -> Self {
        Self { floor: self.floor, spread: self.spread.min(latest.saturating_sub(self.floor)) }
    }

    /// Draws the wait. `random` is uniformly distributed over all values.
    pub(crate) fn draw(self, random: u32) -> Duration {
        self.floor.saturating_add(saturating::fraction(self.spread, random))
    }
}

/// Returns the nth wait (from 1) of a schedule: `base * factor^(n-1)`, at most `cap`.
pub(crate) fn nth_wait(schedule: Schedule, nth: u32) -> Duration {
    let factor = schedule.factor.get().saturating_pow(nth.saturating_sub(1));
    schedule.base.saturating_mul(factor).min(schedule.cap)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;

    fn schedule(base: u64, factor: u32, cap: u64) -> Schedule {
        let factor = NonZeroU32::new(factor).expect("the factor is not zero");
        Schedule { base: Duration::from_millis(base), factor, cap: Duration::from_millis(cap) }
    }

    #[test]
    fn waits_grow_up_to_the_cap() {
        for (schedule, expected) in [
            (schedule(50, 2, 20_000), [50, 100, 200, 400, 800]),
            (schedule(50, 2, 200), [50, 100, 200, 200, 200]),
            (schedule(1_000, 2, 3_000), [1_000, 2_000, 3_000, 3_000, 3_000]),
            (schedule(500, 2, 8_000), [500, 1_000, 2_000, 4_000, 8_000]),
            (schedule(10, 1, 1_000), [10, 10, 10, 10, 10]),
            (schedule(0, 2, 1_000), [0, 0, 0, 0, 0]),
        ] {
            let waits = [1, 2, 3, 4, 5].map(|nth| nth_wait(schedule, nth));
            assert_eq!(waits, expected.map(Duration::from_millis));
        }
    }

    /// Envoy's policy: from zero to `(2^n - 1)` times the base, at most ten times the base.
    fn envoy(base: Duration, nth: u32) -> Delay {
        let steps = 2_u32.saturating_pow(nth).saturating_sub(1);
        Delay { floor: Duration::ZERO, spread: base.saturating_mul(steps).min(base * 10) }
    }

    #[test]
    fn waits_of_grpc_are_a_fifth_shorter_to_a_fifth_longer() {
        for (nth, least, most) in
            [(1, 80, 120), (2, 160, 240), (3, 320, 480), (4, 640, 960), (5, 800, 1_200), (u32::MAX, 800, 1_200)]
        {
            let wait = nth_wait(schedule(100, 2, 1_000), nth);
            assert_eq!(Delay::grpc(wait, Jitter::None).draw(u32::MAX), wait);
            let delay = Delay::grpc(wait, Jitter::Full);
            let draws = [delay.draw(0), delay.draw(1 << 31), delay.draw(u32::MAX)].map(|draw| draw.as_micros());
            let expected = [least * 1_000, (least + most) * 500, most * 1_000 - 1];
            assert_eq!(draws, expected, "retry {nth}");
        }
    }

    #[test]
    fn delays_can_express_the_backoff_of_envoy() {
        for (nth, most) in [(1, 25), (2, 75), (3, 175), (4, 250), (5, 250), (u32::MAX, 250)] {
            let delay = envoy(Duration::from_millis(25), nth);
            let draws = [delay.draw(0), delay.draw(1 << 31), delay.draw(u32::MAX)].map(|draw| draw.as_micros());
            assert_eq!(draws, [0, most * 500, most * 1_000 - 1], "retry {nth}");
        }
    }

    #[test]
    fn equal_jitter_is_the_backoff_of_the_stripe_client() {
        for (nth, most) in [(1, 500), (2, 1_000), (3, 2_000), (4, 4_000), (5, 5_000), (9, 5_000)] {
            let delay = Delay::own(schedule(500, 2, 5_000), nth, Jitter::Equal, None);
            let draws = [delay.draw(0), delay.draw(1 << 31)].map(|draw| draw.as_millis());
            assert_eq!(draws, [most / 2, most * 3 / 4], "retry {nth}");
        }
    }

    #[test]
    fn requested_waits_are_prolonged_unless_jitter_is_off() {
        let wait = Duration::from_secs(10);
        for (jitter, spread) in [(Jitter::Full, wait / 2), (Jitter::Equal, wait / 2), (Jitter::None, Duration::ZERO)] {
            assert_eq!(Delay::published(wait, jitter), Delay { floor: wait, spread });
            assert_eq!(Delay::hinted(wait, jitter), Delay { floor: wait, spread });
        }
    }

    #[test]
    fn extreme_settings_saturate() {
        for schedule in [schedule(u64::MAX, u32::MAX, u64::MAX), schedule(1, u32::MAX, u64::MAX), schedule(5, 2, 0)] {
            for jitter in [Jitter::Full, Jitter::Equal, Jitter::Decorrelated, Jitter::None] {
                for nth in [0, 1, 2, 31, 32, 33, 64, u32::MAX] {
                    let delay = Delay::own(schedule, nth, jitter, Some(Duration::MAX));
                    assert!(delay.draw(u32::MAX) <= schedule.cap.max(schedule.base));
                    let _ = (Delay::hinted(Duration::MAX, jitter).draw(u32::MAX), delay.draw(0));
                }
            }
        }
    }

    #[test]
    fn jitter_is_not_rounded_to_whole_seconds() {
        let delay = Delay::own(schedule(1_000, 2, 20_000), 1, Jitter::Full, None);
        let draws: std::collections::BTreeSet<_> =
            (0..1_000_u32).map(|n| delay.draw(n.wrapping_mul(4_294_967))).collect();
        assert!(draws.len() > 990, "{}", draws.len());
    }

    proptest! {
        #[test]
        fn each_draw_is_within_its_range(base in 0_u64..5_000, cap in 0_u64..60_000, nth in 1_u32..40, random: u32, last in 0_u64..60_000) {
            let schedule = schedule(base, 2, cap);
            let wait = nth_wait(schedule, nth);
            let last = Some(Duration::from_millis(last));
            let draw = |jitter| Delay::own(schedule, nth, jitter, last).draw(random);
            prop_assert!(draw(Jitter::Full) <= wait);
            prop_assert!((wait / 2..=wait).contains(&draw(Jitter::Equal)));
            prop_assert!(draw(Jitter::Decorrelated) <= schedule.cap);
            prop_assert_eq!(draw(Jitter::None), wait);
            let hinted = Delay::hinted(wait, Jitter::Full).draw(random);
            prop_assert!(hinted >= wait && hinted <= wait + (wait / 2).min(MAX_HINT_SPREAD));
        }
    }
}
