//! The transitions, one by one.

use std::time::Duration;

use super::*;
use crate::record::Shown;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn grant(token: &str) -> TokenSet {
    TokenSet::bearer(token).expect("legal")
}

/// A state with its own clock.
struct Fixture {
    state: State,
    now: Instant,
}

impl Fixture {
    fn empty() -> Self {
        Self { state: State::new(false, true), now: Instant::now() }
    }

    fn holding(grant: TokenSet) -> Self {
        let mut fixture = Self::empty();
        fixture.install(grant);
        fixture
    }

    fn at(&self) -> Now {
        Now { instant: self.now, random: 0 }
    }

    fn install(&mut self, grant: TokenSet) {
        self.state.install(grant, self.at());
    }

    fn call(&mut self) -> Decision {
        self.state.acquire(self.now)
    }

    fn started(&mut self) -> Ticket {
        match self.call() {
            Decision::Start(ticket, _) => ticket,
            other => panic!("no flight was started: {other:?}"),
        }
    }

    fn refused(&mut self) -> Refusal {
        match self.call() {
            Decision::Fail(refusal) => refusal,
            other => panic!("not refused: {other:?}"),
        }
    }

    fn reject(&mut self, generation: u64) -> Decision {
        self.state.record_rejection(generation, None, self.now)
    }

    fn finish(&mut self, ticket: &Ticket, result: Result<TokenSet, Failure>) -> Option<Outcome> {
        self.state.finish(ticket.id, result, self.now, self.at())
    }

    fn generation(&self) -> u64 {
        self.state.current().generation()
    }
}

fn shown(ticket: &Ticket) -> Option<&str> {
    ticket.refresh_token.as_ref().map(SecretString::expose_secret)
}

#[test]
fn the_first_request_starts_a_login_and_the_next_one_joins() {
    let mut fixture = Fixture::empty();
    let ticket = fixture.started();
    assert_eq!(shown(&ticket), None);
    assert!(matches!(fixture.call(), Decision::Join(_)));
    assert!(matches!(fixture.finish(&ticket, Ok(grant("a"))), Some(Ok(1))));
    assert!(matches!(fixture.call(), Decision::Send(snapshot) if snapshot.generation() == 1));
}

#[test]
fn a_renewal_starts_once_and_blocks_no_request() {
    let mut fixture = Fixture::holding(grant("a").refresh_token("r").expires_in(s(3600)));
    assert!(fixture.state.renew(fixture.now).is_none(), "not due");
    fixture.now += s(3500);
    let ticket = fixture.state.renew(fixture.now).expect("due");
    assert_eq!(shown(&ticket), Some("r"));
    assert!(fixture.state.renew(fixture.now).is_none(), "under way");
    assert!(matches!(fixture.call(), Decision::Send(_)));
    fixture.now += s(100);
    assert!(matches!(fixture.call(), Decision::Join(_)), "expired now");
}

#[test]
fn a_renewal_that_fails_leaves_the_old_set_until_it_expires() {
    let mut fixture = Fixture::holding(grant("a").refresh_token("r").expires_in(s(3600)));
    fixture.now += s(3500);
    let ticket = fixture.state.renew(fixture.now).expect("due");
    fixture.finish(&ticket, Err(Failure::transient("503").retry_after(s(150))));
    assert!(matches!(fixture.call(), Decision::Send(_)));
    fixture.now += s(99);
    assert!(fixture.state.renew(fixture.now).is_none(), "cooling down");
    assert!(matches!(fixture.call(), Decision::Send(_)));
    fixture.now += s(1);
    assert_eq!(fixture.refused().retry_at, Some(fixture.now + s(50)));
    fixture.now += s(50);
    assert_eq!(shown(&fixture.started()), Some("r"), "a transient failure spends no refresh token");
}

#[test]
fn only_the_current_generation_is_marked_as_rejected() {
    let mut fixture = Fixture::holding(grant("a"));
    fixture.install(grant("b"));
    assert!(matches!(fixture.reject(1), Decision::Send(snapshot) if snapshot.generation() == 2));
    assert!(matches!(fixture.reject(2), Decision::Start(..)));
    assert!(matches!(fixture.reject(1), Decision::Join(_)), "an old one when nothing is usable");
}

