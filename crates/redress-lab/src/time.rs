//! Arithmetic of spans of time that stops at the ends.

use std::time::Duration;

/// Longer than any run: what takes as long never ends.
const NEVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Returns so many seconds; what is no number or below 0 is none.
pub(crate) fn seconds(seconds: f64) -> Duration {
    if seconds.is_nan() || seconds <= 0.0 {
        return Duration::ZERO;
    }
    Duration::try_from_secs_f64(seconds).map_or(NEVER, |span| span.min(NEVER))
}

/// Returns so many times a span.
pub(crate) fn times(span: Duration, factor: f64) -> Duration {
    seconds(span.as_secs_f64() * factor)
}

/// Returns the sum, which tokio's clock can count.
pub(crate) fn sum(a: Duration, b: Duration) -> Duration {
    a.saturating_add(b).min(NEVER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absurd_spans_stop_at_the_ends() {
        assert_eq!(seconds(f64::NAN), Duration::ZERO);
        assert_eq!(seconds(-1.0), Duration::ZERO);
        assert_eq!(times(Duration::MAX, f64::MAX), NEVER);
        assert_eq!(sum(NEVER, NEVER), NEVER);
        assert_eq!(times(Duration::from_millis(500), 3.0), Duration::from_millis(1_500));
    }
}
