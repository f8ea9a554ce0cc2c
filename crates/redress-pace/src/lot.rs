//! The parked partitions behind their lock, and those who wait there.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::time::Instant;

use crate::crowd::{Crowd, End, Standing};
use crate::parking::{Parking, Parkings};
use crate::partition::Partition;

/// The state of the gate that all services of a layer share. No user's code runs under its lock.
#[derive(Default)]
pub(crate) struct Lot {
    /// What a call reads, and all that it reads, while nobody is parked or released.
    is_used: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    parkings: Parkings,
    /// Each has a call that waits or is in flight.
    crowds: HashMap<Partition, Crowd>,
    next: u64,
}

/// How the gate meets a call.
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

/// A place among those that are in flight. Dropping it gives it to the next.
#[derive(Debug)]
pub(crate) struct Place {
    member: Member,
    sent: Option<Instant>,
    end: End,
}

/// What leads to a crowd.
#[derive(Clone)]
struct Member {
    lot: Arc<Lot>,
    partition: Partition,
    crowd: u64,
}

impl Lot {
    /// Whether no partition is parked, and nobody is released: one atomic load.
    pub(crate) fn is_empty(&self) -> bool {
        !self.is_used.load(Ordering::Acquire)
    }

    /// Returns the cool-down of a partition while it lasts.
    pub(crate) fn parking(&self, partition: &Partition, now: Instant) -> Option<Parking> {
        if self.is_empty() {
            return None;
        }
        let mut state = self.lock();
        let parking = state.parkings.at(partition, now);
        self.note_end(&mut state, parking.is_some(), now);
        parking
    }

    /// Parks a partition; returns `false` when it is parked for as long already.
    pub(crate) fn park(&self, partition: &Partition, parking: Parking, now: Instant) -> bool {
        let mut state = self.lock();
        let is_news = state.parkings.park(partition, parking, now);
        self.is_used.store(true, Ordering::Release);
        // They look at the gate again: some of them cannot wait for so long.
        let wakers = state.crowds.get_mut(partition).map(Crowd::scatter).unwrap_or_default();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        is_news
    }

    /// Ends a cool-down and its release before their time, and wakes those who wait for their end.
    pub(crate) fn open(&self, partition: &Partition) {
        let mut state = self.lock();
        state.parkings.open(partition);
        let crowd = state.crowds.remove(partition);
        drop(state);
        crowd.map(Crowd::dissolve).into_iter().flatten().for_each(Waker::wake);
    }

    /// Lets a call in that can go at once, with a place if it needs one; `None` when it has to wait.
    pub(crate) fn pass(self: &Arc<Self>, partition: &Partition, now: Instant) -> Option<Option<Box<Place>>> {
        if self.is_empty() {
            return Some(None);
        }
        let mut state = self.lock();
        let is_parked = state.parkings.at(partition, now).is_some();
        self.note_end(&mut state, is_parked, now);
        match state.crowds.get_mut(partition) {
            _ if is_parked => None,
            None => Some(None),
            Some(crowd) => crowd.take().then(|| Some(Place::new(self.member(partition, crowd.id)))),
        }
    }

    /// Enters a call, which waits if it has to.
    pub(crate) fn enter(self: &Arc<Self>, partition: &Partition, now: Instant) -> Entry {
        if self.is_empty() {
            return Entry::Free;
        }
        let mut state = self.lock();
        let State { parkings, crowds, next } = &mut *state;
        let parking = parkings.at(partition, now);
        if parking.is_none() && !crowds.contains_key(partition) {
            return Entry::Free;
        }
        let id = *next;
        *next += 1;
        let crowd = crowds.entry(partition.clone()).or_insert_with(|| Crowd::new(id));
        let member = self.member(partition, crowd.id);
        if let Some(parking) = parking {
            crowd.park(id);
            crowd.spread = parking.spread;
            return Entry::Parked(Guest { member, id }, parking);
        }
        if crowd.take() {
            return Entry::Placed(Place::new(member));
        }
        crowd.line_up(id);
        Entry::Lined(Guest { member, id }, crowd.spread)
    }

