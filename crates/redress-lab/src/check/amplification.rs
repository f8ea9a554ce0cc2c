//! Retry amplification by several layers.
//!
//! When each of `n` layers makes `a` attempts, a call that fails at the bottom costs `a^n` requests there. Both
//! sources recommend that one layer retries. The shipped layer does so without coordination: it does not retry a
//! result that holds the record of a lower layer.

use std::num::NonZeroU32;

use super::backoff_only::BackoffOnly;
use super::finding::{Measurement, number};
use super::model::{brooker, outcome, scenario};
use super::{Check, Parameter, Trial};
use crate::policies::reference::{Reference, Rule};
use crate::policy::Policy;

/// Both numbers can be set, such as `--param layers=4`.
const KEYS: &[Parameter] = &[
    Parameter { name: "retries", about: "retries per layer", min: 0.0, max: 4.0, is_integer: true },
    Parameter { name: "layers", about: "number of layers", min: 1.0, max: 5.0, is_integer: true },
];

pub(super) const SRE_64: Check = Check {
    id: "sre-64",
    about: "Site Reliability Engineering, chapter 22: three layers of four attempts each send 64 requests for one call, \
            and one layer that retries sends 4. Runs a reference policy that ignores retries of lower layers, and the \
            shipped BackoffLayer, which does not retry a result that a lower layer has retried.",
    parameters: KEYS,
    cost: 0.1,
    values: |trial| layers(trial, 3, 3),
};

pub(super) const ABL_243: Check = Check {
    id: "abl-243",
    about: "Amazon Builders' Library, \"Timeouts, retries, and backoff with jitter\": five layers of three attempts each \
            send 243 requests for one call, and one layer that retries sends 3. Runs the policies of sre-64.",
    parameters: KEYS,
    cost: 0.1,
    values: |trial| layers(trial, 2, 5),
};

pub(super) const SRE_BUDGET: Check = Check {
    id: "sre-budget",
    about: "Site Reliability Engineering, chapter 21: if nearly all requests are rejected, three attempts make just under three \
            times the load; a budget of 10 % of the requests limits it to 1.1 times. Runs the shipped BackoffLayer \
            without a budget and with its own, and the share of requests as a reference policy.",
    parameters: &[Parameter {
        name: "ratio",
        about: "the share of the requests",
        min: 0.01,
        max: 1.0,
        is_integer: false,
    }],
    cost: 0.5,
    values: budget,
};

/// Compares the requests of a call that fails at the lowest layer with `attempts^layers`, for the reference policy
/// and for redress.
fn layers(trial: &Trial<'_>, retries: u32, layers: u32) -> Vec<Measurement> {
    let (retries, layers) = (trial.count_or("retries", retries), trial.count_or("layers", layers));
    let attempts = NonZeroU32::MIN.saturating_add(retries);
    let naive = Reference::new("retries in each layer", attempts, Rule::Always);
    let all = f64::from(attempts.get()).powi(layers.cast_signed());
    let (one, exponent) = (f64::from(attempts.get()), format!("{attempts}^{layers}"));
    vec![
        exactly(&format!("{layers} layers, reference"), &exponent, all, requests(&naive, layers, trial.seed)),
        exactly("one layer, reference", "", one, requests(&naive, 1, trial.seed)),
        exactly(
            &format!("{layers} layers of redress, only the lowest retries"),
            "",
            one,
            requests(&BackoffOnly::at_once("redress in each layer", retries), layers, trial.seed),
        ),
    ]
}

/// Compares a count that has no spread: nothing in it is random.
fn exactly(name: &str, form: &str, expected: f64, measured: f64) -> Measurement {
    let mut text = format!("{} requests a call", number(expected));
    if !form.is_empty() {
        text = format!("{form} = {text}");
    }
    Measurement::new(name, text, number(measured), (measured - expected).abs() < 1e-9)
}

/// Returns the number of requests per call when all of them fail.
fn requests(policy: &dyn Policy, layers: u32, seed: u64) -> f64 {
    let failing = scenario(&format!(
        "name = 'down'
         length = '10s'
         clients = {{ burst = [{{ at = '1s', calls = 20 }}], layers = {layers}, deadline = '1h' }}
         server = {{ kind = 'fifo', rate = 1000.0 }}
         fault = [{{ kind = 'answer', from = '0s', for = '1day' }}]"
    ));
    outcome(&failing, policy, seed).attempts_per_call
}

/// Lets 98 % of the requests fail, and compares the requests per call without a budget and with one.
fn budget(trial: &Trial<'_>) -> Vec<Measurement> {
    let ratio = trial.value_or("ratio", 0.1);
    let (rejecting, seed) = (brooker(500, 100, 0.98), trial.seed);
    let load = |policy: &dyn Policy| outcome(&rejecting, policy, seed).attempts_per_call;
    let mut values = vec![];
    if trial.overrides.is_empty() {
        let without = load(&BackoffOnly::at_once("without", 2));
        values.push(Measurement::new(
            "none",
            "just under 3: 2.9 to 3 requests a call",
            format!("{without:.4}"),
            (2.9..3.0).contains(&without),
        ));
        // Below 1, since calls wait for the end of the outage and some are never sent.
        let ours = load(&crate::policies::RedressStack::new());
        values.push(Measurement::new(
            "redress, with its own budget",
            "at most 1.1",
            format!("{ours:.4}"),
            ours > 0.0 && ours <= 1.1,
        ));
    }
    let share = Reference::new("share", NonZeroU32::MIN.saturating_add(2), Rule::Requests { share: ratio });
    let with = load(&share);
    let most = 1.0 + ratio;
    let name = format!("{} % of the requests", number(ratio * 100.0));
    // The third attempt of a call that failed twice also asks for permission, so the share is used up
    // completely.
    let (expected, pass) = (format!("{:.3} to {most:.3}", most - 0.01), (most - 0.01..=most + 1e-9).contains(&with));
    values.push(Measurement::new(name, expected, format!("{with:.4}"), pass));
    values
}
