//! Open and closed workloads of one server.
//!
//! A benchmark with a fixed number of callers never builds up a long queue: while a slow request is served, the
//! callers wait and send nothing. The server of this check is the same in all runs; only the workload differs.

use super::finding::{Measurement, number};
use super::model::{outcome, scenario};
use super::{Check, Trial};
use crate::Outcome;
use crate::policies::NoRetry;

pub(super) const OPEN_CLOSED: Check = Check {
    id: "open-closed",
    about: "Brooker, \"Open and closed\" (2023-05-10): a FIFO server with 80 % utilization and service times of 0.1 s, or 10 s for \
            one request in a thousand. A single caller in a closed loop never sees the queue that open arrivals see. Runs \
            the modelled server without a policy; there are no failures.",
    parameters: &[],
    cost: 1.0,
    values,
};

/// Runs a workload with a utilization of 80 %.
fn run(clients: &str, seed: u64) -> Outcome {
    let text = format!(
        "name = 'queue'
         length = '6h'
         clients = {{ {clients}, deadline = '1day' }}
         server = {{ kind = 'fifo', rate = 9.1, service = {{ bimodal = {{ common = '100ms', rare = '10s', share = 0.001 }} }} }}"
    );
    outcome(&scenario(&text), &NoRetry, seed)
}

/// Compares the 99th percentiles of an open and a closed workload with the same utilization.
fn values(trial: &Trial<'_>) -> Vec<Measurement> {
    // Open: 0.8 / 109.9 ms. Closed: the think time is a quarter of the mean service time.
    let open = run("rate = 7.28", trial.part_seed(0)).latency_ms;
    let one = run("callers = 1, think = '27ms'", trial.part_seed(1)).latency_ms;
    let ten = run("callers = 10, think = '1273ms'", trial.part_seed(2)).latency_ms;
    let ratio = open.p99 / one.p99;
    let p99 = format!("{} ms: {} times closed-1's {}", number(open.p99), number(ratio), number(one.p99));
    let means = format!("{} and {} ms, open {}", number(one.mean), number(ten.mean), number(open.mean));
    vec![
        Measurement::new("p99 open", "at least 25 times closed-1's", p99, ratio >= 25.0),
        Measurement::new(
            "mean closed-1 and -10",
            "below the open one",
            means,
            one.mean < open.mean && ten.mean < open.mean,
        ),
    ]
}
