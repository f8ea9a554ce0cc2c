//! Until when which calls are parked: a table that is given the time.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use redress_classify::{Class, Clock, Verdict};
use tokio::time::Instant;

use crate::scope::GateKey;

/// The longest cool-down that one answer can cause. It is longer than the windows that vendors publish for their request
/// limits, and a client that has met a daily quota asks every hour whether it is still used up. A mistaken or hostile hint
/// shuts a client out for no longer, and costs the server a few requests an hour where the hint was meant.
const LONGEST: Duration = Duration::from_secs(3600);
/// The widest spread of a release.
const MAX_SPREAD: Duration = Duration::from_secs(30);
/// How many cool-downs there are at once at most.
const MAX_PARKINGS: usize = 1024;

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

/// The cool-downs.
#[derive(Debug, Default)]
pub(crate) struct Parkings {
    map: HashMap<GateKey, Parking>,
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
    /// Parks the calls of a key; returns `false` when they are parked for as long already.
    pub(crate) fn park(&mut self, key: GateKey, parking: Parking, now: Instant) -> bool {
        if !self.map.contains_key(&key) {
            self.make_room(now);
        }
        self.extend(key, parking)
    }

    fn extend(&mut self, key: GateKey, parking: Parking) -> bool {
        let parked = self.map.get(&key);
        let is_later = parked.is_none_or(|parked| parked.until < parking.until);
        if is_later {
            self.map.insert(key, parking);
        }
        is_later
    }

    /// Returns the cool-down of a key while it lasts.
    pub(crate) fn at(&self, key: &GateKey, now: Instant) -> Option<Parking> {
        self.map.get(key).copied().filter(|parking| now < parking.until)
    }

    /// Returns the cool-down that lasts longest of those that hold a call, and its key.
    pub(crate) fn longest(&self, keys: impl Iterator<Item = GateKey>, now: Instant) -> Option<(GateKey, Parking)> {
        let parked = keys.filter_map(|key| self.at(&key, now).map(|parking| (key, parking)));
        parked.max_by_key(|(_, parking)| parking.until)
    }

    /// Forgets everything once the last cool-down has ended; returns whether one lasts.
    pub(crate) fn last(&mut self, now: Instant) -> bool {
        let lasts = self.map.values().any(|parking| now < parking.until);
        if !lasts {
            self.map.clear();
        }
        lasts
    }

    pub(crate) fn open(&mut self, key: &GateKey) {
        self.map.remove(key);
    }

    /// Makes room for one more: forgets what is over, or else widens a scope's cool-down to its upstream, so that no
    /// call goes early, or else forgets the cool-down that ends first. The next call to it finds out anew.
    fn make_room(&mut self, now: Instant) {
        if self.map.len() >= MAX_PARKINGS {
            self.map.retain(|_, parking| now < parking.until);
        }
        // The first of two scopes of one upstream leaves its place to the upstream, the second makes room.
        for _ in 0..2 {
            if self.map.len() >= MAX_PARKINGS
                && let Some((scope, parking, upstream)) = self.first_scope()
            {
                self.map.remove(&scope);
                self.extend(upstream, parking);
            }
        }
        if self.map.len() >= MAX_PARKINGS {
            let first = self.map.iter().min_by_key(|(_, parking)| parking.until).map(|(key, _)| key.clone());
            first.map(|key| self.map.remove(&key));
        }
    }

    /// Returns the scope whose cool-down ends first, and the key of its upstream.
    fn first_scope(&self) -> Option<(GateKey, Parking, GateKey)> {
        let scopes = self.map.iter().filter_map(|(key, parking)| Some((key, *parking, key.wider()?)));
        scopes.min_by_key(|(_, parking, _)| parking.until).map(|(key, parking, wider)| (key.clone(), parking, wider))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::scope::tests::{key, scoped};

    pub(crate) const S: Duration = Duration::from_secs(1);

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
        let (now, mut parkings, a) = (Instant::now(), Parkings::default(), key("a"));
        assert!(parkings.park(a.clone(), parking(now, 10 * S), now));
        assert!(!parkings.park(a.clone(), parking(now, 2 * S), now), "sooner");
        assert!(!parkings.park(a.clone(), parking(now, 10 * S), now), "the same");
        assert_eq!(parkings.at(&a, now), Some(parking(now, 10 * S)));
        assert!(parkings.park(a.clone(), parking(now, 11 * S), now));
        assert_eq!(parkings.at(&a, now + 10 * S), Some(parking(now, 11 * S)));
        assert_eq!(parkings.at(&a, now + 11 * S), None, "it ends when the server said");
        assert_eq!(parkings.at(&key("b"), now), None);
    }

