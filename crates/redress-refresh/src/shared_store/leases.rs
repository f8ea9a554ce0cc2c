//! How long the leases of other processes are believed.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

use crate::store::RecordVersion;

/// The longest time for which a lease is believed. A longer one comes from a process with a wrong clock: no flight takes that
/// long.
pub(crate) const MAX_LEASE: Duration = Duration::from_secs(5 * 60);
/// How many leases are remembered. Each refresh writes one.
const MAX_LEASES: usize = 256;

/// The leases that this process has seen, and when each of them ends.
///
/// A lease ends by the monotonic clock, counted from the first read of its version. So a later change of the wall clock has
/// no effect, and a lease that is read again does not start again.
pub(crate) struct Leases {
    /// The hash of a version and the end of its lease, in the order of their first reads.
    seen: VecDeque<(u64, Instant)>,
    hasher: RandomState,
}

impl Leases {
    pub(crate) fn new() -> Self {
        Self { seen: VecDeque::new(), hasher: RandomState::new() }
    }

    /// Returns how much of a lease is left at `now`; the record states that it lasts for `stated`, counted from `now`.
    pub(crate) fn left(&mut self, version: &RecordVersion, stated: Duration, now: Instant) -> Duration {
        let hash = self.hasher.hash_one(version);
        if let Some((_, end)) = self.seen.iter().rev().find(|(other, _)| *other == hash) {
            return end.saturating_duration_since(now);
        }
        let left = stated.min(MAX_LEASE);
        if self.seen.len() >= MAX_LEASES {
            self.seen.pop_front();
        }
        self.seen.push_back((hash, now + left));
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Lease, TokenRecord};

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn version(generation: u64, id: &str) -> RecordVersion {
        let lease = Some(Lease { id: id.to_owned(), until: std::time::SystemTime::UNIX_EPOCH });
        TokenRecord { lease, ..TokenRecord::empty(generation) }.version()
    }

    #[test]
    fn a_lease_counts_from_its_first_read_and_lasts_at_most_five_minutes() {
        let (mut leases, now) = (Leases::new(), Instant::now());
        for (name, stated, believed) in [
            ("a", s(0), s(0)),
            ("b", s(20), s(20)),
            ("c", s(300), s(300)),
            ("d", s(301), s(300)),
            ("e", Duration::MAX, s(300)),
        ] {
            let version = version(1, name);
            assert_eq!(leases.left(&version, stated, now), believed, "{name}");
            // Later statements change nothing.
            for stated in [Duration::ZERO, s(7), Duration::MAX] {
                assert_eq!(leases.left(&version, stated, now + s(15)), believed.saturating_sub(s(15)), "{name}");
                assert_eq!(leases.left(&version, stated, now + s(300)), Duration::ZERO, "{name}");
            }
        }
    }

    #[test]
    fn each_version_has_its_own_lease() {
        let (mut leases, now) = (Leases::new(), Instant::now());
        assert_eq!(leases.left(&version(1, "a"), s(20), now), s(20));
        assert_eq!(leases.left(&version(2, "a"), s(20), now + s(20)), s(20), "another generation");
        assert_eq!(leases.left(&version(1, "b"), s(20), now + s(20)), s(20), "another lease");
        assert_eq!(leases.left(&version(1, "a"), s(20), now + s(20)), s(0), "it came back");
    }

    #[test]
    fn the_number_of_remembered_leases_is_bounded() {
        let (mut leases, now) = (Leases::new(), Instant::now());
        for number in 0..10_000 {
            leases.left(&version(number, "a"), s(20), now);
            assert_eq!(leases.left(&version(number.saturating_sub(200), "a"), s(20), now + s(20)), s(0));
        }
        assert_eq!(leases.seen.len(), MAX_LEASES);
    }
}
