//! The hedge of a call: whether it is sent, its payment, and which of the two attempts decides.
//!
//! The first outcome that no retry would follow decides, and the other attempt is cancelled. After a failure that a retry would
//! follow, the other attempt goes on alone: it is what the retry would have been. If it fails, too, a retry waits for the hints of
//! both. In gRPC a pushback that forbids a retry concerns what is not sent yet: the other attempt goes on, and none follows it.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Request, Response};
use http_body::Body;
use redress_classify::{
    Attempt, BoxError, Class, CloneBody, Error, Phase, Recovery, SendState, Upstream, UpstreamHealth, Verdict,
    is_success,
};
use tokio::time::Instant;

use super::{Call, Step, resend_count};
use crate::budget::{Budget, Reservation};
use crate::hedge::{HedgePlan, HedgedUpstream, Racer};
use crate::idempotency::{NoRetry, is_hedgeable};
use crate::request_copy::RequestCopy;
use crate::telemetry::{self, HedgeOutcome, NoHedge};

/// The state of a call that may be hedged.
pub(super) struct Hedging {
    upstream: Arc<HedgedUpstream>,
    /// Whether the latency of the first attempt is recorded.
    is_timed: bool,
    /// The time from the send of the first attempt to that of its hedge.
    after: Duration,
    hedge: Hedge,
    /// The attempt that has ended last, or the one that goes on alone.
    racer: Racer,
    /// The verdict about the one that has failed first.
    lost: Option<Verdict>,
}

/// The hedge of a call.
enum Hedge {
    /// It was not sent.
    None,
    /// It is about to be sent, or is in flight; the first attempt, too.
    Both(Fare),
    /// One of the two has failed, and the other goes on alone.
    One(Option<Fare>),
}

/// The payment for a hedge in flight. Dropping it spends the tokens, or gives them back if the request was not sent.
struct Fare {
    /// `None` without a budget.
    reservation: Option<Reservation>,
    state: SendState,
    /// Whether the request was handed to the layer below.
    is_handed_over: bool,
}

impl Fare {
    fn is_sent(&self) -> bool {
        self.is_handed_over && !self.state.is_queued()
    }
}

impl Drop for Fare {
    fn drop(&mut self) {
        if self.is_sent() {
            self.reservation.take().map(Reservation::spend);
        }
    }
}

impl<B: CloneBody, T> Call<B, T> {
    /// Plans the hedge of a call that may have one, and adds the state by which layers below report that they queue the request.
    pub(crate) fn plan_hedge(&mut self, request: &mut Request<B>) -> Option<(SendState, HedgePlan)> {
        let settings = &self.settings;
        let copy = self.copy.as_ref().filter(|_| settings.max_attempts.get() > 1)?;
        let policy = settings.service_config.as_ref().and_then(|config| config.for_path(copy.path())?.policy());
        if policy.is_some() || copy.extensions.get::<NoRetry>().is_some() || !is_hedgeable(copy, settings) {
            return None;
        }
        // A layer above may have put one there, which it reads.
        let state = request.extensions_mut().get_or_insert_default::<SendState>().clone();
        if !state.claim_hedge() {
            return None;
        }
        let upstream = settings.hedged.as_ref()?.get(&Upstream::new(request.uri(), request.headers()));
        let plan = upstream.begin_call(|| settings.random());
        if plan.after.is_none() && !plan.is_timed {
            return None;
        }
        let (is_timed, after) = (plan.is_timed, plan.after.unwrap_or_default());
        let hedging = Hedging { upstream, is_timed, after, hedge: Hedge::None, racer: Racer::First, lost: None };
        self.hedging = Some(Box::new(hedging));
        Some((state, plan))
    }

    /// Reserves what a hedge costs; returns `false` if none may be sent.
    pub(crate) fn reserve_hedge(&mut self, now: Instant) -> bool {
        match self.pay_for_hedge(now) {
            Ok(fare) => {
                if let Some(hedging) = &mut self.hedging {
                    hedging.hedge = Hedge::Both(fare);
                }
                self.history.count_hedge();
                true
            }
            Err(reason) => {
                telemetry::no_hedge(&self.settings.dialect, self.host(), reason);
                false
            }
        }
    }

