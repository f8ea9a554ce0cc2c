//! Retries against independent failures: success and load in closed form.
//!
//! With independent failures everything is known: attempt `k + 1` is made with probability `f^k`. So this check tests
//! the lab as much as the layer. A wrong count of attempts, a retry too many or a biased random number shows here
//! first.

use super::backoff_only::BackoffOnly;
use super::finding::{Measurement, number};
use super::model::{brooker, outcome, success};
use super::{Check, Parameter, Trial};

pub(super) const CLOSED_FORM: Check = Check {
    id: "brooker-closed-form",
    about: "Brooker, \"Fixing retries with token buckets and circuit breakers\" (2022-02-28): N retries of attempts that \
            fail with probability f. Success is 1 - f^(N+1), since N retries are N+1 attempts; the article says x^N, \
            which is wrong. Runs the shipped BackoffLayer with N+1 attempts, no waits and no budget.",
    parameters: &[
        Parameter { name: "f", about: "probability that an attempt fails", min: 0.0, max: 1.0, is_integer: false },
        Parameter { name: "retries", about: "retries per call", min: 0.0, max: 10.0, is_integer: true },
    ],
    cost: 4.0,
    values,
};

/// Compares success and load at each probability of a failure.
fn values(trial: &Trial<'_>) -> Vec<Measurement> {
    let retries = trial.count_or("retries", 3);
    trial.values_or("f", &[0.1, 0.3, 0.5]).into_iter().flat_map(|f| at(f, retries, trial.seed)).collect()
}

/// Runs 300,000 calls; 1 point is more than ten standard deviations of the measured share.
fn at(f: f64, retries: u32, seed: u64) -> [Measurement; 2] {
    let came = outcome(&brooker(3_000, 100, f), &BackoffOnly::at_once("retries", retries), seed);
    let attempts = retries.cast_signed() + 1;
    let (succeeds, load) = (1.0 - f.powi(attempts), (0..attempts).map(|k| f.powi(k)).sum::<f64>());
    let value = |what, form: &str, expected: f64, measured: f64| {
        // The deviation of the load grows with the load.
        let within = if expected <= 2.0 { 0.01 } else { 0.01 * expected };
        let pass = (measured - expected).abs() <= within;
        let expected = format!("{:.2} % +-{} point ({form})", expected * 100.0, number(within * 100.0));
        Measurement::new(
            format!("f {f}, {retries} retries, {what}"),
            expected,
            format!("{:.2} %", measured * 100.0),
            pass,
        )
    };
    [
        value("success", "1 - f^(N+1), not the article's 1 - f^N", succeeds, success(&came)),
        value("load", "sum of f^k, k <= N", load, came.attempts_per_call),
    ]
}
