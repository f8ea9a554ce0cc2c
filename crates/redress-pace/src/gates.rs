//! The state of all gates: behind their lock cool-downs, outages, and the lines of the calls that wait there; beside it the flags by
//! which a call with open gates sees in one load whether there is anything to do.

mod control;
mod entry;
mod handles;
mod held;
#[cfg(all(test, loom))]
mod models;
mod record;
mod sync;
#[cfg(all(test, not(loom)))]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError};
use std::task::Waker;
use std::time::Duration;

use redress_classify::CooldownScope;
use tokio::time::Instant;

pub(crate) use self::entry::{Caller, GateState, LineWait, enter, is_open, try_enter};
pub(crate) use self::handles::{Permit, PermitWait, Waiter};
pub(crate) use self::held::{Held, HeldBytes};
pub(crate) use self::record::{CallResult, Transition, record};
use self::sync::{AtomicBool, AtomicU8, Mutex, MutexGuard, Ordering};
use crate::buckets::Buckets;
use crate::cooldown::{Cooldown, CooldownTable};
use crate::health::{CallRate, Health};
use crate::line::Line;
use crate::max_wait::WaitLimit;
use crate::partition::Partition;
use crate::scope::{GateKey, Target};

/// The maximum number of partitions whose health is known, and of lines before those that are over are removed.
const MAX_PARTITIONS: usize = 1024;

/// Two ends of a cool-down that differ by less are one end, measured in two processes through a store.
pub(crate) const STORE_DELAY: Duration = Duration::from_millis(100);

/// There is a cool-down, an outage or a release in some partition.
const ACTIVE: u8 = 1;
/// Some partition has had a failure since its last answer, or is degraded: each answer is recorded.
const EACH_ANSWER: u8 = 2;
/// Few calls are made, so each of them is timed.
const FEW_CALLS: u8 = 4;

/// Of many calls, one in 16 is timed.
const ONE_IN: u8 = 16;
/// From this rate on, in calls a second over all partitions, calls are many, and below the second they are few again.
const MANY: f64 = 16.0;
const FEW: f64 = 8.0;
/// The number of calls that are timed before that.
const FIRST: u32 = 64;

/// The state of the gates, which all services of a layer share. No user code runs under its locks.
#[derive(Default)]
pub(crate) struct Gates {
    sampling: Sampling,
    state: Mutex<State>,
    /// The known buckets of routes; empty unless responses name buckets.
    buckets: Mutex<Buckets>,
    /// Whether no call may wait, since the program shuts down.
    has_ended_waits: AtomicBool,
    /// The bytes of the calls that wait.
    held: Arc<HeldBytes>,
}

#[derive(Default)]
struct State {
    cooldowns: CooldownTable,
    /// The gates at which a call waits, or that are shut or in a release.
    lines: HashMap<GateKey, Line>,
    health: HashMap<Partition, Health>,
    /// The number of partitions each answer of which is recorded.
    recorded: usize,
    /// The number of calls that were timed, and the rate of all calls.
    timed: u32,
    calls: CallRate,
    next_id: u64,
}

/// Flags that are set under the lock of the gates, and read without it.
///
/// They guard no memory: a call that reads them too early records one answer less, or takes the lock for nothing.
#[derive(Debug)]
struct Sampling(AtomicU8);

/// The send of a call that is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) at: Instant,
    /// The number of calls for which it stands: those that are not timed, and itself.
    pub(crate) calls: u8,
}

impl Gates {
    /// Returns `true` if there is no cool-down, no outage and no release, by one atomic load.
    pub(crate) fn is_inactive(&self) -> bool {
        !self.sampling.is_active()
    }

    /// Returns `true` if an answer to an untimed call without a permit changes nothing, by one atomic load.
    #[inline]
    pub(crate) fn ignores_answers(&self) -> bool {
        !self.sampling.records_each_answer()
    }