    fn pay_for_hedge(&self, now: Instant) -> Result<Fare, NoHedge> {
        let settings = &self.settings;
        let upstream = &self.hedging.as_ref().ok_or(NoHedge::NotReady)?.upstream;
        upstream.count_late();
        if !self.is_clonable() {
            return Err(NoHedge::NotClonable);
        }
        if self.is_late(now) {
            return Err(NoHedge::Deadline);
        }
        if !upstream.is_healthy() {
            return Err(NoHedge::Health);
        }
        if settings.throttling().is_some_and(|throttling| !throttling.allows_retries()) {
            return Err(NoHedge::Budget);
        }
        upstream.take_hedge()?;
        let reserve = |budget: Budget| budget.reserve(Budget::TRANSIENT_COST);
        let budget = settings.budget.as_ref().map(|budgets| budgets.budget(self.partition().unwrap_or_default()));
        match budget.map(reserve) {
            Some(None) => {
                upstream.return_hedge();
                Err(NoHedge::Budget)
            }
            paid => Ok(Fare { reservation: paid.flatten(), state: SendState::hedge(), is_handed_over: false }),
        }
    }

    /// Returns the request of a hedge that is paid for.
    pub(crate) fn hedge_request(&mut self) -> Option<Request<B>> {
        let request = self
            .copy
            .as_ref()
            .and_then(RequestCopy::try_clone)?
            .into_request(self.uri.clone(), &self.settings.header_names, HeaderMap::new())
            .ok()?;
        let hedging = self.hedging.as_mut()?;
        let after = hedging.after;
        let Hedge::Both(fare) = &mut hedging.hedge else { return None };
        fare.is_handed_over = true;
        fare.state = SendState::hedge().of_call(resend_count(&request, 1), self.deadline);
        let state = fare.state.clone();
        telemetry::hedge(&self.settings.dialect, self.host(), after);
        Some(self.resent(request, 1, state))
    }

    /// Gives up a hedge that was not sent. The first attempt goes on.
    pub(crate) fn give_up_hedge(&mut self, reason: NoHedge) {
        let Some(hedging) = &mut self.hedging else { return };
        if let Hedge::Both(mut fare) = mem::replace(&mut hedging.hedge, Hedge::None) {
            fare.is_handed_over = false;
            hedging.upstream.return_hedge();
            hedging.racer = Racer::First;
            self.history.uncount_hedge();
            telemetry::no_hedge(&self.settings.dialect, self.host(), reason);
        }
    }

    /// Returns `true` while both attempts are in flight.
    pub(super) fn is_racing(&self) -> bool {
        self.hedging.as_ref().is_some_and(|hedging| matches!(hedging.hedge, Hedge::Both(_)))
    }

    /// Returns `true` if the attempt that has ended is a hedge.
    pub(super) fn is_hedge(&self) -> bool {
        self.hedging.as_ref().is_some_and(|hedging| hedging.racer == Racer::Hedge)
    }

    /// Returns the number of the attempt that has ended, or is in flight, by the order in which they were sent.
    pub(super) fn number(&self) -> u32 {
        let is_first = |hedging: &Hedging| hedging.racer == Racer::First && !matches!(hedging.hedge, Hedge::None);
        if self.hedging.as_deref().is_some_and(is_first) { 1 } else { self.history.attempts() }
    }

    /// Returns the verdict about the attempt that has failed while this one was in flight, too: there is no retry before its
    /// hint, and none if it forbids one.
    pub(super) fn lost_race(&self) -> Option<&Verdict> {
        self.hedging.as_ref()?.lost.as_ref()
    }

    /// Leaves the decision to the other attempt, since this one has failed.
    pub(super) fn go_on_alone(&mut self, verdict: Option<&Verdict>) {
        let Some(hedging) = &mut self.hedging else { return };
        hedging.lost = verdict.cloned();
        let Hedge::Both(fare) = mem::replace(&mut hedging.hedge, Hedge::One(None)) else { return };
        match hedging.racer {
            Racer::First => (hedging.racer, hedging.hedge) = (Racer::Hedge, Hedge::One(Some(fare))),
            Racer::Hedge => {
                hedging.racer = Racer::First;
                hedging.upstream.end_hedge(false);
                telemetry::hedge_ended(&self.settings.dialect, HedgeOutcome::Failed);
            }
        }
    }

