//! The line at one gate: the calls that wait for the end of a cool-down or an outage, and those in flight in the release after it.
//! It is given the time, and so deterministic.

mod flight;
mod queue;
mod state;
#[cfg(all(test, not(loom)))]
mod tests;
mod wait;

use std::collections::HashMap;
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use self::flight::Flight;
pub(crate) use self::flight::Place;
use self::queue::Queue;
pub(crate) use self::queue::Rank;
pub(crate) use self::wait::{LinePoll, Sending, WaitEnd, WaitState};
use crate::health::Health;
use crate::outage::Outage;
use crate::waker::register;
use crate::window::{CallEnd, Window};

/// The maximum number of calls that wait for the end of an outage.
pub(crate) const MAX_WAITING: usize = 10_000;
/// A call that has less time left than this multiple of the latency is not sent.
const NEEDED: u32 = 2;

/// The calls at one gate, from the first that waits until the end of the release.
#[derive(Debug)]
pub(crate) struct Line {
    /// Distinguishes it from an earlier line at the same gate.
    pub(crate) id: u64,
    /// The time after the cool-down over which the waiting calls are spread.
    pub(crate) spread: Duration,
    /// The calls that wait for the end of the cool-down.
    cooling: HashMap<u64, Option<Waker>>,
    /// The calls that wait for a place or to be the probe, in the order in which they go.
    queue: Queue,
    /// The calls that have left the queue and have not polled since.
    ended: HashMap<u64, WaitEnd>,
    /// The calls that have a place.
    flight: Flight,
    phase: Phase,
    /// The call that has the timer for the next change, and its time.
    timer: Option<(Rank, Instant)>,
    /// Since when no call waits.
    idle_since: Option<Instant>,
}

#[derive(Debug)]
enum Phase {
    /// There is an outage. Single calls probe.
    Shut(Outage),
    /// The calls are released as the window permits.
    Release(Window),
}

/// The circumstances of a step.
#[derive(Clone, Copy)]
pub(crate) struct Moment<'h> {
    pub(crate) health: &'h Health,
    pub(crate) now: Instant,
    /// Uniform over all of `u32`.
    pub(crate) random: u32,
    /// Whether the calls with the latest deadline go first.
    pub(crate) newest_first: bool,
}

impl Line {
    /// Makes the line of a cool-down, which is followed by a release.
    pub(crate) fn after_cooldown(id: u64, moment: Moment<'_>) -> Self {
        Self::new(id, Phase::Release(Window::new(moment.health, moment.now)))
    }

    /// Makes the line of an outage.
    pub(crate) fn shut(id: u64, outage: Outage) -> Self {
        Self::new(id, Phase::Shut(outage))
    }

    fn new(id: u64, phase: Phase) -> Self {
        Self {
            id,
            spread: Duration::ZERO,
            cooling: HashMap::new(),
            queue: Queue::default(),
            ended: HashMap::new(),
            flight: Flight::default(),
            phase,
            timer: None,
            idle_since: None,
        }
    }

    /// Notes whether the line is idle: no call waits, and there is a place for the next one.
    fn note_idle(&mut self, now: Instant) {
        let is_used = |window: &Window| self.flight.len() as f64 >= window.places();
        let is_idle = matches!(&self.phase, Phase::Release(window) if self.waiting() == 0 && !is_used(window));
        self.idle_since = if is_idle { self.idle_since.or(Some(now)) } else { None };
    }

    /// Begins an outage. Calls without a deadline leave the queue: they do not wait for its end.
    pub(crate) fn begin_outage(&mut self, outage: Outage, moment: Moment<'_>) -> Vec<Waker> {
        self.phase = Phase::Shut(outage);
        let mut wakers = self.queue.remove_without_deadline();
        self.settle(moment, &mut wakers);
        wakers
    }

    /// Ends the outage, and begins the release.
    pub(crate) fn end_outage(&mut self, moment: Moment<'_>) -> Vec<Waker> {
        self.phase = Phase::Release(Window::new(moment.health, moment.now));
        let mut wakers = Vec::new();
        self.settle(moment, &mut wakers);
        wakers
    }

