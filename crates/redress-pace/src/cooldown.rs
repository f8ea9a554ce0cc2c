//! The table of cool-downs. It is given the time, and so deterministic.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use redress_classify::{Class, Clock, Verdict};
use tokio::time::Instant;

use crate::partition::Partition;
use crate::scope::GateKey;

/// The longest cool-down that one response can start.
///
/// It is longer than the windows that vendors publish for their request limits, and a client that used up a daily quota tries
/// every hour whether it is renewed. A mistaken or hostile hint stops a client for no longer, and costs the server a few
/// requests an hour if it was meant.
pub(crate) const MAX_COOLDOWN: Duration = Duration::from_secs(3600);
/// The widest spread of a release.
const MAX_SPREAD: Duration = Duration::from_secs(30);
/// The maximum number of cool-downs at a time.
const MAX_COOLDOWNS: usize = 1024;

/// A cool-down that a server asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cooldown {
    /// No call passes before.
    pub(crate) until: Instant,
    /// The time after `until` over which the waiting calls are spread.
    pub(crate) spread: Duration,
    /// The time of the response, and the wait that it asked for, without a cap.
    since: Instant,
    asked: Duration,
    /// The class of the response that started it; `success` for one that asked for a pause.
    pub(crate) class: &'static str,
}

/// The cool-downs, by gate.
#[derive(Debug, Default)]
pub(crate) struct CooldownTable {
    map: HashMap<GateKey, Cooldown>,
}

impl Cooldown {
    /// Creates a cool-down of this length, at most one hour; `None` for a length of zero.
    pub(crate) fn new(now: Instant, wait: Duration) -> Option<Self> {
        if wait.is_zero() {
            return None;
        }
        let until = now.checked_add(wait.min(MAX_COOLDOWN))?;
        let class = Class::RateLimited.as_str();
        Some(Self { until, spread: (wait / 2).min(MAX_SPREAD), since: now, asked: wait, class })
    }

    /// Creates one that another process learned of: the time that is left, the spread after it, and what is left of the time that
    /// the server asked for. `None` if no time is left.
    pub(crate) fn from_parts(now: Instant, left: Duration, spread: Duration, asked: Duration) -> Option<Self> {
        Some(Self { spread: spread.min(MAX_SPREAD), asked: asked.max(left), ..Self::new(now, left)? })
    }

    /// Returns what is left of the time that the server asked for, without a cap.
    pub(crate) fn asked_left(&self, now: Instant) -> Duration {
        self.asked.saturating_sub(now.saturating_duration_since(self.since))
    }

    /// Sets the class of the response that started it; a rate limit unless set.
    pub(crate) const fn after(self, class: &'static str) -> Self {
        Self { class, ..self }
    }

    /// Returns the time at which the server asked to come back, without a cap, by the wall clock.
    pub(crate) fn retry_at(&self, clock: &Clock) -> SystemTime {
        clock.wall_after(self.since, self.asked)
    }
}

