//! Collects the statistics of a run: calls on the caller's side, requests on the server's side.

use std::collections::HashMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::outcome::{Outcome, Second, quantiles, recovery};
use crate::scenario::Scenario;

/// The result of a call for its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallResult {
    /// A response that fulfils the call, before the deadline.
    Served,
    /// An error response.
    Refused,
    /// No response before the deadline, or a transport error.
    Lost,
}

/// The counts of a run. Memory grows with the length of the run and the calls in flight, not with the number of
/// calls.
#[derive(Debug)]
pub(crate) struct Statistics {
    calls: HashMap<u64, ActiveCall>,
    seconds: Vec<Second>,
    by_attempts: [u64; Outcome::ATTEMPTS],
    served: u64,
    refused: u64,
    lost: u64,
    attempts: u64,
    refused_connections: u64,
    probes: u64,
    chances: u64,
    unsafe_resends: u64,
    logins: u64,
    early: u64,
    done_twice: u64,
    /// The same of all calls: one that is not served counts with its deadline.
    all_latencies: Histogram<u64>,
    /// Latencies in microseconds, from the intended start of the call. Counting from there avoids
    /// "coordinated omission" (Gil Tene): a delayed caller does not hide the delay.
    latencies: Histogram<u64>,
}

/// The state of a call in flight.
#[derive(Debug)]
struct ActiveCall {
    begin: Duration,
    attempts: u32,
    served: u32,
    is_post: bool,
    /// Whether a request may have been processed, as far as the caller knows.
    is_uncertain: bool,
    /// The time that the caller waits at most.
    deadline: Duration,
    /// The end of the last wait that the server asked for.
    not_before: Duration,
}

/// The largest latency that the histogram resolves, in microseconds: one day.
const LONGEST: u64 = 86_400_000_000;
/// The time that a call needs before its deadline for a failed attempt to count as a chance to retry: more than the first
/// wait of any policy.
const ROOM: Duration = Duration::from_secs(5);

impl Statistics {
    pub(crate) fn new() -> Self {
        let latencies = Histogram::new_with_max(LONGEST, 3).expect("three digits up to a day");
        Self {
            calls: HashMap::new(),
            seconds: Vec::new(),
            by_attempts: [0; Outcome::ATTEMPTS],
            served: 0,
            refused: 0,
            lost: 0,
            attempts: 0,
            refused_connections: 0,
            probes: 0,
            chances: 0,
            unsafe_resends: 0,
            logins: 0,
            early: 0,
            done_twice: 0,
            all_latencies: latencies.clone(),
            latencies,
        }
    }

    /// Records a call at its intended start.
    pub(crate) fn call_started(&mut self, call: u64, begin: Duration, is_post: bool, deadline: Duration) {
        self.second(begin).offered += 1;
        let not_before = Duration::ZERO;
        self.calls.insert(
            call,
            ActiveCall { begin, attempts: 0, served: 0, is_post, is_uncertain: false, deadline, not_before },
        );
    }

    /// Records a request that arrives at the server.
    pub(crate) fn request_arrived(&mut self, call: u64, at: Duration) {
        self.attempts += 1;
        self.second(at).load += 1;
        if let Some(call_state) = self.calls.get_mut(&call) {
            call_state.attempts += 1;
            self.early += u64::from(at < call_state.not_before);
            self.unsafe_resends += u64::from(call_state.is_post && call_state.is_uncertain);
        }
    }

    /// Records a connection that was refused: the request did not reach the server.
    pub(crate) const fn connection_refused(&mut self) {
        self.refused_connections += 1;
    }

    /// Records that a request was the probe of an outage.
    pub(crate) const fn probe_arrived(&mut self) {
        self.probes += 1;
    }

    /// Records an attempt that failed at `at` in a way that any rule repeats, if the call is safe to repeat and has time
    /// left.
    pub(crate) fn attempt_failed(&mut self, call: u64, at: Duration) {
        let is_chance = self.calls.get(&call).is_some_and(|it| !it.is_post && at + ROOM < it.begin + it.deadline);
        self.chances += u64::from(is_chance);
    }

    /// Records that a request of a call may have been processed, as far as its caller knows.
    pub(crate) fn may_be_processed(&mut self, call: u64) {
        if let Some(call_state) = self.calls.get_mut(&call) {
            call_state.is_uncertain = true;
        }
    }

    /// Records that the server did the work of a call.
    pub(crate) fn request_served(&mut self, call: u64) {
        if let Some(call_state) = self.calls.get_mut(&call) {
            call_state.served += 1;
            self.done_twice += u64::from(call_state.is_post && call_state.served == 2);
        }
    }

    /// Records the earliest time at which the server asked the caller to return.
    pub(crate) fn hint_sent(&mut self, call: u64, not_before: Duration) {
        if let Some(call_state) = self.calls.get_mut(&call) {
            call_state.not_before = call_state.not_before.max(not_before);
        }
    }

    /// Records a login.
    pub(crate) fn login_completed(&mut self) {
        self.logins += 1;
    }

    /// Records the end of a call.
    pub(crate) fn call_ended(&mut self, call: u64, at: Duration, end: CallResult) {
        let Some(call_state) = self.calls.remove(&call) else { return };
        self.by_attempts[(call_state.attempts as usize).min(Outcome::ATTEMPTS - 1)] += 1;
        let took = if end == CallResult::Served { at.saturating_sub(call_state.begin) } else { call_state.deadline };
        let micros = u64::try_from(took.as_micros()).unwrap_or(LONGEST);
        self.all_latencies.saturating_record(micros);
        match end {
            CallResult::Served => {
                self.served += 1;
                self.second(at).goodput += 1;
                self.second(call_state.begin).kept += 1;
                self.latencies.saturating_record(micros);
            }
            CallResult::Refused => self.refused += 1,
            CallResult::Lost => self.lost += 1,
        }
    }

    /// Computes the outcome after the last call has ended.
    pub(crate) fn into_outcome(self, scenario: &Scenario, policy: &str, seed: u64) -> Outcome {
        let calls = self.served + self.refused + self.lost;
        Outcome {
            scenario: scenario.name.clone(),
            policy: policy.to_owned(),
            seed,
            calls,
            served: self.served,
            refused: self.refused,
            lost: self.lost,
            unfinished: self.calls.len() as u64,
            attempts: self.attempts,
            attempts_per_call: self.attempts as f64 / (calls.max(1)) as f64,
            calls_by_attempts: self.by_attempts,
            refused_connections: self.refused_connections,
            probes: self.probes,
            chances: self.chances,
            unsafe_resends: self.unsafe_resends,
            logins: self.logins,
            early_retries: self.early,
            done_twice: self.done_twice,
            peak_second: self.seconds.iter().map(|second| second.load).max().unwrap_or_default(),
            latency_ms: quantiles(&self.latencies),
            p99_all_ms: quantiles(&self.all_latencies).p99,
            p99_all_range_ms: [0.988, 0.992].map(|at| self.all_latencies.value_at_quantile(at) as f64 / 1_000.0),
            recovery: recovery(scenario, &self.seconds),
            seconds: self.seconds,
        }
    }

    /// Returns the counts of the second that contains `at`.
    fn second(&mut self, at: Duration) -> &mut Second {
        let nth = usize::try_from(at.as_secs()).unwrap_or(usize::MAX);
        if self.seconds.len() <= nth {
            self.seconds.resize(nth + 1, Second::default());
        }
        &mut self.seconds[nth]
    }
}
