//! Hedging after a measured quantile of the latency.
//!
//! The article publishes a benchmark over loopback HTTP: 20 connections, 50,000 requests, latencies with a lognormal
//! distribution of 5 +- 2 ms, and one request in twenty that takes ten times as long. The lab repeats it ten times as
//! slow, since tokio's timers are exact to a millisecond, and without a network, whose time is a part of the published
//! figures.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_distr::{Distribution as _, LogNormal};
use tower::{ServiceExt as _, service_fn};

use super::finding::{Measurement, number, percent};
use super::model::{outcome, scenario};
use super::{Check, Trial};
use crate::Outcome;
use crate::policies::NoRetry;
use crate::policies::reference::{AdaptiveHedge, Hedge, HedgeBudget};
use crate::policy::{BoxClient, Inner, Policy, PolicyContext};
use crate::streams::Random;
use crate::time;

pub(super) const ADAPTIVE_HEDGE: Check = Check {
    id: "adaptive-hedge",
    about: "Bhope, \"Stragglers, Not Failures: How Adaptive Hedged Requests Reduce p99 Latency by 74 Percent\" (InfoQ, 2026), \
            and the benchmark of the library bhope/hedge: lognormal latencies of 5 +- 2 ms, 5 % of them ten times as long. \
            Published are a p99 of 65.0 ms without hedging, 17.5 and 54.9 ms with hedges after 10 and 50 ms, and 17.3 ms \
            with a hedge after the measured 90th percentile, for 8.9 % more requests. The tolerance of 15 % is for the \
            time of the loopback network, which the lab does not have. Runs reference policies.",
    parameters: &[],
    cost: 3.0,
    values,
};

/// A policy above servers with stragglers.
struct WithStragglers<P>(P);

impl<P: Policy> Policy for WithStragglers<P> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn about(&self) -> String {
        format!("{}, above stragglers", self.0.about())
    }

    fn client(&self, context: &PolicyContext) -> BoxClient {
        let (network, random) = (context.transport(), Arc::new(Mutex::new(Random::seed_from_u64(context.seed))));
        let below = service_fn(move |request| {
            let latency = latency(&mut random.lock().unwrap_or_else(PoisonError::into_inner));
            let network = network.clone();
            async move {
                let response = network.oneshot(request).await;
                tokio::time::sleep(latency).await;
                response
            }
        });
        self.0.client(&PolicyContext { inner: Inner::Service(BoxClient::new(below)), ..context.clone() })
    }
}

/// The factor by which the time of the lab is longer than that of the article.
const SLOWER: u32 = 10;

/// Draws a latency: the mean is 5 ms and the standard deviation 2 ms, in the time of the article.
fn latency(random: &mut Random) -> Duration {
    let variance = (1.0_f64 + (2.0_f64 / 5.0).powi(2)).ln();
    let base = LogNormal::new(5e-3_f64.ln() - variance / 2.0, variance.sqrt()).expect("a positive deviation");
    let factor = if random.random::<f64>() < 0.05 { 10.0 } else { 1.0 };
    time::seconds(base.sample(random) * factor * f64::from(SLOWER))
}

/// Runs 20 callers without think time for as long as 50,000 requests took in the article.
fn run(policy: impl Policy, seed: u64) -> Outcome {
    let servers = scenario(
        "name = 'stragglers'
         length = '180s'
         clients = { callers = 20, think = '1us', deadline = '1h' }
         server = { kind = 'concurrency', base = '1us', per_request = '0s' }",
    );
    outcome(&servers, &WithStragglers(policy), seed)
}

/// Compares the 99th percentiles with those of the article, and the requests that they cost.
fn values(trial: &Trial<'_>) -> Vec<Measurement> {
    let after =
        |millis| Hedge { name: "hedge".to_owned(), after: Duration::from_millis(millis) * SLOWER, budget: None };
    // A tenth of 2,759 requests per second, which the benchmark expects.
    let budget = Some(HedgeBudget { tokens: 276.0, deposit: 0.1 });
    let adaptive = AdaptiveHedge { name: "adaptive".to_owned(), quantile: 0.9, budget };
    let none = run(NoRetry, trial.part_seed(0));
    let hedged = run(adaptive, trial.part_seed(1));
    let p99 = |name, expected, outcome: &Outcome| {
        Measurement::near(name, expected, 0.15, outcome.latency_ms.p99 / f64::from(SLOWER))
    };
    let less = 1.0 - hedged.latency_ms.p99 / none.latency_ms.p99;
    let more = hedged.attempts_per_call - 1.0;
    vec![
        p99("p99 without hedging, ms", 65.0, &none),
        p99("p99 after 10 ms", 17.5, &run(after(10), trial.part_seed(2))),
        p99("p99 after 50 ms", 54.9, &run(after(50), trial.part_seed(3))),
        p99("p99 after the 90th percentile", 17.3, &hedged),
        Measurement::new("its reduction", "74 % +-3 points", percent(less), (0.71..=0.77).contains(&less)),
        Measurement::new(
            "its requests",
            "8.9 % more +-1.5 points",
            format!("{} more", percent(more)),
            (0.074..=0.104).contains(&more),
        ),
        Measurement::new("calls", "50,000 +-10 %", number(none.calls as f64), (45_000..=55_000).contains(&none.calls)),
    ]
}