#[test]
fn a_pause_follows_a_failure_and_grows_from_one_second() {
    let mut fixture = Fixture::empty();
    for expected in [1, 2, 4, 8, 16, 32, 40, 40] {
        let ticket = fixture.started();
        fixture.finish(&ticket, Err(Failure::transient("503")));
        assert_eq!(fixture.refused().retry_at, Some(fixture.now + s(expected)));
        fixture.now += s(expected) - Duration::from_nanos(1);
        fixture.refused();
        fixture.now += Duration::from_nanos(1);
    }
    let ticket = fixture.started();
    fixture.finish(&ticket, Ok(grant("a")));
    fixture.reject(1);
    fixture.state.finish(ticket.id + 1, Err(Failure::transient("503")), fixture.now, fixture.at());
    let Decision::Fail(refusal) = fixture.reject(1) else { panic!("a pause ends by itself only") };
    assert_eq!(refusal.retry_at, Some(fixture.now + s(1)), "a success begins anew");
}

#[test]
fn the_servers_wait_is_a_lower_bound_of_up_to_a_day() {
    for (asked, waited) in
        [(s(0), s(1)), (s(1), s(1)), (s(7), s(7)), (s(86_400), s(86_400)), (s(1_763_650_000), s(86_400))]
    {
        let mut fixture = Fixture::empty();
        let ticket = fixture.started();
        fixture.finish(&ticket, Err(Failure::transient("429").retry_after(asked)));
        assert_eq!(fixture.refused().retry_at, Some(fixture.now + waited));
    }
    let mut fixture = Fixture::empty();
    let ticket = fixture.started();
    fixture.finish(&ticket, Err(Failure::transient("429").retry_after(Duration::MAX)));
    assert_eq!(fixture.refused().retry_at, Some(fixture.now + s(86_400)), "a day is the longest");
}

#[test]
fn a_set_that_is_not_new_is_not_installed() {
    for (name, bad) in [("the same", grant("a")), ("none", TokenSet::new())] {
        let mut fixture = Fixture::holding(grant("a").refresh_token("r1"));
        let Decision::Start(ticket, _) = fixture.reject(1) else { panic!("no flight") };
        let outcome = fixture.finish(&ticket, Ok(bad.refresh_token("r2")));
        assert!(outcome.is_some_and(|outcome| outcome.is_err_and(|refusal| refusal.failure.is_transient())), "{name}");
        assert_eq!(fixture.generation(), 1, "{name}");
        fixture.now += s(1);
        assert_eq!(shown(&fixture.started()), Some("r2"), "{name}: the rotated refresh token is kept");
    }
}

#[test]
fn a_refresh_without_a_refresh_token_keeps_the_old_one_and_a_login_does_not() {
    let mut fixture = Fixture::holding(grant("a").refresh_token("r"));
    fixture.state.current().mark_accepted();
    let Decision::Start(ticket, _) = fixture.reject(1) else { panic!("no flight") };
    fixture.finish(&ticket, Ok(grant("b")));
    fixture.now += s(120);
    let Decision::Start(ticket, _) = fixture.reject(2) else { panic!("no flight") };
    assert_eq!(shown(&ticket), Some("r"));
    assert!(fixture.state.set_presented(ticket.id, None));
    fixture.finish(&ticket, Ok(grant("c")));
    fixture.now += s(120);
    let Decision::Start(ticket, _) = fixture.reject(3) else { panic!("no flight") };
    assert_eq!(shown(&ticket), None);
}

#[test]
fn a_refresh_token_that_may_be_spent_is_not_presented_again() {
    let mut fixture = Fixture::holding(grant("a").refresh_token("r").expires_in(s(3600)));
    fixture.now += s(3500);
    let ticket = fixture.state.renew(fixture.now).expect("due");
    fixture.finish(&ticket, Err(Failure::ambiguous("timeout")));
    fixture.now += s(99);
    assert!(fixture.state.renew(fixture.now).is_none(), "served to its end");
    assert!(matches!(fixture.call(), Decision::Send(_)));
    fixture.now += s(1);
    assert_eq!(shown(&fixture.started()), None, "then a login");
}

#[test]
fn a_refresh_token_that_does_not_rotate_is_presented_again() {
    for (brought, again) in [(Some("r"), Some("r")), (None, Some("r")), (Some("r2"), None)] {
        let mut fixture = Fixture::holding(grant("a").refresh_token("r"));
        let Decision::Start(ticket, _) = fixture.reject(1) else { panic!("no flight") };
        let mut answer = grant("b");
        if let Some(brought) = brought {
            answer = answer.refresh_token(brought);
        }
        fixture.finish(&ticket, Ok(answer));
        fixture.now += s(120);
        let Decision::Start(ticket, _) = fixture.reject(2) else { panic!("no flight") };
        fixture.finish(&ticket, Err(Failure::ambiguous("timeout")));
        fixture.now += s(1);
        assert_eq!(shown(&fixture.started()), again, "{brought:?}");
    }
}

