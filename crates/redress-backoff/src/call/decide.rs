//! The decision about the next attempt of a call: gathers the context, asks the pure decision, reserves the tokens.

use redress_classify::{Attempt, Class, CloneBody, Deadline, EndReason, Recovery, Refreshed, Verdict, saturating};
use tokio::time::Instant;

use super::Call;
use crate::decision::{AttemptContext, ResponseHead, Retry, decide, is_throttling_failure};
use crate::grpc::RetryPolicy;
use crate::idempotency::{Idempotent, NoRetry, is_idempotent};
use crate::idempotency_key::{self, is_keyed};
use crate::telemetry;

/// The next attempt.
pub(super) struct Next {
    pub(super) at: Instant,
    /// Whether it is the resend after a refresh, which is free.
    pub(super) is_resend: bool,
}

impl<B: CloneBody> Call<B> {
    /// Gathers the context of a failed attempt. `random` is uniformly distributed over all values of `u32`.
    pub(crate) fn context<'a>(
        &'a self,
        verdict: &'a Verdict,
        head: Option<ResponseHead>,
        shared_failures: u32,
        now: Instant,
        random: u32,
    ) -> AttemptContext<'a> {
        let settings = &self.settings;
        let copy = self.copy.as_ref();
        let has_opted_out = copy.is_some_and(|copy| copy.extensions.get::<NoRetry>().is_some());
        let policy = copy.and_then(|copy| settings.service_config.as_ref()?.for_path(copy.uri.path())?.policy());
        let max_attempts = policy.map_or(settings.max_attempts, RetryPolicy::max_attempts).get();
        let mut context = AttemptContext {
            verdict,
            head,
            is_clonable: self.is_clonable(),
            is_idempotent: self.is_idempotent(),
            is_keyed: copy.is_some_and(|copy| is_keyed(copy.values(idempotency_key::header(settings)))),
            attempts: self.history.attempts(),
            policy,
            max_attempts,
            has_opted_out,
            shared_failures,
            last_wait: self.history.last_wait(),
            now,
            deadline: self.deadline.map(Deadline::instant),
            random,
        };
        // The caller's own word about one request counts before the service's about its method.
        let is_refused = copy.is_some_and(|copy| copy.extensions.get() == Some(&Idempotent(false)));
        context.is_idempotent |= context.is_declared() && !is_refused;
        context
    }

    /// Decides on a retry, and reserves the tokens for it.
    pub(super) fn decide_retry(
        &mut self,
        verdict: &Verdict,
        head: Option<ResponseHead>,
        attempt: &mut Attempt,
        now: Instant,
    ) -> Result<Next, EndReason> {
        let context = self.context(verdict, head, self.count_failure(verdict), now, self.settings.random());
        let throttling = self.settings.throttling().filter(|_| is_throttling_failure(&self.settings, &context));
        let is_refused = throttling.is_some_and(|throttling| !throttling.record_failure());
        let decision = decide(&self.settings, &context);
        let decision = decision.and_then(|retry| if is_refused { Err(EndReason::Budget) } else { self.pay(retry) });
        let dialect = &self.settings.dialect;
        attempt.budget_after = self.budget_level();
        telemetry::budget_level(dialect, attempt.budget_after);
        match decision {
            Ok(retry) => {
                telemetry::retry(dialect, self.upstream(), verdict, self.history.attempts(), retry.wait, &retry.source);
                (attempt.wait, attempt.wait_source) = (Some(retry.wait), Some(retry.source));
                Ok(Next { at: saturating::add(now, retry.wait), is_resend: false })
            }
            Err(reason) => {
                self.report_no_retry(verdict, reason);
                Err(reason)
            }
        }
    }

    /// Decides on the resend after a refresh. It is free and not delayed, but a request that may have been processed is
    /// resent only if it is idempotent.
    pub(super) fn decide_resend(&mut self, verdict: &Verdict, now: Instant) -> Result<Next, EndReason> {
        let dialect = &self.settings.dialect;
        let refusal = if !self.is_clonable() {
            Some(EndReason::NotClonable)
        } else if verdict.is_maybe_processed() && !self.is_idempotent() {
            Some(EndReason::NotIdempotent)
        } else if self.is_late(now) {
            Some(EndReason::Deadline)
        } else {
            None
        };
        if let Some(reason) = refusal {
            telemetry::no_resend(dialect, reason);
            return Err(reason);
        }
        telemetry::resend(dialect);
        if let Some(copy) = &mut self.copy {
            // A second rejection must not start a second refresh.
            copy.extensions.insert(Refreshed);
        }
        Ok(Next { at: now, is_resend: true })
    }

    /// Reserves the tokens for a retry; without a budget, retries are free.
    fn pay(&mut self, retry: Retry) -> Result<Retry, EndReason> {
        let budgets = self.settings.budget.as_ref();
        if budgets.is_some_and(|budgets| !self.payment.reserve(budgets, retry.cost)) {
            return Err(EndReason::Budget);
        }
        if retry.maybe_processed {
            self.history.set_maybe_processed();
        }
        Ok(retry)
    }

    /// Counts a transient failure, and returns the number of them since the last success of any call.
    fn count_failure(&self, verdict: &Verdict) -> u32 {
        let is_transient = verdict.recovery() == Recovery::Retry && verdict.class() != Class::RateLimited;
        let budgets = self.settings.budget.as_ref().filter(|_| is_transient);
        budgets.map_or(0, |budgets| self.payment.count_failure(budgets))
    }

    fn is_idempotent(&self) -> bool {
        self.copy.as_ref().is_some_and(|copy| is_idempotent(copy, &self.settings))
    }
}
