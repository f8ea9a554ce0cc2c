//! Spans of time: sums and shares that saturate, the same ones for all layers.

use std::time::Duration;

use tokio::time::Instant;

/// The longest span that is counted: about a century. Longer ones are settings and hints that mean "for ever".
pub const MAX: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Adds a span to an instant, [`MAX`] at most, so that no sum overflows.
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
pub fn add(now: Instant, span: Duration) -> Instant {
    now + span.min(MAX)
}

/// Returns `random / 2^32` of a span, rounded down to a nanosecond: of a uniform random number a uniform share, and never
/// the whole.
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
    fn a_span_without_end_stops_about_a_century_ahead() {
        let (now, year) = (Instant::now(), Duration::from_secs(365 * 86_400));
        for span in [Duration::ZERO, year, 99 * year] {
            assert_eq!(add(now, span), now + span);
        }
        for span in [101 * year, 1_000 * year, Duration::MAX] {
            assert!(((now + 99 * year)..=(now + 101 * year)).contains(&add(now, span)), "{span:?}");
        }
    }

    #[test]
    fn a_share_is_as_much_of_the_whole_as_the_number_is_of_its_range() {
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
