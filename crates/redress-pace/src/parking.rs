//! Until when whose calls are parked: a table that is given the time.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use redress_classify::{Class, Clock, Verdict};
use tokio::time::Instant;

use crate::partition::Partition;

/// The longest cool-down that one answer can cause. It is longer than the windows that vendors publish for their request
/// limits, and a client that has met a daily quota asks every hour whether it is still used up. A mistaken or hostile hint
/// shuts a client out for no longer, and costs the server a few requests an hour where the hint was meant.
const LONGEST: Duration = Duration::from_secs(3600);
/// The widest spread of a release.
const MAX_SPREAD: Duration = Duration::from_secs(30);
/// How many partitions are parked at once at most.
const MAX_PARTITIONS: usize = 1024;

/// A cool-down that a server asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parking {
    /// Nobody is let through before.
    pub(crate) until: Instant,
    /// Within which time after that the parked calls are let through.
    pub(crate) spread: Duration,
    /// From when on the server asked to wait for how long, uncapped.
    since: Instant,
    asked: Duration,
}

/// The partitions that are parked.
#[derive(Debug, Default)]
pub(crate) struct Parkings {
    map: HashMap<Partition, Parking>,
}

impl Parking {
    /// Parks so long from now, an hour at most; `None` when there is nothing to wait for.
    pub(crate) fn of(now: Instant, wait: Duration) -> Option<Self> {
        if wait.is_zero() {
            return None;
        }
        let until = now.checked_add(wait.min(LONGEST))?;
        Some(Self { until, spread: (wait / 2).min(MAX_SPREAD), since: now, asked: wait })
    }

    /// Returns when the server asked to come back, uncapped, by the wall clock of now.
    pub(crate) fn retry_at(&self, clock: &Clock) -> SystemTime {
        clock.wall_after(self.since, self.asked)
    }
}

/// Returns how long a failed attempt parks the other calls; `None` when it parks nobody.
///
/// A rate limit does, and a 503 with a hint. A rate limit without a hint parks for as long as the vendor publishes; where
/// nobody said until when, nobody is parked.
pub(crate) fn cool_down(
    verdict: &Verdict,
    status: u16,
    throttle_wait: Option<Duration>,
    now: Instant,
) -> Option<Duration> {
    let is_throttled = verdict.class() == Class::RateLimited;
    match verdict.hint_delay(now) {
        Some(hint) if is_throttled || status == 503 => Some(hint),
        None if is_throttled => throttle_wait,
        _ => None,
    }
}

impl Parkings {
    /// Parks a partition; returns `false` when it is parked for as long already.
    pub(crate) fn park(&mut self, partition: &Partition, parking: Parking, now: Instant) -> bool {
        if let Some(parked) = self.map.get_mut(partition) {
            let is_later = parked.until < parking.until;
            if is_later {
                *parked = parking;
            }
            return is_later;
        }
        if self.map.len() >= MAX_PARTITIONS {
            self.make_room(now);
        }
        self.map.insert(partition.clone(), parking);
        true
    }

    /// Returns the cool-down of a partition while it lasts.
    pub(crate) fn at(&self, partition: &Partition, now: Instant) -> Option<Parking> {
        self.map.get(partition).copied().filter(|parking| now < parking.until)
    }

    /// Forgets everything once the last cool-down has ended; returns whether one lasts.
    pub(crate) fn last(&mut self, now: Instant) -> bool {
        let lasts = self.map.values().any(|parking| now < parking.until);
        if !lasts {
            self.map.clear();
        }
        lasts
    }

    pub(crate) fn open(&mut self, partition: &Partition) {
        self.map.remove(partition);
    }

    /// Forgets what is over, or else the cool-down that ends first: its next caller finds out anew.
    fn make_room(&mut self, now: Instant) {
        self.map.retain(|_, parking| now < parking.until);
        if self.map.len() >= MAX_PARTITIONS {
            let first =
                self.map.iter().min_by_key(|(_, parking)| parking.until).map(|(partition, _)| partition.clone());
            first.map(|partition| self.map.remove(&partition));
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const S: Duration = Duration::from_secs(1);

    pub(crate) fn partition(name: &str) -> Partition {
        Partition::new(&http::Uri::default(), &http::HeaderMap::new(), Some(name.to_owned()))
    }

    pub(crate) fn parking(now: Instant, wait: Duration) -> Parking {
        Parking::of(now, wait).unwrap()
    }

    #[test]
    fn the_spread_is_half_of_the_wait_up_to_a_bound() {
        let now = Instant::now();
        for (wait, lasts, spread) in [
            (S, S, S / 2),
            (30 * S, 30 * S, 15 * S),
            (60 * S, 60 * S, 30 * S),
            (120 * S, 120 * S, 30 * S),
            (3_600 * S, 3_600 * S, 30 * S),
            (7_200 * S, 3_600 * S, 30 * S),
            (Duration::MAX, 3_600 * S, 30 * S),
        ] {
            let parking = parking(now, wait);
            assert_eq!((parking.until - now, parking.spread), (lasts, spread), "{wait:?}");
        }
        assert_eq!(Parking::of(now, Duration::ZERO), None);
    }

    #[test]
    fn a_later_cool_down_extends_and_a_sooner_one_changes_nothing() {
        let (now, mut parkings, a) = (Instant::now(), Parkings::default(), partition("a"));
        assert!(parkings.park(&a, parking(now, 10 * S), now));
        assert!(!parkings.park(&a, parking(now, 2 * S), now), "sooner");
        assert!(!parkings.park(&a, parking(now, 10 * S), now), "the same");
        assert_eq!(parkings.at(&a, now), Some(parking(now, 10 * S)));
        assert!(parkings.park(&a, parking(now, 11 * S), now));
        assert_eq!(parkings.at(&a, now + 10 * S), Some(parking(now, 11 * S)));
        assert_eq!(parkings.at(&a, now + 11 * S), None, "it ends when the server said");
        assert_eq!(parkings.at(&partition("b"), now), None);
    }

    #[test]
    fn what_is_over_is_forgotten_and_there_are_never_too_many() {
        let (now, mut parkings) = (Instant::now(), Parkings::default());
        for n in 0..3_000_u32 {
            parkings.park(&partition(&n.to_string()), parking(now, S * (n + 1)), now);
        }
        assert_eq!(parkings.map.len(), MAX_PARTITIONS);
        assert!(parkings.at(&partition("2999"), now).is_some(), "those stay that last longest");
        assert!(parkings.at(&partition("0"), now).is_none());
        assert!(parkings.last(now + S));
        assert!(!parkings.last(now + 4_000 * S));
        assert!(parkings.map.is_empty());
    }

    #[test]
    fn room_is_made_of_all_that_ends_at_this_instant() {
        let (now, mut parkings) = (Instant::now(), Parkings::default());
        for n in 0..MAX_PARTITIONS {
            parkings.park(&partition(&n.to_string()), parking(now, S), now);
        }
        parkings.park(&partition("one more"), parking(now, 9 * S), now + S);
        assert_eq!(parkings.map.len(), 1);
    }
}