#[test]
fn a_permanent_failure_lasts_until_an_install_or_a_clear() {
    for failure in [Failure::permanent("invalid_client"), Failure::invalid_grant("invalid_grant")] {
        let mut fixture = Fixture::empty();
        let ticket = fixture.started();
        fixture.finish(&ticket, Err(failure.clone()));
        fixture.now += s(86_400);
        assert_eq!(fixture.refused().retry_at, None);
        fixture.state.clear();
        let ticket = fixture.started();
        fixture.finish(&ticket, Err(failure));
        fixture.install(grant("a"));
        assert!(matches!(fixture.call(), Decision::Send(_)));
    }
}

#[test]
fn the_result_of_a_superseded_flight_is_dropped() {
    let mut fixture = Fixture::holding(grant("a").refresh_token("r"));
    let Decision::Start(old, _) = fixture.reject(1) else { panic!("no flight") };
    fixture.state.clear();
    assert!(!fixture.state.set_presented(old.id, None), "nor does it go on");
    assert!(fixture.finish(&old, Ok(grant("late"))).is_none());
    assert!(fixture.state.current().is_empty());
    let new = fixture.started();
    assert!(fixture.finish(&old, Err(Failure::permanent("late"))).is_none());
    assert!(matches!(fixture.finish(&new, Ok(grant("b"))), Some(Ok(2))));
}

#[test]
fn a_late_rejection_after_a_logout_causes_no_login() {
    let mut fixture = Fixture::holding(grant("a"));
    fixture.state.clear();
    assert!(matches!(fixture.reject(1), Decision::Fail(refusal) if refusal.failure.is_cleared()));
}

#[test]
fn three_generations_that_were_never_accepted_lead_to_a_login() {
    let mut fixture = Fixture::holding(grant("t1").refresh_token("r"));
    fixture.state.current().mark_accepted();
    for (generation, expected) in [(1, Some("r")), (2, Some("r")), (3, Some("r")), (4, None), (5, None)] {
        fixture.now += s(120);
        assert!(matches!(fixture.call(), Decision::Send(_)), "a rejected second sending leaves no suspicion");
        let Decision::Start(ticket, _) = fixture.reject(generation) else { panic!("stopped at {generation}") };
        assert_eq!(shown(&ticket), expected, "{generation}");
        let next = grant(&format!("t{}", generation + 1));
        fixture.finish(&ticket, Ok(if expected.is_some() { next } else { next.refresh_token("r") }));
        fixture.state.record_second_rejection(generation + 1, Route::numbered(1), fixture.now);
        fixture.state.record_second_rejection(generation + 1, Route::numbered(1), fixture.now);
    }
}

#[test]
fn one_accepted_request_ends_the_count() {
    let mut fixture = Fixture::holding(grant("t1").refresh_token("r"));
    for generation in 1..=9 {
        fixture.now += s(120);
        if generation % 3 == 0 {
            fixture.state.current().mark_accepted();
        }
        let Decision::Start(ticket, _) = fixture.reject(generation) else { panic!("stopped at {generation}") };
        assert_eq!(shown(&ticket), Some("r"), "{generation}");
        fixture.finish(&ticket, Ok(grant(&format!("u{generation}")).refresh_token("r")));
    }
}

#[test]
fn a_set_that_is_rejected_too_early_is_replaced_later_each_time() {
    let mut fixture = Fixture::holding(grant("t1").refresh_token("r"));
    let Decision::Start(mut ticket, _) = fixture.reject(1) else { panic!("the first one is not held back") };
    for generation in [2, 3] {
        fixture.finish(&ticket, Ok(grant(&format!("t{generation}")).refresh_token("r")));
        fixture.state.current().mark_accepted();
        let Decision::Start(next, _) = fixture.reject(generation) else { panic!("two early ones are let through") };
        ticket = next;
    }
    for (generation, floor) in [(4, 4), (5, 12), (6, 36), (7, 108), (8, 120), (9, 120)] {
        fixture.finish(&ticket, Ok(grant(&format!("t{generation}")).refresh_token("r")));
        fixture.state.current().mark_accepted();
        for age in [0, floor - 1] {
            fixture.now += s(age);
            assert!(matches!(fixture.reject(generation), Decision::Fail(_)), "{generation} after {age} s");
            assert!(matches!(fixture.call(), Decision::Send(_)), "the others go on with it");
        }
        let storm = RefreshStorm { flights: 3, during: s(4 + 12 + 36) };
        assert_eq!(fixture.state.take_storm(), (generation == 7).then_some(storm), "told once");
        assert_eq!(fixture.state.tracks_routes(), generation > 4, "once the floor has risen");
        fixture.now += s(1);
        ticket = match fixture.reject(generation) {
            Decision::Start(ticket, _) => ticket,
            other => panic!("{generation} after {floor} s: {other:?}"),
        };
    }
}

