//! The end of a call: its result, with the record of its attempts.

use http::Response;
use http_body::Body;
use redress_classify::{Attempt, BoxError, CloneBody, EndReason, Error, Phase, Record, ResponseExt, Verdict};

use super::Call;
use crate::telemetry;

impl<B: CloneBody, T> Call<B, T> {
    /// Ends the call because the service failed to become ready for the next attempt.
    pub(crate) fn on_not_ready(&mut self, error: BoxError) -> Error {
        self.give_up(Error::not_ready(error), EndReason::NotSent)
    }

    /// Ends the call with a success.
    pub(super) fn succeed<R>(&mut self, response: Response<R>) -> Response<R> {
        let mut attempt = self.attempt(Some(response.status().as_u16()), None);
        self.end_race(true);
        self.refill_budget(&response);
        self.settings.failing_routes.answered(|| self.route());
        attempt.budget_after = self.budget_level();
        telemetry::budget_level(&self.settings.dialect, attempt.budget_after.filter(|_| !self.history.is_empty()));
        self.settings.successes.count();
        self.return_response(response, attempt, EndReason::Success)
    }

    /// Ends the call with the response of its last attempt.
    pub(super) fn return_response<R>(
        &mut self,
        mut response: Response<R>,
        attempt: Attempt,
        reason: EndReason,
    ) -> Response<R> {
        if reason != EndReason::Success {
            telemetry::failed_call(&self.settings.dialect, reason);
        }
        if let Some(verdict) = attempt.verdict.as_ref().filter(|_| response.verdict().is_none()) {
            response.extensions_mut().insert(verdict.clone());
        }
        let has_record = self.has_record(&response, reason);
        self.finish(attempt);
        if has_record {
            response.extensions_mut().insert(self.history.take_record(reason));
        }
        response
    }

    /// Returns `true` if the response needs a record: after more than one attempt, and where the first one could have been
    /// retried or its credentials refreshed. Any other first response explains itself.
    fn has_record<R>(&self, response: &Response<R>, reason: EndReason) -> bool {
        let is_refused =
            || response.verdict().and_then(Verdict::api_error).is_some_and(|error| error.not_refreshed().is_some());
        !self.history.is_empty() || !matches!(reason, EndReason::Success | EndReason::NotRetryable) || is_refused()
    }

    pub(super) fn give_up(&mut self, error: Error, reason: EndReason) -> Error {
        self.report_no_retry(error.verdict(), reason);
        self.fail_with(error, reason)
    }

    /// Ends the call without a response: the error gets the record, and the phase of the whole call.
    pub(super) fn fail_with(&mut self, error: Error, reason: EndReason) -> Error {
        let maybe_processed = error.phase() == Phase::NotSent && self.history.is_maybe_processed();
        let error = if maybe_processed { error.maybe_processed() } else { error };
        let error = match self.host().and_then(|host| host.upstream()) {
            Some(upstream) => error.with_upstream(&upstream),
            None => error,
        };
        error.with_record(self.end_unsuccessful(reason))
    }

    /// Counts a call that ends without a success and without a last attempt, and returns its record.
    pub(super) fn end_unsuccessful(&mut self, reason: EndReason) -> Record {
        self.payment.cancel();
        telemetry::failed_call(&self.settings.dialect, reason);
        self.history.take_record(reason)
    }
}

impl<B: CloneBody, R: Body> Call<B, Response<R>> {
    /// Ends the call because its deadline has passed. `phase` is that of the attempt in flight, or [`Phase::NotSent`]: then
    /// the outcome in hand is returned, if there is one.
    ///
    /// # Errors
    /// The error of the last attempt, or [`Error::is_deadline`].
    pub(crate) fn deadline_exceeded(&mut self, phase: Phase) -> Result<Response<R>, Error> {
        let phase = if self.payment.is_queued() { Phase::NotSent } else { phase };
        self.end_attempt();
        let (error, reason) = (Error::deadline(phase), EndReason::Deadline);
        if let Some(in_hand) = self.in_hand.take().filter(|_| phase == Phase::NotSent) {
            return self.return_in_hand(*in_hand, error, reason);
        }
        self.report_no_retry(error.verdict(), reason);
        if phase != Phase::NotSent {
            let attempt = self.attempt(None, Some(error.verdict()));
            self.end_race(false);
            self.finish(attempt);
        }
        Err(self.fail_with(error, reason))
    }
}
