//! The two futures of a call that may be hedged.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use redress_classify::{SendState, saturating};
use tokio::time::{Instant, Sleep};

use super::HedgePlan;

/// One of the two attempts of a race.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Racer {
    First,
    Hedge,
}

pin_project! {
    /// The first attempt of a call and its hedge, which is sent if the first has not been answered after a time.
    ///
    /// The time counts from the send: while a layer below queues the first attempt, its hedge would wait there too.
    pub(crate) struct Race<F> {
        // `None` once it has ended.
        #[pin]
        first: Option<F>,
        hedge: Option<Pin<Box<F>>>,
        #[pin]
        timer: Option<Sleep>,
        state: SendState,
        plan: HedgePlan,
        // The time at which the first attempt was sent.
        sent: Option<Instant>,
    }
}

impl<F: Future> Race<F> {
    /// Begins with the first attempt. `state` is that of its request.
    pub(crate) const fn new(first: F, state: SendState, plan: HedgePlan) -> Self {
        Self { first: Some(first), hedge: None, timer: None, state, plan, sent: None }
    }

    /// Returns the time at which the first attempt was sent; `None` while a layer below queues it.
    pub(crate) const fn sent(&self) -> Option<Instant> {
        self.sent
    }

    /// Polls both attempts, and returns the output of the one that ends. The other one can be polled on.
    ///
    /// `send_hedge` is called once, when the time has come; without a hedge the first attempt goes on alone.
    pub(crate) fn poll(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        send_hedge: impl FnOnce(&mut Context<'_>) -> Option<F>,
    ) -> Poll<(Racer, F::Output)> {
        let mut this = self.project();
        if let Some(first) = this.first.as_mut().as_pin_mut() {
            note_send(this.sent, this.state);
            if let Poll::Ready(output) = first.poll(cx) {
                this.first.set(None);
                return Poll::Ready((Racer::First, output));
            }
            // A layer below may have queued or sent it just now.
            note_send(this.sent, this.state);
            if this.sent.is_none() {
                this.timer.set(None);
            }
            if let (Some(after), Some(sent)) = (this.plan.after, *this.sent) {
                if this.timer.is_none() {
                    this.timer.set(Some(tokio::time::sleep_until(saturating::add(sent, after))));
                }
                if this.timer.as_mut().as_pin_mut().is_some_and(|timer| timer.poll(cx).is_ready()) {
                    this.plan.after = None;
                    *this.hedge = send_hedge(cx).map(Box::pin);
                }
            }
        }
        let Some(hedge) = this.hedge else { return Poll::Pending };
        hedge.as_mut().poll(cx).map(|output| {
            *this.hedge = None;
            (Racer::Hedge, output)
        })
    }
}

/// Notes the time of the send; none while a layer below queues the request.
fn note_send(sent: &mut Option<Instant>, state: &SendState) {
    if state.is_queued() {
        *sent = None;
    } else if sent.is_none() {
        *sent = Some(Instant::now());
    }
}
