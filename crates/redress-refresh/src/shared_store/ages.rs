//! How old the records are that this process has seen.

use std::collections::VecDeque;
use std::time::Duration;

use redress_store::Version;
use tokio::time::Instant;

/// The longest time for which a lease is believed. A longer one comes from a process with a wrong setting: no flight takes that
/// long.
pub(crate) const MAX_LEASE: Duration = Duration::from_secs(5 * 60);
/// How many versions are remembered. Each refresh writes two.
const MAX_VERSIONS: usize = 256;

/// The versions that this process has seen, and how old their records are.
///
/// The age of a record is that of the store at the first read of its version, and counts by the monotonic clock from there. So
/// a later change of the store's clock has no effect, and a lease that is read again does not start again.
pub(crate) struct Ages {
    /// The versions in the order of their first reads, when that was, and their ages then.
    seen: VecDeque<(Version, Instant, Duration)>,
}

impl Ages {
    pub(crate) const fn new() -> Self {
        Self { seen: VecDeque::new() }
    }

    /// Returns the age of a record at `now`; the store states `age`.
    pub(crate) fn age(&mut self, version: Version, age: Duration, now: Instant) -> Duration {
        if let Some((_, first, age)) = self.seen.iter().rev().find(|(other, ..)| *other == version) {
            return age.saturating_add(now.saturating_duration_since(*first));
        }
        if self.seen.len() >= MAX_VERSIONS {
            self.seen.pop_front();
        }
        self.seen.push_back((version, now, age));
        age
    }
}

/// Returns how much of a lease is left, `None` if it has ended.
pub(crate) fn left(lease: Duration, age: Duration) -> Option<Duration> {
    Some(lease.min(MAX_LEASE).saturating_sub(age)).filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_lease_lasts_at_most_five_minutes() {
        for (lease, age, believed) in [
            (s(0), s(0), None),
            (s(20), s(0), Some(s(20))),
            (s(20), s(15), Some(s(5))),
            (s(20), s(20), None),
            (s(300), s(0), Some(s(300))),
            (s(301), s(0), Some(s(300))),
            (Duration::MAX, s(100), Some(s(200))),
            (Duration::MAX, s(300), None),
            (s(20), Duration::MAX, None),
        ] {
            assert_eq!(left(lease, age), believed, "{lease:?} after {age:?}");
        }
    }

    #[test]
    fn an_age_counts_from_the_first_read_by_the_monotonic_clock() {
        let (mut ages, now) = (Ages::new(), Instant::now());
        let (one, other) = (Version::next(None), Version::next(None));
        assert_eq!(ages.age(one, s(7), now), s(7));
        // Later statements change nothing.
        for stated in [Duration::ZERO, s(7), Duration::MAX] {
            assert_eq!(ages.age(one, stated, now + s(15)), s(22));
        }
        assert_eq!(ages.age(other, s(1), now + s(20)), s(1), "each version has its own");
        assert_eq!(ages.age(one, s(0), now + s(20)), s(27), "it came back");
    }

    #[test]
    fn the_number_of_remembered_versions_is_bounded() {
        let (mut ages, now) = (Ages::new(), Instant::now());
        for number in 0..10_000 {
            ages.age(Version::from_parts(number, 1), s(0), now);
            assert_eq!(ages.age(Version::from_parts(number.saturating_sub(200), 1), s(0), now + s(20)), s(20));
        }
        assert_eq!(ages.seen.len(), MAX_VERSIONS);
    }
}