    /// Notes that all is over, if it is.
    fn note_end(&self, state: &mut State, is_parked: bool, now: Instant) {
        if !is_parked && state.crowds.is_empty() && !state.parkings.last(now) {
            self.is_used.store(false, Ordering::Release);
        }
    }

    fn member(self: &Arc<Self>, partition: &Partition, crowd: u64) -> Member {
        Member { lot: Arc::clone(self), partition: partition.clone(), crowd }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    /// Does something with the crowd, unless it was let out by hand, and forgets it when it is over.
    fn with<T>(&self, act: impl FnOnce(&mut Crowd) -> T) -> Option<T> {
        let mut state = self.lot.lock();
        let crowd = state.crowds.get_mut(&self.partition).filter(|crowd| crowd.id == self.crowd)?;
        let done = act(crowd);
        if crowd.is_over() {
            state.crowds.remove(&self.partition);
        }
        Some(done)
    }
}

impl Guest {
    /// Notes whom to wake; returns `false` when the partition was opened by hand.
    pub(crate) fn is_held(&self, cx: &Context<'_>) -> bool {
        // The stale waker is dropped outside of the lock.
        self.member.with(|crowd| crowd.held(self.id, cx.waker())).flatten().is_some()
    }

    /// Leaves the cool-down for the line, and returns the spread; `None` when the gate has closed again, or was opened by
    /// hand.
    pub(crate) fn line_up(&self, now: Instant) -> Option<Duration> {
        let mut state = self.member.lot.lock();
        let State { parkings, crowds, .. } = &mut *state;
        if parkings.at(&self.member.partition, now).is_some() {
            return None;
        }
        let crowd = crowds.get_mut(&self.member.partition).filter(|crowd| crowd.id == self.member.crowd)?;
        crowd.line_up(self.id);
        Some(crowd.spread)
    }

