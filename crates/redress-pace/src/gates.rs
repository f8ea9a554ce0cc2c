//! The cool-downs and releases of all gates, behind their lock, and the handles of the calls that wait there.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use redress_classify::CooldownScope;
use tokio::time::Instant;

use crate::buckets::Buckets;
use crate::cooldown::{Cooldown, CooldownTable};
use crate::release::{CallEnd, Release};
use crate::scope::{GateKey, Target};

/// The state of the gates, which all services of a layer share. No user code runs under its locks.
#[derive(Default)]
pub(crate) struct Gates {
    /// Whether there may be a cool-down or a release. Usually it is all that a call reads.
    is_active: AtomicBool,
    state: Mutex<State>,
    /// The known buckets of routes; empty unless responses name buckets.
    buckets: Mutex<Buckets>,
}

#[derive(Default)]
struct State {
    cooldowns: CooldownTable,
    /// The releases that have a call which waits or is in flight.
    releases: HashMap<GateKey, Release>,
    next_id: u64,
}

/// The state of the gates of one call.
#[derive(Debug)]
pub(crate) enum GateState {
    /// There is neither a cool-down nor a release.
    Open,
    /// There is a release, and the call has a permit.
    Granted(Box<Permit>),
    /// There is a release, and the call waits for a permit. The duration is the spread of the release.
    Queued(Waiter, Duration),
    /// There is a cool-down.
    CoolingDown(Waiter, Cooldown),
}

/// A call that waits at a gate. Dropping it removes the call, and passes a granted permit on.
#[derive(Debug)]
pub(crate) struct Waiter {
    release: ReleaseHandle,
    id: u64,
}

/// The right to be in flight, in each release that the call is part of. Dropping it passes it on to the next call.
#[derive(Debug)]
pub(crate) struct Permit {
    releases: Vec<ReleaseHandle>,
    sent: Option<Instant>,
    end: CallEnd,
}

/// A reference to a release.
#[derive(Clone)]
struct ReleaseHandle {
    gates: Arc<Gates>,
    key: GateKey,
    release: u64,
}

