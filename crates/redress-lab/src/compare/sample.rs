//! Summaries for tests.

use super::Summary;

/// Returns the summary of a policy with these figures: goodput in percent, load per 100 calls, p99 of
/// all calls in milliseconds, recovery in seconds.
pub(super) fn summary(name: &str, [served, work, p99_all_ms, recovery_s]: [f64; 4]) -> Summary {
    let scenario = "name = 't'\nlength = '1s'\nclients = { rate = 1.0 }\nserver = { kind = 'fifo', rate = 1.0 }";
    let empty = Summary::from_outcomes(&scenario.parse().expect("a scenario"), &[]);
    Summary {
        policy: name.to_owned(),
        calls: 100.0,
        served,
        work,
        p99_all_ms,
        p99_all_range_ms: [p99_all_ms; 2],
        recovery_s,
        ..empty
    }
}