    /// Adds a call that waits for the end of the cool-down.
    pub(crate) fn add(&mut self, call: u64) {
        self.cooling.insert(call, None);
        self.idle_since = None;
    }

    /// Registers the waker of a call that waits for the end of the cool-down. Returns the one that it replaces, to be
    /// dropped outside the lock; `None` if the call no longer waits for it.
    pub(crate) fn poll_cooling(&mut self, call: u64, waker: &Waker) -> Option<Option<Waker>> {
        self.cooling.get_mut(&call).map(|slot| register(slot, waker))
    }

    /// Returns `true` if a call that arrives now need not wait.
    pub(crate) fn has_place(&mut self, moment: Moment<'_>) -> bool {
        self.flight.remove_hanging(moment.health, moment.now);
        self.queue.is_empty() && self.is_free(moment.now)
    }

    /// Takes a [free](Self::has_place) place.
    pub(crate) fn take(&mut self, call: u64, moment: Moment<'_>) -> (Place, Sending) {
        let place = self.flight.insert(call, moment.now);
        self.idle_since = None;
        match &mut self.phase {
            Phase::Shut(outage) => {
                outage.send_probe(call, moment.health, moment.now, moment.random);
                (place, Sending::Probe)
            }
            Phase::Release(window) => {
                window.on_send(moment.now);
                (place, Sending::Release)
            }
        }
    }

    /// Puts a call into the queue, which may grant it a place at once.
    pub(crate) fn enqueue(
        &mut self,
        rank: Rank,
        has_deadline: bool,
        is_idempotent: bool,
        moment: Moment<'_>,
    ) -> Vec<Waker> {
        self.cooling.remove(&rank.1);
        self.queue.insert(rank, has_deadline, is_idempotent);
        let mut wakers = Vec::new();
        self.settle(moment, &mut wakers);
        wakers
    }

    /// Polls the wait of a call, and registers its waker.
    pub(crate) fn poll_wait(&mut self, rank: Rank, waker: &Waker, moment: Moment<'_>) -> LinePoll {
        let mut wakers = Vec::new();
        self.settle(moment, &mut wakers);
        let mut replaced = None;
        let state = if let Some(end) = self.ended.remove(&rank.1) {
            WaitState::Ended(end)
        } else if let Some(slot) = self.queue.waker_mut(rank) {
            replaced = register(slot, waker);
            WaitState::Waiting(self.timer.filter(|(holder, _)| *holder == rank).map(|(_, at)| at))
        } else {
            WaitState::Gone
        };
        LinePoll { state, replaced, wakers }
    }

    /// Removes a call that waits, and passes on what it was granted. Returns its waker, to be dropped, and those to be woken.
    pub(crate) fn remove(&mut self, rank: Rank, moment: Moment<'_>) -> (Option<Waker>, Vec<Waker>) {
        if let Some(WaitEnd::Granted(place, _)) = self.ended.remove(&rank.1) {
            return (None, self.end(place, CallEnd::Unknown, moment));
        }
        let queued = self.queue.remove(rank).map(|queued| queued.waker);
        let own = self.cooling.remove(&rank.1).or(queued);
        let mut wakers = Vec::new();
        self.settle(moment, &mut wakers);
        (own.flatten(), wakers)
    }

    /// Records the end of a call that has a place. Returns the wakers of the calls that go on.
    pub(crate) fn end(&mut self, place: Place, end: CallEnd, moment: Moment<'_>) -> Vec<Waker> {
        let is_used = !self.queue.is_empty() || self.is_half_used();
        self.flight.remove(place);
        match &mut self.phase {
            // The gate opens it at the first answer, so that this is a failure.
            Phase::Shut(outage) => {
                outage.end_probe(place.1, end == CallEnd::TimedOut, moment.health, moment.now, moment.random);
            }
            Phase::Release(window) => window.on_end(end, place.0, is_used, moment.health, moment.now),
        }
        let mut wakers = Vec::new();
        self.settle(moment, &mut wakers);
        wakers
    }

