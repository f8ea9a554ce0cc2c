//! The cool-downs behind their lock, and those who wait there.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use redress_classify::CooldownScope;
use tokio::time::Instant;

use crate::buckets::Buckets;
use crate::crowd::{Crowd, End, Standing};
use crate::parking::{Parking, Parkings};
use crate::scope::{GateKey, Target};

/// The state of the gates that all services of a layer share. No user's code runs under its locks.
#[derive(Default)]
pub(crate) struct Lot {
    /// What a call reads, and all that it reads, while nobody is parked or released.
    is_used: AtomicBool,
    state: Mutex<State>,
    /// Stays empty unless responses name buckets.
    buckets: Mutex<Buckets>,
}

#[derive(Default)]
struct State {
    parkings: Parkings,
    /// Each has a call that waits or is in flight.
    crowds: HashMap<GateKey, Crowd>,
    next: u64,
}

/// How the gates meet a call.
#[derive(Debug)]
pub(crate) enum Entry {
    /// Nobody is parked or released.
    Free,
    /// A release is under way, and there is a place.
    Placed(Box<Place>),
    /// A release is under way, and the call stands in its line.
    Lined(Guest, Duration),
    /// It is parked.
    Parked(Guest, Parking),
}

/// What has become of a call in the line.
#[derive(Debug)]
pub(crate) enum Line {
    /// It has a place; an answer takes so long.
    Placed(Box<Place>, Duration),
    /// It has to wait.
    Waits,
    /// The gate has closed again, or was opened by hand.
    Gone,
}

/// A call that waits. Dropping it leaves nothing behind, and hands a place that it was given on to the next.
#[derive(Debug)]
pub(crate) struct Guest {
    member: Member,
    id: u64,
}

/// A place among those that are in flight, one in each release that the call is part of. Dropping it gives it to the next.
#[derive(Debug)]
pub(crate) struct Place {
    members: Vec<Member>,
    sent: Option<Instant>,
    end: End,
}

/// What leads to a crowd.
#[derive(Clone)]
struct Member {
    lot: Arc<Lot>,
    key: GateKey,
    crowd: u64,
}

impl Lot {
    /// Returns `true` if no call is parked and there is no release: one atomic load.
    pub(crate) fn is_empty(&self) -> bool {
        !self.is_used.load(Ordering::Acquire)
    }

    /// Returns the cool-down that holds a call for longest, while it lasts.
    pub(crate) fn parking(&self, target: &Target, now: Instant) -> Option<Parking> {
        if self.is_empty() {
            return None;
        }
        let gates = target.gates(self.bucket(target));
        let mut state = self.lock();
        let parking = state.parkings.longest(gates.keys(), now).map(|(_, parking)| parking);
        self.note_end(&mut state, parking.is_some(), now);
        parking
    }

    /// Parks the calls that a response concerns; returns `false` when they are parked for as long already.
    pub(crate) fn park(&self, target: &Target, said: CooldownScope, parking: Parking, now: Instant) -> bool {
        let parked = target.parked_by(said, self.bucket(target));
        let mut state = self.lock();
        let (mut is_news, mut wakers) = (false, Vec::new());
        for key in parked.parked_keys() {
            // They look at the gate again: some of them cannot wait for so long.
            wakers.extend(state.crowds.get_mut(&key).map(Crowd::scatter).unwrap_or_default());
            is_news |= state.parkings.park(key, parking, now);
        }
        self.is_used.store(true, Ordering::Release);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        is_news
    }

    /// Ends the cool-downs that hold a call and their releases before their time, and wakes those who wait for their end.
    pub(crate) fn open(&self, target: &Target) {
        let gates = target.gates(self.bucket(target));
        let mut state = self.lock();
        let mut crowds = Vec::new();
        for key in gates.keys() {
            state.parkings.open(&key);
            crowds.extend(state.crowds.remove(&key));
        }
        drop(state);
        crowds.into_iter().flat_map(Crowd::dissolve).for_each(Waker::wake);
    }

    /// Lets a call in that can go at once, with a place if it needs one; `None` when it has to wait.
    pub(crate) fn pass(self: &Arc<Self>, target: &Target, now: Instant) -> Option<Option<Box<Place>>> {
        if self.is_empty() {
            return Some(None);
        }
        let gates = target.gates(self.bucket(target));
        let mut state = self.lock();
        let is_parked = state.parkings.longest(gates.keys(), now).is_some();
        self.note_end(&mut state, is_parked, now);
        if is_parked {
            return None;
        }
        let keys: Vec<_> = gates.keys().filter(|key| state.crowds.contains_key(key)).collect();
        if keys.is_empty() {
            return Some(None);
        }
        self.take(&mut state.crowds, keys).ok().map(Some)
    }

    /// Enters a call, which waits if it has to; `held` is the place that it has already.
    pub(crate) fn enter(self: &Arc<Self>, target: &Target, held: Option<&Place>, now: Instant) -> Entry {
        if self.is_empty() {
            return Entry::Free;
        }
        let gates = target.gates(self.bucket(target));
        let mut state = self.lock();
        let State { parkings, crowds, next } = &mut *state;
        let id = *next;
        *next += 1;
        if let Some((key, parking)) = parkings.longest(gates.keys(), now) {
            let crowd = crowds.entry(key.clone()).or_insert_with(|| Crowd::new(id));
            crowd.park(id);
            crowd.spread = parking.spread;
            return Entry::Parked(Guest { member: self.member(key, crowd.id), id }, parking);
        }
        let is_held = |key: &GateKey| held.is_some_and(|place| place.is_in(key, crowds));
        let keys: Vec<_> = gates.keys().filter(|key| crowds.contains_key(key) && !is_held(key)).collect();
        if keys.is_empty() {
            return Entry::Free;
        }
        let full = match self.take(crowds, keys) {
            Ok(place) => return Entry::Placed(place),
            Err(full) => full,
        };
        let Some(crowd) = crowds.get_mut(&full) else { return Entry::Free };
        crowd.line_up(id);
        let spread = crowd.spread;
        Entry::Lined(Guest { member: self.member(full, crowd.id), id }, spread)
    }