    /// Ends the race, since the attempt that has ended decides. Records the other one, which is cancelled, if it was sent.
    /// `is_success` is whether the call succeeds.
    pub(super) fn end_race(&mut self, is_success: bool) {
        let Some(hedging) = &mut self.hedging else { return };
        let (racer, hedge) = (hedging.racer, mem::replace(&mut hedging.hedge, Hedge::One(None)));
        let outcome = match (racer, &hedge) {
            (_, Hedge::None) => {
                hedging.hedge = Hedge::None;
                return;
            }
            (Racer::First, Hedge::One(_)) => return,
            (Racer::First, Hedge::Both(fare)) if !fare.is_sent() => return hedging.upstream.return_hedge(),
            (Racer::First, Hedge::Both(_)) => HedgeOutcome::Cancelled,
            (Racer::Hedge, _) if is_success => HedgeOutcome::Won,
            (Racer::Hedge, _) => HedgeOutcome::Failed,
        };
        hedging.upstream.end_hedge(outcome == HedgeOutcome::Won);
        telemetry::hedge_ended(&self.settings.dialect, outcome);
        if matches!(hedge, Hedge::Both(_)) {
            drop(hedge);
            self.record_cancelled(racer);
        }
    }

    /// Records the attempt that the other one, which has ended, made useless.
    fn record_cancelled(&mut self, other: Racer) {
        let verdict = Verdict::unanswered(Class::Unavailable, Recovery::Retry, Phase::MaybeProcessed);
        let mut attempt = Attempt::new(None, Some(verdict), false);
        (attempt.is_hedge, attempt.is_cancelled) = (other == Racer::First, true);
        attempt.budget_before = self.budget_level();
        attempt.budget_after = attempt.budget_before;
        let number = if attempt.is_hedge { self.history.attempts() } else { 1 };
        self.settings.hooks.attempt_ended(&attempt, number);
        self.history.push(attempt);
    }
}

impl<B, T> Call<B, T> {
    /// Reports the end of a hedge in flight, since the call is dropped.
    pub(super) fn drop_hedge(&self) {
        let is_in_flight = |hedging: &Hedging| match &hedging.hedge {
            Hedge::Both(fare) | Hedge::One(Some(fare)) => fare.is_sent(),
            Hedge::None | Hedge::One(None) => false,
        };
        if self.hedging.as_deref().is_some_and(is_in_flight) {
            telemetry::hedge_ended(&self.settings.dialect, HedgeOutcome::Cancelled);
        }
    }
}

impl<B: CloneBody, R: Body> Call<B, Response<R>> {
    /// Ends one of the two attempts. `sent` is the time at which the first one was sent.
    pub(crate) fn on_racer(
        &mut self,
        racer: Racer,
        sent: Option<Instant>,
        result: Result<Response<R>, impl Into<BoxError>>,
    ) -> Step<Response<R>> {
        let result = result.map_err(|error| Error::from_inner(error.into()));
        let is_racing = self.is_racing();
        if let Some(hedging) = &mut self.hedging {
            hedging.racer = racer;
            match &result {
                Ok(response) => hedging.upstream.set_healthy(UpstreamHealth::of_response(response).is_none()),
                Err(error) if error.is_transport() => hedging.upstream.set_healthy(error.upstream_health().is_none()),
                Err(_) => {}
            }
            let is_answer = result.as_ref().is_ok_and(|response| is_success(response, &self.settings.dialect));
            if let Some(sent) = sent.filter(|_| is_answer && mem::take(&mut hedging.is_timed)) {
                hedging.upstream.record(Instant::now().saturating_duration_since(sent));
            }
        }
        match result {
            Err(error) if racer == Racer::Hedge && is_racing && self.is_unsent(&error) => {
                self.give_up_hedge(NoHedge::Refused);
                Step::GoOn
            }
            Ok(response) if !is_racing && self.ends_plainly(&response) => Step::Return(Ok(response)),
            Ok(response) => self.on_other_response(response),
            Err(error) => self.on_error(error),
        }
    }

    /// Returns `true` if a layer below did not send the request.
    fn is_unsent(&self, error: &Error) -> bool {
        error.phase() == Phase::NotSent && self.refusal(error).is_some()
    }
}