    /// Returns what has become of the call in the line, and notes whom to wake.
    pub(crate) fn look(&self, cx: &Context<'_>) -> Line {
        let looked = self.member.with(|crowd| crowd.look(self.id, cx.waker()));
        match looked.map_or(Standing::Gone, |(standing, _stale)| standing) {
            Standing::Placed { usual } => Line::Placed(Place::new(self.member.clone()), usual),
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
    fn new(member: Member) -> Box<Self> {
        Box::new(Self { member, sent: None, end: End::Dropped })
    }

    /// Notes that the request is sent now.
    pub(crate) const fn send(&mut self, now: Instant) {
        self.sent = Some(now);
    }

    /// Gives it back, for the call has ended.
    pub(crate) fn end(mut self, is_overload: bool, now: Instant) {
        let sent = self.sent.unwrap_or(now);
        self.end = if is_overload { End::Failed { sent, now } } else { End::Answered { sent, now } };
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let wakers = self.member.with(|crowd| crowd.end(self.end));
        wakers.into_iter().flatten().for_each(Waker::wake);
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
        f.debug_struct("Member").field("partition", &self.partition).field("crowd", &self.crowd).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use redress_sandbox::Bell;

    use super::*;
    use crate::parking::tests::{S, parking, partition};

    fn parked(lot: &Arc<Lot>, at: &Partition, now: Instant) -> Guest {
        match lot.enter(at, now) {
            Entry::Parked(guest, _) => guest,
            other => panic!("it is parked: {other:?}"),
        }
    }

    #[test]
    fn it_is_empty_again_once_the_last_cool_down_is_seen_to_have_ended() {
        let (lot, now) = (Lot::default(), Instant::now());
        let (a, b) = (partition("a"), partition("b"));
        assert!(lot.is_empty() && lot.parking(&a, now).is_none());
        assert!(lot.park(&a, parking(now, S), now) && !lot.park(&a, parking(now, S), now));
        assert!(lot.park(&b, parking(now, 2 * S), now) && !lot.is_empty());
        assert_eq!(lot.parking(&a, now), Some(parking(now, S)));
        assert!(lot.parking(&a, now + S).is_none() && !lot.is_empty(), "the other one is parked still");
        assert_eq!(lot.parking(&b, now + S), Some(parking(now, 2 * S)));
        assert!(lot.parking(&b, now + 2 * S).is_none() && lot.is_empty());
    }

    #[test]
    fn who_is_let_out_by_hand_is_woken_and_who_leaves_is_forgotten() {
        let (lot, now) = (Arc::new(Lot::default()), Instant::now());
        let (a, b) = (partition("a"), partition("b"));
        assert!(matches!(lot.enter(&a, now), Entry::Free));
        lot.park(&a, parking(now, S), now);
        lot.park(&b, parking(now, S), now);
        let guests: Vec<_> = [&a, &a, &a, &b].map(|at| parked(&lot, at, now)).into();
        let bells: Vec<_> = guests.iter().map(|_| Bell::new()).collect();
        let wakers: Vec<_> = bells.iter().map(Bell::waker).collect();
        for (guest, waker) in guests.iter().zip(&wakers).skip(1) {
            assert!(guest.is_held(&Context::from_waker(waker)));
        }
        lot.open(&a);
        let rings: Vec<_> = bells.iter().map(Bell::rings).collect();
        assert_eq!(rings, [0, 1, 1, 0], "the first one was never polled");
        let held: Vec<_> = guests.iter().map(|guest| guest.is_held(&Context::from_waker(Waker::noop()))).collect();
        assert_eq!(held, [false, false, false, true]);
        assert!(matches!(lot.enter(&a, now), Entry::Free) && matches!(lot.enter(&b, now), Entry::Parked(..)));
        assert_eq!(lot.lock().crowds.len(), 1);
        let text = format!("{lot:?}");
        assert!(text.starts_with("Lot { parkings: Parkings {") && text.ends_with("waiting: 1 }"), "{text}");
        drop(guests);
        assert!(lot.lock().crowds.is_empty());
    }

    #[test]
    fn a_place_is_handed_on_once_also_by_one_who_is_dropped_before_noticing_it() {
        let (lot, now) = (Arc::new(Lot::default()), Instant::now());
        let a = partition("a");
        lot.park(&a, parking(now, S), now);
        let guests: Vec<_> = (0..13).map(|_| parked(&lot, &a, now)).collect();
        let later = now + S;
        assert!(guests.iter().all(|guest| guest.line_up(now).is_none()), "the cool-down lasts");
        assert!(guests.iter().all(|guest| guest.line_up(later) == Some(S / 2)));
        let bells: Vec<_> = guests.iter().map(|_| Bell::new()).collect();
        let look = |nth: usize| guests[nth].look(&Context::from_waker(&bells[nth].waker()));
        let mut lines: Vec<_> = (0..13).map(look).collect();
        let placed = lines.iter().filter(|line| matches!(line, Line::Placed(..))).count();
        assert_eq!(placed, 10);
        assert!(matches!(lines[10..], [Line::Waits, Line::Waits, Line::Waits]), "the first to come have the places");
        assert!(lot.pass(&a, later).is_none(), "nobody overtakes those who wait");
        let rings = || bells.iter().map(Bell::rings).sum::<usize>();
        lines.swap_remove(0);
        assert_eq!((bells[10].rings(), rings()), (1, 1), "one place, one call");
        let mut guests = guests;
        drop(guests.remove(10));
        assert_eq!((bells[11].rings(), rings()), (1, 2), "it hands the place on");
        assert!(matches!(guests[10].look(&Context::from_waker(Waker::noop())), Line::Placed(..)));
        assert_eq!(bells[12].rings(), 1, "which was given back at once");
        drop(guests);
        assert!(!lot.is_empty() && !lot.lock().crowds.is_empty(), "some are in flight");
        drop(lines);
        assert!(lot.lock().crowds.is_empty());
        assert!(lot.parking(&a, later).is_none() && lot.is_empty());
    }
}
