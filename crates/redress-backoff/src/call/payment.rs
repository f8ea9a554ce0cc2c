//! The payment for the retries of a call from its retry budget.

use redress_classify::SendState;

use crate::budget::{Budget, Budgets, Reservation};

/// The tokens of one call. They are reserved when a retry is decided, and spent when its attempt ends or is dropped. They are
/// given back if the request was never sent: if the call ends during the wait, or while a layer below still queues it.
pub(super) struct Payment {
    /// The key of the call's budget, once it is known.
    pub(super) partition: Option<u64>,
    /// The budget that paid for the last retry.
    budget: Option<Budget>,
    /// The tokens of the retry that waits or is in flight.
    reservation: Option<Reservation>,
    /// Whether the request is still queued below; `None` unless a retry or resend is in flight.
    send_state: Option<SendState>,
    /// The cost of the last retry that was sent.
    spent: Option<u32>,
}

impl Payment {
    pub(super) const fn new(partition: Option<u64>) -> Self {
        Self { partition, budget: None, reservation: None, send_state: None, spent: None }
    }

    /// Reserves the tokens for a retry, and returns `false` if the budget has too few.
    pub(super) fn reserve(&mut self, budgets: &Budgets, cost: u32) -> bool {
        let budget = self.budget.insert(budgets.budget(self.key()));
        self.reservation = budget.reserve(cost);
        self.reservation.is_some()
    }

    /// Marks the retry as in flight, and returns the state by which the layers below report that they queue or send it.
    pub(super) fn send(&mut self) -> SendState {
        self.send_state.insert(SendState::new()).clone()
    }

    /// Returns `true` while a layer below queues the retry, so that nothing of it has been sent.
    pub(super) fn is_queued(&self) -> bool {
        self.send_state.as_ref().is_some_and(SendState::is_queued)
    }

    /// Ends the attempt in flight: spends its tokens, or gives them back if it was never sent.
    pub(super) fn settle(&mut self) {
        let Some(send_state) = self.send_state.take() else { return };
        let sent = self.reservation.take().filter(|_| !send_state.is_queued());
        self.spent = sent.map(Reservation::spend).or(self.spent);
    }

    /// Gives back the tokens that are reserved.
    pub(super) fn cancel(&mut self) {
        (self.reservation, self.send_state) = (None, None);
    }

    /// Counts a failure of this call, and returns the number of failures of all calls since the last success.
    pub(super) fn count_failure(&self, budgets: &Budgets) -> u32 {
        budgets.budget(self.key()).failed()
    }

    /// Returns the number of free tokens.
    pub(super) fn level(&self, budgets: &Budgets) -> u32 {
        self.budget.as_ref().map_or_else(|| budgets.level(self.key()), Budget::level)
    }

    /// Gives the budget the tokens of a success: the cost of the last retry, or that of a success at the first attempt.
    #[inline]
    pub(super) fn refill(&self, budgets: &Budgets, key: impl FnOnce() -> u64) {
        match &self.budget {
            Some(budget) => budget.refill(self.spent.unwrap_or(Budget::FIRST_ATTEMPT_REFILL)),
            None => budgets.refill(key, || Budget::FIRST_ATTEMPT_REFILL),
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
