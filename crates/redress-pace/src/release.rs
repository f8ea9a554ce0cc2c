//! The release at one gate: lets the calls that waited for the end of a cool-down go, a few at a time.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

use crate::congestion_window::CongestionWindow;
use crate::waker::register;

/// A release, from the first call that waits for the cool-down to the last one that is answered.
///
/// Calls have ids in the order of their arrival: the lowest id in the queue gets the next permit.
#[derive(Debug)]
pub(crate) struct Release {
    /// Distinguishes it from an earlier release at the same gate.
    pub(crate) id: u64,
    /// The time after the cool-down over which the waiting calls are spread.
    pub(crate) spread: Duration,
    /// The calls that wait for the end of the cool-down.
    cooling: HashMap<u64, Option<Waker>>,
    /// The calls that wait for a permit.
    queue: BTreeMap<u64, Option<Waker>>,
    /// The calls that were granted a permit and have not polled since.
    granted: HashSet<u64>,
    /// The number of permits in use, granted ones included.
    in_use: usize,
    window: CongestionWindow,
}

/// The end of a call with a permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallEnd {
    /// It was answered.
    Answered { sent: Instant, now: Instant },
    /// It failed in a way that indicates overload.
    Overloaded { sent: Instant, now: Instant },
    /// It was dropped.
    Dropped,
}

impl Release {
    pub(crate) fn new(id: u64) -> Self {
        Self {
            id,
            spread: Duration::ZERO,
            cooling: HashMap::new(),
            queue: BTreeMap::new(),
            granted: HashSet::new(),
            in_use: 0,
            window: CongestionWindow::new(),
        }
    }

    /// Returns the number of calls that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.cooling.len() + self.queue.len() + self.granted.len()
    }

    /// Returns `true` if no call waits and no permit is in use.
    pub(crate) fn is_over(&self) -> bool {
        self.in_use == 0 && self.cooling.is_empty() && self.queue.is_empty()
    }

    /// Adds a call that waits for the end of the cool-down.
    pub(crate) fn add(&mut self, call: u64) {
        self.cooling.insert(call, None);
    }

    /// Registers the waker of a call that waits for the end of the cool-down. Returns the one that it replaces, to be
    /// dropped outside the lock; `None` if the call no longer waits for it.
    pub(crate) fn poll_cooling(&mut self, call: u64, waker: &Waker) -> Option<Option<Waker>> {
        self.cooling.get_mut(&call).map(|slot| register(slot, waker))
    }

    /// Returns `true` if a call that arrives now gets a permit at once.
    pub(crate) fn has_permit(&self) -> bool {
        let is_free = self.in_use < self.window.cwnd();
        debug_assert!(!is_free || self.queue.is_empty(), "every free permit is granted to the queue");
        is_free
    }

    /// Takes a permit, which must be [free](Self::has_permit).
    pub(crate) const fn acquire(&mut self) {
        self.in_use += 1;
    }

    /// Puts a call into the queue for a permit, which may grant it one at once.
    pub(crate) fn enqueue(&mut self, call: u64) {
        self.cooling.remove(&call);
        self.queue.insert(call, None);
        // While there is a free permit, this call is the only one in the queue, and it has no waker yet.
        self.grant();
    }

    /// Returns the last round-trip time once a call has a permit, or `None` if it is not in the queue. Otherwise registers
    /// its waker; the second value is the one that it replaces, to be dropped outside the lock.
    pub(crate) fn poll_permit(&mut self, call: u64, waker: &Waker) -> (Poll<Option<Duration>>, Option<Waker>) {
        if self.granted.remove(&call) {
            return (Poll::Ready(Some(self.window.last_rtt())), None);
        }
        match self.queue.get_mut(&call) {
            Some(slot) => (Poll::Pending, register(slot, waker)),
            None => (Poll::Ready(None), None),
        }
    }

    /// Removes a call that waits. Returns its waker, to be dropped, and the wakers of the calls that get its permit.
    pub(crate) fn remove(&mut self, call: u64) -> (Option<Waker>, Vec<Waker>) {
        if self.granted.remove(&call) {
            return (None, self.end(CallEnd::Dropped));
        }
        let own = self.cooling.remove(&call).or_else(|| self.queue.remove(&call));
        (own.flatten(), Vec::new())
    }

    /// Records the end of a call and returns its permit. Returns the wakers of the calls that get one.
    pub(crate) fn end(&mut self, end: CallEnd) -> Vec<Waker> {
        match end {
            CallEnd::Answered { sent, now } => self.window.on_ack(now.saturating_duration_since(sent), self.in_use),
            CallEnd::Overloaded { sent, now } => self.window.on_congestion_event(sent, now),
            CallEnd::Dropped => {}
        }
        self.in_use = self.in_use.saturating_sub(1);
        self.grant()
    }

    /// Empties the queue for permits, since the gate has closed again. Returns the wakers of its calls, which then look at
    /// the gate anew.
    pub(crate) fn requeue_all(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.queue).into_values().flatten().collect()
    }

    /// Ends the release. Returns the wakers of all calls that wait.
    pub(crate) fn drain(self) -> Vec<Waker> {
        self.cooling.into_values().chain(self.queue.into_values()).flatten().collect()
    }

    /// Grants the free permits to the queue. Returns the wakers of the calls that got one.
    fn grant(&mut self) -> Vec<Waker> {
        let mut wakers = Vec::new();
        while self.in_use < self.window.cwnd() {
            let Some((call, waker)) = self.queue.pop_first() else { break };
            self.in_use += 1;
            self.granted.insert(call);
            wakers.extend(waker);
        }
        wakers
    }
}
