//! What is remembered of a call between its attempts, and what follows from the end of each.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Request, Response};
use redress_classify::{
    Attempt, BoxError, Class, CloneBody, Deadline, EndReason, Error, Phase, Record, Recovery, Refreshed, ResponseExt,
    SendState, TransportError, Verdict, WaitSource, saturating,
};
use tokio::time::Instant;

use crate::budget::{About, Budget, Reservation};
use crate::decision::{Decision, Situation, decide, has_retry_after};
use crate::idempotency::is_idempotent;
use crate::idempotency_key::{self, is_keyed};
use crate::request_copy::RequestCopy;
use crate::settings::Settings;
use crate::telemetry;
use crate::wait::Wait;

/// What is remembered between the attempts of a call.
pub(crate) struct Call<B> {
    /// The copy of the request; `None` when it cannot be copied.
    copy: Option<RequestCopy<B>>,
    settings: Arc<Settings>,
    pub(crate) deadline: Option<Deadline>,
    /// How many attempts were begun; replays are none.
    attempts: u32,
    is_resend: bool,
    replayed: bool,
    past: Vec<Attempt>,
    /// Whether an attempt before this one may have been processed.
    was_uncertain: bool,
    /// The key of the call's budget, once it is needed.
    partition: Option<u64>,
    /// The budget from which the last retry was taken: it gets back what that retry took.
    budget: Option<Budget>,
    /// For the retry that was decided and not yet handed down.
    reservation: Option<Reservation>,
    in_flight: Option<InFlight>,
    /// What the last retry took from the budget.
    spent: Option<u32>,
}

/// A retry that was handed down, and what it takes. Its tokens are spent when it ends or is dropped; they are given back
/// when a layer below then still holds the request, so that nobody has sent it.
struct InFlight {
    send_state: SendState,
    reservation: Option<Reservation>,
}

/// What the head of a response says that its verdict does not.
#[derive(Clone, Copy)]
struct Reply {
    status: u16,
    has_retry_after: bool,
}

/// What follows from the end of an attempt.
pub(crate) enum Next<T> {
    Return(Result<T, Error>),
    /// Send the copy again once this is over.
    Again(Wait<T>),
}

impl<B: CloneBody> Call<B> {
    #[inline]
    pub(crate) fn new(request: &Request<B>, settings: Arc<Settings>) -> Self {
        let copy = RequestCopy::of(request);
        // Of a request that cannot be copied nothing is here later.
        let partition = if copy.is_none() { settings.partition(&About::of(request)) } else { None };
        Self {
            copy,
            deadline: Deadline::from_request(request).or_else(|| settings.deadline.map(Deadline::from_now)),
            partition,
            settings,
            attempts: 1,
            is_resend: false,
            replayed: false,
            past: Vec::new(),
            was_uncertain: false,
            budget: None,
            reservation: None,
            in_flight: None,
            spent: None,
        }
    }

    /// Whether a response ends the call as nearly all do: a success of the first attempt. It is then counted, and there is
    /// nothing else to note.
    pub(crate) fn succeeds_at_once<R>(&self, response: &Response<R>) -> bool {
        let settings = &self.settings;
        let is_first = self.past.is_empty() && self.in_flight.is_none();
        let is_marked = response.verdict().is_some()
            || response.record().is_some()
            || response.extensions().get::<Refreshed>().is_some();
        let status = response.status().as_u16();
        let is_success = !is_marked && settings.dialect.class_of_status(status).is_none();
        let is_plain = is_success && !settings.dialect.has_head_rules();
        if is_first && is_plain {
            self.reward();
            settings.successes.count();
        }
        is_first && is_plain
    }

    /// Says what follows from a response.
    pub(crate) fn answered<R>(&mut self, mut response: Response<R>) -> Next<Response<R>> {
        self.settle();
        self.partition = self.partition();
        if response.record().is_some() {
            return Next::Return(Ok(response));
        }
        let refreshed = response.extensions_mut().remove::<Refreshed>().is_some();
        let status = response.status().as_u16();
        let Some(verdict) = self.verdict(&response) else {
            let attempt = self.succeeded(status);
            return Next::Return(Ok(self.end(response, attempt, EndReason::Success)));
        };
        let here = verdict.body_read();
        let reply = Reply { status, has_retry_after: self.has_retry_after(&response) };
        let mut attempt = self.attempt(Some(status), Some(&verdict));
        let decision = if refreshed && !self.replayed {
            self.replay(&verdict)
        } else {
            self.decide(&verdict, Some(reply), &mut attempt)
        };
        match decision {
            Ok(wake) => {
                self.past.push(attempt);
                Next::Again(Wait::until(wake).draining(response, here))
            }
            Err(stop) => Next::Return(Ok(self.end(response, attempt, stop))),
        }
    }

