//! One call: its attempts, the waits between them, and the end.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response};
use pin_project_lite::pin_project;
use redress_classify::{
    Attempt, BoxError, Class, Error, Phase, Record, Refreshed, Replay, ResponseExt, Stop, Verdict, WaitSource,
    try_clone_request,
};
use tokio::time::{Instant, Sleep};
use tower_service::Service;

use crate::budget::{Budget, Reservation};
use crate::decision::{Decision, Situation, decide};
use crate::idempotency::is_idempotent;
use crate::settings::Settings;

pin_project! {
    /// The future of a [`Backoff`](crate::Backoff) service.
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S::Future>,
        // Made when the first attempt has to be waited for: a result that is there at once needs no timer.
        #[pin]
        deadline_sleep: Option<Sleep>,
        service: S,
        call: Call<B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        /// An attempt is in flight.
        Attempt { #[pin] future: F },
        /// The last attempt failed; the next one waits for its time.
        Waiting { sleep: Pin<Box<Sleep>> },
        /// It is time; the service below must be ready first.
        Readying,
        /// The result was given.
        Done,
    }
}

/// What is remembered between the attempts of a call.
struct Call<B> {
    /// The copy of the request; `None` when it cannot be copied.
    copy: Option<Request<B>>,
    settings: Arc<Settings>,
    deadline: Option<Instant>,
    /// How many attempts were begun; replays are none.
    attempts: u32,
    is_replay: bool,
    replayed: bool,
    past: Vec<Attempt>,
    reservation: Option<Reservation>,
    /// What the last retry took from the budget.
    spent: Option<u32>,
}

/// What follows from the end of an attempt.
enum Next<T> {
    Return(T),
    /// Send the copy again, after a wait if there is one.
    Again(Option<Duration>),
}

impl<S, B> ResponseFuture<S, B>
where
    S: Service<Request<B>>,
    B: Replay,
{
    pub(crate) fn new(mut service: S, request: Request<B>, settings: Arc<Settings>) -> Self {
        let copy = try_clone_request(&request);
        let call = Call::new(copy, settings);
        let state = State::Attempt { future: service.call(request) };
        Self { state, deadline_sleep: None, service, call }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    B: Replay,
{
    type Output = Result<Response<R>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                StateProj::Attempt { future } => match future.poll(cx) {
                    Poll::Ready(Ok(response)) => this.call.answered(response),
                    Poll::Ready(Err(error)) => this.call.failed(Error::from_below(error.into())),
                    Poll::Pending => {
                        ready!(poll_deadline(this.deadline_sleep.as_mut(), this.call.deadline, cx));
                        Next::Return(Err(this.call.cut(Phase::MaybeProcessed)))
                    }
                },
                StateProj::Waiting { sleep } => {
                    ready!(sleep.as_mut().poll(cx));
                    this.state.set(State::Readying);
                    continue;
                }
                StateProj::Readying if this.call.is_late() => Next::Return(Err(this.call.cut(Phase::NotSent))),
                StateProj::Readying => match this.service.poll_ready(cx) {
                    Poll::Ready(Ok(())) => {
                        let request = this.call.next_request().expect("only a call with a copy is sent again");
                        let future = this.service.call(request);
                        this.state.set(State::Attempt { future });
                        continue;
                    }
                    Poll::Ready(Err(error)) => {
                        let error = Error::not_ready(error.into());
                        Next::Return(Err(this.call.give_up(error, Stop::NotSent)))
                    }
                    Poll::Pending => {
                        ready!(poll_deadline(this.deadline_sleep.as_mut(), this.call.deadline, cx));
                        Next::Return(Err(this.call.cut(Phase::NotSent)))
                    }
                },
                StateProj::Done => panic!("a finished call was polled again"),
            };
            match next {
                Next::Return(result) => {
                    this.state.set(State::Done);
                    return Poll::Ready(result);
                }
                Next::Again(None) => this.state.set(State::Readying),
                Next::Again(Some(wait)) => this.state.set(State::Waiting { sleep: Box::pin(tokio::time::sleep(wait)) }),
            }
        }
    }
}

