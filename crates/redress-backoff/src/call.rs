//! Per-call retry state, and the step that follows the end of each attempt.

mod decide;
mod end;
mod hedging;
mod history;
mod in_hand;
mod payment;

use std::mem;
use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::sync::Arc;

use http::{Request, Response, Uri};
use http_body::Body;
use redress_classify::{
    Attempt, CloneBody, Deadline, EndReason, Error, Phase, Refreshed, ResendCount, ResponseExt, SendState,
    TransportError, UpstreamHealth, Verdict,
};
use tokio::time::Instant;

use self::decide::Next;
use self::hedging::Hedging;
use self::history::{Cause, History};
use self::in_hand::InHand;
use self::payment::Payment;
use crate::budget::KeyParts;
use crate::decision::ResponseHead;
use crate::failing_routes::Route;
use crate::grpc;
use crate::request_copy::{Host, RequestCopy, Spare};
use crate::settings::Settings;
use crate::straight::{First, with_key_parts};
use crate::telemetry;
use crate::wait::Wait;

/// The state that a call keeps from one attempt to the next. Its attempts end with a response `T` or an error.
pub(crate) struct Call<B, T> {
    settings: Arc<Settings>,
    /// The copy of the request; `None` if the body cannot be copied.
    copy: Option<RequestCopy<B>>,
    /// The URI of the copy, if it was parsed.
    uri: Option<Uri>,
    /// The route of the request, if it was made before: it is a hash of method and URI.
    route: Option<Route>,
    deadline: Option<Deadline>,
    payment: Payment,
    history: History,
    /// The outcome of the last attempt, while the call waits for the end of an outage.
    in_hand: Option<Box<InHand<T>>>,
    /// `None` unless the call may be hedged, and after its race.
    hedging: Option<Box<Hedging>>,
    /// The memory of the response that was dropped last.
    spare: Spare,
}

/// The step that follows the end of an attempt.
pub(crate) enum Step<T> {
    /// The call ends with this result.
    Return(Result<T, Error>),
    /// The copy is sent after this wait.
    Retry(Wait<T>),
    /// The other attempt of a call that is hedged goes on alone.
    GoOn,
}

impl<B: CloneBody, T> Call<B, T> {
    #[inline]
    pub(crate) fn new(first: First<B>, settings: Arc<Settings>) -> Self {
        let First { copy, partition, deadline } = first;
        let (payment, history) = (Payment::new(partition), History::new());
        let spare = Spare::default();
        Self { settings, copy, uri: None, route: None, deadline, payment, history, in_hand: None, hedging: None, spare }
    }

    /// Keeps the URI of the request, which was parsed from its copy, so that it is not parsed again.
    #[must_use]
    pub(crate) fn with_uri(mut self, uri: Uri) -> Self {
        self.uri = Some(uri).filter(|uri| self.copy.as_ref().is_some_and(|copy| copy.has_lengths_of(uri)));
        self
    }

    /// Returns `true` if the layer hedges calls.
    pub(crate) fn is_hedged(&self) -> bool {
        self.settings.hedged.is_some()
    }

    pub(crate) const fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }
}

impl<B: CloneBody, R: Body> Call<B, Response<R>> {
    /// Counts a success of the first attempt, unless a layer below has marked it or attempts are observed, and returns whether it
    /// is one. Nearly all calls end like this, with neither a record nor a look at the clock.
    #[inline]
    pub(crate) fn ends_plainly(&self, response: &Response<R>) -> bool {
        let is_plain = self.history.is_empty() && self.settings.is_plain(response);
        if is_plain {
            self.settings.settle(response, || self.partition().unwrap_or_default(), || self.route());
        }
        is_plain
    }

    /// Ends an attempt that has any other response.
    #[inline(never)]
    pub(crate) fn on_other_response(&mut self, mut response: Response<R>) -> Step<Response<R>> {
        self.in_hand = None;
        self.end_attempt();
        if response.record().is_some() {
            return Step::Return(Ok(response));
        }
        let refreshed = response.extensions_mut().remove::<Refreshed>().is_some();
        let verdict = Verdict::for_response(&response, &self.settings.dialect, &self.settings.clock);
        let Some(verdict) = verdict else { return Step::Return(Ok(self.succeed(response))) };
        let now = Instant::now();
        let mut attempt = self.attempt(Some(response.status().as_u16()), Some(&verdict));
        let next = if refreshed && !self.history.has_resent() {
            self.decide_resend(&verdict, now)
        } else {
            let wall = || self.settings.clock.wall(now);
            let head = ResponseHead::new(response.status(), response.headers(), wall);
            let health = UpstreamHealth::of_response(&response);
            self.decide_retry(&verdict, Some(head), health, &mut attempt, now)
        };
        match next {
            Ok(next) => {
                if self.go_on(attempt, &next) == Cause::Race {
                    return Step::GoOn;
                }
                let wait = Wait::until(next.at);
                let read = verdict.body_read();
                let dropped = if next.cause == Cause::Outage { self.keep(response, verdict) } else { Some(response) };
                Step::Retry(match dropped {
                    Some(mut response) => {
                        self.spare = Spare::of(&mut response);
                        wait.draining(response, read, now)
                    }
                    None => wait,
                })
            }
            Err(reason) => {
                self.end_race(false);
                Step::Return(Ok(self.return_response(response, attempt, reason)))
            }
        }
    }