    #[test]
    fn what_is_over_is_forgotten_and_there_are_never_too_many() {
        let (now, mut parkings) = (Instant::now(), Parkings::default());
        for n in 0..3_000_u32 {
            parkings.park(key(&n.to_string()), parking(now, S * (n + 1)), now);
        }
        assert_eq!(parkings.map.len(), MAX_PARKINGS);
        assert!(parkings.at(&key("2999"), now).is_some(), "those stay that last longest");
        assert!(parkings.at(&key("0"), now).is_none());
        assert!(parkings.last(now + S));
        assert!(!parkings.last(now + 4_000 * S));
        assert!(parkings.map.is_empty());
    }

    #[test]
    fn a_scope_that_gives_way_holds_its_whole_upstream_until_its_end() {
        use redress_classify::CooldownScope;
        let (now, mut parkings) = (Instant::now(), Parkings::default());
        let upstream = scoped("PUT", "/b").gates(None).keys().last().unwrap();
        let wait = |room: u64| S * u32::try_from(10 + room).unwrap();
        for room in 0..1_100 {
            let call = scoped("GET", &format!("/rooms/{room}"));
            let key = call.parked_by(CooldownScope::Call, None).parked_keys().next().unwrap();
            parkings.park(key, parking(now, wait(room)), now);
            assert!(parkings.map.len() <= MAX_PARKINGS);
        }
        // Those that ended first have given way: 1,100 less those that are left.
        let widened = u64::try_from(1_100 - (MAX_PARKINGS - 1)).unwrap();
        assert_eq!(parkings.at(&upstream, now), Some(parking(now, wait(widened - 1))));
        for room in 0..1_100 {
            let call = scoped("GET", &format!("/rooms/{room}"));
            let held = parkings.longest(call.gates(None).keys(), now).map(|(_, parking)| parking.until);
            assert!(held >= Some(now + wait(room)), "no cool-down is released early: {room}");
        }
    }

    #[test]
    fn of_two_cool_downs_the_longer_one_holds_a_call() {
        use redress_classify::CooldownScope;
        for (scope, upstream) in [(5, 9), (9, 5), (9, 0), (0, 9)] {
            let (now, mut parkings) = (Instant::now(), Parkings::default());
            let call = scoped("GET", "/rooms/1");
            for (said, wait) in [(CooldownScope::Call, scope), (CooldownScope::Upstream, upstream)] {
                let key = call.parked_by(said, None).parked_keys().next().unwrap();
                if let Some(parking) = Parking::of(now, S * wait) {
                    parkings.park(key, parking, now);
                }
            }
            let held = |call: &crate::scope::Target| {
                parkings.longest(call.gates(None).keys(), now).map(|(_, parking)| (parking.until - now).as_secs())
            };
            assert_eq!(held(&call), Some(9), "{scope} {upstream}");
            let other = (upstream > 0).then_some(u64::from(upstream));
            assert_eq!(held(&scoped("GET", "/rooms/2")), other, "{scope} {upstream}");
        }
    }

    #[test]
    fn room_is_made_of_all_that_ends_at_this_instant() {
        let (now, mut parkings) = (Instant::now(), Parkings::default());
        for n in 0..MAX_PARKINGS {
            parkings.park(key(&n.to_string()), parking(now, S), now);
        }
        parkings.park(key("one more"), parking(now, 9 * S), now + S);
        assert_eq!(parkings.map.len(), 1);
    }
}
