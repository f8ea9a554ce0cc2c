//! The handles of calls at the gates: of one that waits, and of one in flight.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::time::Instant;

use super::{Caller, LineWait, State, known};
use crate::line::{Line, LinePoll, Moment, Place, Rank, Sending, WaitEnd, WaitState};
use crate::partition::Partition;
use crate::scope::{GateKey, Target};
use crate::settings::Settings;
use crate::window::CallEnd;

/// A call that waits at a gate. Dropping it removes the call, and passes a granted place on.
#[derive(Debug)]
pub(crate) struct Waiter {
    line: LineHandle,
    rank: Rank,
}

/// The right to be in flight, in each line that the call is part of. Dropping it passes its places on.
#[derive(Debug)]
pub(crate) struct Permit {
    places: Vec<(LineHandle, Place)>,
    is_probe: bool,
}

/// The end of a wait for a permit.
#[derive(Debug)]
pub(crate) enum PermitWait {
    /// The call may go.
    Granted(Box<Permit>),
    /// Too little time is left for an answer.
    TooLate,
    /// The call looks at its gates anew.
    Gone,
    /// It waits. At the instant, if there is one, it must be polled again.
    Waiting(Option<Instant>),
}

/// A reference to a line.
#[derive(Clone)]
pub(super) struct LineHandle {
    settings: Arc<Settings>,
    key: GateKey,
    partition: Partition,
    line: u64,
    /// The random number of the call: no user code runs when a handle is dropped.
    random: u32,
}

impl LineHandle {
    pub(super) fn new(settings: &Arc<Settings>, key: GateKey, target: &Target, (line, caller): (u64, Caller)) -> Self {
        let (partition, random) = (target.partition.clone(), caller.random);
        Self { settings: Arc::clone(settings), key, partition, line, random }
    }

    /// Calls a function with the line. Returns `None` if it is over, or the gate was opened by hand.
    fn with<T>(&self, now: Instant, act: impl FnOnce(&mut Line, Moment<'_>) -> T) -> Option<T> {
        self.with_state(&mut self.settings.gates.lock(), now, act)
    }

    /// Does the same while no cool-down lasts at the gate.
    fn with_open<T>(&self, now: Instant, act: impl FnOnce(&mut Line, Moment<'_>) -> T) -> Option<T> {
        let mut state = self.settings.gates.lock();
        if state.cooldowns.get(&self.key, now).is_some() { None } else { self.with_state(&mut state, now, act) }
    }

    fn with_state<T>(
        &self,
        State { lines, health, .. }: &mut State,
        now: Instant,
        act: impl FnOnce(&mut Line, Moment<'_>) -> T,
    ) -> Option<T> {
        let line = lines.get_mut(&self.key).filter(|line| line.id == self.line)?;
        let health = known(health, &self.partition);
        Some(act(line, Moment { health, now, random: self.random, newest_first: self.settings.newest_first }))
    }
}

impl Waiter {
    pub(super) const fn new(line: LineHandle, rank: Rank) -> Self {
        Self { line, rank }
    }

    /// Registers the waker, and is ready if the gate was opened by hand.
    pub(crate) fn poll_opened(&self, cx: &Context<'_>, now: Instant) -> Poll<()> {
        // The replaced waker is dropped outside the lock.
        let replaced = self.line.with(now, |line, _| line.poll_cooling(self.rank.1, cx.waker())).flatten();
        if replaced.is_some() { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Joins the queue of the release after the cool-down. Returns `None` if there is another cool-down or an outage, which the
    /// gates decide on, or if the gate was opened by hand.
    pub(crate) fn enqueue(&self, caller: Caller, now: Instant) -> Option<LineWait> {
        let join = |line: &mut Line, moment: Moment<'_>| {
            let wait = caller.wait_in(line, moment);
            wait.outage.is_none().then(|| (wait, caller.join(line, self.rank, moment)))
        };
        let (wait, wakers) = self.line.with_open(now, join).flatten()?;
        wakers.into_iter().for_each(Waker::wake);
        Some(wait)
    }

    /// Polls the wait for a permit.
    pub(crate) fn poll_permit(&self, cx: &Context<'_>, now: Instant) -> PermitWait {
        let poll = self.line.with(now, |line, moment| line.poll_wait(self.rank, cx.waker(), moment));
        let Some(LinePoll { state, replaced: _replaced, wakers }) = poll else { return PermitWait::Gone };
        wakers.into_iter().filter(|waker| !waker.will_wake(cx.waker())).for_each(Waker::wake);
        match state {
            WaitState::Ended(WaitEnd::Granted(place, sending)) => {
                let mut permit = Permit::empty();
                permit.add(self.line.clone(), place, sending == Sending::Probe);
                PermitWait::Granted(permit)
            }
            WaitState::Ended(WaitEnd::TooLate) => PermitWait::TooLate,
            WaitState::Waiting(at) => PermitWait::Waiting(at),
            WaitState::Gone => PermitWait::Gone,
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let removed = self.line.with(Instant::now(), |line, moment| line.remove(self.rank, moment));
        if let Some((_own, wakers)) = removed {
            wakers.into_iter().for_each(Waker::wake);
        }
    }
}

impl Permit {
    pub(super) fn empty() -> Box<Self> {
        Box::new(Self { places: Vec::new(), is_probe: false })
    }

    /// Adds a place in a line.
    pub(super) fn add(&mut self, line: LineHandle, place: Place, is_probe: bool) {
        self.places.push((line, place));
        self.is_probe |= is_probe;
    }

    /// Adds the places of another permit.
    pub(crate) fn merge(&mut self, other: &mut Self) {
        self.places.append(&mut other.places);
        self.is_probe |= other.is_probe;
    }

    /// Returns `true` if the call is the probe of an outage.
    pub(crate) const fn is_probe(&self) -> bool {
        self.is_probe
    }

    /// Records that the request is sent now.
    pub(crate) fn mark_sent(&mut self, now: Instant) {
        for (line, place) in &mut self.places {
            *place = line.with(now, |line, _| line.mark_sent(*place, now)).unwrap_or(*place);
        }
    }

    /// Records the end of the call, and passes the places on.
    pub(crate) fn end(mut self, end: CallEnd, now: Instant) {
        self.give_back(end, now);
    }

    /// Returns `true` if it is a permit of this line at this gate.
    pub(super) fn is_of(&self, key: &GateKey, line: u64) -> bool {
        self.places.iter().any(|(handle, _)| handle.key == *key && handle.line == line)
    }

    #[cfg(all(test, not(loom)))]
    pub(super) const fn lines(&self) -> usize {
        self.places.len()
    }

    fn give_back(&mut self, end: CallEnd, now: Instant) {
        for (line, place) in self.places.drain(..) {
            let wakers = line.with(now, |line, moment| line.end(place, end, moment));
            wakers.into_iter().flatten().for_each(Waker::wake);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.places.is_empty() {
            self.give_back(CallEnd::Unknown, Instant::now());
        }
    }
}

impl fmt::Debug for LineHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineHandle").field("key", &self.key).field("line", &self.line).finish_non_exhaustive()
    }
}
