//! Arithmetic of times and durations that saturates instead of overflowing, the same in all layers.

use std::time::Duration;

use tokio::time::Instant;

/// The longest duration that is added to an instant, about a century. A longer setting or hint means "for ever".
pub const MAX: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Adds a duration, [`MAX`] at most, to an instant.
///
/// `Instant + Duration` panics on overflow, and settings and hints come from users and servers.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use redress_classify::saturating;
/// use tokio::time::Instant;
///
/// let now = Instant::now();
/// assert_eq!(saturating::add(now, Duration::from_secs(2)), now + Duration::from_secs(2));
/// assert_eq!(saturating::add(now, Duration::MAX), now + saturating::MAX);
/// ```
#[inline]
#[must_use]
pub fn add(instant: Instant, duration: Duration) -> Instant {
    instant + duration.min(MAX)
}

/// Returns `whole * random / 2^32`, rounded down to a nanosecond.
///
/// With a uniform `random` it is a uniform part of the duration, and never the whole: the jitter of a wait.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use redress_classify::saturating;
///
/// assert_eq!(saturating::fraction(Duration::from_secs(4), 1 << 31), Duration::from_secs(2));
/// ```
#[must_use]
pub fn fraction(whole: Duration, random: u32) -> Duration {
    let nanos = (whole.as_nanos() * u128::from(random)) >> 32;
    let seconds = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
    Duration::new(seconds, u32::try_from(nanos % 1_000_000_000).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_at_most_a_century_ahead() {
        let (now, year) = (Instant::now(), Duration::from_secs(365 * 86_400));
        for duration in [Duration::ZERO, year, 99 * year] {
            assert_eq!(add(now, duration), now + duration);
        }
        for duration in [101 * year, 1_000 * year, Duration::MAX] {
            assert!(((now + 99 * year)..=(now + 101 * year)).contains(&add(now, duration)), "{duration:?}");
        }
    }

    #[test]
    fn a_fraction_is_the_random_number_divided_by_its_range() {
        let (quarter, half, most) = (1 << 30, 1 << 31, u32::MAX);
        let ns = Duration::from_nanos;
        for (whole, random, expected) in [
            (Duration::from_secs(4), 0, Duration::ZERO),
            (Duration::from_secs(4), quarter, Duration::from_secs(1)),
            (Duration::from_secs(3), half, Duration::from_millis(1_500)),
            (Duration::from_secs(1), most, ns(999_999_999)),
            (ns(1), most, Duration::ZERO),
            (ns(7), half, ns(3)),
            (Duration::ZERO, most, Duration::ZERO),
            // Beyond what 64 bits of nanoseconds hold.
            (Duration::from_secs(1 << 40), half, Duration::from_secs(1 << 39)),
            (Duration::from_secs(1 << 62), most, Duration::new((1 << 62) - (1 << 30), 0)),
            (Duration::MAX, half, Duration::new(u64::MAX / 2, 999_999_999)),
        ] {
            assert_eq!(fraction(whole, random), expected, "{random} of {whole:?}");
        }
    }
}
