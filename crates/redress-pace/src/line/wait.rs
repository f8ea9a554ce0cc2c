//! The wait of one call in a line, as the call sees it.

use std::task::Waker;

use tokio::time::Instant;

use super::Place;

/// How a call left the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitEnd {
    /// It may be sent.
    Granted(Place, Sending),
    /// Too little time is left for an answer.
    TooLate,
}

/// As what a call is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// As the probe of an outage.
    Probe,
    /// As one of the calls of a release.
    Release,
}

/// The state of a call that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitState {
    /// It has left the queue.
    Ended(WaitEnd),
    /// It waits. If it has the timer of the line, it must poll again at this instant.
    Waiting(Option<Instant>),
    /// It waits no longer at this gate, and looks at its gates anew.
    Gone,
}

/// The result of a poll, with the wakers that are to be dropped and woken outside the lock.
#[derive(Debug)]
pub(crate) struct LinePoll {
    pub(crate) state: WaitState,
    pub(crate) replaced: Option<Waker>,
    pub(crate) wakers: Vec<Waker>,
}
