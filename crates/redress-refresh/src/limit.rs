//! Until when a request waits.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::Request;
use redress_classify::{Deadline, saturating};
use tokio::time::{Instant, Sleep};

/// The deadline of one call, which is worked out only when the call has to wait.
pub(crate) struct Limit {
    /// The request's own.
    own: Option<Deadline>,
    /// When the call began, if the clock was read then.
    began: Option<Instant>,
    /// Set when the first wait begins.
    deadline: Option<Deadline>,
    /// Made when something has to be waited for: what is there at once needs no timer.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Limit {
    /// Remembers what a request says of itself. It does not look at the clock.
    pub(crate) fn new<B>(request: &Request<B>, began: Option<Instant>) -> Self {
        let own = request.extensions().get().copied();
        Self { own, began, deadline: None, sleep: None }
    }

    pub(crate) const fn none() -> Self {
        Self { own: None, began: None, deadline: None, sleep: None }
    }

    /// Begins a wait: the request's own deadline counts, or else the time that a call may take.
    pub(crate) fn begin(&mut self, setting: Option<Duration>) {
        if self.deadline.is_none() {
            let from = |limit| Deadline::new(saturating::add(self.began.unwrap_or_else(Instant::now), limit));
            self.deadline = self.own.or_else(|| setting.map(from));
        }
    }

    /// Whether a wait has begun and the deadline has passed since.
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

impl fmt::Debug for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Limit").field(&self.deadline).finish()
    }
}
