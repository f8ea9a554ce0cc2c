//! A thundering herd: many clients with the same `Retry-After`.
//!
//! All clients meet the same 429 in the first second, as after a deployment that closes a gateway. Without jitter
//! they come back in the same instant, however long the hint is.

use std::num::NonZeroU32;
use std::time::Duration;

use redress::Jitter;

use super::backoff_only::{BackoffOnly, schedule};
use super::finding::{Measurement, number};
use super::model::{outcome, scenario};
use super::{Check, Parameter, Trial};
use crate::Policy;
use crate::policies::reference::Fleet;
use crate::policies::{RedressStack, StackSettings};

pub(super) const HERD: Check = Check {
    id: "herd",
    about: "M clients receive `Retry-After: 30` (RFC 9110 section 10.2.3). No request is early. With jitter (from d to 1.5 d \
            for a hint of d) the busiest second has about M/15 requests, and without jitter all M. Runs the shipped \
            BackoffLayer, and the full stack in one client per call.",
    parameters: &[Parameter { name: "m", about: "number of clients", min: 1_500.0, max: 50_000.0, is_integer: true }],
    cost: 1.5,
    values,
};

/// Compares the busiest second after the hint: with jitter, without it, and with the whole stack in each client.
fn values(trial: &Trial<'_>) -> Vec<Measurement> {
    let clients = trial.count_or("m", 15_000);
    let waits = schedule(Duration::from_millis(50), Duration::from_secs(20));
    let backoff = |jitter| BackoffOnly::new("backoff", 2, waits, jitter);
    let stack = RedressStack::from_settings(StackSettings { name: "stack".to_owned(), ..StackSettings::default() });
    let own = NonZeroU32::new(clients).expect("there are clients");
    let spread = f64::from(clients) / 15.0;
    // The maximum of fifteen seconds exceeds the mean by less than four standard deviations.
    let most = spread + 4.0 * spread.sqrt();
    let about = |name, policy: &dyn Policy| at(name, policy, clients, spread * 0.9..=most, trial.seed);
    let all = f64::from(clients);
    vec![
        about("jitter", &backoff(Jitter::Full)),
        at("no jitter", &backoff(Jitter::None), clients, all..=all, trial.seed),
        about("full stack", &Fleet::new(stack, own)),
    ]
}

/// Sends the herd, and counts the requests of each second. A request in the first 30 s after the 429, but for the
/// first second, is early.
fn at(name: &str, policy: &dyn Policy, clients: u32, peak: std::ops::RangeInclusive<f64>, seed: u64) -> Measurement {
    let herd = scenario(&format!(
        "name = 'herd'
         length = '60s'
         clients = {{ burst = [{{ at = '0s', calls = {clients} }}], deadline = '10m' }}
         server = {{ kind = 'concurrency', base = '1ms', per_request = '0s' }}
         fault = [{{ kind = 'answer', from = '0s', for = '1s', answer = {{ status = 429, retry_after = '30s' }} }}]"
    ));
    let came = outcome(&herd, policy, seed);
    let busiest = came.seconds.iter().skip(1).map(|second| second.load).max().unwrap_or_default();
    let early = came.seconds.iter().take(30).skip(1).map(|second| second.load).sum::<u64>() + came.early_retries;
    let is_all_back = came.served == u64::from(clients);
    Measurement::new(
        format!("{name}, M {clients}"),
        format!("peak second {} to {}, 0 early", number(*peak.start()), number(*peak.end())),
        format!("peak second {busiest}, {early} early"),
        peak.contains(&(busiest as f64)) && early == 0 && is_all_back,
    )
}
