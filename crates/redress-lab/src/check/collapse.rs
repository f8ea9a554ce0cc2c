//! Congestion collapse: service times grow with the load, and clients time out and retry.
//!
//! Arrivals are steady. The spike is barely large enough for a collapse, and Poisson arrivals would
//! sometimes miss it.
//!
//! The model is Marc Brooker's "simple collapse": a request takes longer the more of them are in flight, so that the
//! goodput falls as the load rises. Retries after timeouts then hold the server in the collapsed state, although the
//! offered load is back to normal.

use std::time::Duration;

use redress::Jitter;

use super::backoff_only::{BackoffOnly, schedule};
use super::finding::{Measurement, percent};
use super::model::{outcome, scenario, served};
use super::{Check, Trial};
use crate::outcome::Second;

pub(super) const SPIKE: Check = Check {
    id: "collapse-spike",
    about: "Brooker's simple collapse: 40 calls a second, 80 for five seconds; a server with a service time of 1 s \
            plus 10 ms per request in flight; clients with a timeout of 3 s and two retries. Without backoff the server never \
            recovers; with backoff and jitter it recovers immediately. Runs the shipped BackoffLayer.",
    parameters: &[],
    cost: 0.3,
    values: spike,
};

pub(super) const RAMP: Check = Check {
    id: "collapse-ramp",
    about: "The same with 80 - 1.6 |t - 25| calls a second: backoff does not help against permanent overload. Runs the shipped \
            BackoffLayer.",
    parameters: &[],
    cost: 0.3,
    values: ramp,
};

/// 40 calls per second, and 80 of them between 20 s and 25 s.
const SPIKED: &str = "rate = 40.0, wave = [{ from = '20s', for = '5s', rate = 80.0 }]";
/// A rate that rises to 80 calls per second at 25 s, and falls to zero at 75 s.
const RAMPED: &str = "wave = [{ from = '0s', for = '25s', rate = 40.0, to = 80.0 }, \
                      { from = '25s', for = '50s', rate = 80.0, to = 0.0 }]";

/// Returns the time series of the run without backoff and of the run with backoff.
fn runs(clients: &str, seed: u64) -> [Vec<Second>; 2] {
    let text = format!(
        "name = 'collapse'
         length = '80s'
         clients = {{ {clients}, arrivals = 'steady', hop = '100ms', hops = 'exponential', attempt_timeout = '3s', deadline = '1h' }}
         server = {{ kind = 'concurrency', base = '1s', per_request = '10ms' }}"
    );
    let backoff = schedule(Duration::from_secs(20), Duration::from_secs(40));
    let policies = [BackoffOnly::at_once("at once", 2), BackoffOnly::new("backoff", 2, backoff, Jitter::Full)];
    policies.map(|policy| outcome(&scenario(&text), &policy, seed).seconds)
}

/// Returns the served share of the offered calls, and its description.
fn share(seconds: &[Second]) -> (f64, String) {
    let (offered, served) = served(seconds);
    let share = served / offered;
    let load: u64 = seconds.iter().map(|second| second.load).sum();
    (share, format!("{}: {served} answers, {offered} calls, {load} requests", percent(share)))
}

/// Compares the goodput after the spike. The queue of the spike is gone by 35 s if no retries keep it up.
fn spike(trial: &Trial<'_>) -> Vec<Measurement> {
    let [at_once, backoff] = runs(SPIKED, trial.seed);
    let (collapsed, recovered) = (share(&at_once[40..80]), share(&backoff[35..80]));
    vec![
        Measurement::new("at once, goodput in 40..80 s", "below 25 % of the calls", collapsed.1, collapsed.0 < 0.25),
        Measurement::new("backoff, goodput from 35 s on", "at least 95 %", recovered.1, recovered.0 >= 0.95),
    ]
}

/// Compares the goodput in the middle of the ramp, where more comes than the server can serve.
fn ramp(trial: &Trial<'_>) -> Vec<Measurement> {
    let [at_once, backoff] = runs(RAMPED, trial.seed);
    let value = |what, seconds: &[Second]| {
        let (share, words) = share(&seconds[30..60]);
        Measurement::new(format!("{what}, goodput in 30..60 s"), "about 0: below 5 %", words, share < 0.05)
    };
    vec![value("at once", &at_once), value("backoff", &backoff)]
}
