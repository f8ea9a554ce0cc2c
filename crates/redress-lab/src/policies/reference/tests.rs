use std::num::NonZeroU32;
use std::time::Duration;

use super::*;
use crate::{Outcome, Policy, Run, Scenario, run};

const DOWN: &str = "name = 't'
    length = '20s'
    clients = { rate = 20.0 }
    server = { kind = 'fifo', rate = 1000.0 }
    fault = [{ kind = 'answer', from = '0s', for = '1day' }]";

fn outcome(scenario: &str, policy: &dyn Policy) -> Outcome {
    let scenario: Scenario = scenario.parse().unwrap();
    let outcome = run(Run { scenario: &scenario, policy, seed: 1 }, |_| {});
    assert_eq!(outcome.unfinished, 0);
    outcome
}

fn retries(outcome: &Outcome) -> u64 {
    outcome.attempts - outcome.calls
}

fn count(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

#[test]
fn a_bucket_is_shared_by_the_calls_of_one_client_only() {
    let rule = Rule::Bucket { tokens: 5.0, deposit: 0.0, on: Deposit::Call };
    let policy = Reference::new("bucket", count(3), rule);
    assert_eq!(retries(&outcome(DOWN, &policy)), 4);
    assert_eq!(retries(&outcome(DOWN, &Fleet::new(policy, count(10)))), 40);
}

#[test]
fn retries_end_at_the_maximum_and_at_a_success() {
    let policy = Reference::new("always", count(4), Rule::Always);
    let down = outcome(DOWN, &policy);
    assert_eq!(down.attempts, 4 * down.calls);
    let up = outcome(&DOWN.replace("fault", "# fault"), &policy);
    assert_eq!((up.attempts, up.served), (up.calls, up.calls));
}

#[test]
fn retries_come_after_their_waits() {
    let wait = Waits::Doubling { base: Duration::from_secs(1) };
    let policy = Reference::new("patient", count(3), Rule::Always).wait(wait);
    let burst = DOWN.replace("rate = 20.0", "burst = [{ at = '0s', calls = 7 }]");
    let loads: Vec<_> = outcome(&burst, &policy).seconds.iter().map(|second| second.load).collect();
    assert_eq!(loads, [7, 7, 0, 7]);
}

#[test]
fn a_hedged_request_is_sent_after_the_delay_within_the_budget() {
    let slow = "name = 't'
        length = '20s'
        clients = { rate = 20.0 }
        server = { kind = 'concurrency', base = '500ms', per_request = '0s' }";
    let hedge = |after, budget| Hedge { name: "hedge".to_owned(), after: Duration::from_millis(after), budget };
    let twice = outcome(slow, &hedge(400, None));
    assert_eq!((twice.attempts, twice.served), (2 * twice.calls, twice.calls));
    assert_eq!(retries(&outcome(slow, &hedge(600, None))), 0);
    let budget = Some(HedgeBudget { tokens: 3.0, deposit: 0.0 });
    assert_eq!(retries(&outcome(slow, &hedge(400, budget))), 3);
}
