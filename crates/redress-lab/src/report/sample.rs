//! Fabricated comparisons for tests.

use crate::compare::{Comparison, PolicyInfo};
use crate::outcome::{Outcome, Quantiles, RecoveryTime, Second};

/// Three policies, two seeds, 60 s with one fault. The last policy is worse than the others in all
/// figures.
pub(super) fn comparison(name: &str) -> Comparison {
    let scenario = format!(
        "name = '{name}'\nabout = 'about {name}'\nlength = '60s'\nclients = {{ rate = 10.0, deadline = '5s' }}\n\
         server = {{ kind = 'fifo', rate = 20.0 }}\nfault = [{{ kind = 'hold', from = '20s', for = '5s' }}]"
    );
    let policy = |name: &str| PolicyInfo { name: name.to_owned(), about: format!("settings of {name}"), retries: true };
    Comparison {
        scenario: scenario.parse().expect("a scenario"),
        policies: ["first", "second", "third"].map(policy).to_vec(),
        seeds: vec![1, 2],
        outcomes: (0..6).map(|nth| outcome(name, nth / 2, nth % 2)).collect(),
    }
}

/// Fabricates the outcome of a run: full goodput but for the fault and a few seconds behind it.
fn outcome(scenario: &str, policy: u64, seed: u64) -> Outcome {
    let second = |at: u64| {
        let goodput = if (20..25 + 5 * policy).contains(&at) { 0 } else { 10 - policy };
        Second { offered: 10, load: 10 + policy, goodput, kept: goodput }
    };
    let seconds: Vec<_> = (0..60).map(second).collect();
    let served = seconds.iter().map(|second| second.goodput).sum();
    let attempts = seconds.iter().map(|second| second.load).sum();
    Outcome {
        scenario: scenario.to_owned(),
        policy: ["first", "second", "third"][policy as usize].to_owned(),
        seed: seed + 1,
        calls: 600,
        served,
        refused: (600 - served) / 2,
        lost: 600 - served - (600 - served) / 2,
        unfinished: 0,
        attempts,
        attempts_per_call: attempts as f64 / 600.0,
        calls_by_attempts: [0, 600 - 60 * policy, 60 * policy, 0, 0, 0, 0, 0],
        refused_connections: 0,
        probes: 0,
        chances: 0,
        unsafe_resends: 0,
        p99_all_ms: 1_000.0 * (policy + 1) as f64,
        p99_all_range_ms: [1_000.0 * (policy + 1) as f64; 2],
        logins: 0,
        early_retries: 0,
        done_twice: 0,
        peak_second: 10 + policy,
        latency_ms: Quantiles { p50: 10.0, p99: 100.0 * (policy + 1) as f64, ..Quantiles::default() },
        recovery: if policy < 2 { RecoveryTime::After(5 * policy) } else { RecoveryTime::Never },
        seconds,
    }
}
