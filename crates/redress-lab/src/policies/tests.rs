//! The behaviour of the policies of the standard comparison.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

use super::*;
use crate::outcome::Outcome;
use crate::run::{Run, run};
use crate::scenario::Scenario;

/// An idle server, with a fault that lasts longer than the run.
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

const SOME: &str = "rate = 5.0";
const HALF: &str = "kind = 'answer', share = 0.5";

#[test]
fn every_policy_has_a_unique_name_and_shows_its_version() {
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
fn policies_retry_if_and_only_if_they_claim_to() {
    let scenario = scenario(SOME, HALF);
    for policy in standard() {
        let outcome = outcome(&scenario, &*policy);
        assert_eq!(outcome.attempts > outcome.calls, policy.retries(), "{}: {outcome:?}", policy.name());
    }
}

#[test]
fn every_policy_returns_the_original_response() {
    // The mark of a served call is an extension of the response.
    let scenario = scenario(SOME, "kind = 'slow', factor = 1.0");
    for policy in standard() {
        let outcome = outcome(&scenario, &*policy);
        assert_eq!((outcome.served, outcome.attempts), (outcome.calls, outcome.calls), "{}", policy.name());
    }
}

#[test]
fn a_refusal_is_returned_as_a_response_and_a_broken_connection_as_an_error() {
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
fn an_error_of_the_last_attempt_replaces_an_earlier_response() {
    let text = "name = 't'\nlength = '20s'\nserver = { kind = 'fifo', rate = 1000.0 }\n\
        clients = { rate = 0.000001, deadline = '12s', burst = [{ at = '1s', calls = 10 }] }\n\
        fault = [{ kind = 'answer', from = '1s', for = '1ms' }, { kind = 'refuse', from = '1001ms', for = '1m' }]";
    for policy in standard().iter().filter(|policy| policy.retries()) {
        let outcome = outcome(&text.parse().unwrap(), &**policy);
        assert_eq!((outcome.lost, outcome.refused), (10, 0), "{}", policy.name());
    }
}

#[test]
fn every_policy_works_with_expiring_tokens() {
    let text = "name = 't'\nlength = '10s'\nclients = { rate = 20.0, deadline = '12s' }\n\
        server = { kind = 'fifo', rate = 1000.0 }\ntoken = { lives = '3s', login = '100ms' }";
    for policy in standard() {
        let outcome = outcome(&text.parse().unwrap(), &*policy);
        assert_eq!((outcome.served, outcome.logins), (outcome.calls, 4), "{}", policy.name());
    }
}

#[test]
fn layers_multiply_retries_except_those_of_redress() {
    let scenarios = [SOME, "rate = 5.0, layers = 2"].map(|clients| scenario(clients, "kind = 'answer'"));
    for policy in standard().iter().filter(|policy| policy.retries()) {
        let attempts = scenarios.each_ref().map(|scenario| outcome(scenario, &**policy).attempts);
        assert_eq!(attempts[1] > attempts[0], !policy.name().starts_with("redress"), "{}", policy.name());
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    const UNSEEDED: [&str; 2] = ["tower-resilience-budget", "reqwest-retry"];
    let scenario = scenario(SOME, HALF);
    for policy in standard().iter().filter(|policy| !UNSEEDED.contains(&policy.name())) {
        assert_eq!(outcome(&scenario, &**policy), outcome(&scenario, &**policy));
    }
}

/// Runs a shipped scenario without retries, with redress's defaults, and with its hedges.
fn hedged(name: &str) -> [Outcome; 3] {
    let text = crate::scenario_text(name).unwrap();
    let scenario: Scenario = text.replace("length = \"5m\"", "length = \"2m\"").parse().unwrap();
    ["none", "redress", "redress-hedge"].map(|policy| outcome(&scenario, &*named(policy).unwrap()))
}

#[test]
fn hedges_shorten_tails_that_are_independent_for_five_per_cent_more_load() {
    let [none, redress, hedged] = hedged("stragglers");
    assert!(hedged.latency_ms.p99 <= 0.4 * none.latency_ms.p99, "{:?} {:?}", hedged.latency_ms, none.latency_ms);
    assert!(hedged.attempts > none.attempts, "there were hedges");
    assert!(hedged.attempts_per_call <= 1.05 * none.attempts_per_call, "{}", hedged.attempts_per_call);
    assert_eq!((hedged.served, hedged.unsafe_resends), (redress.served, 0));
}

#[test]
fn hedges_do_no_harm_to_a_server_that_is_slow_as_a_whole() {
    let [none, redress, hedged] = hedged("correlated-slowdown");
    assert!(hedged.attempts_per_call <= redress.attempts_per_call + 0.06, "{}", hedged.attempts_per_call);
    let tolerated = none.calls / 200;
    assert!(hedged.served + tolerated >= redress.served.max(none.served), "{hedged:?}");
}

#[test]
fn errors_that_come_whatever_the_load_are_retried_in_a_release() {
    let scenario: Scenario = crate::scenario_text("half-errors").unwrap().parse().unwrap();
    let redress = run(Run { scenario: &scenario, policy: &*named("redress").unwrap(), seed: 2 }, |_| {});
    // Where each success of the release is worth one token it is 86 %.
    assert!(redress.served * 10 >= redress.calls * 9, "{} of {}", redress.served, redress.calls);
}

#[test]
fn a_failing_route_adds_little_load_in_a_hundred_processes() {
    let text = crate::scenario_text("bad-route").unwrap().replace("[clients]", "[clients]\nclients = 100");
    let redress = outcome(&text.parse().unwrap(), &*named("redress").unwrap());
    // It is 1.2 requests a call where the route is retried.
    let work = redress.attempts - redress.probes;
    assert!(work * 20 <= redress.calls * 21, "{work} of {}", redress.calls);
}

/// Runs a shipped scenario of a fleet, in fewer processes, with redress apart and sharing.
fn apart_and_shared(name: &str) -> [Outcome; 2] {
    let text = crate::scenario_text(name).unwrap().replace("clients = 1000", "clients = 100");
    let scenario: Scenario = text.parse().unwrap();
    assert_eq!(scenario.clients.clients.get(), 100);
    ["redress", "redress-shared"].map(|policy| outcome(&scenario, &*named(policy).unwrap()))
}

#[test]
fn processes_that_share_a_limit_are_seldom_refused() {
    let [apart, shared] = apart_and_shared("fleet-limit");
    let refused = |outcome: &Outcome| outcome.attempts - outcome.served;
    assert!(refused(&shared) * 5 < refused(&apart), "{} and {}", refused(&shared), refused(&apart));
    // The server counts by fixed windows, so that refused processes use all of it. Those that share keep each span.
    assert!(shared.served * 20 >= apart.served * 19, "{} and {}", shared.served, apart.served);
}

#[test]
fn processes_that_share_a_budget_add_less_load() {
    let [apart, shared] = apart_and_shared("fleet-errors");
    let more = |outcome: &Outcome| outcome.attempts - outcome.calls;
    assert!(more(&shared) * 2 < more(&apart), "{} and {}", more(&shared), more(&apart));
}

#[cfg(feature = "peers")]
mod peers {
    use super::*;

    #[test]
    fn each_peer_retries_by_its_own_rules() {
        // Whether a GET is repeated after a 408, 429, 500, 501, a refused connection, a broken
        // connection and a timeout; and a POST after a 503.
        let usual = [true, true, true, true, true, true, true, false];
        let table = [
            ("tower", usual),
            ("tower-resilience", usual),
            ("tower-resilience-budget", usual),
            ("tower-resilience-breaker", usual),
            ("backon", usual),
            ("reqwest-retry", [true, true, true, true, true, true, true, true]),
            ("aws-smithy", [false, false, true, false, true, true, true, true]),
        ];
        let get = |fault: &str| scenario(SOME, fault);
        let scenarios = [
            get("kind = 'answer', answer = { status = 408 }"),
            get("kind = 'answer', answer = { status = 429 }"),
            get("kind = 'answer', answer = { status = 500 }"),
            get("kind = 'answer', answer = { status = 501 }"),
            get("kind = 'refuse'"),
            get("kind = 'restart', every = '1m'"),
            get("kind = 'drop'"),
            scenario("rate = 5.0, post = 1.0", "kind = 'answer'"),
        ];
        assert_eq!(table.len(), super::super::peers::all().len());
        for (name, expected) in table {
            let policy = named(name).unwrap();
            let retries = scenarios.each_ref().map(|scenario| {
                let outcome = outcome(scenario, &*policy);
                outcome.attempts > outcome.calls
            });
            assert_eq!(retries, expected, "{name}");
        }
    }

    #[test]
    fn the_breaker_rejects_calls_for_its_wait_and_then_lets_three_of_them_probe() {
        let loads = |length: u32| {
            let text = format!(
                "name = 't'\nlength = '90s'\nserver = {{ kind = 'fifo', rate = 1000.0 }}\n\
                 clients = {{ rate = 20.0, arrivals = 'steady', deadline = '12s' }}\n\
                 fault = [{{ kind = 'refuse', from = '10s', for = '{length}s' }}]"
            );
            let outcome = outcome(&text.parse().unwrap(), &TowerResilienceBreaker);
            outcome.seconds.iter().map(|second| second.load).collect::<Vec<_>>()
        };
        // As many calls have failed as have succeeded after 10 s of the outage.
        let short = loads(30);
        assert!(short[..20].iter().all(|load| *load >= 20), "closed: {short:?}");
        assert!(short[21..50].iter().all(|load| *load == 0), "open: {short:?}");
        assert!(short[52..90].iter().all(|load| (18..=22).contains(load)), "closed again: {short:?}");
        // The probes fail: three calls of three attempts each, and the breaker opens again.
        let long = loads(60);
        assert_eq!(long[21..80].iter().sum::<u64>(), 9, "{long:?}");
        assert!(long[82..90].iter().all(|load| (18..=22).contains(load)), "{long:?}");
    }

    #[test]
    fn only_backon_keeps_retry_after() {
        let scenario = scenario(SOME, "kind = 'answer', answer = { status = 503, retry_after = '5s' }");
        for policy in super::super::peers::all() {
            let outcome = outcome(&scenario, &*policy);
            assert_eq!(outcome.early_retries == 0, policy.name() == "backon", "{}", policy.name());
        }
    }

    #[test]
    fn budgets_are_shared_by_the_calls_of_a_run_and_not_between_runs() {
        // Nothing succeeds, so a budget holds its initial tokens and those that it gains with time.
        let scenario = scenario("rate = 60.0", "kind = 'answer'");
        for (name, budget) in
            [("tower", 100..=400), ("aws-smithy", 50..=50), ("tower-resilience-budget", 1_000..=1_000)]
        {
            let policy = named(name).unwrap();
            let retries = [(); 2].map(|()| {
                let outcome = outcome(&scenario, &*policy);
                outcome.attempts - outcome.calls
            });
            assert!(budget.contains(&retries[0]) && retries[0] == retries[1], "{name}: {retries:?}");
        }
    }

    #[test]
    fn concurrent_calls_of_tower_draw_the_same_jitter() {
        let scenario = scenario("rate = 0.000001, burst = [{ at = '1s', calls = 10 }]", "kind = 'answer'");
        for (name, is_in_step) in [("tower", true), ("backon", false)] {
            let outcome = outcome(&scenario, &*named(name).unwrap());
            assert!(outcome.calls == 10 && outcome.attempts >= 30, "{name}: {}", outcome.attempts);
            let in_step = outcome.seconds.iter().all(|second| second.load % 10 == 0);
            assert_eq!(in_step, is_in_step, "{name}");
        }
    }

    #[test]
    fn aws_smithy_returns_the_cost_of_only_some_concurrent_successful_retries() {
        // Each burst needs 40 retries at 10 tokens of 500. All retries of the first burst succeed and
        // should return 400 tokens.
        let text = "name = 't'\nlength = '1m'\nserver = { kind = 'fifo', rate = 1000.0 }\n\
            clients = { rate = 0.000001, deadline = '12s', burst = [{ at = '1s', calls = 40 }, { at = '20s', calls = 40 }] }\n\
            fault = [{ kind = 'answer', from = '1s', for = '1ms' }, { kind = 'answer', from = '20s', for = '1ms' }]";
        let outcome = outcome(&text.parse().unwrap(), &AwsSmithy);
        // The second burst finds 100 unused tokens, the 10 of one retry, and one token for each of the
        // other 39.
        assert_eq!(outcome.attempts, 80 + 40 + 14);
    }
}
