//! The keys of a scenario: which are wrong together, and what the error says.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

use super::*;
use crate::policies::{NoRetry, RedressStack, named};
use crate::{Outcome, Policy, Run, run};

fn parsed(clients: &str, more: &str) -> Result<Scenario, InvalidScenario> {
    let text = format!(
        "name = 't'\nlength = '60s'\nclients = {{ rate = 20.0, {clients} }}\nserver = {{ kind = 'fifo', rate = 100.0 }}\n{more}"
    );
    text.parse()
}

fn outcome(clients: &str, more: &str, policy: &dyn Policy) -> Outcome {
    let scenario = parsed(clients, more).unwrap();
    let outcome = run(Run { scenario: &scenario, policy, seed: 1 }, |_| {});
    assert_eq!(outcome.unfinished, 0);
    outcome
}

#[test]
fn a_contradiction_names_its_key() {
    let two = "route = [{ path = '/a', share = 0.6 }, { path = '/b', share = 0.6 }]";
    for (clients, more, expected) in [
        ("clients = 0", "", "nonzero u32"),
        ("clients = 10001", "", "`clients` must be at most 10000"),
        ("deadline = '0s'", "", "`deadline` must be above 0"),
        ("deadlines = [{ deadline = '0s', share = 0.1 }]", "", "`deadline` must be above 0"),
        ("deadlines = [{ deadline = '1s' }]", "", "missing field `share`"),
        ("deadlines = [{ deadline = '1s', share = 1.1 }]", "", "`deadlines.share` must be from 0 to 1"),
        (
            "deadlines = [{ deadline = '1s', share = 0.6 }], no_deadline = 0.5",
            "",
            "`no_deadline` must add up to at most 1",
        ),
        ("no_deadline = -0.1", "", "`no_deadline` must be from 0 to 1"),
        ("", two, "`route.share` of all routes must add up to at most 1"),
        ("", "route = [{ path = '/a', share = 1.5 }]", "`route.share` must be from 0 to 1"),
        ("", "route = [{ path = '/a', share = 0.5, post = 2.0 }]", "`route.post` must be from 0 to 1"),
        ("", "route = [{ path = 'a b', share = 0.5 }]", "`route.path`: "),
        ("", "route = [{ path = '/v1/items/1', share = 0.5 }]", "`route.path` must differ from other paths"),
        ("", "route = [{ path = '/a', share = 0.1 }, { path = '/a', share = 0.1 }]", "`route.path` must differ"),
        ("", "route = [{ path = '/a', share = 0.5, service_time = '0s' }]", "`route.service_time` must be above 0"),
        ("", "route = [{ path = '/a', share = 0.5, deadline = '0s' }]", "`route.deadline` must be above 0"),
        ("", "route = [{ path = '/a', share = 0.5, speed = 2 }]", "unknown field `speed`"),
        ("layers = 2", "route = [{ path = '/a', share = 0.5, attempt_timeout = '1s' }]", "`layers` exclude each other"),
        (
            "",
            "fault = [{ kind = 'drop', from = '1s', for = '1s', route = '/a' }]",
            "`fault.route`: no route has the path `/a`",
        ),
        ("", "fault = [{ kind = 'drop', from = '1s', every = '9s' }]", "`every` needs `for`"),
        ("", "fault = [{ kind = 'hold', from = '1s' }]", "`hold` and `restart` need `for`"),
        ("", "fault = [{ kind = 'restart', from = '1s' }]", "`hold` and `restart` need `for`"),
        ("", "fault = [{ kind = 'drop_answers', from = '1s', by = '1s' }]", "`delay` requires `by`"),
    ] {
        let error = parsed(clients, more).unwrap_err().to_string();
        assert!(error.contains(expected), "{clients} {more}: {error}");
    }
    let rows = "name = 't'\nlength = '9s'\nclients = { rate = 1.0 }\nserver = { kind = 'rows', rows = 1, latency = '1s' }\n\
        route = [{ path = '/a', share = 0.5, service_time = '1s' }]";
    assert!(
        rows.parse::<Scenario>().unwrap_err().to_string().starts_with("`route.service_time` needs a server of kind")
    );
}

