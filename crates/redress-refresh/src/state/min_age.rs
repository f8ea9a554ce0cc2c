//! The minimum age of a set of credentials before a rejection starts a flight.

use std::time::Duration;

/// The shortest time between two flights that rejections caused. Credentials that live for 5 s stay usable.
const BASE: Duration = Duration::from_secs(4);
/// The factor for each consecutive set that was rejected too early.
const FACTOR: u32 = 3;
/// The longest time between two such flights: five in ten minutes.
const LONGEST: Duration = Duration::from_secs(120);
/// The level at which the minimum age is [`LONGEST`].
const MAX_LEVEL: u32 = 5;
/// This many early rejections start a flight nevertheless: a replica of the server may lag, or an operator may revoke twice.
const EXEMPTIONS: u32 = 2;
/// The level after the minimum age has risen three times in a row.
const STORM_LEVEL: u32 = 4;

/// The age at which a rejection may replace a set.
///
/// It is zero until a rejection has caused a flight, then 4 s. Each consecutive set that is rejected before that age triples
/// it, up to 120 s. A set that reaches the age without an early rejection sets it back to 4 s. While it is at most 4 s, two
/// early rejections are exempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MinAge {
    level: u32,
    exemptions: u32,
    /// Whether the current set was rejected too early.
    is_early: bool,
}

impl Default for MinAge {
    fn default() -> Self {
        Self { level: 0, exemptions: EXEMPTIONS, is_early: false }
    }
}

impl MinAge {
    pub(super) fn length(self) -> Duration {
        match self.level {
            0 => Duration::ZERO,
            level => BASE.saturating_mul(FACTOR.saturating_pow(level - 1)).min(LONGEST),
        }
    }

    /// Uses up one of the exemptions, if one is left.
    pub(super) const fn take_exemption(&mut self) -> bool {
        let is_left = self.exemptions > 0 && !self.is_raised();
        if is_left {
            self.exemptions -= 1;
        }
        is_left
    }

    /// Raises it to its base if it is zero.
    pub(super) fn raise_to_base(&mut self) {
        self.level = self.level.max(1);
    }

    /// Returns `true` if it is longer than its base.
    pub(super) const fn is_raised(self) -> bool {
        self.level > 1
    }

    /// Records that the current set was rejected too early.
    pub(super) const fn mark_early(&mut self) {
        self.is_early = true;
    }

    /// Raises it by one level. Returns `true` if that is the third time in a row.
    pub(super) fn raise(&mut self) -> bool {
        self.is_early = false;
        let next = self.level + 1;
        self.level = next.min(MAX_LEVEL);
        next == STORM_LEVEL
    }

    /// Moves on to the next set, after one of that age. Returns `true` if it has risen three times in a row.
    pub(super) fn supersede(&mut self, age: Duration, by_rejection: bool) -> bool {
        let mut is_storm = false;
        if self.is_early {
            is_storm = self.raise();
        } else if age >= self.length() {
            (self.level, self.exemptions) = (self.level.min(1), EXEMPTIONS);
        }
        if by_rejection {
            self.raise_to_base();
        }
        is_storm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minimum_age_triples_and_falls_back_to_its_base() {
        let mut min_age = MinAge::default();
        assert_eq!(min_age.length(), Duration::ZERO);
        min_age.supersede(Duration::ZERO, false);
        assert_eq!(min_age.length(), Duration::ZERO, "a renewal is not a rejection");
        min_age.supersede(Duration::ZERO, true);
        for (seconds, storm) in [(4, false), (12, false), (36, true), (108, false), (120, false), (120, false)] {
            assert_eq!(min_age.length(), Duration::from_secs(seconds));
            min_age.mark_early();
            assert_eq!(min_age.supersede(Duration::from_secs(1000), true), storm, "{seconds}");
        }
        min_age.supersede(Duration::from_secs(119), true);
        assert_eq!(min_age.length(), Duration::from_secs(120), "the set was younger than the minimum age");
        min_age.supersede(Duration::from_secs(120), true);
        assert_eq!(min_age.length(), BASE);
    }
}