impl<B: Replay> Call<B> {
    fn new(copy: Option<Request<B>>, settings: Arc<Settings>) -> Self {
        let deadline = settings.deadline.and_then(|deadline| Instant::now().checked_add(deadline));
        Self {
            copy,
            settings,
            deadline,
            attempts: 1,
            is_replay: false,
            replayed: false,
            past: Vec::new(),
            reservation: None,
            spent: None,
        }
    }

    fn answered<R>(&mut self, mut response: Response<R>) -> Next<Result<Response<R>, Error>> {
        if response.record().is_some() {
            return Next::Return(Ok(response));
        }
        let refreshed = response.extensions_mut().remove::<Refreshed>().is_some();
        let status = response.status().as_u16();
        let Some(verdict) = self.verdict(&response) else {
            self.succeeded();
            return self.end(response, None, Stop::Success);
        };
        if refreshed && self.may_replay() {
            self.past.push(Attempt::new(Some(status), Some(verdict), self.is_replay));
            return self.replay();
        }
        match self.decide(&verdict, Some(status)) {
            Ok((wait, source)) => {
                self.plan(Attempt::new(Some(status), Some(verdict), self.is_replay), wait, source);
                Next::Again(Some(wait))
            }
            Err(stop) => self.end(response, Some(verdict), stop),
        }
    }

    fn failed<R>(&mut self, error: Error) -> Next<Result<Response<R>, Error>> {
        if error.record().is_some() {
            return Next::Return(Err(error));
        }
        let attempt = Attempt::new(None, Some(error.verdict().clone()), self.is_replay);
        let decision = match final_stop(&error) {
            Some(stop) => Err(stop),
            None => self.decide(error.verdict(), None),
        };
        match decision {
            Ok((wait, source)) => {
                self.plan(attempt, wait, source);
                Next::Again(Some(wait))
            }
            Err(stop) => {
                self.past.push(attempt);
                Next::Return(Err(self.give_up(error, stop)))
            }
        }
    }

    /// Ends a call that the deadline cuts.
    fn cut(&mut self, phase: Phase) -> Error {
        let error = Error::deadline(phase);
        if phase != Phase::NotSent {
            self.past.push(Attempt::new(None, Some(error.verdict().clone()), self.is_replay));
        }
        self.give_up(error, Stop::Deadline)
    }

    /// Ends a call without a response: nothing stays reserved, and the error tells of the whole call.
    fn give_up(&mut self, error: Error, stop: Stop) -> Error {
        self.reservation = None;
        announce(&self.settings, error.verdict(), self.attempts, &Err(stop));
        let may_be_processed = error.phase() == Phase::NotSent && self.past.iter().any(may_be_processed);
        let error = if may_be_processed { error.maybe_processed() } else { error };
        error.with_record(self.record(stop))
    }

    /// Returns what the response means: by its verdict, or by its head where no Classify layer is below.
    fn verdict<R>(&self, response: &Response<R>) -> Option<Verdict> {
        let stamped = response.verdict().cloned();
        stamped.or_else(|| Verdict::of_head(response, &self.settings.dialect, &self.settings.clock))
    }

    fn may_replay(&self) -> bool {
        !self.replayed && self.copy.is_some() && !self.is_late()
    }

    fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    fn replay<T>(&mut self) -> Next<T> {
        (self.replayed, self.is_replay) = (true, true);
        if let Some(copy) = &mut self.copy {
            copy.extensions_mut().insert(Refreshed);
        }
        tracing::debug!(target: "redress::backoff", dialect = self.settings.dialect.name(), "replay after a refresh");
        Next::Again(None)
    }

