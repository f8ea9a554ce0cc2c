//! The state of all gates, behind their lock: cool-downs, outages, and the lines of the calls that wait there.

mod control;
mod handles;
mod record;
mod sampling;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use redress_classify::CooldownScope;
use tokio::time::Instant;

use self::handles::LineHandle;
pub(crate) use self::handles::PermitWait;
pub(crate) use self::handles::{Permit, Waiter};
pub(crate) use self::record::{CallResult, Transition, is_unremarkable, record};
use self::sampling::Sampling;
pub(crate) use self::sampling::Timing;
use crate::buckets::Buckets;
use crate::cooldown::{Cooldown, CooldownTable};
use crate::health::{CallRate, Health};
use crate::line::{Line, MAX_WAITING, Moment, Sending};
use crate::max_wait::{MaxWait, WaitLimit};
use crate::outage::Outage;
use crate::partition::Partition;
use crate::scope::{GateKey, Target};
use crate::settings::Settings;

/// The maximum number of partitions whose health is known, and of lines before those that are over are removed.
const MAX_PARTITIONS: usize = 1024;

/// The state of the gates, which all services of a layer share. No user code runs under its locks.
#[derive(Default)]
pub(crate) struct Gates {
    sampling: Sampling,
    state: Mutex<State>,
    /// The known buckets of routes; empty unless responses name buckets.
    buckets: Mutex<Buckets>,
    /// Whether no call may wait, since the program shuts down.
    has_ended_waits: AtomicBool,
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

/// A call at its gates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub(crate) max_wait: MaxWait,
    pub(crate) is_idempotent: bool,
    /// Whether it has waited for a cool-down.
    pub(crate) was_cooling_down: bool,
    /// Uniform over all of `u32`: its place in the spread of a release, and the jitter of its probes.
    pub(crate) random: u32,
}

/// The state of the gates of one call.
#[derive(Debug)]
pub(crate) enum GateState {
    /// The call may be sent.
    Open,
    /// It may be sent, and has a permit.
    Granted(Box<Permit>),
    /// It waits in a line until this instant at the latest.
    Queued(Waiter, Queue),
    /// There is a cool-down.
    CoolingDown(Waiter, Cooldown),
    /// It must not wait. The instant is that of the next probe, or an estimate.
    Refused(Queue),
}

/// The line in which a call waits, or would wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Queue {
    /// Since when there is an outage; `None` in a release.
    pub(crate) outage: Option<Instant>,
    pub(crate) until: Instant,
    /// The spread of the release.
    pub(crate) spread: Duration,
}

impl Gates {
    /// Returns `true` if there is no cool-down, no outage and no release, by one atomic load.
    pub(crate) fn is_inactive(&self) -> bool {
        !self.sampling.is_active()
    }

    /// Returns how a call that is sent now with its gates open is timed.
    #[inline]
    pub(crate) fn timing(&self, random: impl FnOnce() -> u32) -> Timing {
        self.sampling.timing(random)
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
        self.cooldown(target, now).is_some()
            || (limit != WaitLimit::Longest
                && !permit.is_some_and(Permit::is_probe)
                && !self.is_inactive()
                && self.lock().lines.get(&target.upstream_key()).is_some_and(|line| line.outage().is_some()))
    }

