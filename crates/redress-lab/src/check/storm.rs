//! A retry storm, and what backoff and a budget do about it.
//!
//! Source: Denis Isaev, "Good Retry, Bad Retry: An Incident Story" (Yandex, 2024), and the simulator of its charts,
//! jirfag/simulations: the runs `exponential_backoff_just_delays_problem_open_loop` and `retry_cb_or_budget_vs_exp_backoff`.
//! The calls arrive however the server does, so that backoff moves the retries to a later time and saves none.

use std::num::NonZeroU32;
use std::ops::Range;
use std::time::Duration;

use redress::Jitter;

use super::backoff_only::{BackoffOnly, schedule};
use super::finding::Measurement;
use super::model::{outcome, scenario, served};
use super::{Check, Trial};
use crate::Policy;
use crate::policies::reference::{Deposit, Reference, Rule};

pub(super) const STORM: Check = Check {
    id: "isaev-storm",
    about: "Isaev, \"Good Retry, Bad Retry: An Incident Story\" (Yandex, 2024), and the simulator of its charts: while a server \
            fails each request, three retries make 400 % of the usual load. Exponential backoff with full jitter makes the \
            same, after its waits; a budget of 10 % of the successes, 30 retries at most, ends it. As published: a timeout of \
            100 ms, waits of up to 100, 200 and 400 ms, an outage of a second; the lab runs ten times as slow. Tolerance 5 %. \
            Runs the shipped BackoffLayer, and a reference policy for the budget.",
    parameters: &[],
    cost: 1.0,
    values,
};

/// The outage: from 5 s to 15 s.
const OUTAGE: Range<usize> = 5..15;
/// The seconds in which the longest waits, 7 s together, are over.
const STEADY: Range<usize> = 12..15;

/// Returns the requests for each call in the steady part of the outage.
fn load(policy: &dyn Policy, seed: u64) -> f64 {
    let down = scenario(&format!(
        "name = 'storm'
         length = '20s'
         clients = {{ rate = 1000.0, arrivals = 'steady', attempt_timeout = '1s', deadline = '1h' }}
         server = {{ kind = 'fifo', rate = 4000.0, workers = 413 }}
         fault = [{{ kind = 'answer', from = '{}s', for = '{}s' }}]",
        OUTAGE.start,
        OUTAGE.len()
    ));
    let steady = &outcome(&down, policy, seed).seconds[STEADY];
    let (calls, _) = served(steady);
    steady.iter().map(|second| second.load).sum::<u64>() as f64 / calls
}

/// Measures the load of three retries at once, after backoff, and with a budget.
fn values(trial: &Trial<'_>) -> Vec<Measurement> {
    let backoff = schedule(Duration::from_secs(1), Duration::from_secs(10));
    let budget = Rule::Bucket { tokens: 30.0, deposit: 0.1, on: Deposit::Success };
    let at_once = load(&BackoffOnly::at_once("at once", 3), trial.seed);
    let delayed = load(&BackoffOnly::new("backoff", 3, backoff, Jitter::Full), trial.seed);
    let paid = load(&Reference::new("budget", NonZeroU32::MIN.saturating_add(2), budget), trial.seed);
    vec![
        Measurement::near("at once, requests per call", 4.0, 0.05, at_once),
        Measurement::near("after backoff", 4.0, 0.05, delayed),
        Measurement::near("with a budget", 1.0, 0.05, paid),
    ]
}