    /// Decides, and reserves the budget for a retry.
    fn decide(&mut self, verdict: &Verdict, status: Option<u16>) -> Result<(Duration, WaitSource), Stop> {
        let settings = &self.settings;
        let situation = Situation {
            verdict,
            status,
            idempotent: self.copy.as_ref().is_some_and(|copy| is_idempotent(copy, &settings.dialect)),
            attempts: self.attempts,
            last_wait: self.past.iter().rev().find_map(|attempt| attempt.wait),
            now: Instant::now(),
            deadline: self.deadline,
            random: settings.random(),
        };
        let decision = match decide(settings, &situation) {
            Decision::Retry { .. } if self.copy.is_none() => Decision::Stop(Stop::NotReplayable),
            Decision::Stop(Stop::NotIdempotent) if self.copy.is_none() => Decision::Stop(Stop::NotReplayable),
            decision => decision,
        };
        let outcome = match decision {
            Decision::Stop(stop) => Err(stop),
            Decision::Retry { wait, source, cost } => match &settings.budget {
                None => Ok((wait, source)),
                Some(budget) => {
                    self.reservation = budget.reserve(cost);
                    if self.reservation.is_some() { Ok((wait, source)) } else { Err(Stop::Budget) }
                }
            },
        };
        announce(settings, verdict, self.attempts, &outcome);
        outcome
    }

    fn plan(&mut self, mut attempt: Attempt, wait: Duration, source: WaitSource) {
        attempt.wait = Some(wait);
        attempt.wait_source = Some(source);
        self.past.push(attempt);
        self.attempts = self.attempts.saturating_add(1);
        self.is_replay = false;
    }

    /// Returns the request of the next attempt, and spends what was reserved for it.
    fn next_request(&mut self) -> Option<Request<B>> {
        let request = self.copy.as_ref().and_then(try_clone_request).or_else(|| self.copy.take());
        if let Some(reservation) = self.reservation.take() {
            self.spent = Some(reservation.spend());
        }
        request
    }

    fn succeeded(&self) {
        if let Some(budget) = &self.settings.budget {
            budget.refill(self.spent.unwrap_or(Budget::FIRST_TRY));
        }
    }

    fn end<R>(
        &mut self,
        mut response: Response<R>,
        verdict: Option<Verdict>,
        stop: Stop,
    ) -> Next<Result<Response<R>, Error>> {
        if let Some(verdict) = verdict.as_ref().filter(|_| response.verdict().is_none()) {
            response.extensions_mut().insert(verdict.clone());
        }
        // A first attempt that could have been tried again says why it was not; any other one speaks for itself.
        if !self.past.is_empty() || !matches!(stop, Stop::Success | Stop::NotRetryable) {
            self.past.push(Attempt::new(Some(response.status().as_u16()), verdict, self.is_replay));
            response.extensions_mut().insert(self.record(stop));
        }
        Next::Return(Ok(response))
    }

    fn record(&mut self, stop: Stop) -> Record {
        Record::new(std::mem::take(&mut self.past), stop)
    }
}

/// Why no other attempt follows an error that is not the transport's.
fn final_stop(error: &Error) -> Option<Stop> {
    match error {
        _ if error.is_deadline() => Some(Stop::Deadline),
        _ if error.is_paced() => Some(Stop::Paced),
        _ if error.is_transport() => None,
        _ => Some(Stop::NotSent),
    }
}

/// Whether an attempt may have had its effect: it was cut off, or answered by a fault that says nothing about it.
fn may_be_processed(attempt: &Attempt) -> bool {
    attempt.verdict.as_ref().is_some_and(|verdict| {
        verdict.phase() != Phase::NotSent && matches!(verdict.class(), Class::Unavailable | Class::Internal)
    })
}

/// Waits for the deadline, if there is one.
fn poll_deadline(mut sleep: Pin<&mut Option<Sleep>>, deadline: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
    let Some(deadline) = deadline else { return Poll::Pending };
    if sleep.is_none() {
        sleep.set(Some(tokio::time::sleep_until(deadline)));
    }
    sleep.as_pin_mut().map_or(Poll::Pending, |sleep| sleep.poll(cx))
}

fn announce(settings: &Settings, verdict: &Verdict, attempt: u32, outcome: &Result<(Duration, WaitSource), Stop>) {
    let (dialect, class) = (settings.dialect.name(), verdict.class().as_str());
    match outcome {
        Ok((wait, source)) => {
            tracing::debug!(target: "redress::backoff", dialect, class, attempt, ?wait, ?source, "retry");
        }
        Err(stop) => tracing::debug!(target: "redress::backoff", dialect, class, attempt, %stop, "no retry"),
    }
}
