//! Client-side throttling, and the outage that it prolongs.
//!
//! Clients that throttle send `k` times the calls that the server accepted of late. In an overload that saves the
//! refusals. After a total outage of more than two minutes nothing was accepted of late, and the server that is well
//! again receives next to no calls. The first is published; the second follows from the rule, and was computed for
//! this project.

use super::finding::{Measurement, number, percent};
use super::model::{outcome, scenario, served};
use super::{Check, Trial};
use crate::policies::NoRetry;
use crate::policies::reference::Throttle;
use crate::{Outcome, Policy};

pub(super) const THROTTLING: Check = Check {
    id: "sre-throttling",
    about: "Site Reliability Engineering, chapter 21, \"Client-Side Throttling\": a client rejects calls with the probability \
            (requests - k accepts) / (requests + 1) of the last two minutes. In an overload the server refuses one request \
            for each one that it accepts with k = 2, and one for ten with k = 1.1. Here 1,000 calls/s meet a limit of 100/s; \
            tolerance 15 %. Its failure, computed for this project from the rule: after three minutes of refused \
            connections at 100 calls/s it keeps over 90 % of the calls of the next five minutes from a healthy server, and \
            after one minute less than 3 %. Runs reference policies.",
    parameters: &[],
    cost: 4.0,
    values,
};

/// The time in seconds after which the counts of two minutes are those of the overload.
const STEADY: usize = 300;
/// The start of the outage in seconds.
const OUTAGE: usize = 180;

fn throttle(k: f64) -> Throttle {
    Throttle { name: "throttle".to_owned(), k }
}

/// Returns the requests that the server refuses for each one that it accepts.
fn refused_per_accepted(k: f64, seed: u64) -> f64 {
    let overload = scenario(
        "name = 'overload'
         length = '10m'
         clients = { rate = 1000.0, deadline = '1h' }
         server = { kind = 'fifo', rate = 100000.0 }
         limit = { requests = 100, per = '1s', hint = false }",
    );
    let steady = &outcome(&overload, &throttle(k), seed).seconds[STEADY..600];
    let load: u64 = steady.iter().map(|second| second.load).sum();
    let (_, accepted) = served(steady);
    (load as f64 - accepted) / accepted
}

/// Refuses all connections for this number of minutes, and returns the served share of the five minutes afterwards.
fn served_after(minutes: usize, policy: &dyn Policy, seed: u64) -> f64 {
    let down = scenario(&format!(
        "name = 'down'
         length = '{}s'
         clients = {{ rate = 100.0, deadline = '1h' }}
         server = {{ kind = 'fifo', rate = 100000.0 }}
         fault = [{{ kind = 'refuse', from = '{OUTAGE}s', for = '{minutes}m' }}]",
        OUTAGE + minutes * 60 + 300
    ));
    let Outcome { seconds, .. } = outcome(&down, policy, seed);
    let end = OUTAGE + minutes * 60;
    let (offered, served) = served(&seconds[end..end + 300]);
    served / offered
}

/// Measures the refusals of an overload, and the calls that are served after an outage.
fn values(trial: &Trial<'_>) -> Vec<Measurement> {
    let mut values: Vec<_> = [(2.0, 1.0), (1.1, 0.1)]
        .into_iter()
        .enumerate()
        .map(|(nth, (k, expected))| {
            let refused = refused_per_accepted(k, trial.part_seed(nth as u64));
            Measurement::near(format!("k = {}, refused per accepted", number(k)), expected, 0.15, refused)
        })
        .collect();
    let after = |minutes, policy: &dyn Policy, part| served_after(minutes, policy, trial.part_seed(part));
    let (alone, short, long) = (after(3, &NoRetry, 2), after(1, &throttle(2.0), 3), after(3, &throttle(2.0), 4));
    values.extend([
        Measurement::new("3 min refused, no throttling", "100 % served afterwards", percent(alone), alone > 0.999),
        Measurement::new("1 min refused, k = 2", "over 97 %", percent(short), short > 0.97),
        Measurement::new("3 min refused, k = 2", "under 10 %", percent(long), long < 0.1),
    ]);
    values
}
