//! The rules by which each peer retries.

use std::fs;

use redress_lab::{Outcome, Policy, Run, Scenario, run};

use super::{Kube, Seatbelt};

fn outcome(policy: &dyn Policy, clients: &str, fault: &str) -> Outcome {
    let text = format!(
        "name = 't'\nlength = '20s'\nclients = {{ deadline = '12s', attempt_timeout = '1s', {clients} }}\n\
         server = {{ kind = 'fifo', rate = 1000.0 }}\nfault = [{{ from = '0s', for = '1m', {fault} }}]"
    );
    let scenario: Scenario = text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"));
    let outcome = run(Run { scenario: &scenario, policy, seed: 1 }, |_share| {});
    assert_eq!(outcome.unfinished, 0);
    outcome
}

#[test]
fn the_versions_match_the_lock_file() {
    let lock = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock")).expect("it is there");
    for policy in [&Kube as &dyn Policy, &Seatbelt] {
        let about = policy.about();
        let (name, version) =
            about.split_once(':').and_then(|(code, _)| code.split_once(' ')).expect("name and version");
        assert!(lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"\n")), "{about}");
    }
}

#[test]
fn each_peer_retries_by_its_own_rules() {
    let get = "rate = 5.0";
    for (clients, fault, kube, seatbelt) in [
        (get, "kind = 'answer', answer = { status = 408 }", false, true),
        (get, "kind = 'answer', answer = { status = 429 }", true, true),
        (get, "kind = 'answer', answer = { status = 500 }", false, true),
        (get, "kind = 'answer', answer = { status = 503 }", true, true),
        (get, "kind = 'answer', answer = { status = 504 }", true, true),
        (get, "kind = 'refuse'", false, true),
        (get, "kind = 'restart', every = '1m'", false, true),
        (get, "kind = 'drop'", false, true),
        ("rate = 5.0, post = 1.0", "kind = 'answer'", true, false),
    ] {
        for (policy, repeats) in [(&Kube as &dyn Policy, kube), (&Seatbelt, seatbelt)] {
            let outcome = outcome(policy, clients, fault);
            assert_eq!(outcome.attempts > outcome.calls, repeats, "{} {clients} {fault}", policy.name());
        }
    }
}

#[test]
fn each_peer_waits_for_retry_after_and_returns_the_original_response() {
    for policy in [&Kube as &dyn Policy, &Seatbelt] {
        let hinted = outcome(policy, "rate = 5.0", "kind = 'answer', answer = { status = 503, retry_after = '5s' }");
        assert!(hinted.early_retries == 0 && hinted.attempts > hinted.calls, "{}", policy.name());
        // The mark of a served call is an extension of the response.
        let served = outcome(policy, "rate = 5.0", "kind = 'slow', factor = 1.0");
        assert_eq!((served.served, served.attempts), (served.calls, served.calls), "{}", policy.name());
        // A breaker turns further calls into errors.
        let refused = outcome(policy, "rate = 1.0", "kind = 'answer', answer = { status = 501 }");
        assert_eq!(refused.refused, refused.calls, "{}", policy.name());
    }
}

#[test]
fn seatbelts_breaker_probes_every_five_seconds_and_closes_after_the_outage() {
    let text = "name = 't'\nlength = '3m'\nserver = { kind = 'fifo', rate = 1000.0 }\n\
        clients = { rate = 20.0, arrivals = 'steady', deadline = '12s' }\n\
        fault = [{ kind = 'refuse', from = '20s', for = '22s' }]";
    let scenario: Scenario = text.parse().expect("a scenario");
    let loads = || {
        let outcome = run(Run { scenario: &scenario, policy: &Seatbelt, seed: 1 }, |_share| {});
        outcome.seconds.iter().map(|second| second.load).collect::<Vec<_>>()
    };
    let first = loads();
    assert!(first[..20].iter().all(|load| (18..=22).contains(load)), "closed: {first:?}");
    assert!(first[21..42].iter().all(|load| *load <= 1), "open: {first:?}");
    assert_eq!(first[21..42].iter().sum::<u64>(), 4, "a probe every five seconds: {first:?}");
    // It lets more and more calls probe before it closes.
    assert!(first[160..180].iter().all(|load| (18..=22).contains(load)), "closed again: {first:?}");
    assert_eq!(first, loads(), "the same seed gives the same run");
}