    /// Returns the scope or bucket that the last response on the route of a call named.
    fn bucket(&self, target: &Target) -> Option<CooldownScope> {
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        target.route_hash().and_then(|route| buckets.get(route))
    }

    /// Remembers the scope or bucket that a response to a call names.
    pub(crate) fn learn(&self, target: &Target, said: CooldownScope) {
        if let (Some(route), CooldownScope::Named(_) | CooldownScope::Bucket(_)) = (target.route_hash(), said) {
            self.buckets.lock().unwrap_or_else(PoisonError::into_inner).set(route, said);
        }
    }

    /// Takes a place in each of these crowds, or in none.
    ///
    /// # Errors
    /// The first crowd that has no place.
    fn take(self: &Arc<Self>, crowds: &mut HashMap<GateKey, Crowd>, keys: Vec<GateKey>) -> Result<Box<Place>, GateKey> {
        if let Some(full) = keys.iter().find(|key| crowds.get(key).is_some_and(|crowd| !crowd.has_place())) {
            return Err(full.clone());
        }
        let mut members = Vec::with_capacity(keys.len());
        for key in keys {
            if let Some(crowd) = crowds.get_mut(&key) {
                crowd.take();
                members.push(self.member(key, crowd.id));
            }
        }
        Ok(Place::new(members))
    }

    /// Notes that all is over, if it is.
    fn note_end(&self, state: &mut State, is_parked: bool, now: Instant) {
        if !is_parked && state.crowds.is_empty() && !state.parkings.last(now) {
            self.is_used.store(false, Ordering::Release);
        }
    }

    fn member(self: &Arc<Self>, key: GateKey, crowd: u64) -> Member {
        Member { lot: Arc::clone(self), key, crowd }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    /// Does something with the crowd, unless it was let out by hand, and forgets it when it is over.
    fn with<T>(&self, act: impl FnOnce(&mut Crowd) -> T) -> Option<T> {
        let mut state = self.lot.lock();
        let crowd = state.crowds.get_mut(&self.key).filter(|crowd| crowd.id == self.crowd)?;
        let done = act(crowd);
        if crowd.is_over() {
            state.crowds.remove(&self.key);
        }
        Some(done)
    }
}

impl Guest {
    /// Notes whom to wake; returns `false` when the gate was opened by hand.
    pub(crate) fn is_held(&self, cx: &Context<'_>) -> bool {
        // The stale waker is dropped outside of the lock.
        self.member.with(|crowd| crowd.held(self.id, cx.waker())).flatten().is_some()
    }

    /// Leaves the cool-down for the line, and returns the spread; `None` when the gate has closed again, or was opened by
    /// hand.
    pub(crate) fn line_up(&self, now: Instant) -> Option<Duration> {
        let mut state = self.member.lot.lock();
        let State { parkings, crowds, .. } = &mut *state;
        if parkings.at(&self.member.key, now).is_some() {
            return None;
        }
        let crowd = crowds.get_mut(&self.member.key).filter(|crowd| crowd.id == self.member.crowd)?;
        crowd.line_up(self.id);
        Some(crowd.spread)
    }

    /// Returns what has become of the call in the line, and notes whom to wake.
    pub(crate) fn look(&self, cx: &Context<'_>) -> Line {
        let looked = self.member.with(|crowd| crowd.look(self.id, cx.waker()));
        match looked.map_or(Standing::Gone, |(standing, _stale)| standing) {
            Standing::Placed { usual } => Line::Placed(Place::new(vec![self.member.clone()]), usual),
            Standing::Waits => Line::Waits,
            Standing::Gone => Line::Gone,
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if let Some((_own, wakers)) = self.member.with(|crowd| crowd.leave(self.id)) {
            wakers.into_iter().for_each(Waker::wake);
        }
    }
}

impl Place {
    fn new(members: Vec<Member>) -> Box<Self> {
        Box::new(Self { members, sent: None, end: End::Dropped })
    }

    /// Notes that the request is sent now.
    pub(crate) const fn send(&mut self, now: Instant) {
        self.sent = Some(now);
    }

    /// Adds the places of another release.
    pub(crate) fn add(&mut self, other: &mut Self) {
        self.members.append(&mut other.members);
    }

    /// Gives it back, for the call has ended.
    pub(crate) fn end(mut self, is_overload: bool, now: Instant) {
        let sent = self.sent.unwrap_or(now);
        self.end = if is_overload { End::Failed { sent, now } } else { End::Answered { sent, now } };
    }

    /// Returns `true` if one of its places is in the current crowd at this gate.
    fn is_in(&self, key: &GateKey, crowds: &HashMap<GateKey, Crowd>) -> bool {
        let crowd = crowds.get(key).map(|crowd| crowd.id);
        self.members.iter().any(|member| member.key == *key && Some(member.crowd) == crowd)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for member in &self.members {
            member.with(|crowd| crowd.end(self.end)).into_iter().flatten().for_each(Waker::wake);
        }
    }
}

impl fmt::Debug for Lot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        let waiting: usize = state.crowds.values().map(Crowd::waiting).sum();
        f.debug_struct("Lot").field("parkings", &state.parkings).field("waiting", &waiting).finish()
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member").field("key", &self.key).field("crowd", &self.crowd).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
