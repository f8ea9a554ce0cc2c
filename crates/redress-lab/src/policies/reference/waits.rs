//! Waits before retries.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::scenario::duration;
use crate::time;

/// The wait before a retry.
///
/// # Examples
/// ```
/// use redress_lab::policies::reference::Reference;
///
/// let policy: Reference = toml::from_str(r#"
///     name = "envoy"
///     attempts = 3
///     allow = { rule = "concurrency", share = 0.2, least = 3 }
///     wait = { kind = "envoy", base = "25ms" }
/// "#).unwrap();
/// assert_eq!(policy.attempts.get(), 3);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Waits {
    /// No wait.
    #[default]
    None,
    /// Exponential backoff without jitter: doubles with each retry, without a maximum.
    Doubling {
        /// The first wait.
        #[serde(with = "duration")]
        base: Duration,
    },
    /// Uniform from 0 to `(2^n - 1) * base`, and at most ten times the base (Envoy's `retry_back_off`).
    Envoy {
        /// The base interval.
        #[serde(with = "duration")]
        base: Duration,
    },
}

impl Waits {
    /// Returns the wait before retry `nth`, from 1. `random` is uniform in 0..1.
    pub(super) fn draw(self, nth: u32, random: f64) -> Duration {
        match self {
            Self::None => Duration::ZERO,
            Self::Doubling { base } => time::times(base, 2_f64.powi(exponent(nth) - 1)),
            Self::Envoy { .. } => time::times(self.longest(nth), random),
        }
    }

    /// Returns the upper bound of the wait before retry `nth`.
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
    fn waits_match_their_sources() {
        let base = Duration::from_millis(25);
        let longest = |waits: Waits| [1, 2, 3, 4, 5].map(|nth| waits.longest(nth).as_millis());
        assert_eq!(longest(Waits::None), [0; 5]);
        assert_eq!(longest(Waits::Doubling { base }), [25, 50, 100, 200, 400]);
        assert_eq!(longest(Waits::Envoy { base }), [25, 75, 175, 250, 250]);
        assert_eq!(Waits::Envoy { base }.draw(4, 0.5), Duration::from_millis(125));
    }
}
