//! When credentials are renewed and when they end; how long to pause after a failure.
//!
//! Pure arithmetic: the time and the random number are given.

use std::time::Duration;

use redress_classify::saturating;
use tokio::time::Instant;

/// A shorter lifetime is an issuer's mistake and is not known; and no grant is taken to last less from its arrival on, so
/// that a slow answer makes no busy loop.
pub(crate) const MIN_LIFE: Duration = Duration::from_secs(1);
/// A renewal takes a few seconds at worst, and a failed one wants time to be repeated.
const MIN_LEAD: Duration = Duration::from_secs(30);
/// Longer would waste the lifetime of tokens that last for days.
const MAX_LEAD: Duration = Duration::from_secs(5 * 60);
/// The first pause after a failure, before jitter.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause before jitter, which adds up to half: 60 s at most.
const LAST_PAUSE: Duration = Duration::from_secs(40);

/// The span of credentials whose lifetime is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    /// From here on they are renewed in the background.
    pub(crate) refresh_at: Instant,
    /// From here on they are not sent.
    pub(crate) expires_at: Instant,
}

impl Life {
    /// Counts a lifetime from `sent`, when the request for it began; `now` is its arrival. A lifetime too long to be
    /// counted is not known, nor is one below 1 s.
    pub(crate) fn of(lifetime: Duration, sent: Instant, now: Instant, random: u32) -> Option<Self> {
        if lifetime < MIN_LIFE {
            return None;
        }
        let least = now.saturating_duration_since(sent).saturating_add(MIN_LIFE);
        let lifetime = lifetime.max(least);
        let expires_at = sent.checked_add(lifetime)?;
        let lead = (lifetime / 10).clamp(MIN_LEAD, MAX_LEAD).min(lifetime / 3);
        let lead = lead.saturating_add(saturating::fraction(lead / 2, random));
        // An answer that took long must not begin the next refresh at once.
        let earliest = now + expires_at.saturating_duration_since(now) / 2;
        let refresh_at = expires_at.checked_sub(lead).unwrap_or(earliest).max(earliest);
        Some(Self { refresh_at, expires_at })
    }
}

/// Returns how long to pause after so many failures in a row: from 1 s, doubled each time, at most 60 s.
pub(crate) fn pause(failures: u32, random: u32) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX));
    let pause = doubled.min(LAST_PAUSE);
    pause.saturating_add(saturating::fraction(pause / 2, random))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_lead_is_a_tenth_within_bounds_and_never_over_half() {
        let sent = Instant::now();
        for (lifetime, earliest, latest) in [
            (s(3600), 3600 - 450, 3600 - 300),
            (s(86_400), 86_400 - 450, 86_400 - 300),
            (s(1200), 1200 - 180, 1200 - 120),
            (s(300), 300 - 45, 300 - 30),
            (s(60), 30, 40),
            (s(30), 15, 20),
        ] {
            let early = Life::of(lifetime, sent, sent, u32::MAX).expect("counted");
            let late = Life::of(lifetime, sent, sent, 0).expect("counted");
            assert_eq!((early.expires_at, late.expires_at), (sent + lifetime, sent + lifetime));
            assert_eq!(late.refresh_at, sent + s(latest), "{lifetime:?}");
            let early = early.refresh_at - sent;
            assert!(early >= s(earliest) && early < s(earliest) + Duration::from_millis(1), "{lifetime:?} {early:?}");
        }
    }

    #[test]
    fn a_lifetime_is_counted_from_the_sending() {
        let sent = Instant::now();
        let life = Life::of(s(3600), sent, sent + s(20), 0).expect("counted");
        assert_eq!(life.expires_at, sent + s(3600));
    }

    #[test]
    fn an_absurd_lifetime_makes_no_busy_loop() {
        let sent = Instant::now();
        for took in [s(0), s(1), s(29)] {
            for lifetime in [s(1), Duration::from_millis(1001), s(2), s(25)] {
                for random in [0, 1 << 31, u32::MAX] {
                    let now = sent + took;
                    let life = Life::of(lifetime, sent, now, random).expect("counted");
                    assert!(life.refresh_at >= now + MIN_LIFE / 2, "{lifetime:?} after {took:?}: {life:?}");
                    assert!(life.expires_at >= now + MIN_LIFE && life.refresh_at <= life.expires_at);
                }
            }
        }
        assert_eq!(Life::of(Duration::MAX, sent, sent, 0), None);
    }

    #[test]
    fn a_lifetime_below_a_second_is_not_known() {
        let sent = Instant::now();
        for lifetime in [Duration::ZERO, Duration::from_nanos(1), Duration::from_nanos(999_999_999)] {
            for took in [s(0), s(29)] {
                assert_eq!(Life::of(lifetime, sent, sent + took, 0), None, "{lifetime:?}");
            }
        }
        assert!(Life::of(s(1), sent, sent, 0).is_some());
    }

    #[test]
    fn pauses_double_from_one_second_to_a_minute() {
        let least: Vec<_> = (0..10).map(|failures| pause(failures, 0).as_secs()).collect();
        assert_eq!(least, [1, 1, 2, 4, 8, 16, 32, 40, 40, 40]);
        assert_eq!(pause(u32::MAX, 0), s(40));
        for failures in [1, 2, 7, 1000, u32::MAX] {
            let (least, most) = (pause(failures, 0), pause(failures, u32::MAX));
            assert!(most > least && most <= least * 3 / 2 && most <= s(60), "{failures}");
        }
    }
}
