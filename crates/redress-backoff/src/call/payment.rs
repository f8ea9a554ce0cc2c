//! The payment for the retries of a call from its retry budget.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redress_classify::{Deadline, ResendCount, SendState};

use crate::budget::{Budget, Budgets, Reservation};
use crate::settings::Settings;

/// The tokens of one call. They are reserved when a retry is decided, and spent when its attempt ends or is dropped. They are
/// given back if the request was never sent: if the call ends during the wait, or while a layer below still queues it.
///
/// The tokens of a request that waits for the end of an outage are reserved when a layer below admits it.
pub(super) struct Payment {
    /// The key of the call's budget, once it is known.
    pub(super) partition: Option<u64>,
    /// The budget that paid for the last retry.
    budget: Option<Budget>,
    tokens: Tokens,
    /// Whether the request is still queued below; `None` unless a retry or resend is in flight.
    send_state: Option<SendState>,
    /// The cost of the last retry that was sent.
    spent: Option<u32>,
    /// Whether the attempt that ended last was the probe of an outage.
    is_probe: bool,
    /// Whether a layer below has sent a request without asking for its payment.
    was_not_asked: bool,
}

/// The tokens of the retry that waits or is in flight.
enum Tokens {
    None,
    Reserved(Reservation),
    AtSend(Arc<PaymentAtSend>),
}

/// The payment for a request that waits for the end of an outage, shared with the layer below that admits it.
struct PaymentAtSend {
    settings: Arc<Settings>,
    budget: Option<Budget>,
    outcome: Mutex<Outcome>,
}

/// The outcome of a payment at the send.
enum Outcome {
    /// The request was not admitted, or is a probe.
    NotAsked,
    /// The request may be sent; without a budget there is nothing to reserve.
    Paid(Option<Reservation>),
    /// The budget has too few tokens.
    Refused,
}

impl Payment {
    pub(super) const fn new(partition: Option<u64>) -> Self {
        let (budget, tokens, send_state, spent) = (None, Tokens::None, None, None);
        Self { partition, budget, tokens, send_state, spent, is_probe: false, was_not_asked: false }
    }

    /// Reserves the tokens for a retry, and returns `false` if the budget has too few.
    pub(super) fn reserve(&mut self, budgets: &Budgets, cost: u32) -> bool {
        let reservation = self.budget.insert(budgets.budget(self.partition.unwrap_or_default())).reserve(cost);
        self.tokens = reservation.map_or(Tokens::None, Tokens::Reserved);
        matches!(self.tokens, Tokens::Reserved(_))
    }

    /// Leaves the reservation to the layer below that admits the request.
    pub(super) fn reserve_at_send(&mut self, settings: &Arc<Settings>) {
        let budget = settings.budget.as_ref().map(|budgets| budgets.budget(self.key()));
        self.budget.clone_from(&budget);
        let (settings, outcome) = (Arc::clone(settings), Mutex::new(Outcome::NotAsked));
        self.tokens = Tokens::AtSend(Arc::new(PaymentAtSend { settings, budget, outcome }));
    }

    /// Marks the retry as in flight, and returns the state by which the layers below report that they queue or send it.
    /// `held` is the number of bytes of the outcome in hand.
    pub(super) fn send(&mut self, held: u64, count: Option<ResendCount>, deadline: Option<Deadline>) -> SendState {
        let state = match &self.tokens {
            Tokens::None | Tokens::Reserved(_) => SendState::new(),
            Tokens::AtSend(payment) => {
                let payment = Arc::clone(payment);
                SendState::paid_at_send_holding(held, move || payment.pay())
            }
        };
        self.send_state.insert(state.of_call(count, deadline)).clone()
    }

    /// Returns `true` while a layer below queues the retry, so that nothing of it has been sent.
    pub(super) fn is_queued(&self) -> bool {
        self.send_state.as_ref().is_some_and(SendState::is_queued)
    }

    /// Returns `true` if the budget had too few tokens when the request was to be sent.
    pub(super) fn is_refused(&self) -> bool {
        matches!(&self.tokens, Tokens::AtSend(payment) if matches!(*payment.outcome(), Outcome::Refused))
    }

