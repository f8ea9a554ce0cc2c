//! A limit at work: its queues behind their lock, on tokio's clock.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Waker};
use std::time::Duration;

use http::Method;
use redress_classify::saturating;
use redress_store::Entry;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::keyed_queues::{KeyedQueues, QueueSlot, SlotState, millis};
use crate::lease::{Permits, Renewer};
use crate::limit::Limit;
use crate::partition::Partition;

/// A limit that all services of a layer share. No user code runs under its lock.
pub(crate) struct Limiter {
    limit: Limit,
    /// Its record in a store, if processes share the limit.
    entry: Option<Entry>,
    me: Weak<Self>,
    state: Mutex<State>,
}

struct State {
    queues: KeyedQueues,
    /// The first use: times are counted from it.
    epoch: Option<Instant>,
}

/// The position of a call in a queue. Dropping it removes the call and wakes the next one.
pub(crate) struct QueuePosition {
    limiter: Arc<Limiter>,
    slot: QueueSlot,
}

impl Limiter {
    /// Makes a limit. With an entry, the one below which the limits of an account are, processes share it.
    pub(crate) fn new(limit: Limit, entry: Option<&Entry>) -> Arc<Self> {
        let entry = entry.map(|entry| entry.child(&limit.record_name()));
        let queues = KeyedQueues::new(limit.gcra(), limit.rule().filter(|_| entry.is_some()));
        let state = Mutex::new(State { queues, epoch: None });
        Arc::new_cyclic(|me| Self { limit, entry, me: me.clone(), state })
    }

    /// Calls a function with the permits of a partition, the number of calls that wait, and the time in milliseconds.
    pub(crate) fn with_permits<T>(
        &self,
        partition: &Partition,
        act: impl FnOnce(&mut Permits, u32, u64) -> T,
    ) -> Option<T> {
        let mut state = self.lock();
        let now = millis(state.nanos(Instant::now()));
        state.queues.permits(partition).map(|(permits, waiting)| act(permits, waiting, now))
    }

    /// Starts the tasks that renew the permits of new partitions. Without a runtime they count in this process alone.
    fn start_tasks(&self, state: &mut State) {
        let Some(entry) = &self.entry else { return };
        for partition in state.queues.take_unstarted() {
            let Ok(runtime) = Handle::try_current() else {
                state.queues.end_sharing(&partition);
                continue;
            };
            if let Some((permits, _)) = state.queues.permits(&partition) {
                let entry = entry.child(&partition.record_name());
                runtime.spawn(Renewer::new(self.me.clone(), partition, entry, permits.wake()).run());
            }
        }
    }

    pub(crate) const fn limit(&self) -> &Limit {
        &self.limit
    }

    /// Returns `true` if the limit counts requests to this route.
    pub(crate) fn covers(&self, method: &Method, path: &str) -> bool {
        self.limit.covers(method, path)
    }

    /// Counts a request that is sent now; returns `false`, and counts nothing, if it must wait.
    pub(crate) fn try_send(&self, partition: &Partition, now: Instant) -> bool {
        let mut state = self.lock();
        let now = state.nanos(now);
        let is_sent = state.queues.try_send(partition, now);
        self.start_tasks(&mut state);
        is_sent
    }

    /// Returns the earliest time for a call that would join the queue now.
    pub(crate) fn earliest(&self, partition: &Partition, now: Instant) -> Instant {
        let mut state = self.lock();
        let nanos = state.nanos(now);
        let earliest = state.queues.earliest(partition, nanos);
        self.start_tasks(&mut state);
        state.instant(earliest, now)
    }

    /// Adds a call to the queue if its time is acceptable; returns its position and that time.
    ///
    /// # Errors
    /// Returns the time that was not acceptable.
    pub(crate) fn enqueue(
        self: &Arc<Self>,
        partition: &Partition,
        now: Instant,
        is_acceptable: impl FnOnce(Instant) -> bool,
    ) -> Result<(QueuePosition, Instant), Instant> {
        let mut state = self.lock();
        let nanos = state.nanos(now);
        let earliest = state.queues.earliest(partition, nanos);
        self.start_tasks(&mut state);
        let earliest = state.instant(earliest, now);
        if !is_acceptable(earliest) {
            return Err(earliest);
        }
        let slot = state.queues.enqueue(partition, nanos);
        Ok((QueuePosition { limiter: Arc::clone(self), slot }, earliest))
    }

