//! Layers of services that all retry.

use std::num::NonZeroU32;

use super::finding::{Value, number};
use super::shipped::Shipped;
use super::world::{brooker, outcome, scenario};
use super::{Check, Key, Trial};
use crate::policies::NoRetry;
use crate::policies::reference::{Reference, Rule};
use crate::policy::Policy;

const KEYS: &[Key] = &[
    Key { name: "retries", about: "how often each layer tries again", least: 0.0, most: 4.0, whole: true },
    Key { name: "layers", about: "how many layers there are", least: 1.0, most: 5.0, whole: true },
];

pub(super) const SRE_64: Check = Check {
    id: "sre-64",
    about: "Site Reliability Engineering, chapter 22: three layers of four attempts each send 64 requests for one call, \
            and one layer that retries sends 4. Runs a reference policy that retries whatever retried below, and the \
            shipped BackoffLayer, which stands down where a layer below has retried.",
    keys: KEYS,
    cost: 0.1,
    values: |trial| layers(trial, 3, 3),
};

pub(super) const ABL_243: Check = Check {
    id: "abl-243",
    about: "Amazon Builders' Library, \"Timeouts, retries, and backoff with jitter\": five layers of three attempts each \
            send 243 requests for one call, and one layer that retries sends 3. Runs what sre-64 runs.",
    keys: KEYS,
    cost: 0.1,
    values: |trial| layers(trial, 2, 5),
};

pub(super) const SRE_BUDGET: Check = Check {
    id: "sre-budget",
    about: "Site Reliability Engineering, chapter 21: of nearly all requests rejected, three attempts make just under three \
            times the load; a budget of 10 % of the requests keeps it at 1.1 times. Runs the shipped BackoffLayer \
            without a budget and with its own, and the share of requests as a reference policy.",
    keys: &[Key { name: "ratio", about: "the share of the requests", least: 0.01, most: 1.0, whole: false }],
    cost: 0.5,
    values: budget,
};

fn layers(trial: &Trial<'_>, retries: u32, layers: u32) -> Vec<Value> {
    let (retries, layers) = (trial.count("retries", retries), trial.count("layers", layers));
    let attempts = NonZeroU32::MIN.saturating_add(retries);
    let naive = Reference::new("retries in each layer", attempts, Rule::Always);
    let all = f64::from(attempts.get()).powi(layers.cast_signed());
    let (one, exponent) = (f64::from(attempts.get()), format!("{attempts}^{layers}"));
    vec![
        exactly(&format!("{layers} layers, reference"), &exponent, all, requests(&naive, layers, trial.seed)),
        exactly("one layer, reference", "", one, requests(&naive, 1, trial.seed)),
        exactly(
            &format!("{layers} layers of redress, each stands down"),
            "",
            one,
            requests(&Shipped::at_once("redress in each layer", retries), layers, trial.seed),
        ),
    ]
}

fn exactly(what: &str, form: &str, expected: f64, measured: f64) -> Value {
    let mut text = format!("{} requests a call", number(expected));
    if !form.is_empty() {
        text = format!("{form} = {text}");
    }
    Value::new(what, text, number(measured), (measured - expected).abs() < 1e-9)
}

/// Returns how many requests each call makes when all of them fail.
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

fn budget(trial: &Trial<'_>) -> Vec<Value> {
    let ratio = trial.or("ratio", 0.1);
    let (rejecting, seed) = (brooker(500, 100, 0.98), trial.seed);
    let load = |policy: &dyn Policy| outcome(&rejecting, policy, seed).attempts_per_call;
    let mut values = vec![];
    if trial.points.is_empty() {
        let without = load(&Shipped::at_once("without", 2));
        values.push(Value::new(
            "none",
            "just under 3: 2.9 to 3 requests a call",
            format!("{without:.4}"),
            (2.9..3.0).contains(&without),
        ));
        let (alone, ours) = (load(&NoRetry), load(&crate::policies::Ours::new()));
        values.push(Value::new(
            "redress's own budget",
            "at most 1.1",
            format!("{ours:.4}"),
            alone <= ours && ours <= 1.1,
        ));
    }
    let share = Reference::new("share", NonZeroU32::MIN.saturating_add(2), Rule::Requests { share: ratio });
    let with = load(&share);
    let most = 1.0 + ratio;
    let what = format!("{} % of the requests", number(ratio * 100.0));
    // Of a call that fails twice the third attempt asks, too: what is allowed is used.
    let (expected, pass) = (format!("{:.3} to {most:.3}", most - 0.01), (most - 0.01..=most + 1e-9).contains(&with));
    values.push(Value::new(what, expected, format!("{with:.4}"), pass));
    values
}
