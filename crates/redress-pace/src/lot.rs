//! The parked partitions behind their lock, and those who wait there.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use tokio::time::Instant;

use crate::parking::{Parking, Parkings};
use crate::partition::Partition;
use crate::waker::note;

/// The state of the gate that all services of a layer share. No user's code runs under its lock.
#[derive(Default)]
pub(crate) struct Lot {
    /// What a call reads, and all that it reads, while nobody is parked.
    is_used: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    parkings: Parkings,
    guests: HashMap<u64, Visitor>,
    next: u64,
}

/// A call that waits, to be woken when its partition is opened by hand.
struct Visitor {
    partition: Partition,
    waker: Option<Waker>,
}

/// The place of a call that waits. Dropping it leaves nothing behind.
pub(crate) struct Guest {
    lot: Arc<Lot>,
    id: u64,
}

impl Lot {
    /// Whether no partition is parked: one atomic load.
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
        if parking.is_none() && !state.parkings.last(now) {
            self.is_used.store(false, Ordering::Release);
        }
        parking
    }

    /// Parks a partition; returns `false` when it is parked for as long already.
    pub(crate) fn park(&self, partition: &Partition, parking: Parking, now: Instant) -> bool {
        let mut state = self.lock();
        let is_news = state.parkings.park(partition, parking, now);
        self.is_used.store(true, Ordering::Release);
        is_news
    }

    /// Ends a cool-down before its time, and wakes those who wait for its end.
    pub(crate) fn open(&self, partition: &Partition) {
        let mut state = self.lock();
        state.parkings.open(partition);
        let leaving = state.guests.extract_if(|_, guest| guest.partition == *partition);
        let wakers: Vec<_> = leaving.filter_map(|(_, guest)| guest.waker).collect();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Enters a call that has to wait; `None` when the gate is open to it.
    pub(crate) fn enter(self: &Arc<Self>, partition: &Partition, now: Instant) -> Option<(Parking, Guest)> {
        if self.is_empty() {
            return None;
        }
        let mut state = self.lock();
        let parking = state.parkings.at(partition, now)?;
        let id = state.next;
        state.next += 1;
        state.guests.insert(id, Visitor { partition: partition.clone(), waker: None });
        Some((parking, Guest { lot: Arc::clone(self), id }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guest {
    /// Notes whom to wake; returns `false` when the partition was opened by hand.
    pub(crate) fn is_held(&self, cx: &Context<'_>) -> bool {
        let mut state = self.lot.lock();
        let Some(guest) = state.guests.get_mut(&self.id) else { return false };
        let stale = note(&mut guest.waker, cx.waker());
        drop(state);
        drop(stale);
        true
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let guest = self.lot.lock().guests.remove(&self.id);
        drop(guest);
    }
}

impl fmt::Debug for Lot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Lot").field("parkings", &state.parkings).field("waiting", &state.guests.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use redress_sandbox::Bell;

    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn partition(name: &str) -> Partition {
        Partition::new(&http::Uri::default(), &http::HeaderMap::new(), Some(name.to_owned()))
    }

    fn parking(now: Instant, wait: Duration) -> Parking {
        Parking::of(now, wait, SystemTime::UNIX_EPOCH).unwrap()
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
        assert!(lot.enter(&a, now).is_none());
        lot.park(&a, parking(now, S), now);
        lot.park(&b, parking(now, S), now);
        let guests: Vec<_> = [&a, &a, &a, &b].map(|at| lot.enter(at, now).unwrap().1).into();
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
        assert!(lot.enter(&a, now).is_none() && lot.enter(&b, now).is_some());
        assert_eq!(lot.lock().guests.len(), 1);
        let text = format!("{lot:?}");
        assert!(text.starts_with("Lot { parkings: Parkings {") && text.ends_with("waiting: 1 }"), "{text}");
        drop(guests);
        assert!(lot.lock().guests.is_empty());
    }
}