    /// Ends an attempt that has no response.
    pub(crate) fn on_error(&mut self, error: Error) -> Step<Response<R>> {
        let (in_hand, refusal) = (self.in_hand.take(), self.refusal(&error));
        if refusal.is_some() && error.phase() == Phase::NotSent {
            self.payment.cancel();
        }
        self.end_attempt();
        if error.record().is_some() {
            return Step::Return(Err(error));
        }
        if let (Some(in_hand), Some(reason)) = (in_hand, refusal)
            && in_hand::is_returned_after(&error)
        {
            return Step::Return(self.return_in_hand(*in_hand, error, reason));
        }
        let mut attempt = self.attempt(None, Some(error.verdict()));
        let next = match refusal {
            Some(reason) => {
                self.report_no_retry(error.verdict(), reason);
                Err(reason)
            }
            None => self.decide_retry(error.verdict(), None, error.upstream_health(), &mut attempt, Instant::now()),
        };
        match next {
            Ok(next) => match self.go_on(attempt, &next) {
                Cause::Race => Step::GoOn,
                cause => {
                    if cause == Cause::Outage {
                        self.in_hand = Some(Box::new(InHand::Error(error)));
                    }
                    Step::Retry(Wait::until(next.at))
                }
            },
            Err(reason) => {
                self.end_race(false);
                self.finish(attempt);
                Step::Return(Err(self.fail_with(error, reason)))
            }
        }
    }

    /// Checks again what may have changed during the wait. Breaks with the result of the call if the deadline has passed, or
    /// if the copy has lost bytes of the body.
    pub(crate) fn check_resendable(&mut self, now: Instant) -> ControlFlow<Result<Response<R>, Error>> {
        if self.is_late(now) {
            return ControlFlow::Break(self.deadline_exceeded(Phase::NotSent));
        }
        if self.is_clonable() {
            return ControlFlow::Continue(());
        }
        let lost = TransportError::body("the request body exceeded the replay limit during the wait");
        ControlFlow::Break(Err(self.give_up(Error::from_inner(lost.into()), EndReason::NotClonable)))
    }
}

impl<B: CloneBody, T> Call<B, T> {
    /// Returns the request of the next attempt, and marks that attempt as in flight.
    ///
    /// # Errors
    /// The error with which the call ends, if the request cannot be read from its copy.
    pub(crate) fn next_request(&mut self) -> Result<Request<B>, Error> {
        let copy = self.copy.as_ref().and_then(RequestCopy::try_clone).or_else(|| self.copy.take());
        let copy = copy.expect("`check_resendable` has found a copy");
        let headers = mem::take(&mut self.spare.headers);
        let request =
            copy.into_request(self.uri.clone(), &self.settings.header_names, headers).map_err(|unreadable| {
                let error = Error::from_inner(TransportError::request(unreadable).into());
                self.give_up(error, EndReason::NotClonable)
            })?;
        let count = resend_count(&request, self.history.ended());
        let held = self.in_hand.as_deref().map_or(0, InHand::bytes);
        let state = self.payment.send(held, count, self.deadline);
        Ok(self.resent(request, self.history.sent_attempts(), state))
    }

    /// Completes the request of a further attempt. `sent` is the number of those that may have reached the server.
    fn resent(&mut self, mut request: Request<B>, sent: u32, state: SendState) -> Request<B> {
        if request.extensions().is_empty() {
            *request.extensions_mut() = mem::take(&mut self.spare.extensions);
        }
        if self.settings.dialect.is_grpc() {
            grpc::set_previous_attempts(request.headers_mut(), sent);
            if let Some(deadline) = self.deadline {
                grpc::set_timeout(request.headers_mut(), deadline, Instant::now());
            }
        }
        request.extensions_mut().insert(state);
        request
    }

    /// Settles the payment of the attempt in flight, and keeps the key of its budget: the copy may be gone later.
    fn end_attempt(&mut self) {
        self.payment.settle();
        self.payment.partition = self.partition();
    }