#[test]
fn a_route_that_rejects_a_fresh_set_is_remembered_for_ten_minutes_and_until_it_accepts_one() {
    let (bad, good) = (Route::numbered(1), Route::numbered(2));
    let mut fixture = Fixture::holding(grant("t1").refresh_token("r"));
    fixture.state.current().mark_accepted();
    let Decision::Start(ticket, _) = fixture.reject(1) else { panic!("no flight") };
    fixture.finish(&ticket, Ok(grant("t2").refresh_token("r")));
    fixture.state.record_second_rejection(2, bad, fixture.now);
    let accept = |fixture: &mut Fixture, route| {
        let accepted = Acceptance { generation: 2, route: Some(route), is_probe: false };
        fixture.state.record_acceptance(accepted, fixture.now);
    };
    accept(&mut fixture, good);
    fixture.now += s(599);
    assert!(
        matches!(fixture.state.record_rejection(2, Some(bad), fixture.now), Decision::Fail(_)),
        "its verdict stands"
    );
    assert!(matches!(fixture.call(), Decision::Send(_)));
    let mut accepted = Fixture { state: State::new(false, true), now: fixture.now };
    std::mem::swap(&mut accepted, &mut fixture);
    accept(&mut accepted, bad);
    assert!(
        matches!(accepted.state.record_rejection(2, Some(bad), accepted.now), Decision::Start(..)),
        "it accepted one since"
    );
}

#[test]
fn one_call_in_a_second_probes_a_set_that_was_accepted_before() {
    let mut fixture = Fixture::holding(grant("t1").refresh_token("r"));
    fixture.state.current().mark_accepted();
    let Decision::Start(ticket, _) = fixture.reject(1) else { panic!("no flight") };
    assert!(matches!(fixture.call(), Decision::Probe(_, None)));
    assert!(matches!(fixture.call(), Decision::Join(Some(_))), "one at a time");
    fixture.now += s(1);
    assert!(matches!(fixture.call(), Decision::Probe(_, None)), "the first one may be lost");
    let probe = Acceptance { generation: 1, route: None, is_probe: true };
    assert!(fixture.state.record_acceptance(probe, fixture.now), "those that wait go on");
    assert!(matches!(fixture.call(), Decision::Send(_)));
    assert!(matches!(fixture.finish(&ticket, Ok(grant("t2"))), Some(Ok(2))), "the flight goes on all the same");
}

#[test]
fn while_the_issuer_fails_a_rejected_set_is_sent_and_an_expired_one_is_not() {
    let mut fixture = Fixture::holding(grant("t1").refresh_token("r").expires_in(s(3600)));
    fixture.state.current().mark_accepted();
    let Decision::Start(ticket, _) = fixture.reject(1) else { panic!("no flight") };
    fixture.finish(&ticket, Err(Failure::transient("503").retry_after(s(7200))));
    assert!(matches!(fixture.call(), Decision::Probe(_, None)), "it may be good enough");
    assert!(matches!(fixture.reject(1), Decision::Fail(_)), "its rejection comes up");
    fixture.now += s(3600);
    assert_eq!(fixture.refused().retry_at, Some(fixture.now + s(3600)));
}

#[test]
fn a_wait_that_a_server_asked_for_is_not_cut_short() {
    let mut fixture = Fixture::holding(grant("t1").expires_in(s(3600)));
    for generation in 1..=2 {
        let Decision::Start(ticket, _) = fixture.reject(generation) else { panic!("stopped at {generation}") };
        fixture.finish(&ticket, Ok(grant(&format!("u{generation}")).expires_in(s(3600))));
        fixture.now += s(4);
    }
    fixture.now += s(3496);
    let ticket = fixture.state.renew(fixture.now).expect("due");
    fixture.finish(&ticket, Err(Failure::transient("503").retry_after(s(60))));
    assert!(matches!(fixture.reject(3), Decision::Fail(refusal) if refusal.retry_at == Some(fixture.now + s(60))));
}

