//! A limit at work: its queues behind their lock, on tokio's clock.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use http::Method;
use redress_classify::saturating;
use tokio::time::Instant;

use crate::lanes::{Lanes, Ticket, Turn};
use crate::limit::Limit;
use crate::partition::Partition;

/// One limit, which all services of a layer share. No user's code runs under its lock.
pub(crate) struct Limiter {
    limit: Limit,
    state: Mutex<State>,
}

struct State {
    lanes: Lanes,
    /// The first use: times are counted from there.
    beginning: Option<Instant>,
}

/// The place of a call in a queue. Dropping it gives the place to the next, and leaves nothing behind.
pub(crate) struct Place {
    limiter: Arc<Limiter>,
    ticket: Ticket,
}

/// Whether it is a call's turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    Over,
    Until(Instant),
    ForOthers,
}

impl Limiter {
    pub(crate) fn new(limit: Limit) -> Self {
        let lanes = Lanes::new(limit.gcra());
        Self { limit, state: Mutex::new(State { lanes, beginning: None }) }
    }

    pub(crate) const fn limit(&self) -> &Limit {
        &self.limit
    }

    pub(crate) fn covers(&self, method: &Method, path: &str) -> bool {
        self.limit.covers(method, path)
    }

    /// Counts a request that is sent now; returns `false`, and counts nothing, when it has to wait.
    pub(crate) fn send(&self, partition: &Partition, now: Instant) -> bool {
        let mut state = self.lock();
        let now = state.nanos(now);
        state.lanes.send(partition, now)
    }

    /// Returns when a call's turn would come if it joined the queue now.
    pub(crate) fn turn(&self, partition: &Partition, now: Instant) -> Instant {
        let mut state = self.lock();
        let nanos = state.nanos(now);
        let turn = state.lanes.turn(partition, nanos);
        state.instant(turn)
    }

    /// Joins the queue, if the call's turn comes in time.
    ///
    /// # Errors
    /// The instant at which it would come.
    pub(crate) fn join(
        self: &Arc<Self>,
        partition: &Partition,
        now: Instant,
        in_time: impl FnOnce(Instant) -> bool,
    ) -> Result<(Place, Instant), Instant> {
        let mut state = self.lock();
        let nanos = state.nanos(now);
        let turn = state.lanes.turn(partition, nanos);
        let turn = state.instant(turn);
        if !in_time(turn) {
            return Err(turn);
        }
        let ticket = state.lanes.join(partition, nanos);
        Ok((Place { limiter: Arc::clone(self), ticket }, turn))
    }