    /// Returns `true` if no layer below has admitted the request yet that waits for the end of an outage.
    pub(super) fn waits_for_admission(&self) -> bool {
        let is_probe = self.send_state.as_ref().is_some_and(SendState::is_probe);
        !is_probe && matches!(&self.tokens, Tokens::AtSend(payment) if matches!(*payment.outcome(), Outcome::NotAsked))
    }

    /// Returns `true` if the attempt that ended last was the probe of an outage.
    pub(super) const fn is_probe(&self) -> bool {
        self.is_probe
    }

    /// Returns `false` if a layer below has sent a request without asking for its payment: then the budget may have been too
    /// low.
    pub(super) const fn can_reserve_at_send(&self) -> bool {
        !self.was_not_asked
    }

    /// Ends the attempt in flight: spends its tokens, or gives them back if it was never sent, or was the probe of an outage.
    pub(super) fn settle(&mut self) {
        let Some(send_state) = self.send_state.take() else { return };
        let is_sent = !send_state.is_queued();
        self.is_probe = is_sent && send_state.is_probe();
        let reservation = match mem::replace(&mut self.tokens, Tokens::None) {
            Tokens::None => None,
            Tokens::Reserved(reservation) => Some(reservation),
            Tokens::AtSend(payment) => {
                if is_sent && !self.is_probe {
                    self.was_not_asked |= matches!(*payment.outcome(), Outcome::NotAsked);
                    payment.pay();
                }
                payment.take()
            }
        };
        let is_spent = is_sent && !self.is_probe;
        self.spent = reservation.filter(|_| is_spent).map(Reservation::spend).or(self.spent);
    }

    /// Gives back the tokens that are reserved.
    pub(super) fn cancel(&mut self) {
        if let Tokens::AtSend(payment) = mem::replace(&mut self.tokens, Tokens::None) {
            drop(payment.take());
        }
        self.send_state = None;
    }

    /// Counts a failure of this call, and returns the number of failures of all calls since the last success.
    pub(super) fn count_failure(&self, budgets: &Budgets) -> u32 {
        budgets.budget(self.key()).failed()
    }

    /// Returns the number of free tokens.
    pub(super) fn level(&self, budgets: &Budgets) -> u32 {
        self.budget.as_ref().map_or_else(|| budgets.level(self.key()), Budget::level)
    }

    /// Gives the budget the tokens of a success, by the cost of the last retry if one was paid for. Neither closure is called while
    /// all buckets are full.
    #[inline]
    pub(super) fn refill(&self, budgets: &Budgets, key: impl FnOnce() -> u64, tokens: impl FnOnce(Option<u32>) -> u32) {
        match &self.budget {
            Some(budget) => budget.refill_with(|| tokens(self.spent)),
            None => budgets.refill(key, || tokens(None)),
        }
    }

    fn key(&self) -> u64 {
        self.partition.unwrap_or_default()
    }
}

impl Drop for Payment {
    /// An attempt that is dropped in flight may have been sent: its tokens are spent.
    fn drop(&mut self) {
        self.settle();
    }
}

impl PaymentAtSend {
    /// Reserves the tokens, once, and returns `false` if there are too few.
    fn pay(&self) -> bool {
        let mut outcome = self.outcome();
        if matches!(*outcome, Outcome::NotAsked) {
            *outcome = self.reserve();
        }
        matches!(*outcome, Outcome::Paid(_))
    }

    fn reserve(&self) -> Outcome {
        let is_throttled = self.settings.throttling().is_some_and(|throttling| !throttling.allows_retries());
        match &self.budget {
            _ if is_throttled => Outcome::Refused,
            None => Outcome::Paid(None),
            Some(budget) => {
                budget.reserve(Budget::TRANSIENT_COST).map_or(Outcome::Refused, |tokens| Outcome::Paid(Some(tokens)))
            }
        }
    }

    /// Takes the tokens that were reserved. None are reserved afterwards: a copy of the request may outlive the call.
    fn take(&self) -> Option<Reservation> {
        match mem::replace(&mut *self.outcome(), Outcome::Refused) {
            Outcome::Paid(reservation) => reservation,
            Outcome::NotAsked | Outcome::Refused => None,
        }
    }

    fn outcome(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