    /// Marks the place of a call that is sent now, which may have waited since it was granted.
    pub(crate) fn mark_sent(&mut self, place: Place, now: Instant) -> Place {
        self.flight.remove(place);
        self.flight.insert(place.1, now)
    }

    /// Empties the queue, since a cool-down has begun. Returns the wakers of its calls, which then look at the gate anew.
    pub(crate) fn requeue_all(&mut self) -> Vec<Waker> {
        self.queue.clear()
    }

    /// Lets all calls that wait look at the gate anew, and returns their wakers.
    pub(crate) fn requeue_everything(&mut self) -> Vec<Waker> {
        let cooling = std::mem::take(&mut self.cooling);
        self.requeue_all().into_iter().chain(cooling.into_values().flatten()).collect()
    }

    /// Ends the line. Returns the wakers of all calls that wait.
    pub(crate) fn drain(mut self) -> Vec<Waker> {
        self.cooling.into_values().flatten().chain(self.queue.clear()).collect()
    }

    /// Lets the calls go that may, and appends their wakers, and that of the call that has the timer now.
    fn settle(&mut self, moment: Moment<'_>, wakers: &mut Vec<Waker>) {
        self.flight.remove_hanging(moment.health, moment.now);
        while self.is_free(moment.now) {
            let Some(rank) = self.next(moment.newest_first) else { break };
            let Some(queued) = self.queue.remove(rank) else { break };
            let end = if queued.has_deadline && self.is_too_late(rank.0, moment) {
                WaitEnd::TooLate
            } else {
                let (place, sending) = self.take(rank.1, moment);
                self.queue.probed = (sending == Sending::Probe).then_some(rank.0);
                WaitEnd::Granted(place, sending)
            };
            self.ended.insert(rank.1, end);
            wakers.extend(queued.waker);
        }
        self.set_timer(moment, wakers);
        self.note_idle(moment.now);
    }

    /// Gives the timer to the call that goes next, and wakes it if it did not have it.
    fn set_timer(&mut self, moment: Moment<'_>, wakers: &mut Vec<Waker>) {
        let next = self.next(moment.newest_first).and_then(|rank| Some((rank, self.next_change(moment)?)));
        let is_known = match (self.timer, next) {
            (Some((holder, at)), Some((rank, new))) => holder == rank && at <= new,
            (_, None) => true,
            (None, Some(_)) => false,
        };
        debug_assert!(next.is_none_or(|(_, at)| at > moment.now), "all that is due was done");
        self.timer = next;
        if let Some((rank, _)) = next.filter(|_| !is_known) {
            wakers.extend(self.queue.waker_mut(rank).and_then(|slot| slot.clone()));
        }
    }

    /// Returns the instant at which the next call may go without any other event.
    fn next_change(&self, moment: Moment<'_>) -> Option<Instant> {
        match &self.phase {
            Phase::Shut(outage) => outage.next_probe(),
            Phase::Release(window) if self.has_free_place(window) => Some(window.next_send()),
            Phase::Release(_) => self.flight.next_hanging(moment.health),
        }
    }

    /// Returns the call that goes next.
    fn next(&self, newest_first: bool) -> Option<Rank> {
        match &self.phase {
            Phase::Shut(_) => self.queue.next_probe(newest_first),
            Phase::Release(_) => self.queue.next(newest_first),
        }
    }

    fn is_free(&self, now: Instant) -> bool {
        match &self.phase {
            Phase::Shut(outage) => outage.is_due(now),
            Phase::Release(window) => self.has_free_place(window) && window.next_send() <= now,
        }
    }

    fn has_free_place(&self, window: &Window) -> bool {
        (self.flight.len() as f64) < window.places().max(1.0)
    }

    fn is_half_used(&self) -> bool {
        self.places().is_some_and(|places| self.flight.len() as f64 > (places / 2.0).max(1.0))
    }

    fn is_too_late(&self, deadline: Instant, moment: Moment<'_>) -> bool {
        let needed = moment.health.latency().unwrap_or_default().saturating_mul(NEEDED);
        deadline.saturating_duration_since(moment.now) < needed
    }
}
