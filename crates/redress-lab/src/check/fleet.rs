//! Token buckets and circuit breakers that each client keeps for itself.
//!
//! Source: Marc Brooker, "Fixing retries with token buckets and circuit breakers", 28 February 2022. A client of a
//! fleet sees its own failures only. Its bucket starts full, so that the buckets of many clients add up to many
//! retries; its breaker opens by chance when a few of its calls fail in a row. The checks show both effects, and
//! which event has to refill the bucket.

use std::num::NonZeroU32;

use super::backoff_only::BackoffOnly;
use super::finding::{Measurement, percent};
use super::model::{brooker, outcome, success};
use super::{Check, Parameter, Trial};
use crate::Outcome;
use crate::policies::reference::{Deposit, Fleet, Reference, Rule};

/// The probability of a failure can be set with `--param f=..`.
const F: &[Parameter] =
    &[Parameter { name: "f", about: "probability that an attempt fails", min: 0.0, max: 1.0, is_integer: false }];

pub(super) const ADAPTIVE_CAP: Check = Check {
    id: "brooker-adaptive-cap",
    about: "Brooker (2022-02-28): 100 clients with a bucket of 5 tokens each, to which a call adds 0.1, make at most \
            115 % of the load in 10 s, and three retries make 142 to 188 %. The bucket is a reference policy; the three \
            retries are the shipped BackoffLayer.",
    parameters: F,
    cost: 2.0,
    values: adaptive_cap,
};

pub(super) const DEPOSIT: Check = Check {
    id: "brooker-deposit",
    about: "Brooker (2022-02-28): the event that makes a deposit determines the long-term load at f = .5: 1.1 for a \
            deposit per call (the article's code), 1.053 for a deposit per success (its text). Runs reference policies.",
    parameters: &[],
    cost: 1.5,
    values: deposit,
};

pub(super) const BREAKER_EARLY: Check = Check {
    id: "brooker-breaker-early",
    about: "Brooker (2022-02-28): at f = .05 a breaker with a threshold of .1 loses calls, in clients with more failures \
            by chance. Runs reference policies.",
    parameters: &[],
    cost: 1.0,
    values: breaker_early,
};

pub(super) const CLIENTS: Check = Check {
    id: "brooker-clients",
    about: "Brooker (2022-02-28): with the same calls spread over more clients, the load rises, because their full \
            buckets add up, and the success rate falls, because breakers open by chance. Runs reference policies.",
    parameters: &[],
    cost: 1.0,
    values: clients,
};

/// Three retries from the bucket of the article: 5 tokens, and 0.1 for each deposit.
fn bucket(on: Deposit) -> Reference {
    retrying("adaptive", Rule::Bucket { tokens: 5.0, deposit: 0.1, on })
}

/// Three retries under the breaker of the article: none above 10 % of failures.
fn breaker() -> Reference {
    retrying("breaker", Rule::Breaker { threshold: 0.1 })
}

/// A reference policy with four attempts, without waits.
fn retrying(name: &str, rule: Rule) -> Reference {
    Reference::new(name, NonZeroU32::MIN.saturating_add(3), rule)
}

/// Runs a policy in this number of clients, which make 1,000 calls per second together.
fn fleet(policy: Reference, clients: u32, f: f64, seconds: u32, seed: u64) -> Outcome {
    let clients = NonZeroU32::new(clients).expect("fleets have clients");
    outcome(&brooker(1_000, seconds, f), &Fleet::new(policy, clients), seed)
}

/// Compares the load of the bucket with 115 %, and that of three retries with `1 + f + f^2 + f^3`.
fn adaptive_cap(trial: &Trial<'_>) -> Vec<Measurement> {
    let at = |f: f64| {
        let adaptive = fleet(bucket(Deposit::Call), 100, f, 10, trial.seed).attempts_per_call;
        let three = outcome(&brooker(1_000, 100, f), &BackoffOnly::at_once("three", 3), trial.seed).attempts_per_call;
        let expected = 1.0 + f + f * f + f * f * f;
        [
            Measurement::new(format!("f {f}, bucket"), "load at most 115 %", percent(adaptive), adaptive <= 1.15),
            Measurement::new(
                format!("f {f}, three retries"),
                format!("load {} +-2 points", percent(expected)),
                percent(three),
                (three - expected).abs() <= 0.02,
            ),
        ]
    };
    trial.values_or("f", &[0.3, 0.5]).into_iter().flat_map(at).collect()
}

/// Measures the load in the long run, after the buckets that were full at the start are empty. With a deposit of 0.1
/// per call it is 1.1 by definition. With a deposit per success it is `1 + 0.1 s` with `s` successes per call, about
/// 0.53 at f = .5.
fn deposit(trial: &Trial<'_>) -> Vec<Measurement> {
    let load = |on| {
        let came = fleet(bucket(on), 10, 0.5, 200, trial.seed);
        // The initially full buckets pay for retries in the first seconds, which are left out.
        let (offered, load) =
            came.seconds[20..200].iter().fold((0, 0), |sum, second| (sum.0 + second.offered, sum.1 + second.load));
        load as f64 / offered as f64
    };
    let value = |what, on, expected: f64| {
        let load = load(on);
        Measurement::new(what, format!("{expected} +-.01"), format!("{load:.5}"), (load - expected).abs() <= 0.01)
    };
    vec![value("on each call (code)", Deposit::Call, 1.1), value("on each success (prose)", Deposit::Success, 1.053)]
}

/// Compares the successes of breakers with those of buckets, as the mean of ten short runs.
fn breaker_early(trial: &Trial<'_>) -> Vec<Measurement> {
    // Short runs, as in the article. A breaker with more history decides better.
    let mean = |policy: &Reference| {
        (0..10).map(|nth| success(&fleet(policy.clone(), 100, 0.05, 10, trial.part_seed(nth)))).sum::<f64>() / 10.0
    };
    let (breaker, adaptive) = (mean(&breaker()), mean(&bucket(Deposit::Call)));
    let expected = format!("below 99 %, and below the bucket's {:.2} %", adaptive * 100.0);
    let measured = format!("{:.2} %", breaker * 100.0);
    vec![Measurement::new("success of breakers", expected, measured, breaker < 0.99 && breaker < adaptive)]
}

/// Spreads the same calls over 10, 100 and 1,000 clients.
fn clients(trial: &Trial<'_>) -> Vec<Measurement> {
    let fleets = [10, 100, 1_000];
    let loads = fleets.map(|clients| fleet(bucket(Deposit::Call), clients, 0.5, 10, trial.seed).attempts_per_call);
    let shares = fleets.map(|clients| success(&fleet(breaker(), clients, 0.05, 10, trial.seed)));
    let row = |values: [f64; 3]| values.map(percent).join(", ");
    vec![
        Measurement::new(
            "load of buckets, f .5",
            "rises with 10, 100, 1000 clients",
            row(loads),
            loads.is_sorted_by(|a, b| a < b),
        ),
        Measurement::new(
            "success of breakers, f .05",
            "falls with 10, 100, 1000 clients",
            row(shares),
            shares.is_sorted_by(|a, b| a > b),
        ),
    ]
}