#[test]
fn utilization_counts_the_work_of_routes() {
    let text = "name = 't'\nlength = '9s'\nclients = { utilization = 0.5 }\nserver = { kind = 'fifo', rate = 100.0, workers = 2 }\n\
        route = [{ path = '/slow', share = 0.5, service_time = '60ms' }]";
    // The work of a call is 20 ms for one half and 60 ms for the other.
    let rate = text.parse::<Scenario>().unwrap().clients.rate.unwrap();
    assert!((rate - 25.0).abs() < 1e-9, "{rate}");
}

#[test]
fn a_lasting_change_of_latency_counts_from_its_start() {
    let more = "fault = [{ kind = 'delay', from = '20s', by = '200ms' }, { kind = 'drop', from = '30s', share = 0.1 }]";
    let scenario = parsed("", more).unwrap();
    assert_eq!(scenario.disturbances_end(), Some(Duration::from_secs(20)));
    let last = outcome("", more, &NoRetry);
    assert!(last.latency_ms.max > 200.0);
}

#[test]
fn a_call_without_a_deadline_waits_for_the_length_of_the_run() {
    let more = "fault = [{ kind = 'drop', from = '10s' }]";
    let bounded = outcome("deadline = '5s'", more, &NoRetry);
    let endless = outcome("deadline = '5s', no_deadline = 0.5", more, &NoRetry);
    assert!((bounded.p99_all_ms - 5_000.0).abs() < 10.0, "{}", bounded.p99_all_ms);
    assert!((endless.p99_all_ms - 60_000.0).abs() < 100.0, "{}", endless.p99_all_ms);
}

#[test]
fn each_call_keeps_its_own_deadline() {
    let hold = "fault = [{ kind = 'hold', from = '20s', for = '20s' }]";
    let mix = "deadline = '15s', deadlines = [{ deadline = '2s', share = 0.5 }], no_deadline = 0.2";
    for policy in [&NoRetry as &dyn Policy, &RedressStack::new()] {
        let outcome = outcome(mix, hold, policy);
        let share = outcome.lost as f64 / outcome.calls as f64;
        // A third of the calls begins during the fault. Of these, half are lost in 18 of 20 s, three
        // tenths in 5 of 20 s, and some of those that queue after it.
        assert!((0.17..0.26).contains(&share), "{}: {share}", policy.name());
        assert!(outcome.latency_ms.max > 19_000.0, "{}: {:?}", policy.name(), outcome.latency_ms);
    }
}

#[test]
fn a_policy_knows_the_deadline_of_each_call() {
    let mix = "deadline = '30s', deadlines = [{ deadline = '2s', share = 0.5 }]";
    let hint = "fault = [{ kind = 'answer', from = '20s', for = '5s', answer = { status = 503, retry_after = '6s' } }]";
    let outcome = outcome(mix, hint, &RedressStack::new());
    // A call of 2 s that meets a hint of 6 s ends at once with the answer in hand; a stack that did not
    // know its deadline would wait, and the call would be lost.
    assert!(outcome.refused > 0 && outcome.served > outcome.calls / 2, "{outcome:?}");
}

#[test]
fn a_route_has_its_own_attempt_timeout_and_deadline() {
    let poll = "route = [{ path = '/poll', share = 0.2, latency = '8s', attempt_timeout = '20s', deadline = '30s' }]";
    let mut policies = vec![named("none").unwrap(), named("redress").unwrap()];
    policies.extend(["tower", "backon", "aws-smithy", "reqwest-retry"].into_iter().filter_map(named));
    for policy in policies {
        let outcome = outcome("deadline = '5s', attempt_timeout = '1s'", poll, &*policy);
        assert_eq!((outcome.served, outcome.attempts), (outcome.calls, outcome.calls), "{}", policy.name());
        assert!(outcome.latency_ms.p99 > 7_900.0, "{}", policy.name());
    }
}

