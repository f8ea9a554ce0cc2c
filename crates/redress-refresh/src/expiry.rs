//! When credentials are renewed and when they expire, and how long a cool-down lasts: pure arithmetic that takes the time and
//! a random number.

use std::time::Duration;

use redress_classify::saturating;
use tokio::time::Instant;

/// A shorter lifetime is a mistake of the issuer and counts as unknown. A set also lasts at least this long from its arrival,
/// so that a slow response causes no busy loop.
pub(crate) const MIN_LIFETIME: Duration = Duration::from_secs(1);
/// A renewal takes a few seconds at worst, and a failed one needs time for another attempt.
const MIN_LEAD: Duration = Duration::from_secs(30);
/// A longer lead would waste the lifetime of tokens that last for days.
const MAX_LEAD: Duration = Duration::from_secs(5 * 60);
/// The first pause after a failure, before jitter.
const FIRST_COOL_DOWN: Duration = Duration::from_secs(1);
/// The longest pause before jitter, which adds up to half: 60 s at most.
const MAX_COOL_DOWN: Duration = Duration::from_secs(40);

/// The end of credentials with a known lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expiry {
    /// From this time on they are renewed in the background.
    pub(crate) refresh_at: Instant,
    /// From this time on they are not sent.
    pub(crate) expires_at: Instant,
}

impl Expiry {
    /// Counts a lifetime from `sent`, when the call for it began; `now` is its arrival. A lifetime below 1 s is unknown, and
    /// so is one that exceeds the clock.
    pub(crate) fn new(lifetime: Duration, sent: Instant, now: Instant, random: u32) -> Option<Self> {
        if lifetime < MIN_LIFETIME {
            return None;
        }
        let least = now.saturating_duration_since(sent).saturating_add(MIN_LIFETIME);
        let lifetime = lifetime.max(least);
        let expires_at = sent.checked_add(lifetime)?;
        let lead = (lifetime / 10).clamp(MIN_LEAD, MAX_LEAD).min(lifetime / 3);
        let lead = lead.saturating_add(saturating::fraction(lead / 2, random));
        // A response that took long must not start the next refresh at once.
        let earliest = now + expires_at.saturating_duration_since(now) / 2;
        let refresh_at = expires_at.checked_sub(lead).unwrap_or(earliest).max(earliest);
        Some(Self { refresh_at, expires_at })
    }
}

/// Returns the cool-down after that many failures in a row: 1 s, doubled with each failure, at most 60 s with jitter.
pub(crate) fn cool_down(failures: u32, random: u32) -> Duration {
    let doubled = FIRST_COOL_DOWN.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX));
    let pause = doubled.min(MAX_COOL_DOWN);
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
            let early = Expiry::new(lifetime, sent, sent, u32::MAX).expect("counted");
            let late = Expiry::new(lifetime, sent, sent, 0).expect("counted");
            assert_eq!((early.expires_at, late.expires_at), (sent + lifetime, sent + lifetime));
            assert_eq!(late.refresh_at, sent + s(latest), "{lifetime:?}");
            let early = early.refresh_at - sent;
            assert!(early >= s(earliest) && early < s(earliest) + Duration::from_millis(1), "{lifetime:?} {early:?}");
        }
    }

    #[test]
    fn a_lifetime_counts_from_when_the_call_began() {
        let sent = Instant::now();
        let expiry = Expiry::new(s(3600), sent, sent + s(20), 0).expect("counted");
        assert_eq!(expiry.expires_at, sent + s(3600));
    }

    #[test]
    fn an_absurd_lifetime_causes_no_busy_loop() {
        let sent = Instant::now();
        for took in [s(0), s(1), s(29)] {
            for lifetime in [s(1), Duration::from_millis(1001), s(2), s(25)] {
                for random in [0, 1 << 31, u32::MAX] {
                    let now = sent + took;
                    let expiry = Expiry::new(lifetime, sent, now, random).expect("counted");
                    assert!(expiry.refresh_at >= now + MIN_LIFETIME / 2, "{lifetime:?} after {took:?}: {expiry:?}");
                    assert!(expiry.expires_at >= now + MIN_LIFETIME && expiry.refresh_at <= expiry.expires_at);
                }
            }
        }
        assert_eq!(Expiry::new(Duration::MAX, sent, sent, 0), None);
    }

    #[test]
    fn a_lifetime_below_a_second_is_unknown() {
        let sent = Instant::now();
        for lifetime in [Duration::ZERO, Duration::from_nanos(1), Duration::from_nanos(999_999_999)] {
            for took in [s(0), s(29)] {
                assert_eq!(Expiry::new(lifetime, sent, sent + took, 0), None, "{lifetime:?}");
            }
        }
        assert!(Expiry::new(s(1), sent, sent, 0).is_some());
    }

    #[test]
    fn cool_downs_double_from_one_second_to_a_minute() {
        let least: Vec<_> = (0..10).map(|failures| cool_down(failures, 0).as_secs()).collect();
        assert_eq!(least, [1, 1, 2, 4, 8, 16, 32, 40, 40, 40]);
        assert_eq!(cool_down(u32::MAX, 0), s(40));
        for failures in [1, 2, 7, 1000, u32::MAX] {
            let (least, most) = (cool_down(failures, 0), cool_down(failures, u32::MAX));
            assert!(most > least && most <= least * 3 / 2 && most <= s(60), "{failures}");
        }
    }
}