    /// Returns `true` if an attempt took so long that its server is likely to hang: a second, and 4 times as long as usual.
    pub(crate) fn is_far_too_long(&self, target: &Target, took: Duration) -> bool {
        let state = self.lock();
        let usual = state.health.get(&target.partition).and_then(Health::usual_latency);
        took >= Duration::from_secs(1) && usual.is_some_and(|usual| took > usual.saturating_mul(4))
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

/// Admits a call that can go at once, with a permit if it needs one; `None` if it must wait or fail.
pub(crate) fn try_enter(
    settings: &Arc<Settings>,
    target: &Target,
    caller: Caller,
    now: Instant,
) -> Option<Option<Box<Permit>>> {
    let gates = &settings.gates;
    if gates.is_inactive() {
        return Some(None);
    }
    let keys = target.gate_keys(gates.bucket(target));
    let mut state = gates.lock();
    let is_cooling = state.cooldowns.longest(keys.keys(), now).is_some();
    gates.deactivate_if_over(&mut state, is_cooling, now);
    if is_cooling {
        return None;
    }
    state.remove_if_over(target, now);
    let keys = state.lines_of(keys.keys(), caller, None);
    if keys.is_empty() {
        return Some(None);
    }
    state.acquire(settings, target, keys, (caller, now)).ok().map(Some)
}

/// Enters a call at its gates, where it may have to wait. `held` is the permit that it has already.
pub(crate) fn enter(
    settings: &Arc<Settings>,
    target: &Target,
    caller: Caller,
    held: Option<&Permit>,
    now: Instant,
) -> GateState {
    let gates = &settings.gates;
    if gates.is_inactive() {
        return GateState::Open;
    }
    let keys = target.gate_keys(gates.bucket(target));
    let mut state = gates.lock();
    let id = state.id();
    if let Some((key, cooldown)) = state.cooldowns.longest(keys.keys(), now) {
        let line = state.cooling_line(settings, &key, &target.partition, (caller, now));
        line.add(id);
        line.spread = cooldown.spread;
        let handle = LineHandle::new(settings, key, target, (line.id, caller));
        return GateState::CoolingDown(Waiter::new(handle, (caller.max_wait.latest(), id)), cooldown);
    }
    let keys = state.lines_of(keys.keys(), caller, held);
    if keys.is_empty() {
        return GateState::Open;
    }
    match state.acquire(settings, target, keys, (caller, now)) {
        Ok(permit) => GateState::Granted(permit),
        Err(full) => state.enqueue(settings, target, full, (caller, id), now),
    }
}

impl State {
    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Returns the gates at which a call needs a permit that it does not hold. A call without a deadline does not wait for the
    /// end of an outage.
    fn lines_of(&self, keys: impl Iterator<Item = GateKey>, caller: Caller, held: Option<&Permit>) -> Vec<GateKey> {
        let needs_permit = |key: &GateKey| {
            let Some(line) = self.lines.get(key) else { return false };
            let is_passed = line.outage().is_some() && caller.max_wait.limit() == WaitLimit::Longest;
            !is_passed && !held.is_some_and(|permit| permit.is_of(key, line.id))
        };
        keys.filter(needs_permit).collect()
    }

    /// Acquires a permit in all of these lines.
    ///
    /// # Errors
    /// Returns the first line without a free place. Then none is acquired.
    fn acquire(
        &mut self,
        settings: &Arc<Settings>,
        target: &Target,
        keys: Vec<GateKey>,
        (caller, now): (Caller, Instant),
    ) -> Result<Box<Permit>, GateKey> {
        let id = self.id();
        let Self { lines, health, .. } = self;
        let unknown = Health::new();
        let health = health.get(&target.partition).unwrap_or(&unknown);
        let moment = Moment { health, now, random: caller.random, newest_first: settings.newest_first };
        let is_full = |key: &&GateKey| lines.get_mut(*key).is_some_and(|line| !line.has_place(moment));
        if let Some(full) = keys.iter().find(is_full) {
            return Err(full.clone());
        }
        let mut permit = Permit::empty();
        for key in keys {
            if let Some(line) = lines.get_mut(&key) {
                let (place, sending) = line.take(id, moment);
                let handle = LineHandle::new(settings, key, target, (line.id, caller));
                permit.add(handle, place, sending == Sending::Probe);
            }
        }
        Ok(permit)
    }

    /// Puts a call into a line, unless it must not wait there.
    fn enqueue(
        &mut self,
        settings: &Arc<Settings>,
        target: &Target,
        key: GateKey,
        (caller, id): (Caller, u64),
        now: Instant,
    ) -> GateState {
        let Self { lines, health, .. } = self;
        let unknown = Health::new();
        let health = health.get(&target.partition).unwrap_or(&unknown);
        let Some(line) = lines.get_mut(&key) else { return GateState::Open };
        let (usual, max_wait) = (health.usual_latency().unwrap_or_default(), caller.max_wait);
        let grace = if caller.was_cooling_down { line.spread } else { Duration::ZERO };
        let until = max_wait.line_until(usual, grace, now);
        let outage = line.outage().map(Outage::since);
        let queue = Queue { outage, until, spread: line.spread };
        if !may_wait(settings, line, caller, until, now) {
            let next = line.outage().map_or_else(|| Some(now + usual), Outage::next_probe);
            return GateState::Refused(Queue { until: next.unwrap_or(now).max(now), ..queue });
        }
        let rank = (max_wait.latest(), id);
        let moment = Moment { health, now, random: caller.random, newest_first: settings.newest_first };
        let has_deadline = max_wait.limit() == WaitLimit::Deadline;
        // Its own waker is not registered yet, and no other call goes earlier because of it.
        let _wakers = line.enqueue(rank, has_deadline, caller.is_idempotent, moment);
        let handle = LineHandle::new(settings, key, target, (line.id, caller));
        GateState::Queued(Waiter::new(handle, rank), queue)
    }

    /// Returns the line at a gate that cools down.
    fn cooling_line(
        &mut self,
        settings: &Settings,
        key: &GateKey,
        partition: &Partition,
        (caller, now): (Caller, Instant),
    ) -> &mut Line {
        let id = self.id();
        let Self { lines, health, .. } = self;
        if lines.len() >= MAX_PARTITIONS {
            lines.retain(|_, line| !line.is_over(now));
        }
        let unknown = Health::new();
        let health = health.get(partition).unwrap_or(&unknown);
        let moment = Moment { health, now, random: caller.random, newest_first: settings.newest_first };
        lines.entry(key.clone()).or_insert_with(|| Line::after_cooldown(id, moment))
    }
}

/// Returns `true` if a call may wait in a line.
fn may_wait(settings: &Settings, line: &Line, caller: Caller, until: Instant, now: Instant) -> bool {
    let limit = caller.max_wait.limit();
    if limit == WaitLimit::FailFast || until <= now && limit == WaitLimit::Deadline {
        return false;
    }
    let Some(outage) = line.outage() else { return true };
    let patience = caller.max_wait.latest().saturating_duration_since(now).saturating_mul(settings.patience);
    outage.age(now) <= patience && line.waiting() < MAX_WAITING
}

impl fmt::Debug for Gates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        let waiting: usize = state.lines.values().map(Line::waiting).sum();
        f.debug_struct("Gates").field("cooldowns", &state.cooldowns).field("waiting", &waiting).finish()
    }
}

#[cfg(test)]
mod tests;
