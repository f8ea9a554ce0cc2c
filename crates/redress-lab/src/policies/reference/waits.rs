//! How long to wait before a retry.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::scenario::duration;
use crate::time;

/// How long to wait before a retry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Waits {
    /// Not at all.
    #[default]
    None,
    /// The first time so long, and twice as long each time after.
    Doubling {
        /// The first wait.
        #[serde(with = "duration")]
        base: Duration,
    },
    /// Anything below `(2^n - 1)` times the base, and below ten times the base (Envoy's `retry_back_off`).
    Envoy {
        /// The base.
        #[serde(with = "duration")]
        base: Duration,
    },
}

impl Waits {
    /// Returns the wait before the nth retry (from 1); `random` is uniform in 0..1.
    pub(super) fn draw(self, nth: u32, random: f64) -> Duration {
        match self {
            Self::None => Duration::ZERO,
            Self::Doubling { base } => time::times(base, 2_f64.powi(exponent(nth) - 1)),
            Self::Envoy { .. } => time::times(self.longest(nth), random),
        }
    }

    /// Returns what the nth wait never exceeds.
    pub(crate) fn longest(self, nth: u32) -> Duration {
        match self {
            Self::Envoy { base } => time::times(base, (2_f64.powi(exponent(nth)) - 1.0).min(10.0)),
            _ => self.draw(nth, 1.0),
        }
    }
}

fn exponent(nth: u32) -> i32 {
    i32::try_from(nth).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_as_their_sources_say() {
        let base = Duration::from_millis(25);
        let longest = |waits: Waits| [1, 2, 3, 4, 5].map(|nth| waits.longest(nth).as_millis());
        assert_eq!(longest(Waits::None), [0; 5]);
        assert_eq!(longest(Waits::Doubling { base }), [25, 50, 100, 200, 400]);
        assert_eq!(longest(Waits::Envoy { base }), [25, 75, 175, 250, 250]);
        assert_eq!(Waits::Envoy { base }.draw(4, 0.5), Duration::from_millis(125));
    }
}
