//! Second requests where the first takes long.

use std::time::Duration;

use super::finding::{Measurement, percent};
use super::model::{outcome, scenario};
use super::{Check, Trial};
use crate::Outcome;
use crate::policies::reference::{Hedge, HedgeBudget};
use crate::time;

pub(super) const TAIL_HEDGE: Check = Check {
    id: "tail-hedge",
    about: "Dean and Barroso, \"The Tail at Scale\": a second request after the time that 19 of 20 requests take costs 5 % \
            more load, as long as what makes requests slow hits each by itself. When it hits all of them, all are sent \
            twice, unless a budget forbids it. Runs reference policies: redress does not hedge.",
    parameters: &[],
    cost: 1.0,
    values,
};

/// Requests take 100 ms on average, memoryless, each by itself.
const MEAN: f64 = 0.1;

fn run(fault: &str, budget: Option<HedgeBudget>, seed: u64) -> Outcome {
    // 19 in 20 take less than -ln(0.05) times the mean.
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
