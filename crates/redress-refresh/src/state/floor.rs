//! How old a set of credentials must be before a rejection starts a flight.

use std::time::Duration;

/// The shortest time between two flights that rejections caused. Credentials that live for 5 s stay usable.
const BASE: Duration = Duration::from_secs(4);
/// The factor for each set in a row that was rejected too early.
const FACTOR: u32 = 3;
/// The longest time between two such flights: five in ten minutes.
const LONGEST: Duration = Duration::from_secs(120);
/// The level at which the floor is [`LONGEST`].
const MAX_LEVEL: u32 = 5;
/// This many rejections may come too early before the floor holds: that of a server whose replica lags, or of an operator who
/// revokes twice.
const SPARE: u32 = 2;
/// The level that is reached when the floor has risen three times in a row.
const STORM_LEVEL: u32 = 4;

/// The minimum age of a set at which a rejection may replace it.
///
/// It is zero until a rejection has caused a flight, then 4 s, three times as long for each set in a row that was rejected
/// before that age, at most 120 s. A set that reaches the age without an early rejection sets it back to 4 s. Two early
/// rejections are let through while the floor is not longer than 4 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Floor {
    level: u32,
    spare: u32,
    /// Whether the current set was rejected too early.
    is_early: bool,
}

impl Default for Floor {
    fn default() -> Self {
        Self { level: 0, spare: SPARE, is_early: false }
    }
}

impl Floor {
    pub(super) fn length(self) -> Duration {
        match self.level {
            0 => Duration::ZERO,
            level => BASE.saturating_mul(FACTOR.saturating_pow(level - 1)).min(LONGEST),
        }
    }

    /// Takes one of the early rejections that are let through, if there is one left.
    pub(super) const fn take_spare(&mut self) -> bool {
        let is_left = self.spare > 0 && !self.is_raised();
        if is_left {
            self.spare -= 1;
        }
        is_left
    }

    /// Sets it to its base at least.
    pub(super) fn hold(&mut self) {
        self.level = self.level.max(1);
    }

    /// Whether it is longer than its base.
    pub(super) const fn is_raised(self) -> bool {
        self.level > 1
    }

    /// Records that the current set was rejected too early.
    pub(super) const fn mark_early(&mut self) {
        self.is_early = true;
    }

    /// Raises the floor by one level; returns `true` when that is the third time in a row.
    pub(super) fn raise(&mut self) -> bool {
        self.is_early = false;
        let was = self.level;
        self.level = (was + 1).min(MAX_LEVEL);
        was < STORM_LEVEL && self.level == STORM_LEVEL
    }

    /// Moves on to the next set, after one that was of that age; returns `true` when the floor has risen three times in
    /// a row.
    pub(super) fn supersede(&mut self, age: Duration, by_rejection: bool) -> bool {
        let mut is_storm = false;
        if self.is_early {
            is_storm = self.raise();
        } else if age >= self.length() {
            (self.level, self.spare) = (self.level.min(1), SPARE);
        }
        if by_rejection {
            self.hold();
        }
        is_storm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_rises_threefold_and_falls_back_to_its_base() {
        let mut floor = Floor::default();
        assert_eq!(floor.length(), Duration::ZERO);
        floor.supersede(Duration::ZERO, false);
        assert_eq!(floor.length(), Duration::ZERO, "a renewal is not a rejection");
        floor.supersede(Duration::ZERO, true);
        for (seconds, storm) in [(4, false), (12, false), (36, true), (108, false), (120, false), (120, false)] {
            assert_eq!(floor.length(), Duration::from_secs(seconds));
            floor.mark_early();
            assert_eq!(floor.supersede(Duration::from_secs(1000), true), storm, "{seconds}");
        }
        floor.supersede(Duration::from_secs(119), true);
        assert_eq!(floor.length(), Duration::from_secs(120), "too young to tell");
        floor.supersede(Duration::from_secs(120), true);
        assert_eq!(floor.length(), BASE);
    }
}