impl Gates {
    /// Returns `true` if there is neither a cool-down nor a release, by one atomic load.
    pub(crate) fn is_inactive(&self) -> bool {
        !self.is_active.load(Ordering::Acquire)
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

    /// Starts or extends the cool-down of the calls that a response concerns; returns `false` if an earlier one lasts at
    /// least as long.
    pub(crate) fn cool_down(&self, target: &Target, scope: CooldownScope, cooldown: Cooldown, now: Instant) -> bool {
        let cooled = target.cooled_by(scope, self.bucket(target));
        let mut state = self.lock();
        let (mut is_extended, mut wakers) = (false, Vec::new());
        for key in cooled.cooled_keys() {
            // They look at the gate anew: some of them cannot wait that long.
            wakers.extend(state.releases.get_mut(&key).map(Release::requeue_all).unwrap_or_default());
            is_extended |= state.cooldowns.insert(key, cooldown, now);
        }
        self.is_active.store(true, Ordering::Release);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        is_extended
    }

    /// Ends the cool-downs and the releases of a call, and wakes the calls that wait there.
    pub(crate) fn open(&self, target: &Target) {
        let gates = target.gate_keys(self.bucket(target));
        let mut state = self.lock();
        let mut releases = Vec::new();
        for key in gates.keys() {
            state.cooldowns.remove(&key);
            releases.extend(state.releases.remove(&key));
        }
        drop(state);
        releases.into_iter().flat_map(Release::drain).for_each(Waker::wake);
    }

    /// Admits a call that can go at once, with a permit if it needs one; `None` if it must wait.
    pub(crate) fn try_enter(self: &Arc<Self>, target: &Target, now: Instant) -> Option<Option<Box<Permit>>> {
        if self.is_inactive() {
            return Some(None);
        }
        let gates = target.gate_keys(self.bucket(target));
        let mut state = self.lock();
        let is_cooling = state.cooldowns.longest(gates.keys(), now).is_some();
        self.deactivate_if_over(&mut state, is_cooling, now);
        if is_cooling {
            return None;
        }
        let keys: Vec<_> = gates.keys().filter(|key| state.releases.contains_key(key)).collect();
        if keys.is_empty() {
            return Some(None);
        }
        self.acquire(&mut state.releases, keys).ok().map(Some)
    }

    /// Enters a call at its gates, where it may have to wait. `held` is the permit that it has already.
    pub(crate) fn enter(self: &Arc<Self>, target: &Target, held: Option<&Permit>, now: Instant) -> GateState {
        if self.is_inactive() {
            return GateState::Open;
        }
        let gates = target.gate_keys(self.bucket(target));
        let mut state = self.lock();
        let State { cooldowns, releases, next_id } = &mut *state;
        let id = *next_id;
        *next_id += 1;
        if let Some((key, cooldown)) = cooldowns.longest(gates.keys(), now) {
            let release = releases.entry(key.clone()).or_insert_with(|| Release::new(id));
            release.add(id);
            release.spread = cooldown.spread;
            return GateState::CoolingDown(Waiter { release: self.handle(key, release.id), id }, cooldown);
        }
        let is_held = |key: &GateKey| held.is_some_and(|permit| permit.is_of(key, releases));
        let keys: Vec<_> = gates.keys().filter(|key| releases.contains_key(key) && !is_held(key)).collect();
        if keys.is_empty() {
            return GateState::Open;
        }
        let full = match self.acquire(releases, keys) {
            Ok(permit) => return GateState::Granted(permit),
            Err(full) => full,
        };
        let Some(release) = releases.get_mut(&full) else { return GateState::Open };
        release.enqueue(id);
        let spread = release.spread;
        GateState::Queued(Waiter { release: self.handle(full, release.id), id }, spread)
    }

    /// Returns the scope or bucket that the last response on the route of a call named.
    fn bucket(&self, target: &Target) -> Option<CooldownScope> {
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        target.route_hash().and_then(|route| buckets.get(route))
    }

    /// Stores the scope or bucket that a response to a call names.
    pub(crate) fn learn_bucket(&self, target: &Target, named: CooldownScope) {
        if let (Some(route), CooldownScope::Named(_) | CooldownScope::Bucket(_)) = (target.route_hash(), named) {
            self.buckets.lock().unwrap_or_else(PoisonError::into_inner).set(route, named);
        }
    }

    /// Acquires a permit in all of these releases.
    ///
    /// # Errors
    /// Returns the first release without a free permit. Then none is acquired.
    fn acquire(
        self: &Arc<Self>,
        releases: &mut HashMap<GateKey, Release>,
        keys: Vec<GateKey>,
    ) -> Result<Box<Permit>, GateKey> {
        if let Some(full) = keys.iter().find(|key| releases.get(key).is_some_and(|release| !release.has_permit())) {
            return Err(full.clone());
        }
        let mut handles = Vec::with_capacity(keys.len());
        for key in keys {
            if let Some(release) = releases.get_mut(&key) {
                release.acquire();
                handles.push(self.handle(key, release.id));
            }
        }
        Ok(Permit::new(handles))
    }

    /// Marks the gates as inactive once all cool-downs and releases are over.
    fn deactivate_if_over(&self, state: &mut State, is_cooling: bool, now: Instant) {
        if !is_cooling && state.releases.is_empty() && state.cooldowns.clear_if_over(now) {
            self.is_active.store(false, Ordering::Release);
        }
    }

    fn handle(self: &Arc<Self>, key: GateKey, release: u64) -> ReleaseHandle {
        ReleaseHandle { gates: Arc::clone(self), key, release }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReleaseHandle {
    /// Calls a function with the release, and removes the release if it is over then. Returns `None` if the gate was opened
    /// by hand.
    fn with<T>(&self, act: impl FnOnce(&mut Release) -> T) -> Option<T> {
        let mut state = self.gates.lock();
        let release = state.releases.get_mut(&self.key).filter(|release| release.id == self.release)?;
        let done = act(release);
        if release.is_over() {
            state.releases.remove(&self.key);
        }
        Some(done)
    }
}

impl Waiter {
    /// Registers the waker, and is ready if the gate was opened by hand.
    pub(crate) fn poll_opened(&self, cx: &Context<'_>) -> Poll<()> {
        // The replaced waker is dropped outside the lock.
        let replaced = self.release.with(|release| release.poll_cooling(self.id, cx.waker())).flatten();
        if replaced.is_some() { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Joins the queue of the release after the cool-down, and returns the spread. Returns `None` if there is another
    /// cool-down, or the gate was opened by hand.
    pub(crate) fn enqueue(&self, now: Instant) -> Option<Duration> {
        let mut state = self.release.gates.lock();
        let State { cooldowns, releases, .. } = &mut *state;
        if cooldowns.get(&self.release.key, now).is_some() {
            return None;
        }
        let release = releases.get_mut(&self.release.key).filter(|release| release.id == self.release.release)?;
        release.enqueue(self.id);
        Some(release.spread)
    }

    /// Waits for the permit, which comes with the last round-trip time of the release; `None` if there is another cool-down,
    /// or the gate was opened by hand.
    pub(crate) fn poll_permit(&self, cx: &Context<'_>) -> Poll<Option<(Box<Permit>, Duration)>> {
        let Some((state, _replaced)) = self.release.with(|release| release.poll_permit(self.id, cx.waker())) else {
            return Poll::Ready(None);
        };
        state.map(|granted| granted.map(|last_rtt| (Permit::new(vec![self.release.clone()]), last_rtt)))
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if let Some((_own, wakers)) = self.release.with(|release| release.remove(self.id)) {
            wakers.into_iter().for_each(Waker::wake);
        }
    }
}

impl Permit {
    fn new(releases: Vec<ReleaseHandle>) -> Box<Self> {
        Box::new(Self { releases, sent: None, end: CallEnd::Dropped })
    }

    /// Records that the request is sent now.
    pub(crate) const fn mark_sent(&mut self, now: Instant) {
        self.sent = Some(now);
    }

    /// Adds the permit of another release.
    pub(crate) fn merge(&mut self, other: &mut Self) {
        self.releases.append(&mut other.releases);
    }

    /// Records the end of the call, and passes the permit on.
    pub(crate) fn end(mut self, is_overload: bool, now: Instant) {
        let sent = self.sent.unwrap_or(now);
        self.end = if is_overload { CallEnd::Overloaded { sent, now } } else { CallEnd::Answered { sent, now } };
    }

    /// Returns `true` if it is a permit of the current release at this gate.
    fn is_of(&self, key: &GateKey, releases: &HashMap<GateKey, Release>) -> bool {
        let current = releases.get(key).map(|release| release.id);
        self.releases.iter().any(|handle| handle.key == *key && Some(handle.release) == current)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        for handle in &self.releases {
            handle.with(|release| release.end(self.end)).into_iter().flatten().for_each(Waker::wake);
        }
    }
}

impl fmt::Debug for Gates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        let waiting: usize = state.releases.values().map(Release::waiting).sum();
        f.debug_struct("Gates").field("cooldowns", &state.cooldowns).field("waiting", &waiting).finish()
    }
}

impl fmt::Debug for ReleaseHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReleaseHandle").field("key", &self.key).field("release", &self.release).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
