//! Saturating arithmetic on durations.
//!
//! Scenario files contain arbitrary factors and rates. Sums must neither overflow a `Duration` nor
//! exceed the range of tokio's clock.

use std::time::Duration;

/// A duration longer than any run.
pub(crate) const NEVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Returns a duration of `seconds`, clamped to 0 and [`NEVER`]. NaN counts as 0.
pub(crate) fn seconds(seconds: f64) -> Duration {
    if seconds.is_nan() || seconds <= 0.0 {
        return Duration::ZERO;
    }
    Duration::try_from_secs_f64(seconds).map_or(NEVER, |span| span.min(NEVER))
}

/// Returns `span` multiplied by `factor`.
pub(crate) fn times(span: Duration, factor: f64) -> Duration {
    seconds(span.as_secs_f64() * factor)
}

/// Returns the sum, at most [`NEVER`].
pub(crate) fn sum(a: Duration, b: Duration) -> Duration {
    a.saturating_add(b).min(NEVER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extreme_durations_saturate() {
        assert_eq!(seconds(f64::NAN), Duration::ZERO);
        assert_eq!(seconds(-1.0), Duration::ZERO);
        assert_eq!(times(Duration::MAX, f64::MAX), NEVER);
        assert_eq!(sum(NEVER, NEVER), NEVER);
        assert_eq!(times(Duration::from_millis(500), 3.0), Duration::from_millis(1_500));
    }
}
