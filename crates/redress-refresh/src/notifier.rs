//! How the waiters of a flight learn that it has ended.

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

/// Notifies the waiters of one flight.
pub(crate) type Notifier = Arc<watch::Sender<FlightEvent>>;

/// The last event of a flight.
#[derive(Debug)]
pub(crate) enum FlightEvent {
    InProgress,
    /// A server has accepted the current credentials again: requests that were not sent yet decide anew.
    Accepted,
    /// No event follows this one.
    Finished(Outcome),
}

/// A wait for a flight. Dropping it affects neither the flight nor the other waiters.
pub(crate) struct Wait(Pin<Box<dyn Future<Output = WaitResult> + Send>>);

/// How a wait ended.
#[derive(Debug)]
pub(crate) enum WaitResult {
    /// The flight has ended.
    Finished(Outcome),
    /// A request that was not sent yet may find credentials now.
    Retry,
}

impl Wait {
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<WaitResult> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wait")
    }
}

/// Returns the notifier of a flight that starts.
pub(crate) fn notifier() -> Notifier {
    Arc::new(watch::Sender::new(FlightEvent::InProgress))
}

/// Waits for a flight. The wait of an `unsent` request also ends at `until`, or when credentials are accepted again.
pub(crate) fn wait(notifier: Option<&Notifier>, unsent: bool, until: Option<Instant>) -> Wait {
    let receiver = notifier.map(|notifier| notifier.subscribe());
    Wait(Box::pin(async move {
        let lost = || {
            let failure = Failure::transient(Explanation::new("the flight was lost"));
            WaitResult::Finished(Err(Refusal { failure, retry_at: None }))
        };
        let Some(receiver) = receiver else { return lost() };
        let result = async { next(receiver, unsent).await.unwrap_or_else(lost) };
        match until.filter(|_| unsent) {
            Some(until) => tokio::time::timeout_at(until, result).await.unwrap_or(WaitResult::Retry),
            None => result.await,
        }
    }))
}

/// Wakes the waiters that an event concerns. It is called outside the lock.
pub(crate) fn notify(notifier: Option<Notifier>, event: FlightEvent) {
    let Some(notifier) = notifier else { return };
    notifier.send_if_modified(|last| {
        let is_open = !matches!(last, FlightEvent::Finished(_));
        if is_open {
            *last = event;
        }
        is_open
    });
}

/// Waits for the next event that concerns the waiter. Returns `None` if the notifier was dropped.
async fn next(mut receiver: watch::Receiver<FlightEvent>, unsent: bool) -> Option<WaitResult> {
    loop {
        receiver.changed().await.ok()?;
        match &*receiver.borrow_and_update() {
            FlightEvent::Finished(outcome) => return Some(WaitResult::Finished(outcome.clone())),
            FlightEvent::Accepted if unsent => return Some(WaitResult::Retry),
            FlightEvent::Accepted | FlightEvent::InProgress => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{advance, timeout};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn unsent_and_sent(notifier: &Notifier) -> [Wait; 2] {
        let until = Some(Instant::now() + SECOND);
        [true, false].map(|unsent| wait(Some(notifier), unsent, until))
    }

    async fn ended(wait: &mut Wait) -> Option<WaitResult> {
        timeout(Duration::ZERO, std::future::poll_fn(|cx| wait.poll(cx))).await.ok()
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_of_an_unsent_request_alone_ends_at_its_time() {
        let notifier = notifier();
        let [mut unsent, mut sent] = unsent_and_sent(&notifier);
        advance(SECOND - Duration::from_millis(10)).await;
        assert!(ended(&mut unsent).await.is_none() && ended(&mut sent).await.is_none());
        advance(SECOND).await;
        assert!(matches!(ended(&mut unsent).await, Some(WaitResult::Retry)));
        assert!(ended(&mut sent).await.is_none(), "the request was rejected, and waits for the flight");
    }

    #[tokio::test(start_paused = true)]
    async fn accepted_credentials_end_the_wait_of_an_unsent_request_alone() {
        let notifier = notifier();
        let [mut unsent, mut sent] = unsent_and_sent(&notifier);
        notify(Some(Arc::clone(&notifier)), FlightEvent::Accepted);
        assert!(matches!(ended(&mut unsent).await, Some(WaitResult::Retry)));
        assert!(ended(&mut sent).await.is_none());
        drop(notifier);
        let lost = ended(&mut sent).await;
        assert!(matches!(lost, Some(WaitResult::Finished(Err(_)))), "a flight that is lost ends all waits: {lost:?}");
    }
}
