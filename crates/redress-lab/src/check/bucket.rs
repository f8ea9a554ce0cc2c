//! The number of retries that a full token bucket pays for.
//!
//! Source: the standard retry mode of the AWS SDKs (SDKs and Tools Reference Guide, "Retry behavior"), with the costs
//! of 2026. When everything fails, no success refills the bucket, so that the number of retries is the capacity
//! divided by the cost, rounded down.

use std::time::Duration;

use redress::{Budget, Jitter};

use super::backoff_only::{BackoffOnly, schedule};
use super::model::{outcome, scenario};
use super::{Check, Parameter, Trial, finding::Measurement};

pub(super) const AWS_BUCKET: Check = Check {
    id: "aws-bucket",
    about: "The AWS SDKs' standard mode: if everything fails, a full bucket of 500 tokens pays for 100 retries at 5 \
            tokens each (throttling) or 35 at 14 (other failures), and no more. Runs the shipped \
            BackoffLayer and Budget.",
    parameters: &[Parameter {
        name: "tokens",
        about: "capacity of the bucket in tokens",
        min: 0.0,
        max: 10_000.0,
        is_integer: true,
    }],
    cost: 0.1,
    values,
};

/// Runs throttling and other failures, with the shipped costs.
fn values(trial: &Trial<'_>) -> Vec<Measurement> {
    let tokens = trial.count_or("tokens", 500);
    [(429, Budget::THROTTLING_COST), (503, Budget::TRANSIENT_COST)]
        .map(|(status, cost)| at(status, cost, tokens, trial.seed))
        .to_vec()
}

/// Counts the retries of calls that all receive `status`. The run is long enough that the bucket is empty before its
/// end.
fn at(status: u16, cost: u32, tokens: u32, seed: u64) -> Measurement {
    let expected = u64::from(tokens / cost);
    let failing = scenario(&format!(
        "name = 'down'
         length = '{}s'
         clients = {{ rate = 20.0, deadline = '1h' }}
         server = {{ kind = 'fifo', rate = 1000.0 }}
         fault = [{{ kind = 'answer', from = '0s', for = '1day', answer = {{ status = {status} }} }}]",
        10 + expected / 4
    ));
    let mut policy =
        BackoffOnly::new("bucket", 2, schedule(Duration::from_millis(50), Duration::from_secs(1)), Jitter::Full);
    policy.layer = policy.layer.budget(Budget::with_capacity(tokens));
    let came = outcome(&failing, &policy, seed);
    let retries = came.attempts - came.calls;
    Measurement::new(
        format!("{status}, {tokens}/{cost}"),
        format!("exactly {expected} retries, then none"),
        format!("{retries} retries of {} calls", came.calls),
        retries == expected,
    )
}
