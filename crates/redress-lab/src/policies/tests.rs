//! What the policies of the standard comparison do, in facts.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

use super::*;
use crate::outcome::Outcome;
use crate::run::{Run, run};
use crate::scenario::Scenario;

/// A server that is idle, with a fault that outlasts the run.
fn scenario(clients: &str, fault: &str) -> Scenario {
    let text = format!(
        "name = 't'\nlength = '20s'\nclients = {{ deadline = '12s', attempt_timeout = '1s', {clients} }}\n\
         server = {{ kind = 'fifo', rate = 1000.0 }}\nfault = [{{ from = '0s', for = '1m', {fault} }}]"
    );
    text.parse().unwrap()
}

fn outcome(scenario: &Scenario, policy: &dyn Policy) -> Outcome {
    let outcome = run(Run { scenario, policy, seed: 1 }, |_| {});
    let calls: u64 = outcome.seconds.iter().map(|second| second.offered).sum();
    assert_eq!((outcome.unfinished, outcome.calls), (0, calls), "{}", policy.name());
    outcome
}

const SOME: &str = "rate = 20.0";
const HALF: &str = "kind = 'answer', share = 0.5";

#[test]
fn every_policy_has_a_name_of_its_own_and_tells_its_version() {
    let policies = standard();
    for (nth, policy) in policies.iter().enumerate() {
        assert!(policies[..nth].iter().all(|before| before.name() != policy.name()), "{}", policy.name());
        assert_eq!(named(policy.name()).unwrap().about(), policy.about());
        let has_version = policy.about().split_once(' ').unwrap().1.starts_with(|first: char| first.is_ascii_digit());
        assert_eq!(has_version, policy.retries(), "{}", policy.about());
    }
    assert!(named("no such policy").is_none());
}

#[test]
fn who_says_that_it_retries_does() {
    let scenario = scenario(SOME, HALF);
    for policy in standard() {
        let outcome = outcome(&scenario, &*policy);
        assert_eq!(outcome.attempts > outcome.calls, policy.retries(), "{}: {outcome:?}", policy.name());
    }
}

#[test]
fn every_policy_hands_up_the_response_that_came() {
    // The mark of a served call is an extension of the response.
    let scenario = scenario(SOME, "kind = 'slow', factor = 1.0");
    for policy in standard() {
        let outcome = outcome(&scenario, &*policy);
        assert_eq!((outcome.served, outcome.attempts), (outcome.calls, outcome.calls), "{}", policy.name());
    }
}

#[test]
fn a_refusal_is_handed_up_as_a_response_and_a_broken_connection_as_an_error() {
    let refused = scenario(SOME, "kind = 'answer'");
    let broken = scenario(SOME, "kind = 'refuse'");
    for policy in standard() {
        let outcomes = [&refused, &broken].map(|scenario| outcome(scenario, &*policy));
        // A call that is still waiting at its deadline is lost.
        assert!(outcomes[0].refused > outcomes[0].lost, "{}: {:?}", policy.name(), outcomes[0]);
        assert_eq!((outcomes[1].refused, outcomes[1].lost), (0, outcomes[1].calls), "{}", policy.name());
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let scenario = scenario(SOME, HALF);
    for policy in standard() {
        assert_eq!(outcome(&scenario, &*policy), outcome(&scenario, &*policy));
    }
}
