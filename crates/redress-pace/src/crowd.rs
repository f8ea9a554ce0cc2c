//! Those at one gate who were parked together, and the line that they leave in.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use crate::waker::note;
use crate::window::Window;

/// A crowd from the first call that is parked to the last one that is answered. Numbers are given to calls as they come:
/// of those who stand in line the lowest goes first.
#[derive(Debug)]
pub(crate) struct Crowd {
    /// Tells it from an earlier crowd at the same gate.
    pub(crate) id: u64,
    /// Within which time the parked calls are to be released.
    pub(crate) spread: Duration,
    /// Who may not go yet.
    parked: HashMap<u64, Option<Waker>>,
    /// Who may go, as soon as there is a place.
    line: BTreeMap<u64, Option<Waker>>,
    /// Who was given a place, and has not noticed.
    given: HashSet<u64>,
    /// How many places are taken, given ones too.
    taken: usize,
    window: Window,
}

/// What has become of a call in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It has a place; it takes so long to be answered.
    Placed { usual: Duration },
    /// It has to wait.
    Waits,
    /// It stands there no more.
    Gone,
}

/// How a call ended that had a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It was sent then, and answered.
    Answered { sent: Instant, now: Instant },
    /// It was sent then, and failed as calls fail when a server is asked too much.
    Failed { sent: Instant, now: Instant },
    /// It was given up.
    Dropped,
}

impl Crowd {
    pub(crate) fn new(id: u64) -> Self {
        Self {
            id,
            spread: Duration::ZERO,
            parked: HashMap::new(),
            line: BTreeMap::new(),
            given: HashSet::new(),
            taken: 0,
            window: Window::new(),
        }
    }

    /// Returns how many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.parked.len() + self.line.len() + self.given.len()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.taken == 0 && self.parked.is_empty() && self.line.is_empty()
    }

    pub(crate) fn park(&mut self, guest: u64) {
        self.parked.insert(guest, None);
    }

    /// Notes whom to wake; `None` when the guest is not parked any more, else the waker that is no longer needed.
    pub(crate) fn held(&mut self, guest: u64, waker: &Waker) -> Option<Option<Waker>> {
        self.parked.get_mut(&guest).map(|slot| note(slot, waker))
    }

    /// Returns `true` if there is a place for a call that arrives now: no others wait for one.
    pub(crate) fn has_place(&self) -> bool {
        let is_free = self.taken < self.window.places();
        debug_assert!(!is_free || self.line.is_empty(), "those in the line are given every place that is free");
        is_free
    }

    /// Takes a place that there is.
    pub(crate) const fn take(&mut self) {
        self.taken += 1;
    }

    /// Puts a call into the line, which may give it a place at once.
    pub(crate) fn line_up(&mut self, guest: u64) {
        self.parked.remove(&guest);
        self.line.insert(guest, None);
        // Nobody else stands there while there is a place: there is nobody to wake.
        self.give();
    }

    /// Returns what has become of a call in the line, and notes whom to wake; also the waker that is no longer needed.
    pub(crate) fn look(&mut self, guest: u64, waker: &Waker) -> (Standing, Option<Waker>) {
        if self.given.remove(&guest) {
            return (Standing::Placed { usual: self.window.usual() }, None);
        }
        match self.line.get_mut(&guest) {
            Some(slot) => (Standing::Waits, note(slot, waker)),
            None => (Standing::Gone, None),
        }
    }

    /// Forgets a guest; returns its waker, to be dropped, and those to wake.
    pub(crate) fn leave(&mut self, guest: u64) -> (Option<Waker>, Vec<Waker>) {
        if self.given.remove(&guest) {
            return (None, self.end(End::Dropped));
        }
        let own = self.parked.remove(&guest).or_else(|| self.line.remove(&guest));
        (own.flatten(), Vec::new())
    }

    /// Gives a place back, and the places that there are to the next; returns whom to wake.
    pub(crate) fn end(&mut self, end: End) -> Vec<Waker> {
        match end {
            End::Answered { sent, now } => self.window.answered(now.saturating_duration_since(sent), self.taken),
            End::Failed { sent, now } => self.window.failed(sent, now),
            End::Dropped => {}
        }
        self.taken = self.taken.saturating_sub(1);
        self.give()
    }

    /// Sends away those who stand in line, since the gate has closed again; returns whom to wake.
    pub(crate) fn scatter(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.line).into_values().flatten().collect()
    }

    /// Ends it; returns whom to wake.
    pub(crate) fn dissolve(self) -> Vec<Waker> {
        self.parked.into_values().chain(self.line.into_values()).flatten().collect()
    }

    fn give(&mut self) -> Vec<Waker> {
        let mut wakers = Vec::new();
        while self.taken < self.window.places() {
            let Some((guest, waker)) = self.line.pop_first() else { break };
            self.taken += 1;
            self.given.insert(guest);
            wakers.extend(waker);
        }
        wakers
    }
}