    /// Counts the bytes of a call that waits, until the result is dropped.
    pub(crate) fn hold(&self, bytes: u64) -> Held {
        Held::new(&self.held, bytes)
    }

    /// Returns the number of bytes of the calls that wait.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.held.sum()
    }

    /// Returns the send of a call that is sent now; `None` if it is not timed. `now` reads the clock if need be.
    #[inline]
    pub(crate) fn timed(&self, random: impl FnOnce() -> u32, now: impl FnOnce() -> Instant) -> Option<Sent> {
        self.sampling.weight(random).map(|calls| Sent { at: now(), calls })
    }

    /// Returns the longest cool-down of a call, while it lasts.
    pub(crate) fn cooldown(&self, target: &Target, now: Instant) -> Option<Cooldown> {
        if self.is_inactive() {
            return None;
        }
        let gates = target.gate_keys(self.bucket(target));
        let mut state = self.lock();
        let cooldown = state.cooldowns.longest(gates.keys(), now).map(|(_, cooldown)| cooldown);
        self.deactivate_if_over(&mut state, cooldown.is_some(), now);
        cooldown
    }

    /// Returns `true` if a call that was admitted must not be sent: there is a cool-down, or an outage that it does not probe.
    pub(crate) fn is_blocked(&self, target: &Target, permit: Option<&Permit>, limit: WaitLimit, now: Instant) -> bool {
        if self.is_inactive() {
            return false;
        }
        let gates = target.gate_keys(self.bucket(target));
        let mut state = self.lock();
        let is_cooling = state.is_cooling(gates.keys(), now);
        self.deactivate_if_over(&mut state, is_cooling, now);
        let waits_for_end = limit != WaitLimit::Longest && !permit.is_some_and(Permit::is_probe);
        is_cooling || (waits_for_end && state.outage_at(target).is_some())
    }

    /// Starts or extends the cool-down of the calls that a response concerns; returns `false` if an earlier one lasts at
    /// least as long.
    pub(crate) fn cool_down(&self, target: &Target, scope: CooldownScope, cooldown: Cooldown, now: Instant) -> bool {
        let cooled = target.cooled_by(scope, self.bucket(target));
        let mut state = self.lock();
        let (mut is_extended, mut wakers) = (false, Vec::new());
        for key in cooled.cooled_keys() {
            // They look at the gate anew: some of them cannot wait that long.
            wakers.extend(state.lines.get_mut(&key).map(Line::requeue_all).unwrap_or_default());
            is_extended |= state.cooldowns.insert(key, cooldown, now);
        }
        self.sampling.set_active(true);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        is_extended
    }

    /// Starts or extends a cool-down that another process learned of. Returns `true` if it is news: times that were measured in
    /// two processes differ by the delays of the store, and such a difference wakes no call.
    pub(crate) fn adopt(&self, key: GateKey, cooldown: Cooldown, now: Instant) -> bool {
        let mut state = self.lock();
        let known = state.cooldowns.get(&key, now).map(|known| known.until);
        let is_news = known.is_none_or(|known| known + STORE_DELAY < cooldown.until);
        let wakers = state.lines.get_mut(&key).filter(|_| is_news).map(Line::requeue_all);
        state.cooldowns.insert(key, cooldown, now);
        self.sampling.set_active(true);
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
        is_news
    }

    /// Returns the cool-downs of a partition that last.
    pub(crate) fn cooldowns_of(&self, partition: &Partition, now: Instant) -> Vec<(GateKey, Cooldown)> {
        self.lock().cooldowns.of_partition(partition, now)
    }

    /// Returns `true` if calls wait at a gate of a partition.
    pub(crate) fn has_waiting(&self, partition: &Partition) -> bool {
        self.lock().lines.iter().any(|(key, line)| key.is_of(partition) && line.waiting() > 0)
    }

    /// Returns the gates of the cool-down that a response to a call starts.
    pub(crate) fn cooled_keys(&self, target: &Target, scope: CooldownScope) -> Vec<GateKey> {
        target.cooled_by(scope, self.bucket(target)).cooled_keys().collect()
    }

    /// Returns the scope or bucket that the last response on the route of a call named.
    fn bucket(&self, target: &Target) -> Option<CooldownScope> {
        let buckets = || self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        target.route_hash().and_then(|route| buckets().get(route))
    }

    /// Stores the scope or bucket that a response to a call names.
    pub(crate) fn learn_bucket(&self, target: &Target, named: CooldownScope) {
        if let (Some(route), CooldownScope::Named(_) | CooldownScope::Bucket(_)) = (target.route_hash(), named) {
            self.buckets.lock().unwrap_or_else(PoisonError::into_inner).set(route, named);
        }
    }

    /// Marks the gates as inactive once all cool-downs, outages and releases are over.
    fn deactivate_if_over(&self, state: &mut State, is_cooling: bool, now: Instant) {
        if is_cooling || !state.cooldowns.clear_if_over(now) {
            return;
        }
        if state.lines.values().all(|line| line.is_over(now)) {
            let over: Vec<_> = state.lines.drain().filter_map(|(key, _)| key.into_upstream()).collect();
            over.iter().for_each(|partition| state.accept_latency(partition));
            self.sampling.set_active(false);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Sampling {
    fn default() -> Self {
        Self(AtomicU8::new(FEW_CALLS))
    }
}

impl Sampling {
    fn is_active(&self) -> bool {
        self.has(ACTIVE)
    }

    /// Returns `true` if each answer is recorded, by one load.
    fn records_each_answer(&self) -> bool {
        self.has(ACTIVE | EACH_ANSWER)
    }

    /// Returns the number of calls for which one that is sent now stands; `None` if it is not timed.
    #[inline]
    fn weight(&self, random: impl FnOnce() -> u32) -> Option<u8> {
        if self.0.load(Ordering::Relaxed) != 0 {
            return Some(1);
        }
        random().is_multiple_of(u32::from(ONE_IN)).then_some(ONE_IN)
    }

    fn set_active(&self, is_active: bool) {
        self.set(ACTIVE, is_active);
    }

    fn set_each_answer(&self, each: bool) {
        self.set(EACH_ANSWER, each);
    }

    /// Times each call, or one in 16, by the number that were timed and the rate of calls a second.
    fn adapt(&self, timed: u32, rate: f64) {
        if self.has(FEW_CALLS) {
            self.set(FEW_CALLS, timed < FIRST || rate <= MANY);
        } else {
            self.set(FEW_CALLS, rate < FEW);
        }
    }

    fn has(&self, flags: u8) -> bool {
        self.0.load(Ordering::Acquire) & flags != 0
    }

    /// Called under the lock of the gates.
    fn set(&self, flag: u8, is_set: bool) {
        if is_set {
            self.0.fetch_or(flag, Ordering::Release);
        } else {
            self.0.fetch_and(!flag, Ordering::Release);
        }
    }
}

/// Returns the health of a partition; that of one of which nothing is known if it has not answered yet.
fn known<'h>(health: &'h HashMap<Partition, Health>, partition: &Partition) -> &'h Health {
    static UNKNOWN: Health = Health::new();
    health.get(partition).unwrap_or(&UNKNOWN)
}

impl State {
    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Returns `true` if any of these gates cools down.
    fn is_cooling(&self, keys: impl Iterator<Item = GateKey>, now: Instant) -> bool {
        self.cooldowns.longest(keys, now).is_some()
    }

    /// Removes the lines that are over if there are many, before one is added.
    fn make_room(&mut self, now: Instant) {
        if self.lines.len() >= MAX_PARTITIONS {
            self.lines.retain(|_, line| !line.is_over(now));
        }
    }
}

impl fmt::Debug for Gates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        let waiting: usize = state.lines.values().map(Line::waiting).sum();
        f.debug_struct("Gates").field("cooldowns", &state.cooldowns).field("waiting", &waiting).finish()
    }
}
