//! Scenarios shared by several checks.

use crate::outcome::Second;
use crate::policy::Policy;
use crate::run::{Run, run};
use crate::{Outcome, Scenario};

/// Parses a scenario that is part of a check.
pub(super) fn scenario(text: &str) -> Scenario {
    text.parse().unwrap_or_else(|error| panic!("the check's own scenario: {error}\n{text}"))
}

/// Runs a policy in a scenario.
pub(super) fn outcome(scenario: &Scenario, policy: &dyn Policy, seed: u64) -> Outcome {
    run(Run { scenario, policy, seed }, |_| {})
}

/// Returns Brooker's model: attempts fail independently with probability `f`, and each network hop
/// takes 10 ms on average.
pub(super) fn brooker(rate: u32, seconds: u32, f: f64) -> Scenario {
    scenario(&format!(
        "name = 'coin'
         length = '{seconds}s'
         clients = {{ rate = {rate}.0, hop = '10ms', hops = 'exponential', deadline = '1h' }}
         server = {{ kind = 'concurrency', base = '1us', per_request = '0s' }}
         fault = [{{ kind = 'answer', from = '0s', for = '1day', share = {f:?} }}]"
    ))
}

/// Returns the served share of the calls.
pub(super) fn success(outcome: &Outcome) -> f64 {
    outcome.served as f64 / outcome.calls as f64
}

/// Returns the numbers of calls offered and served in these seconds.
pub(super) fn served(seconds: &[Second]) -> (f64, f64) {
    let sum = |count: fn(&Second) -> u64| seconds.iter().map(count).sum::<u64>() as f64;
    (sum(|second| second.offered), sum(|second| second.goodput))
}
