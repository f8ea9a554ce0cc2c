//! The decision about the next attempt of a call: gathers the context, asks the pure decision, reserves the tokens.

use std::sync::Arc;

use redress_classify::{
    Attempt, Class, CloneBody, Deadline, EndReason, Recovery, Refreshed, UpstreamHealth, Verdict, saturating,
};
use tokio::time::Instant;

use super::Call;
use super::history::Cause;
use crate::decision::{
    AttemptContext, ResponseHead, Retry, decide_wait, is_pushed_back, is_throttling_failure, may_resend,
    waits_for_end_of_outage,
};
use crate::failing_routes::Route;
use crate::grpc::RetryPolicy;
use crate::idempotency::{Idempotent, NoRetry, is_idempotent};
use crate::idempotency_key::{self, is_keyed};
use crate::telemetry;

/// The next attempt.
pub(super) struct Next {
    pub(super) at: Instant,
    pub(super) cause: Cause,
}

impl<B: CloneBody, T> Call<B, T> {
    /// Gathers the context of a failed attempt. `random` is uniformly distributed over all values of `u32`.
    pub(crate) fn context<'a>(
        &'a self,
        verdict: &'a Verdict,
        head: Option<ResponseHead>,
        now: Instant,
        random: u32,
    ) -> AttemptContext<'a> {
        let settings = &self.settings;
        let copy = self.copy.as_ref();
        let has_opted_out = copy.is_some_and(|copy| copy.extensions.get::<NoRetry>().is_some());
        let policy = copy.and_then(|copy| settings.service_config.as_ref()?.for_path(copy.path())?.policy());
        let max_attempts = policy.map_or(settings.max_attempts, RetryPolicy::max_attempts).get();
        let mut context = AttemptContext {
            verdict,
            head,
            is_clonable: self.is_clonable(),
            is_idempotent: self.is_idempotent(),
            is_keyed: head.is_some_and(|head| head.status == 409)
                && copy.is_some_and(|copy| is_keyed(copy.values(idempotency_key::header(settings)))),
            attempts: self.history.attempts(),
            policy,
            max_attempts,
            has_opted_out,
            shared_failures: 0,
            last_wait: self.history.last_wait(),
            lost_race: self.lost_race(),
            now,
            deadline: self.deadline.map(Deadline::instant),
            is_outage: false,
            is_limited: false,
            is_failing_route: false,
            random,
        };
        // The caller's own word about one request counts before the service's about its method.
        let is_refused = copy.is_some_and(|copy| copy.extensions.get() == Some(&Idempotent(false)));
        context.is_idempotent |= context.is_declared() && !is_refused;
        context
    }

    /// Decides on a retry, and reserves the tokens for it; or on a resend at the end of an outage, which pays when it is
    /// sent.
    pub(super) fn decide_retry(
        &mut self,
        verdict: &Verdict,
        head: Option<ResponseHead>,
        health: Option<UpstreamHealth>,
        attempt: &mut Attempt,
        now: Instant,
    ) -> Result<Next, EndReason> {
        let settings = Arc::clone(&self.settings);
        if is_transient(verdict) {
            // It is counted below, and the success that follows ends what is counted.
            self.route = self.route();
        }
        self.lease_budget();
        let mut context = self.context(verdict, head, now, settings.random());
        context.is_outage = health == Some(UpstreamHealth::Outage)
            && self.history.has_outage_resends_left()
            && self.payment.can_reserve_at_send();
        context.is_limited = health == Some(UpstreamHealth::Throttled);
        let throttling = settings.throttling().filter(|_| is_throttling_failure(&settings, &context));
        let is_refused = throttling.is_some_and(|throttling| !throttling.record_failure());
        let is_resendable = may_resend(&settings, &context);
        if self.is_racing() && (is_resendable.is_ok() || is_pushed_back(&settings, &context)) {
            self.count_failure(verdict);
            return Ok(Next { at: now, cause: Cause::Race });
        }
        if let (Ok(maybe_processed), false) = (is_resendable, is_refused)
            && waits_for_end_of_outage(&context)
        {
            return Ok(self.wait_for_end_of_outage(verdict, maybe_processed, now));
        }
        context.shared_failures = self.count_failure(verdict);
        context.is_failing_route = self.count_route_failure(verdict, now);
        let decision = is_resendable.and_then(|maybe_processed| decide_wait(&settings, &context, maybe_processed));
        let decision = decision.and_then(|retry| if is_refused { Err(EndReason::Budget) } else { self.pay(retry) });
        self.report(verdict, attempt, decision, now)
    }

    /// Reports a decision, and writes it into the record of the attempt.
    fn report(
        &self,
        verdict: &Verdict,
        attempt: &mut Attempt,
        decision: Result<Retry, EndReason>,
        now: Instant,
    ) -> Result<Next, EndReason> {
        let dialect = &self.settings.dialect;
        attempt.budget_after = self.budget_level();
        telemetry::budget_level(dialect, attempt.budget_after);
        match decision {
            Ok(retry) => {
                telemetry::retry(dialect, self.host(), verdict, self.history.attempts(), retry.wait, &retry.source);
                (attempt.wait, attempt.wait_source) = (Some(retry.wait), Some(retry.source));
                Ok(Next { at: saturating::add(now, retry.wait), cause: Cause::Retry })
            }
            Err(reason) => {
                self.report_no_retry(verdict, reason);
                Err(reason)
            }
        }
    }

    /// Sends the request at once to the layer below that holds all requests until the end of the outage.
    fn wait_for_end_of_outage(&mut self, verdict: &Verdict, maybe_processed: bool, now: Instant) -> Next {
        self.payment.reserve_at_send(&self.settings);
        if maybe_processed {
            self.history.set_maybe_processed();
        }
        telemetry::wait_for_end_of_outage(&self.settings.dialect, self.host(), verdict, self.history.attempts());
        Next { at: now, cause: Cause::Outage }
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
        Ok(Next { at: now, cause: Cause::Refresh })
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
        let budgets = self.settings.budget.as_ref().filter(|_| is_transient(verdict));
        budgets.map_or(0, |budgets| self.payment.count_failure(budgets))
    }

    /// Counts a transient failure of a route, and returns `true` if all of its requests fail while others succeed. Any other answer but
    /// a 429, which need not come from the route, shows that it works.
    fn count_route_failure(&self, verdict: &Verdict, now: Instant) -> bool {
        let routes = &self.settings.failing_routes;
        if is_transient(verdict) {
            return self.route().is_some_and(|route| routes.failed(route, now));
        }
        if verdict.class() != Class::RateLimited {
            routes.answered(|| self.route());
        }
        false
    }

    /// Returns the route of the call; `None` without a copy of the request.
    pub(super) fn route(&self) -> Option<Route> {
        self.route.or_else(|| self.copy.as_ref().map(Route::of))
    }

    fn is_idempotent(&self) -> bool {
        self.copy.as_ref().is_some_and(|copy| is_idempotent(copy, &self.settings))
    }
}

fn is_transient(verdict: &Verdict) -> bool {
    verdict.recovery() == Recovery::Retry && verdict.class() != Class::RateLimited
}
