//! The entry of a call at its gates: it goes at once, waits in a line, or must fail.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use super::handles::LineHandle;
use super::{Permit, State, Waiter, known};
use crate::cooldown::Cooldown;
use crate::health::Health;
use crate::line::{Line, MAX_WAITING, Moment, Rank, Sending};
use crate::max_wait::{MaxWait, WaitLimit};
use crate::outage::Outage;
use crate::partition::Partition;
use crate::scope::{GateKey, Target};
use crate::settings::Settings;

/// A call at its gates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub(crate) max_wait: MaxWait,
    pub(crate) is_idempotent: bool,
    /// The bytes that it would hold while it waits; 0 once they are counted.
    pub(crate) bytes: u64,
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
    Queued(Waiter, LineWait),
    /// There is a cool-down.
    CoolingDown(Waiter, Cooldown),
    /// It must not wait. The instant is that of the next probe, or an estimate.
    Refused(LineWait),
}

/// The wait of a call in a line, or the one that it would have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LineWait {
    /// Since when there is an outage; `None` in a release.
    pub(crate) outage: Option<Instant>,
    /// The instant at which it ends at the latest.
    pub(crate) until: Instant,
    /// The spread of the release.
    pub(crate) spread: Duration,
    /// Whether the line is full, by the number of calls or by their bytes.
    pub(crate) is_full: bool,
}

impl Caller {
    /// Returns the circumstances of a step of this call.
    fn moment<'h>(&self, settings: &Settings, health: &'h Health, now: Instant) -> Moment<'h> {
        Moment { health, now, random: self.random, newest_first: settings.newest_first }
    }

    /// Returns the wait that the call would have in a line. One that waited for a cool-down may have used up its maximum wait, and
    /// has the spread.
    pub(super) fn wait_in(&self, line: &Line, moment: Moment<'_>) -> LineWait {
        let usual = moment.health.usual_latency().unwrap_or_default();
        let grace = if self.was_cooling_down { line.spread } else { Duration::ZERO };
        let until = self.max_wait.line_until(usual, grace, moment.now);
        LineWait { outage: line.outage().map(Outage::since), until, spread: line.spread, is_full: false }
    }

    /// Puts the call into the queue of a line, and returns the wakers of the calls that go on.
    pub(super) fn join(&self, line: &mut Line, rank: Rank, moment: Moment<'_>) -> Vec<Waker> {
        line.enqueue(rank, self.max_wait.limit() == WaitLimit::Deadline, self.is_idempotent, moment)
    }
}

impl LineWait {
    /// Returns why a call must not wait in a line, for its error.
    pub(crate) fn detail(&self, now: Instant) -> String {
        let full = if self.is_full { ", and the line is full" } else { "" };
        match self.outage {
            Some(since) => format!("outage for {:?}{full}", now.saturating_duration_since(since)),
            None => "release after an outage or a cool-down".to_owned(),
        }
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
    let is_cooling = state.is_cooling(keys.keys(), now);
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

/// Returns `true` if there is no cool-down, outage or release at the gates of a call.
pub(crate) fn is_open(settings: &Settings, target: &Target, now: Instant) -> bool {
    let gates = &settings.gates;
    if gates.is_inactive() {
        return true;
    }
    let keys = target.gate_keys(gates.bucket(target));
    let mut state = gates.lock();
    let is_cooling = state.is_cooling(keys.keys(), now);
    gates.deactivate_if_over(&mut state, is_cooling, now);
    state.remove_if_over(target, now);
    !is_cooling && !keys.keys().any(|key| state.lines.contains_key(&key))
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
        let moment = caller.moment(settings, known(health, &target.partition), now);
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
        let Some(line) = lines.get_mut(&key) else { return GateState::Open };
        let moment = caller.moment(settings, known(health, &target.partition), now);
        let wait = caller.wait_in(line, moment);
        if !may_wait(settings, line, caller, wait.until, now) {
            let usual = moment.health.usual_latency().unwrap_or_default();
            let next = line.outage().map_or_else(|| Some(now + usual), Outage::next_probe);
            let is_full = line.outage().is_some() && is_full(settings, line, caller);
            return GateState::Refused(LineWait { until: next.unwrap_or(now).max(now), is_full, ..wait });
        }
        let rank = (caller.max_wait.latest(), id);
        // Its own waker is not registered yet, and no other call goes earlier because of it.
        let _wakers = caller.join(line, rank, moment);
        let handle = LineHandle::new(settings, key, target, (line.id, caller));
        GateState::Queued(Waiter::new(handle, rank), wait)
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
        self.make_room(now);
        let Self { lines, health, .. } = self;
        let moment = caller.moment(settings, known(health, partition), now);
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
    outage.age(now) <= patience && !is_full(settings, line, caller)
}

/// Returns `true` if a line has no room for a call.
fn is_full(settings: &Settings, line: &Line, caller: Caller) -> bool {
    let bytes = settings.gates.held_bytes().saturating_add(caller.bytes);
    line.waiting() >= MAX_WAITING || caller.bytes > 0 && bytes > settings.max_held
}