    /// Records a cool-down of a partition, after which a limit that processes share grants slowly. The first call in the queue sees
    /// that the gate is closed.
    pub(crate) fn cool_down(&self, partition: &Partition, until: Instant) {
        {
            let mut state = self.lock();
            // The epoch is not after now.
            state.nanos(Instant::now());
            let until = millis(state.nanos(until));
            if let Some((permits, _)) = state.queues.permits(partition) {
                permits.start_slowly(until);
            }
        }
        self.wake_first(partition);
    }

    /// Wakes the first call in the queue of a partition.
    pub(crate) fn wake_first(&self, partition: &Partition) {
        let first = self.lock().queues.first_waker(partition);
        if let Some(first) = first {
            first.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a request that is sent now in each of these limits; returns `false`, and counts nothing, if it must wait for one of
/// them.
pub(crate) fn try_send_by_all<'l>(
    limiters: impl Iterator<Item = &'l Arc<Limiter>>,
    partition: &Partition,
    now: Instant,
) -> bool {
    // Only the first call in a queue can use the next slot, so a position keeps others from using it in between.
    let mut positions = Vec::new();
    for limiter in limiters {
        match limiter.enqueue(partition, now, |earliest| earliest == now) {
            Ok((position, _)) => positions.push(position),
            Err(_) => return false,
        }
    }
    try_send_all(&positions, now)
}

/// Counts a request that is sent now in the limits of these positions; returns `false`, and counts nothing, if it must wait
/// for one of them.
pub(crate) fn try_send_all(positions: &[QueuePosition], now: Instant) -> bool {
    positions.iter().all(|position| position.is_ready(now)) && positions.iter().all(|position| position.try_send(now))
}

impl State {
    /// Returns the nanoseconds since the epoch, which is now at the first use.
    fn nanos(&mut self, now: Instant) -> u128 {
        now.saturating_duration_since(*self.epoch.get_or_insert(now)).as_nanos()
    }

    /// Returns the instant of a time, at most a century after the epoch.
    fn instant(&self, nanos: u128, now: Instant) -> Instant {
        let since = u64::try_from(nanos).map_or(saturating::MAX, Duration::from_nanos);
        saturating::add(self.epoch.unwrap_or(now), since)
    }
}

impl QueuePosition {
    /// Returns whether the call may be sent, and registers its waker.
    pub(crate) fn poll_slot(&self, now: Instant, cx: &Context<'_>) -> SlotState<Instant> {
        let mut state = self.limiter.lock();
        let nanos = state.nanos(now);
        let (slot, replaced) = state.queues.poll_slot(&self.slot, nanos, cx.waker());
        let slot = slot.map(|at| state.instant(at, now));
        drop(state);
        drop(replaced);
        slot
    }

    /// Returns `true` if processes share the limit, so that the time of a call is an estimate.
    pub(crate) fn is_shared(&self) -> bool {
        self.limiter.entry.is_some()
    }

    /// Returns `true` if the call may be sent now.
    pub(crate) fn is_ready(&self, now: Instant) -> bool {
        let mut state = self.limiter.lock();
        let now = state.nanos(now);
        state.queues.is_ready(&self.slot, now)
    }

    /// Counts the request, which is sent now; returns `false`, and counts nothing, if it must wait.
    pub(crate) fn try_send(&self, now: Instant) -> bool {
        let mut state = self.limiter.lock();
        let now = state.nanos(now);
        state.queues.try_send_first(&self.slot, now)
    }
}

impl Drop for QueuePosition {
    fn drop(&mut self) {
        let (own, next) = self.limiter.lock().queues.remove(&self.slot);
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
    use std::sync::atomic::{AtomicUsize, Ordering};

    use redress_store::{MemoryStore, StoreHandle};
    use tokio::time::sleep;

    use super::*;
    use crate::waker::tests::needs_lock;

    fn limiter(requests: u32, burst: u32) -> Arc<Limiter> {
        let count = |n| NonZeroU32::new(n).unwrap();
        let limit = Limit::new("GET /a".parse().unwrap(), count(requests), Duration::from_secs(60)).burst(count(burst));
        Limiter::new(limit, None)
    }

    fn partition() -> Partition {
        Partition::new(&http::Uri::from_static("https://api.example/a"), &http::HeaderMap::new(), None)
    }

    #[test]
    fn a_position_uses_up_one_slot_and_not_before_its_time() {
        let (limiter, now) = (limiter(2, 1), Instant::now());
        let cx = Context::from_waker(Waker::noop());
        assert!(limiter.try_send(&partition(), now));
        let (position, at) = limiter.enqueue(&partition(), now, |_| true).unwrap();
        assert_eq!((at, position.poll_slot(now, &cx)), (now + Duration::from_secs(30), SlotState::At(at)));
        assert!(!position.try_send(now) && position.poll_slot(at, &cx) == SlotState::Ready && position.try_send(at));
        drop(position);
        assert!(!limiter.try_send(&partition(), at), "the slot is used up");
    }

    #[test]
    fn debug_shows_the_limit() {
        let limiter = limiter(2, 1);
        assert_eq!(format!("{limiter:?}"), format!("Limiter({:?})", limiter.limit));
    }

    #[test]
    fn a_time_that_never_comes_is_about_a_century_away() {
        let (now, year) = (Instant::now(), Duration::from_secs(365 * 86_400));
        let earliest = |per| {
            let limit = Limit::new("GET /a".parse().unwrap(), NonZeroU32::MIN, per).burst(NonZeroU32::MIN);
            let limiter = Limiter::new(limit, None);
            assert!(limiter.try_send(&partition(), now));
            limiter.enqueue(&partition(), now, |_| true).map(|(_, at)| at).unwrap()
        };
        for per in [year, 99 * year] {
            assert_eq!(earliest(per), now + per);
        }
        for per in [101 * year, 500 * year, 1_000 * year, Duration::MAX] {
            assert!(((now + 99 * year)..=(now + 101 * year)).contains(&earliest(per)), "{per:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_task_of_a_shared_limit_ends_with_it() {
        let limit = Limit::new("GET /a".parse().unwrap(), NonZeroU32::MAX, Duration::from_secs(3600));
        let entry = Entry::new(StoreHandle::new(MemoryStore::new()), "portal");
        let limiter = Limiter::new(limit, Some(&entry));
        limiter.try_send(&partition(), Instant::now());
        let tasks = || Handle::current().metrics().num_alive_tasks();
        sleep(Duration::from_secs(1)).await;
        assert_eq!(tasks(), 1);
        drop(limiter);
        sleep(Duration::from_millis(1)).await;
        assert_eq!(tasks(), 0, "at once, and not when it looks next");
    }

    #[test]
    fn calls_are_woken_without_the_lock() {
        let (limiter, now) = (limiter(2, 1), Instant::now());
        let (wakes, locked) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&limiter));
        let waker = needs_lock(&wakes, move || locked.state.try_lock().is_ok());
        let [first, second] = [(); 2].map(|()| limiter.enqueue(&partition(), now, |_| true).unwrap().0);
        for position in [&first, &second] {
            position.poll_slot(now, &Context::from_waker(&waker));
        }
        limiter.wake_first(&partition());
        assert_eq!(wakes.load(Ordering::Relaxed), 1, "a cool-down wakes the first call");
        drop(first);
        assert_eq!(wakes.load(Ordering::Relaxed), 2, "a call that leaves wakes the next one");
    }

    #[test]
    fn threads_together_do_not_exceed_the_limit() {
        let limiter = limiter(1_000, 700);
        let start = Instant::now();
        // Every thread sends as many as it can, at each of the same instants.
        let take = |limiter: Arc<Limiter>| {
            move || {
                let at = |second| start + Duration::from_secs(second);
                let count = |second| (0..800).filter(|_| limiter.try_send(&partition(), at(second))).count();
                (0..60).map(count).sum::<usize>()
            }
        };
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(take(Arc::clone(&limiter)))).collect();
        let sent: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert!((700..=1_000).contains(&sent), "{sent}");
        let alone = (0..2_000).filter(|_| limiter.try_send(&partition(), start + Duration::from_secs(3_600))).count();
        assert_eq!(alone, 700, "after a pause exactly the burst");
    }

    #[test]
    fn threads_that_enqueue_and_give_up_use_each_slot_once() {
        let limiter = limiter(600, 300);
        let now = Instant::now();
        let work = |limiter: Arc<Limiter>| {
            move || {
                let mut sent = 0;
                for n in 0..400 {
                    let Ok((position, _)) = limiter.enqueue(&partition(), now, |_| true) else { continue };
                    // Every third call gives up, at any position.
                    if n % 3 != 0 && position.poll_slot(now, &Context::from_waker(Waker::noop())) == SlotState::Ready {
                        sent += usize::from(position.try_send(now));
                    }
                }
                sent
            }
        };
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(work(Arc::clone(&limiter)))).collect();
        let sent: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        let left = (0..600).filter(|_| limiter.try_send(&partition(), now)).count();
        assert_eq!(sent + left, 300, "no slot is lost and none is used twice");
    }

    #[test]
    fn threads_under_several_limits_use_a_slot_of_each_or_none() {
        let (narrow, broad) = (limiter(600, 200), limiter(600, 300));
        let now = Instant::now();
        let work = |nth: usize| {
            let both = [Arc::clone(&narrow), Arc::clone(&broad)];
            // Every second thread is under the broad limit alone.
            move || (0..400).filter(|_| try_send_by_all(both[nth % 2..].iter(), &partition(), now)).count()
        };
        let threads: Vec<_> = (0..4).map(|nth| std::thread::spawn(work(nth))).collect();
        let sent: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        let left = |limiter: &Limiter| (0..600).filter(|_| limiter.try_send(&partition(), now)).count();
        assert_eq!(sent[0] + sent[2] + left(&narrow), 200, "{sent:?}");
        assert_eq!(sent.iter().sum::<usize>() + left(&broad), 300, "{sent:?}");
    }

    #[test]
    fn a_limit_without_a_slot_now_refuses_what_all_must_count() {
        let (narrow, broad) = (limiter(60, 1), limiter(60, 2));
        let now = Instant::now();
        let try_all = |now| try_send_by_all([&broad, &narrow].into_iter(), &partition(), now);
        assert!(try_all(now) && !try_all(now));
        assert!(broad.try_send(&partition(), now), "the refused request used up no slot of the other limit");
    }

    #[tokio::test]
    async fn a_limit_is_shared_if_it_has_a_store() {
        let limit = || Limit::new("GET /a".parse().unwrap(), NonZeroU32::MIN, Duration::from_secs(1));
        let entry = Entry::new(StoreHandle::new(MemoryStore::new()), "portal");
        for (entry, expected) in [(None, false), (Some(&entry), true)] {
            let limiter = Limiter::new(limit(), entry);
            let (position, _) = limiter.enqueue(&partition(), Instant::now(), |_| true).unwrap();
            assert_eq!(position.is_shared(), expected);
        }
    }

    #[test]
    fn only_the_first_position_is_ready_and_only_when_its_time_has_come() {
        let (limiter, now) = (limiter(2, 1), Instant::now());
        let [first, second] = [(); 2].map(|()| limiter.enqueue(&partition(), now, |_| true).unwrap().0);
        assert!(first.is_ready(now) && !second.is_ready(now));
        assert!(first.try_send(now));
        drop(first);
        assert!(!second.is_ready(now) && second.is_ready(now + Duration::from_secs(30)));
    }
}
