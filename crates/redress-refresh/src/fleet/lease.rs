//! How long the leases of others are believed.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

use crate::store::RecordVersion;

/// No lease is believed for longer, whatever it says: the process that wrote it may have had a wrong clock, and its flight
/// cannot take that long.
pub(crate) const LONGEST_LEASE: Duration = Duration::from_secs(5 * 60);
/// How many leases are remembered. A fleet writes one with each refresh.
const REMEMBERED: usize = 256;

/// The leases that this process has seen, and when each of them ends.
///
/// A lease ends by the monotonic clock, counted from the first sight of its version: a wall clock that is set later moves
/// nothing, and a lease that comes back does not begin anew.
pub(crate) struct Leases {
    /// The hash of a version, which may itself be long, and the end of its lease; in the order of their first sight.
    seen: VecDeque<(u64, Instant)>,
    hasher: RandomState,
}

impl Leases {
    pub(crate) fn new() -> Self {
        Self { seen: VecDeque::new(), hasher: RandomState::new() }
    }

    /// Returns how much is left at `now` of the lease with that version, which says that it lasts for `stated` from `now` on.
    pub(crate) fn left(&mut self, version: &RecordVersion, stated: Duration, now: Instant) -> Duration {
        let hash = self.hasher.hash_one(version);
        if let Some((_, end)) = self.seen.iter().rev().find(|(other, _)| *other == hash) {
            return end.saturating_duration_since(now);
        }
        let left = stated.min(LONGEST_LEASE);
        if self.seen.len() >= REMEMBERED {
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
    fn a_lease_counts_from_its_first_sight_and_lasts_five_minutes_at_most() {
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
            // Whatever it says later.
            for stated in [Duration::ZERO, s(7), Duration::MAX] {
                assert_eq!(leases.left(&version, stated, now + s(15)), believed.saturating_sub(s(15)), "{name}");
                assert_eq!(leases.left(&version, stated, now + s(300)), Duration::ZERO, "{name}");
            }
        }
    }

    #[test]
    fn each_stamp_has_a_lease_of_its_own() {
        let (mut leases, now) = (Leases::new(), Instant::now());
        assert_eq!(leases.left(&version(1, "a"), s(20), now), s(20));
        assert_eq!(leases.left(&version(2, "a"), s(20), now + s(20)), s(20), "another generation");
        assert_eq!(leases.left(&version(1, "b"), s(20), now + s(20)), s(20), "another lease");
        assert_eq!(leases.left(&version(1, "a"), s(20), now + s(20)), s(0), "it came back");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut leases, now) = (Leases::new(), Instant::now());
        for number in 0..10_000 {
            leases.left(&version(number, "a"), s(20), now);
            assert_eq!(leases.left(&version(number.saturating_sub(200), "a"), s(20), now + s(20)), s(0));
        }
        assert_eq!(leases.seen.len(), REMEMBERED);
    }
}