    /// Wakes the first who waits in a partition, so that it notices that the gate is closed.
    pub(crate) fn nudge(&self, partition: &Partition) {
        let first = self.lock().lanes.first(partition);
        if let Some(first) = first {
            first.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a request that is sent now by each of these limits; returns `false`, and counts nothing, when one of them makes
/// it wait.
pub(crate) fn send_by_all<'l>(
    limiters: impl Iterator<Item = &'l Arc<Limiter>>,
    partition: &Partition,
    now: Instant,
) -> bool {
    // The first in a queue is the only one that can use the next slot.
    let mut places = Vec::new();
    for limiter in limiters {
        match limiter.join(partition, now, |turn| turn == now) {
            Ok((place, _)) => places.push(place),
            Err(_) => return false,
        }
    }
    send_all(&places, now)
}

/// Counts a request that is sent now by the limits of these places; returns `false`, and counts nothing, when it is not the
/// turn of one of them.
pub(crate) fn send_all(places: &[Place], now: Instant) -> bool {
    places.iter().all(|place| place.is_due(now)) && places.iter().all(|place| place.send(now))
}

impl State {
    fn nanos(&mut self, now: Instant) -> u128 {
        now.saturating_duration_since(*self.beginning.get_or_insert(now)).as_nanos()
    }

    /// Returns the instant of a time, a century after the beginning at most.
    fn instant(&mut self, nanos: u128) -> Instant {
        let since = u64::try_from(nanos).map_or(saturating::MAX, Duration::from_nanos);
        saturating::add(*self.beginning.get_or_insert_with(Instant::now), since)
    }
}

impl Place {
    /// Returns whether it is the call's turn, and notes whom to wake.
    pub(crate) fn poll(&self, now: Instant, cx: &Context<'_>) -> Wait {
        let mut state = self.limiter.lock();
        let nanos = state.nanos(now);
        let (turn, stale) = state.lanes.look(&self.ticket, nanos, cx.waker());
        let wait = match turn {
            Turn::Now => Wait::Over,
            Turn::At(at) => Wait::Until(state.instant(at)),
            Turn::Behind => Wait::ForOthers,
        };
        drop(state);
        drop(stale);
        wait
    }

    /// Returns `true` if it is the call's turn.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let mut state = self.limiter.lock();
        let now = state.nanos(now);
        state.lanes.is_due(&self.ticket, now)
    }

    /// Counts the request, which is sent now; `false` when it is not its turn.
    pub(crate) fn send(&self, now: Instant) -> bool {
        let mut state = self.limiter.lock();
        let now = state.nanos(now);
        state.lanes.send_first(&self.ticket, now)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (own, next) = self.limiter.lock().lanes.leave(&self.ticket);
        drop(own);
        next.into_iter().for_each(Waker::wake);
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Limiter").field(&self.limit).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn limiter(requests: u32, burst: u32) -> Arc<Limiter> {
        let count = |n| NonZeroU32::new(n).unwrap();
        let limit = Limit::new("GET /a".parse().unwrap(), count(requests), Duration::from_secs(60)).burst(count(burst));
        Arc::new(Limiter::new(limit))
    }

    fn partition() -> Partition {
        Partition::new(&http::Uri::from_static("https://api.example/a"), &http::HeaderMap::new(), None)
    }

    #[test]
    fn a_place_uses_up_one_slot_when_its_turn_has_come_and_none_before() {
        let (limiter, now) = (limiter(2, 1), Instant::now());
        let cx = Context::from_waker(Waker::noop());
        assert!(limiter.send(&partition(), now));
        let (place, turn) = limiter.join(&partition(), now, |_| true).unwrap();
        assert_eq!((turn, place.poll(now, &cx)), (now + Duration::from_secs(30), Wait::Until(turn)));
        assert!(!place.send(now) && place.poll(turn, &cx) == Wait::Over && place.send(turn));
        drop(place);
        assert!(!limiter.send(&partition(), turn), "the slot is used up");
    }

    #[test]
    fn debug_shows_the_limit() {
        let limiter = limiter(2, 1);
        assert_eq!(format!("{limiter:?}"), format!("Limiter({:?})", limiter.limit));
    }

    #[test]
    fn a_turn_that_never_comes_is_told_as_about_a_century_away() {
        let (now, year) = (Instant::now(), Duration::from_secs(365 * 86_400));
        let turn = |per| {
            let limit = Limit::new("GET /a".parse().unwrap(), NonZeroU32::MIN, per).burst(NonZeroU32::MIN);
            let limiter = Arc::new(Limiter::new(limit));
            assert!(limiter.send(&partition(), now));
            limiter.join(&partition(), now, |_| true).map(|(_, turn)| turn).unwrap()
        };
        for per in [year, 99 * year] {
            assert_eq!(turn(per), now + per);
        }
        for per in [101 * year, 500 * year, 1_000 * year, Duration::MAX] {
            assert!(((now + 99 * year)..=(now + 101 * year)).contains(&turn(per)), "{per:?}");
        }
    }

    #[test]
    fn threads_together_never_send_more_than_the_limit() {
        let limiter = limiter(1_000, 700);
        let start = Instant::now();
        // Every thread takes all it can, at each of the same instants.
        let take = |limiter: Arc<Limiter>| {
            move || {
                let at = |second| start + Duration::from_secs(second);
                let count = |second| (0..800).filter(|_| limiter.send(&partition(), at(second))).count();
                (0..60).map(count).sum::<usize>()
            }
        };
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(take(Arc::clone(&limiter)))).collect();
        let sent: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert!((700..=1_000).contains(&sent), "{sent}");
        let alone = (0..2_000).filter(|_| limiter.send(&partition(), start + Duration::from_secs(3_600))).count();
        assert_eq!(alone, 700, "after a pause exactly the burst");
    }

    #[test]
    fn threads_that_join_and_leave_take_each_slot_once() {
        let limiter = limiter(600, 300);
        let now = Instant::now();
        let work = |limiter: Arc<Limiter>| {
            move || {
                let mut sent = 0;
                for n in 0..400 {
                    let Ok((place, _)) = limiter.join(&partition(), now, |_| true) else { continue };
                    // Every third one gives up, wherever it stands.
                    if n % 3 != 0 && place.poll(now, &Context::from_waker(Waker::noop())) == Wait::Over {
                        sent += usize::from(place.send(now));
                    }
                }
                sent
            }
        };
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(work(Arc::clone(&limiter)))).collect();
        let sent: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        let left = (0..600).filter(|_| limiter.send(&partition(), now)).count();
        assert_eq!(sent + left, 300, "no slot is lost and none is used twice");
    }

    #[test]
    fn threads_that_count_by_several_limits_take_a_slot_of_each_or_of_none() {
        let (narrow, broad) = (limiter(600, 200), limiter(600, 300));
        let now = Instant::now();
        let work = |nth: usize| {
            let both = [Arc::clone(&narrow), Arc::clone(&broad)];
            // Every second thread counts by the broad one alone.
            move || (0..400).filter(|_| send_by_all(both[nth % 2..].iter(), &partition(), now)).count()
        };
        let threads: Vec<_> = (0..4).map(|nth| std::thread::spawn(work(nth))).collect();
        let sent: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        let left = |limiter: &Limiter| (0..600).filter(|_| limiter.send(&partition(), now)).count();
        assert_eq!(sent[0] + sent[2] + left(&narrow), 200, "{sent:?}");
        assert_eq!(sent.iter().sum::<usize>() + left(&broad), 300, "{sent:?}");
    }
}
