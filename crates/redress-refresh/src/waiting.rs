//! The wait for a flight: what those who wait are told, and how their wait ends.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::watch;
use tokio::time::Instant;

use crate::explanation::Explanation;
use crate::failure::Failure;
use crate::state::{Outcome, Refusal};

/// Tells the waiters of one flight.
pub(crate) type Landing = Arc<watch::Sender<Signal>>;

/// What those who wait for a flight are told.
#[derive(Debug)]
pub(crate) enum Signal {
    UnderWay,
    /// The credentials in hand were accepted again: calls that were not sent yet decide anew.
    Accepted,
    Landed(Outcome),
}

/// The wait for a flight. Dropping it takes nothing from the flight and nothing from other waiters.
pub(crate) struct Wait(Pin<Box<dyn Future<Output = Waited> + Send>>);

/// How a wait ended.
#[derive(Debug)]
pub(crate) enum Waited {
    /// The flight has landed.
    Landed(Outcome),
    /// A call that was not sent yet may find credentials now.
    Retry,
}

impl Wait {
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Waited> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wait")
    }
}

/// Waits for a flight; a call that is `unsent` also until it may look for credentials anew.
pub(crate) fn wait(landing: Option<&Landing>, unsent: bool, until: Option<Instant>) -> Wait {
    let receiver = landing.map(|landing| landing.subscribe());
    Wait(Box::pin(async move {
        let lost = || {
            let failure = Failure::transient(Explanation::new("the flight was lost"));
            Waited::Landed(Err(Refusal { failure, retry_at: None }))
        };
        let Some(receiver) = receiver else { return lost() };
        let landed = async { landed(receiver, unsent).await.unwrap_or_else(lost) };
        match until.filter(|_| unsent) {
            Some(until) => tokio::time::timeout_at(until, landed).await.unwrap_or(Waited::Retry),
            None => landed.await,
        }
    }))
}

/// Waits for the next signal that concerns the waiter; `None` when there will be none.
async fn landed(mut receiver: watch::Receiver<Signal>, unsent: bool) -> Option<Waited> {
    loop {
        receiver.changed().await.ok()?;
        match &*receiver.borrow_and_update() {
            Signal::Landed(outcome) => return Some(Waited::Landed(outcome.clone())),
            Signal::Accepted if unsent => return Some(Waited::Retry),
            Signal::Accepted | Signal::UnderWay => {}
        }
    }
}

/// Begins to tell of a flight.
pub(crate) fn under_way() -> Landing {
    Arc::new(watch::Sender::new(Signal::UnderWay))
}

/// Wakes all waiters with what came of the flight, outside the lock.
pub(crate) fn announce(landing: Option<Landing>, outcome: Outcome) {
    signal(landing, Signal::Landed(outcome));
}

/// Wakes the waiters whom a signal concerns, outside the lock.
pub(crate) fn signal(landing: Option<Landing>, signal: Signal) {
    if let Some(landing) = landing {
        landing.send_if_modified(|last| {
            // Nothing follows the end of a flight.
            let is_open = !matches!(last, Signal::Landed(_));
            if is_open {
                *last = signal;
            }
            is_open
        });
    }
}
