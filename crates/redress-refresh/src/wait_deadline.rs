//! How long a request waits for credentials.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use redress_classify::{Deadline, saturating};
use tokio::time::{Instant, Sleep};

/// The deadline of one call. It is computed when the call first waits, so that other calls do not read the clock.
pub(crate) struct WaitDeadline {
    /// The request's own.
    own: Option<Deadline>,
    /// When the call began, if the clock was read then.
    began: Option<Instant>,
    /// Set when the first wait starts.
    deadline: Option<Deadline>,
    /// Made by the first poll that waits.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl WaitDeadline {
    /// Takes the request's own deadline, and the time at which the call began if the clock was read then. It does not read the
    /// clock.
    pub(crate) const fn new(own: Option<Deadline>, began: Option<Instant>) -> Self {
        Self { own, began, deadline: None, sleep: None }
    }

    pub(crate) const fn none() -> Self {
        Self { own: None, began: None, deadline: None, sleep: None }
    }

    /// Starts a wait. The request's own deadline counts, or else the time that the layer allows a call.
    pub(crate) fn start(&mut self, setting: Option<Duration>) {
        if self.deadline.is_none() {
            let from = |limit| Deadline::new(saturating::add(self.began.unwrap_or_else(Instant::now), limit));
            self.deadline = self.own.or_else(|| setting.map(from));
        }
    }

    /// Returns `true` if a wait has started and the deadline has passed.
    pub(crate) fn has_passed(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline.has_passed(Instant::now()))
    }

    /// Is ready once the deadline has passed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline else { return Poll::Pending };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.instant())));
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(())
    }
}

impl fmt::Debug for WaitDeadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WaitDeadline").field(&self.deadline).finish()
    }
}