#[test]
fn a_call_is_served_at_the_end_of_its_body() {
    let route = "route = [{ path = '/file', share = 0.5, body = '3s' }]\n";
    let restart = "fault = [{ kind = 'restart', from = '20s', for = '1s' }]";
    let mut policies = vec![named("none").unwrap(), named("redress").unwrap()];
    policies.extend(["tower", "backon", "aws-smithy", "reqwest-retry"].into_iter().filter_map(named));
    for policy in policies {
        let calm = outcome("deadline = '10s', attempt_timeout = '1s'", route, &*policy);
        assert_eq!((calm.served, calm.attempts), (calm.calls, calm.calls), "{}", policy.name());
        assert!((3_000.0..3_200.0).contains(&calm.latency_ms.p90), "{}: {:?}", policy.name(), calm.latency_ms);
        // Bodies that are under way when the server restarts are lost: no retry begins after the head.
        let broken = outcome("deadline = '10s', attempt_timeout = '1s'", &format!("{route}{restart}"), &*policy);
        assert!(broken.lost >= 15, "{}: {}", policy.name(), broken.lost);
    }
}

#[test]
fn an_answer_that_is_lost_makes_a_repeated_post_work_twice() {
    let lossy = "fault = [{ kind = 'drop_answers', from = '0s', share = 0.3 }]";
    let clients = "post = 1.0, deadline = '10s', attempt_timeout = '1s'";
    let ours = outcome(clients, lossy, &RedressStack::new());
    assert_eq!((ours.done_twice, ours.unsafe_resends), (0, 0));
    let Some(unsafe_peer) = named("reqwest-retry") else { return };
    let theirs = outcome(clients, lossy, &*unsafe_peer);
    assert!(theirs.done_twice > 50 && theirs.unsafe_resends >= theirs.done_twice, "{theirs:?}");
    // A refused connection and a 429 prove that nothing was done.
    let calm = "fault = [{ kind = 'refuse', from = '0s', share = 0.2 }]\nlimit = { requests = 15, per = '1s' }";
    let calm = outcome(clients, calm, &*unsafe_peer);
    assert!(calm.attempts > calm.calls && calm.unsafe_resends == 0, "{calm:?}");
}

#[test]
fn refused_connections_are_counted_apart_from_work() {
    let clients = "deadline = '10s', attempt_timeout = '1s'";
    let refused = outcome(clients, "fault = [{ kind = 'refuse', from = '20s', for = '10s' }]", &NoRetry);
    assert_eq!((refused.refused_connections, refused.work()), (refused.lost, refused.served));
    assert!((150..250).contains(&refused.refused_connections), "{}", refused.refused_connections);
    assert!((refused.p99_all_ms - 10_000.0).abs() < 10.0, "a call that fails at once counts with its deadline");
    // Requests in service when the server restarts are broken off, and have made it work.
    let backend = "route = [{ path = '/slow', share = 1.0, latency = '2s', attempt_timeout = '5s' }]";
    let restart = format!("{backend}\nfault = [{{ kind = 'restart', from = '20s', for = '1s' }}]");
    let broken = outcome(clients, &restart, &NoRetry);
    assert!((10..30).contains(&broken.refused_connections), "{}", broken.refused_connections);
    assert!((25..55).contains(&(broken.lost - broken.refused_connections)), "{}", broken.lost);
    let answered = outcome(clients, "fault = [{ kind = 'answer', from = '20s', for = '10s' }]", &NoRetry);
    assert_eq!((answered.refused_connections, answered.work()), (0, answered.attempts));
    assert_eq!((answered.probes, answered.chances > 0), (0, true));
}