    /// Says what follows from an error.
    pub(crate) fn failed<T>(&mut self, error: Error) -> Next<T> {
        let final_stop = final_stop(&error);
        if final_stop.is_some() && error.phase() == Phase::NotSent {
            // Nobody sent it: nothing is spent.
            if let Some(retry) = self.in_flight.take() {
                retry.give_back();
            }
        }
        self.settle();
        self.partition = self.partition();
        if error.record().is_some() {
            return Next::Return(Err(error));
        }
        let mut attempt = self.attempt(None, Some(error.verdict()));
        let decision = match final_stop {
            Some(stop) => {
                self.announce(error.verdict(), &Err(stop));
                Err(stop)
            }
            None => self.decide(error.verdict(), None, &mut attempt),
        };
        self.past.push(attempt);
        match decision {
            Ok(wake) => Next::Again(Wait::until(wake)),
            Err(stop) => Next::Return(Err(self.over(error, stop))),
        }
    }

    /// Ends a call whose service cannot take the next attempt.
    pub(crate) fn not_ready(&mut self, error: BoxError) -> Error {
        self.give_up(Error::not_ready(error), EndReason::NotSent)
    }

    /// Ends a call that the deadline cuts.
    pub(crate) fn cut(&mut self, phase: Phase) -> Error {
        let is_held = self.in_flight.as_ref().is_some_and(|retry| retry.send_state.is_queued());
        let phase = if is_held { Phase::NotSent } else { phase };
        self.settle();
        self.partition = self.partition();
        let error = Error::deadline(phase);
        if phase != Phase::NotSent {
            let attempt = self.attempt(None, Some(error.verdict()));
            self.past.push(attempt);
        }
        self.give_up(error, EndReason::Deadline)
    }

    /// Ends a call that must not be sent again after all: the deadline has passed, or the copy has lost bytes since the
    /// decision.
    pub(crate) fn hindered(&mut self) -> Option<Error> {
        if self.is_late() {
            return Some(self.cut(Phase::NotSent));
        }
        if self.is_replayable() {
            return None;
        }
        let lost = TransportError::body("the copy of the body is no longer whole");
        Some(self.give_up(Error::from_inner(lost.into()), EndReason::NotClonable))
    }

    /// Returns the request of the next attempt, with what was reserved for it in flight.
    pub(crate) fn next_request(&mut self) -> Option<Request<B>> {
        if let (Some(copy), Some(deadline)) = (&mut self.copy, self.deadline) {
            copy.extensions.insert(deadline);
        }
        let mut request =
            self.copy.as_ref().and_then(RequestCopy::try_clone).or_else(|| self.copy.take())?.into_request();
        let send_state = SendState::new();
        request.extensions_mut().insert(send_state.clone());
        self.in_flight = Some(InFlight { send_state, reservation: self.reservation.take() });
        Some(request)
    }

    /// Notes what the attempt that has ended took.
    fn settle(&mut self) {
        self.spent = self.in_flight.take().and_then(|mut ended| ended.settle()).or(self.spent);
    }

    fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline.has_passed(Instant::now()))
    }

    /// Returns what the response means: by its verdict, or by its head where no Classify layer is below.
    fn verdict<R>(&self, response: &Response<R>) -> Option<Verdict> {
        let stamped = response.verdict().cloned();
        stamped.or_else(|| Verdict::from_head(response, &self.settings.dialect, &self.settings.clock))
    }

    fn has_retry_after<R>(&self, response: &Response<R>) -> bool {
        has_retry_after(response.headers(), self.settings.clock.wall(Instant::now()))
    }

    /// Notes an attempt, and what the budget is before anything is decided about it.
    fn attempt(&self, status: Option<u16>, verdict: Option<&Verdict>) -> Attempt {
        let mut attempt = Attempt::new(status, verdict.cloned(), self.is_resend);
        if let Some(verdict) = verdict {
            telemetry::failed(&self.settings.dialect, verdict.class());
        }
        attempt.budget_before = self.level();
        attempt.budget_after = attempt.budget_before;
        attempt
    }

    fn level(&self) -> Option<u32> {
        let budgets = self.settings.budget.as_ref()?;
        Some(self.budget.as_ref().map_or_else(|| budgets.level(self.partition.unwrap_or_default()), Budget::level))
    }

    fn is_replayable(&self) -> bool {
        self.copy.as_ref().is_some_and(|copy| copy.body.is_whole())
    }

    /// Decides on the re-send after a refresh, which is free and waits for nothing. A request that may have been processed is
    /// sent again only if it is safe to repeat.
    fn replay(&mut self, verdict: &Verdict) -> Result<Instant, EndReason> {
        let dialect = &self.settings.dialect;
        let is_safe = || self.copy.as_ref().is_some_and(|copy| is_idempotent(copy, &self.settings));
        let stop = if !self.is_replayable() {
            Some(EndReason::NotClonable)
        } else if verdict.is_maybe_processed() && !is_safe() {
            Some(EndReason::NotIdempotent)
        } else if self.is_late() {
            Some(EndReason::Deadline)
        } else {
            None
        };
        if let Some(stop) = stop {
            telemetry::no_replay(dialect, stop);
            return Err(stop);
        }
        telemetry::replay(dialect);
        (self.replayed, self.is_resend) = (true, true);
        if let Some(copy) = &mut self.copy {
            copy.extensions.insert(Refreshed);
        }
        Ok(Instant::now())
    }

    /// Decides on a retry, reserves the budget for it, and returns its time.
    fn decide(&mut self, verdict: &Verdict, reply: Option<Reply>, attempt: &mut Attempt) -> Result<Instant, EndReason> {
        let failures = self.failures(verdict);
        let settings = &self.settings;
        let copy = self.copy.as_ref();
        let situation = Situation {
            verdict,
            status: reply.map(|reply| reply.status),
            has_retry_after: reply.is_some_and(|reply| reply.has_retry_after),
            replayable: self.is_replayable(),
            idempotent: copy.is_some_and(|copy| is_idempotent(copy, settings)),
            keyed: copy.is_some_and(|copy| is_keyed(copy.values(idempotency_key::header(settings)))),
            attempts: self.attempts,
            failures,
            last_wait: self.past.iter().rev().find_map(|attempt| attempt.wait),
            now: Instant::now(),
            deadline: self.deadline.map(Deadline::instant),
            random: settings.random(),
        };
        let outcome = match decide(settings, &situation) {
            Decision::Stop(stop) => Err(stop),
            Decision::Retry { wait, source, cost, is_uncertain } => {
                self.was_uncertain |= is_uncertain;
                match &settings.budget {
                    None => Ok((wait, source)),
                    Some(budgets) => {
                        let budget = self.budget.insert(budgets.budget(self.partition.unwrap_or_default()));
                        self.reservation = budget.reserve(cost);
                        if self.reservation.is_some() { Ok((wait, source)) } else { Err(EndReason::Budget) }
                    }
                }
            }
        };
        let now = situation.now;
        attempt.budget_after = self.level();
        telemetry::level(&settings.dialect, attempt.budget_after);
        self.announce(verdict, &outcome);
        let (wait, source) = outcome?;
        (attempt.wait, attempt.wait_source) = (Some(wait), Some(source));
        self.attempts = self.attempts.saturating_add(1);
        self.is_resend = false;
        Ok(saturating::add(now, wait))
    }

    /// Counts a transient failure, and returns how many there were since the last success of any caller.
    fn failures(&self, verdict: &Verdict) -> u32 {
        let is_transient = verdict.recovery() == Recovery::Retry && verdict.class() != Class::RateLimited;
        let budgets = self.settings.budget.as_ref().filter(|_| is_transient);
        budgets.map_or(0, |budgets| budgets.budget(self.partition.unwrap_or_default()).failed())
    }

    /// Returns the key of the call's budget; `None` where the layer has none.
    fn partition(&self) -> Option<u64> {
        self.partition.or_else(|| {
            let copy = self.copy.as_ref()?;
            let (method, uri, extensions) = (&copy.method, &copy.uri, &copy.extensions);
            let headers = if self.settings.key_reads_headers(uri) { copy.header_map() } else { HeaderMap::new() };
            self.settings.partition(&About { method, uri, headers: &headers, extensions })
        })
    }

    /// Gives the budget what a success is worth.
    fn reward(&self) {
        match (&self.budget, &self.settings.budget) {
            (Some(budget), _) => budget.refill(self.spent.unwrap_or(Budget::FIRST_ATTEMPT_REFILL)),
            (None, Some(budgets)) => {
                budgets.refill(|| self.partition().unwrap_or_default(), Budget::FIRST_ATTEMPT_REFILL);
            }
            (None, None) => {}
        }
    }

    /// Notes a success that more is to be told of.
    fn succeeded(&self, status: u16) -> Attempt {
        let mut attempt = self.attempt(Some(status), None);
        self.reward();
        attempt.budget_after = self.level();
        telemetry::level(&self.settings.dialect, attempt.budget_after.filter(|_| !self.past.is_empty()));
        self.settings.successes.count();
        attempt
    }

    /// Ends a call with the response in hand.
    fn end<R>(&mut self, mut response: Response<R>, attempt: Attempt, stop: EndReason) -> Response<R> {
        if stop != EndReason::Success {
            telemetry::stopped(&self.settings.dialect, stop);
        }
        if let Some(verdict) = attempt.verdict.as_ref().filter(|_| response.verdict().is_none()) {
            response.extensions_mut().insert(verdict.clone());
        }
        // A first attempt that could have been tried again says why it was not, also one whose credentials were not refreshed;
        // any other one speaks for itself.
        let is_refused =
            || response.verdict().and_then(Verdict::api_error).is_some_and(|it| it.not_refreshed().is_some());
        if !self.past.is_empty() || !matches!(stop, EndReason::Success | EndReason::NotRetryable) || is_refused() {
            self.past.push(attempt);
            response.extensions_mut().insert(self.record(stop));
        }
        response
    }

    fn give_up(&mut self, error: Error, stop: EndReason) -> Error {
        self.announce(error.verdict(), &Err(stop));
        self.over(error, stop)
    }

    /// Ends a call without a response: nothing stays reserved, and the error tells of the whole call.
    fn over(&mut self, error: Error, stop: EndReason) -> Error {
        self.reservation = None;
        telemetry::stopped(&self.settings.dialect, stop);
        let was_uncertain = self.was_uncertain || self.past.iter().any(may_be_processed);
        let error = if error.phase() == Phase::NotSent && was_uncertain { error.maybe_processed() } else { error };
        error.with_record(self.record(stop))
    }

    fn record(&mut self, stop: EndReason) -> Record {
        Record::new(std::mem::take(&mut self.past), stop)
    }

    fn announce(&self, verdict: &Verdict, outcome: &Result<(Duration, WaitSource), EndReason>) {
        let dialect = &self.settings.dialect;
        match outcome {
            Ok((wait, source)) => telemetry::retry(dialect, verdict, self.attempts, *wait, source),
            Err(stop) => telemetry::no_retry(dialect, verdict, self.attempts, *stop),
        }
    }
}

impl InFlight {
    /// Spends what was reserved, unless the request was not sent; returns how much that is.
    fn settle(&mut self) -> Option<u32> {
        let reservation = self.reservation.take().filter(|_| !self.send_state.is_queued())?;
        Some(reservation.spend())
    }

    fn give_back(mut self) {
        drop(self.reservation.take());
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.settle();
    }
}

/// Why no other attempt follows an error that is not the transport's.
fn final_stop(error: &Error) -> Option<EndReason> {
    match error {
        _ if error.is_deadline() => Some(EndReason::Deadline),
        _ if error.is_paced() => Some(EndReason::Paced),
        _ if error.is_transport() => None,
        _ if error.is_credentials() => Some(EndReason::Credentials),
        _ => Some(EndReason::NotSent),
    }
}

/// Whether an attempt may have had its effect: it was cut off, or answered by a fault that says nothing about it.
fn may_be_processed(attempt: &Attempt) -> bool {
    attempt.verdict.as_ref().is_some_and(|verdict| {
        verdict.phase() != Phase::NotSent && matches!(verdict.class(), Class::Unavailable | Class::Internal)
    })
}
