//! Hedged requests and their load.
//!
//! Source: Jeffrey Dean and Luiz André Barroso, "The Tail at Scale", Communications of the ACM 56(2), 2013. A hedge
//! pays off if slowness is a matter of chance, and doubles the load of a server that is slow as a whole.

use std::time::Duration;

use super::finding::{Measurement, percent};
use super::model::{outcome, scenario};
use super::{Check, Trial};
use crate::Outcome;
use crate::policies::reference::{Hedge, HedgeBudget};
use crate::time;

pub(super) const TAIL_HEDGE: Check = Check {
    id: "tail-hedge",
    about: "Dean and Barroso, \"The Tail at Scale\": a second request after the 95th percentile of the latency costs 5 % more \
            load if slow requests are independent. If all requests are slow at the same time, all are sent twice, unless a \
            budget limits it. Runs reference policies.",
    parameters: &[],
    cost: 1.0,
    values,
};

/// The mean service time in seconds, exponentially distributed and independent.
const MEAN: f64 = 0.1;

/// Runs hedged calls against ten thousand workers, so that no request waits for another one.
fn run(fault: &str, budget: Option<HedgeBudget>, seed: u64) -> Outcome {
    // The 95th percentile of an exponential distribution is -ln(0.05) times its mean.
    let after: Duration = time::seconds(-MEAN * 0.05_f64.ln());
    let hedge = Hedge { name: "hedge".to_owned(), after, budget };
    let servers = scenario(&format!(
        "name = 'tail'
         length = '100s'
         clients = {{ rate = 500.0, deadline = '1h' }}
         server = {{ kind = 'fifo', rate = 100000.0, workers = 10000, service = 'exponential' }}
         fault = [{fault}]"
    ));
    outcome(&servers, &hedge, seed)
}

/// Compares the additional load of independent tails, of a slow server, and of a slow server under a budget.
fn values(trial: &Trial<'_>) -> Vec<Measurement> {
    let slow = "{ kind = 'delay', from = '0s', for = '1day', by = '1s' }";
    let budget = HedgeBudget { tokens: 10.0, deposit: 0.1 };
    let extra = |fault, budget| run(fault, budget, trial.seed).attempts_per_call - 1.0;
    let (alone, together, budgeted) = (extra("", None), extra(slow, None), extra(slow, Some(budget)));
    vec![
        Measurement::new("independent tails", "5 % +-1 more load", percent(alone), (0.04..=0.06).contains(&alone)),
        Measurement::new("correlated slowdown", "100 % more", percent(together), together > 0.99),
        Measurement::new("with a budget of 10 %", "10 % more", percent(budgeted), (0.09..=0.11).contains(&budgeted)),
    ]
}