    fn is_late(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline.instant() <= now)
    }

    fn is_clonable(&self) -> bool {
        self.copy.as_ref().is_some_and(|copy| copy.body.is_whole())
    }

    /// Starts the record of an attempt that has ended, before anything is decided about it.
    fn attempt(&self, status: Option<u16>, verdict: Option<&Verdict>) -> Attempt {
        let mut attempt = Attempt::new(status, verdict.cloned(), self.history.is_resend());
        attempt.is_probe = self.payment.is_probe();
        attempt.is_hedge = self.is_hedge();
        if let Some(verdict) = verdict {
            telemetry::failed_attempt(&self.settings.dialect, verdict.class());
        }
        attempt.budget_before = self.budget_level();
        attempt.budget_after = attempt.budget_before;
        attempt
    }

    /// Records an attempt that another one follows, and returns why it does.
    fn go_on(&mut self, attempt: Attempt, next: &Next) -> Cause {
        if next.cause != Cause::Race {
            self.end_race(false);
        }
        self.settings.hooks.attempt_ended(&attempt, self.number());
        match next.cause {
            Cause::Race => self.go_on_alone(attempt.verdict.as_ref()),
            _ => self.hedging = None,
        }
        self.history.go_on(attempt, next.cause);
        next.cause
    }

    /// Records the last attempt of the call.
    fn finish(&mut self, attempt: Attempt) {
        self.settings.hooks.attempt_ended(&attempt, self.number());
        self.history.push(attempt);
    }

    /// Returns the key of the call's budget; `None` where the layer has no budget.
    fn partition(&self) -> Option<u64> {
        self.payment.partition.or_else(|| self.with_key_parts(|parts| self.settings.partition(parts)).flatten())
    }

    /// Leases tokens for the budget of the call, in the background, where processes share it and it has no lease yet.
    fn lease_budget(&self) {
        if let Some(budgets) = self.settings.budget.as_ref().filter(|budgets| budgets.are_leased()) {
            self.with_key_parts(|parts| budgets.lease(parts, self.settings.partition.as_ref()));
        }
    }

    /// Reads the parts of the request that make the key of its budget; `None` without a copy of it.
    fn with_key_parts<K>(&self, read: impl FnOnce(&KeyParts<'_>) -> K) -> Option<K> {
        with_key_parts(self.copy.as_ref()?, self.uri.as_ref(), &self.settings, read)
    }

    fn budget_level(&self) -> Option<u32> {
        self.settings.budget.as_ref().map(|budgets| self.payment.level(budgets))
    }

    /// Gives the budget the tokens that a success is worth. The response is looked at only if the budget is not full.
    #[inline]
    fn refill_budget<R>(&self, response: &Response<R>) {
        if let Some(throttling) = self.settings.throttling() {
            throttling.record_success();
        }
        if let Some(budgets) = &self.settings.budget {
            let tokens = |spent| self.settings.refill(response, spent);
            self.payment.refill(budgets, || self.partition().unwrap_or_default(), tokens);
        }
    }
}

impl<B, T> Call<B, T> {
    /// Reports that the call was dropped before its end, with the phase of the attempt in flight; [`Phase::NotSent`] between
    /// two attempts.
    #[cold]
    pub(crate) fn dropped(&self, phase: Phase) {
        let phase = if self.payment.is_queued() { Phase::NotSent } else { phase };
        self.drop_hedge();
        telemetry::call_dropped(&self.settings.dialect, self.host(), self.history.attempts(), phase);
    }

    /// Reports why no retry follows a failed attempt.
    fn report_no_retry(&self, verdict: &Verdict, reason: EndReason) {
        telemetry::no_retry(&self.settings.dialect, self.host(), verdict, self.history.attempts(), reason);
    }

    /// Returns the host and port of the request; `None` without a copy of it.
    fn host(&self) -> Option<Host<'_>> {
        self.copy.as_ref().map(RequestCopy::host)
    }
}

/// Returns how often a request was sent before: in this call, and by the layers above, whose count is in its copy.
fn resend_count<B>(request: &Request<B>, in_call: u32) -> Option<ResendCount> {
    let above = ResendCount::from_request(request).map_or(0, ResendCount::get);
    NonZeroU32::new(above.saturating_add(in_call)).map(ResendCount::new)
}

#[cfg(test)]
mod tests {
    use redress_classify::dialects;
    use redress_classify::straight::CallTime;

    use super::*;
    use crate::budget::Budget;

    #[tokio::test(start_paused = true)]
    async fn a_request_that_cannot_be_read_from_its_copy_ends_its_call_with_an_error() {
        let budget = Budget::new();
        let mut settings = Settings::new(dialects::generic());
        settings.set_budget(Some(budget.clone().into()));
        let request = Request::get("https://api.example/v1").header("x-tag", "xyz").body(()).unwrap();
        let mut call: Call<_, Response<String>> =
            Call::new(First::new(&request, &settings, &mut CallTime::default()), Arc::new(settings));
        call.copy.as_mut().unwrap().replace_in_text("xyz", b"x\0z");
        let refused = TransportError::connect("connection refused");
        assert!(matches!(call.on_error(Error::from_inner(refused.into())), Step::Retry(_)));
        assert_eq!(budget.level(), 500 - Budget::TRANSIENT_COST);
        let error = call.next_request().unwrap_err();
        assert_eq!((error.class(), error.phase()), (redress_classify::Class::Invalid, Phase::NotSent));
        assert_eq!(error.record().map(|record| record.end_reason()), Some(EndReason::NotClonable));
        assert!(format!("{error:?} {error}").contains("header \"x-tag\" cannot be read"), "{error:?}");
        assert_eq!(budget.level(), 500, "the tokens are given back");
    }
}
