//! Retry budgets, and whether the server recovers under them.
//!
//! In the model of the paper a budget decides between two stable states. A budget that the offered load refills pays
//! for the retries that keep the server overloaded. A budget that successes refill is empty while the server is down,
//! and the load falls back to that of first attempts.

use std::num::NonZeroU32;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use redress::{BoxError, Budget};
use tower::ServiceExt as _;

use super::{BackoffOnly, Check, LATE, Measurement, Trial, back, format_recovery, goodput, number, run};
use crate::policies::NoRetry;
use crate::policies::reference::{Deposit, Reference, Rule};
use crate::policy::{BoxClient, Inner, Policy, PolicyContext};
use crate::transport::LabBody;

pub(in crate::check) const BUDGETS: Check = Check {
    id: "hotos-budgets",
    about: "The same at 280/s, 93 % of the capacity, under thirteen budgets: with those that grow by requests or by time the \
            server stays down; with those that only successes refill it recovers. Computed for this project from the paper's \
            model. No budget and the AWS SDKs' bucket run the shipped BackoffLayer and Budget, where a retry costs 14 tokens \
            after a timeout, and 5 if the timeout is reported as a 429; the others are reference policies.",
    parameters: &[],
    cost: 7.0,
    values,
};

/// The expected behaviour of a policy.
#[derive(Clone, Copy, Debug)]
enum Expected {
    /// Full goodput at the end, and recovery within these seconds.
    Back(usize, usize),
    /// Partial goodput at the end, and recovery within these seconds.
    Slowly(usize, usize),
    /// No goodput at the end, and recovery within these seconds.
    Late(usize, usize),
    /// No goodput at the end, and no recovery.
    Never,
}

/// A policy that sees timeouts as 429 responses.
struct Throttled(BackoffOnly);

impl Policy for Throttled {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn about(&self) -> String {
        format!("{}, over timeouts as 429", self.0.about())
    }

    fn client(&self, context: &PolicyContext) -> BoxClient {
        let below = context.transport().map_result(|result: Result<_, BoxError>| {
            result.or_else(|_| {
                let body: LabBody = Full::new(Bytes::new()).map_err(|never| match never {}).boxed_unsync();
                let mut response = Response::new(body);
                *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
                Ok::<_, BoxError>(response)
            })
        });
        self.0.client(&PolicyContext { inner: Inner::Service(BoxClient::new(below)), ..context.clone() })
    }
}

/// Returns the policies with their expected behaviour.
///
/// Published recovery times may deviate by 10 %; a published range is widened to that.
fn policies() -> Vec<(&'static str, Expected, Box<dyn Policy>)> {
    let rule = |name, expected, rule| {
        let policy: Box<dyn Policy> = Box::new(Reference::new(name, NonZeroU32::MIN.saturating_add(1), rule));
        (name, expected, policy)
    };
    let aws = |name| {
        let mut policy = BackoffOnly::at_once(name, 1);
        policy.layer = policy.layer.budget(Budget::new());
        policy
    };
    let bucket = Rule::Bucket { tokens: 100.0, deposit: 0.1, on: Deposit::Success };
    let successes = |floor| Rule::Successes { share: 0.2, floor };
    vec![
        ("no retry", Expected::Back(163, 199), Box::new(NoRetry)),
        ("no budget", Expected::Never, Box::new(BackoffOnly::at_once("no budget", 1))),
        rule("5 % of requests", Expected::Late(421, 515), Rule::Requests { share: 0.05 }),
        rule("10 % of requests", Expected::Never, Rule::Requests { share: 0.1 }),
        rule("20 % of requests", Expected::Never, Rule::Requests { share: 0.2 }),
        rule("20 % of concurrency, at least 3", Expected::Never, Rule::Concurrency { share: 0.2, least: 3 }),
        rule("20 % of successes", Expected::Back(185, 261), successes(0.0)),
        rule("20 % of successes + 10/s", Expected::Slowly(328, 547), successes(10.0)),
        rule("20 % of successes + 25/s", Expected::Never, successes(25.0)),
        rule("10 % of successes, cap 100", Expected::Back(167, 205), bucket),
        ("AWS 500/5", Expected::Back(167, 205), Box::new(Throttled(aws("AWS 500/5")))),
        ("AWS 500/14", Expected::Back(166, 202), Box::new(aws("AWS 500/14"))),
        rule("gRPC 10/0.1", Expected::Back(163, 199), Rule::Grpc { tokens: 10.0, ratio: 0.1 }),
    ]
}

/// Runs each policy near the capacity, and all of them at low load.
fn values(trial: &Trial<'_>) -> Vec<Measurement> {
    let mut values: Vec<_> = policies()
        .iter()
        .map(|(name, expected, policy)| at_high_load(name, *expected, policy.as_ref(), trial.seed))
        .collect();
    values.push(at_low_load(trial.seed));
    values
}

/// Runs a policy at 280 calls per second: until the end of the measurement, or for 10 s longer than the latest
/// recovery that is expected.
fn at_high_load(name: &str, expected: Expected, policy: &dyn Policy, seed: u64) -> Measurement {
    let length = match expected {
        Expected::Back(..) | Expected::Never => LATE.end,
        Expected::Slowly(_, latest) | Expected::Late(_, latest) => latest + 10,
    };
    let came = run(280, length, policy, seed);
    let (goodput, is_back) = (goodput(&came.seconds), back(&came.seconds));
    let measured = format!(
        "goodput {}/s, {}, {} retries",
        number(goodput),
        format_recovery(is_back, length),
        came.attempts - came.calls
    );
    Measurement::new(name, expected.to_string(), measured, expected.is(goodput, is_back))
}

/// At 140 calls per second every policy recovers, except retries without a budget.
fn at_low_load(seed: u64) -> Measurement {
    let others = policies().into_iter().filter(|(name, ..)| *name != "no budget");
    let seconds = others.map(|(name, _, policy)| (back(&run(140, 100, policy.as_ref(), seed).seconds), name));
    let all: Vec<_> = seconds.collect();
    let last = all.iter().max_by_key(|(back, _)| back.unwrap_or(usize::MAX)).copied().unwrap_or_default();
    let pass = last.0.is_some_and(|second| second <= 83);
    Measurement::new(
        "at 140/s, all but no budget",
        "back by 81 s (+2)",
        format!("{}, the last: {}", format_recovery(last.0, 100), last.1),
        pass,
    )
}

impl Expected {
    /// Returns `true` if a run with this final goodput and this recovery is as expected.
    fn is(self, goodput: f64, back: Option<usize>) -> bool {
        let within = |first, last| back.is_some_and(|second| (first..=last).contains(&second));
        match self {
            Self::Back(first, last) => goodput >= 0.98 * 280.0 && within(first, last),
            Self::Slowly(first, last) => (50.0..=150.0).contains(&goodput) && within(first, last),
            Self::Late(first, last) => goodput < 3.0 && within(first, last),
            Self::Never => goodput < 3.0 && back.is_none(),
        }
    }
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Back(first, last) => write!(f, "goodput 280/s +-2 %, back at {first}..{last} s"),
            Self::Slowly(first, last) => write!(f, "goodput 50..150/s, back at {first}..{last} s"),
            Self::Late(first, last) => write!(f, "goodput 0, back at {first}..{last} s"),
            Self::Never => f.write_str("goodput 0, never back"),
        }
    }
}