#[test]
fn static_credentials_never_start_a_flight() {
    let mut state = State::new(true, true);
    let at = Now { instant: Instant::now(), random: 0 };
    assert!(matches!(state.acquire(at.instant), Decision::Fail(refusal) if refusal.failure.is_permanent()));
    state.install(grant("key").expires_in(s(1)), at);
    let later = at.instant + s(86_400);
    assert!(matches!(state.acquire(later), Decision::Send(_)), "they do not expire");
    assert!(state.renew(later).is_none());
}

#[test]
fn a_failed_refresh_restarts_the_age_of_an_accepted_set() {
    let mut fixture = Fixture::holding(grant("t1"));
    fixture.state.current().mark_accepted();
    let Decision::Start(ticket, _) = fixture.reject(1) else { panic!("no flight") };
    fixture.finish(&ticket, Err(Failure::transient("503")));
    fixture.now += s(4) - Duration::from_nanos(1);
    assert!(matches!(fixture.call(), Decision::Probe(_, None)), "the cool-down is over, and the floor is not");
    fixture.now += Duration::from_nanos(1);
    assert!(matches!(fixture.call(), Decision::Probe(_, Some(_))));
}

#[test]
fn a_token_whose_answer_was_lost_is_presented_again_until_a_quarter_of_the_grace_is_left() {
    for (later, expected) in [(s(1), Some("r")), (s(30), Some("r")), (s(30) + Duration::from_nanos(1), None)] {
        let mut fixture = Fixture::holding(grant("t1").refresh_token("r"));
        let Decision::Start(ticket, _) = fixture.reject(1) else { panic!("no flight") };
        assert!(ticket.reuse.is_none(), "it is presented for the first time");
        let again = Reuse::new(Shown::from_now(fixture.now), s(40), fixture.now);
        fixture.state.set_reuse(ticket.id, None, again);
        fixture.finish(&ticket, Err(Failure::ambiguous("timeout")));
        fixture.now += later;
        let ticket = fixture.started();
        assert_eq!((shown(&ticket), ticket.reuse.is_some()), (expected, expected.is_some()), "{later:?}");
    }
}

#[test]
fn a_rejection_during_a_flight_marks_the_set_unless_it_was_accepted_since() {
    let mut fixture = Fixture::holding(grant("t1").refresh_token("r"));
    fixture.state.current().mark_accepted();
    assert!(matches!(fixture.reject(1), Decision::Start(..)));
    assert!(fixture.state.record_acceptance(Acceptance { generation: 1, route: None, is_probe: true }, fixture.now));
    assert!(matches!(fixture.reject(1), Decision::Join(_)));
    assert!(matches!(fixture.call(), Decision::Send(_)), "the others go on with it");

    let mut renewed = Fixture::holding(grant("t1").refresh_token("r").expires_in(s(3600)));
    renewed.now += s(3500);
    assert!(renewed.state.renew(renewed.now).is_some());
    assert!(matches!(renewed.reject(1), Decision::Join(_)));
    assert!(matches!(renewed.call(), Decision::Join(_)), "the others wait for the renewal too");
}

#[test]
fn only_the_acceptance_of_the_current_set_counts() {
    let accepted = |generation| Acceptance { generation, route: None, is_probe: false };
    let mut fixture = Fixture::holding(grant("t1"));
    fixture.install(grant("t2"));
    assert!(!fixture.state.record_acceptance(accepted(1), fixture.now));
    assert!(!fixture.state.current().is_accepted());
    fixture.state.record_acceptance(accepted(2), fixture.now);
    assert!(fixture.state.current().is_accepted());
    fixture.state.clear();
    fixture.state.record_acceptance(accepted(2), fixture.now);
    assert!(!fixture.state.current().is_accepted(), "after a logout there is none");
}

#[test]
fn the_last_eight_superseded_sets_are_kept() {
    let mut fixture = Fixture::empty();
    for number in 1..=12_u64 {
        fixture.install(grant(&format!("t{number}")));
        let kept: Vec<_> = fixture.state.superseded().iter().map(|set| set.generation()).collect();
        assert_eq!(kept, (number.saturating_sub(8).max(1)..number).collect::<Vec<_>>());
    }
}