/// Returns the length of the cool-down that a failure starts; `None` if it starts none.
///
/// A rate limit starts one, and a 503 with a hint. Without a hint, a rate limit starts one of the length that the vendor
/// publishes, if it does.
pub(crate) fn cooldown_after(
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

impl CooldownTable {
    /// Starts a cool-down at a gate, or extends the one there; returns `false` if that one lasts at least as long.
    pub(crate) fn insert(&mut self, key: GateKey, cooldown: Cooldown, now: Instant) -> bool {
        if !self.map.contains_key(&key) {
            self.make_room(now);
        }
        self.extend(key, cooldown)
    }

    fn extend(&mut self, key: GateKey, cooldown: Cooldown) -> bool {
        let is_later = self.map.get(&key).is_none_or(|earlier| earlier.until < cooldown.until);
        if is_later {
            self.map.insert(key, cooldown);
        }
        is_later
    }

    /// Returns the cool-down at a gate, while it lasts.
    pub(crate) fn get(&self, key: &GateKey, now: Instant) -> Option<Cooldown> {
        self.map.get(key).copied().filter(|cooldown| now < cooldown.until)
    }

    /// Returns the longest cool-down at these gates, and its gate.
    pub(crate) fn longest(&self, keys: impl Iterator<Item = GateKey>, now: Instant) -> Option<(GateKey, Cooldown)> {
        let cooldowns = keys.filter_map(|key| self.get(&key, now).map(|cooldown| (key, cooldown)));
        cooldowns.max_by_key(|(_, cooldown)| cooldown.until)
    }

    /// Returns the cool-downs of a partition that last.
    pub(crate) fn of_partition(&self, partition: &Partition, now: Instant) -> Vec<(GateKey, Cooldown)> {
        let lasting = self.map.iter().filter(|(key, cooldown)| key.is_of(partition) && now < cooldown.until);
        lasting.map(|(key, cooldown)| (key.clone(), *cooldown)).collect()
    }

    /// Clears the table if all cool-downs are over; returns whether they are.
    pub(crate) fn clear_if_over(&mut self, now: Instant) -> bool {
        let is_over = self.map.values().all(|cooldown| cooldown.until <= now);
        if is_over {
            self.map.clear();
        }
        is_over
    }

    /// Ends the cool-down at a gate.
    pub(crate) fn remove(&mut self, key: &GateKey) {
        self.map.remove(key);
    }

    /// Makes room for one cool-down.
    ///
    /// Those that are over are removed. If that is not enough, the cool-down of a scope that ends first is widened to its
    /// whole upstream, so that no call goes early. If there is none of a scope, the one that ends first is removed: the next
    /// call learns of it anew.
    fn make_room(&mut self, now: Instant) {
        if self.map.len() >= MAX_COOLDOWNS {
            self.map.retain(|_, cooldown| now < cooldown.until);
        }
        // The first scope of an upstream leaves its entry to the upstream, so a second one may be needed.
        for _ in 0..2 {
            if self.map.len() >= MAX_COOLDOWNS
                && let Some((scope, cooldown, upstream)) = self.first_scope()
            {
                self.map.remove(&scope);
                self.extend(upstream, cooldown);
            }
        }
        if self.map.len() >= MAX_COOLDOWNS {
            let first = self.map.iter().min_by_key(|(_, cooldown)| cooldown.until).map(|(key, _)| key.clone());
            first.map(|key| self.map.remove(&key));
        }
    }

    /// Returns the scope whose cool-down ends first, with the gate of its upstream.
    fn first_scope(&self) -> Option<(GateKey, Cooldown, GateKey)> {
        let scopes = self.map.iter().filter_map(|(key, cooldown)| Some((key, *cooldown, key.wider()?)));
        scopes
            .min_by_key(|(_, cooldown, _)| cooldown.until)
            .map(|(key, cooldown, wider)| (key.clone(), cooldown, wider))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::scope::tests::{key, scoped};

    pub(crate) const S: Duration = Duration::from_secs(1);

    pub(crate) fn cooldown(now: Instant, wait: Duration) -> Cooldown {
        Cooldown::new(now, wait).unwrap()
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
            let cooldown = cooldown(now, wait);
            assert_eq!((cooldown.until - now, cooldown.spread), (lasts, spread), "{wait:?}");
        }
        assert_eq!(Cooldown::new(now, Duration::ZERO), None);
    }

    #[test]
    fn only_a_later_end_extends_a_cool_down() {
        let (now, mut table, a) = (Instant::now(), CooldownTable::default(), key("a"));
        assert!(table.insert(a.clone(), cooldown(now, 10 * S), now));
        assert!(!table.insert(a.clone(), cooldown(now, 2 * S), now), "sooner");
        assert!(!table.insert(a.clone(), cooldown(now, 10 * S), now), "the same");
        assert_eq!(table.get(&a, now), Some(cooldown(now, 10 * S)));
        assert!(table.insert(a.clone(), cooldown(now, 11 * S), now));
        assert_eq!(table.get(&a, now + 10 * S), Some(cooldown(now, 11 * S)));
        assert_eq!(table.get(&a, now + 11 * S), None, "it ends at the time that the server named");
        assert_eq!(table.get(&key("b"), now), None);
    }

    #[test]
    fn the_table_is_bounded_and_cleared_once_all_cool_downs_are_over() {
        let (now, mut table) = (Instant::now(), CooldownTable::default());
        for n in 0..3_000_u32 {
            table.insert(key(&n.to_string()), cooldown(now, S * (n + 1)), now);
        }
        assert_eq!(table.map.len(), MAX_COOLDOWNS);
        assert!(table.get(&key("2999"), now).is_some(), "the longest ones are kept");
        assert!(table.get(&key("0"), now).is_none());
        assert!(!table.clear_if_over(now + S));
        assert!(table.clear_if_over(now + 4_000 * S));
        assert!(table.map.is_empty());
    }

    #[test]
    fn an_evicted_scope_cools_its_whole_upstream_down_until_its_end() {
        use redress_classify::CooldownScope;
        let (now, mut table) = (Instant::now(), CooldownTable::default());
        let upstream = scoped("PUT", "/b").gate_keys(None).keys().last().unwrap();
        let wait = |room: u64| S * u32::try_from(10 + room).unwrap();
        for room in 0..1_100 {
            let call = scoped("GET", &format!("/rooms/{room}"));
            let key = call.cooled_by(CooldownScope::Call, None).cooled_keys().next().unwrap();
            table.insert(key, cooldown(now, wait(room)), now);
            assert!(table.map.len() <= MAX_COOLDOWNS);
        }
        // The evicted ones ended first: 1,100 less those that are left.
        let widened = u64::try_from(1_100 - (MAX_COOLDOWNS - 1)).unwrap();
        assert_eq!(table.get(&upstream, now), Some(cooldown(now, wait(widened - 1))));
        for room in 0..1_100 {
            let call = scoped("GET", &format!("/rooms/{room}"));
            let held = table.longest(call.gate_keys(None).keys(), now).map(|(_, cooldown)| cooldown.until);
            assert!(held >= Some(now + wait(room)), "no cool-down is released early: {room}");
        }
    }

    #[test]
    fn the_longer_of_two_cool_downs_counts() {
        use redress_classify::CooldownScope;
        for (scope, upstream) in [(5, 9), (9, 5), (9, 0), (0, 9)] {
            let (now, mut table) = (Instant::now(), CooldownTable::default());
            let call = scoped("GET", "/rooms/1");
            for (said, wait) in [(CooldownScope::Call, scope), (CooldownScope::Upstream, upstream)] {
                let key = call.cooled_by(said, None).cooled_keys().next().unwrap();
                if let Some(cooldown) = Cooldown::new(now, S * wait) {
                    table.insert(key, cooldown, now);
                }
            }
            let held = |call: &crate::scope::Target| {
                table.longest(call.gate_keys(None).keys(), now).map(|(_, cooldown)| (cooldown.until - now).as_secs())
            };
            assert_eq!(held(&call), Some(9), "{scope} {upstream}");
            let other = (upstream > 0).then_some(u64::from(upstream));
            assert_eq!(held(&scoped("GET", "/rooms/2")), other, "{scope} {upstream}");
        }
    }

    #[test]
    fn a_cool_down_that_ends_now_is_evicted() {
        let (now, mut table) = (Instant::now(), CooldownTable::default());
        for n in 0..MAX_COOLDOWNS {
            table.insert(key(&n.to_string()), cooldown(now, S), now);
        }
        table.insert(key("one more"), cooldown(now, 9 * S), now + S);
        assert_eq!(table.map.len(), 1);
    }

    #[test]
    fn the_cool_downs_of_a_partition_are_its_own_and_last() {
        let (now, mut table) = (Instant::now(), CooldownTable::default());
        for (name, wait) in [("a", 2 * S), ("b", 3 * S)] {
            table.insert(key(name), cooldown(now, wait), now);
        }
        let of = |name, now| table.of_partition(&crate::scope::tests::target(name).partition, now);
        let until =
            |found: Vec<(GateKey, Cooldown)>| found.into_iter().map(|(_, found)| found.until).collect::<Vec<_>>();
        assert_eq!(until(of("a", now)), [now + 2 * S]);
        assert_eq!(until(of("b", now + 2 * S)), [now + 3 * S]);
        assert_eq!(until(of("a", now + 2 * S)), [], "it is over");
        assert_eq!(until(of("c", now)), []);
    }

    #[test]
    fn what_another_process_learned_keeps_the_time_that_the_server_asked_for() {
        let now = Instant::now();
        let adopted = |left, spread, asked| Cooldown::from_parts(now, left, spread, asked).unwrap();
        let long = adopted(S, 2 * S, 7_200 * S);
        assert_eq!((long.asked_left(now), long.spread), (7_200 * S, 2 * S));
        assert_eq!(long.asked_left(now + 7_000 * S), 200 * S);
        assert_eq!(adopted(5 * S, 100 * S, S).asked_left(now), 5 * S, "at least what is left");
        assert_eq!(adopted(5 * S, 100 * S, S).spread, 30 * S);
        assert_eq!(Cooldown::from_parts(now, Duration::ZERO, S, S), None);
    }

    #[test]
    fn cool_downs_without_scopes_make_room_by_the_first_that_ends() {
        let (now, mut table) = (Instant::now(), CooldownTable::default());
        for n in (0..u32::try_from(MAX_COOLDOWNS).unwrap()).rev() {
            table.insert(key(&n.to_string()), cooldown(now, S * (n + 2)), now);
        }
        table.insert(key("one more"), cooldown(now, 9 * S), now + S);
        assert_eq!(table.map.len(), MAX_COOLDOWNS, "one of them makes room, and no more");
        assert!(table.get(&key("0"), now).is_none() && table.get(&key("1"), now).is_some());
    }
}
