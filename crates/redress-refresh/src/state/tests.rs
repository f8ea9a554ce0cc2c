//! The transitions, one by one.

use std::time::Duration;

use super::*;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn grant(token: &str) -> Grant {
    Grant::bearer(token).expect("legal")
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

    fn holding(grant: Grant) -> Self {
        let mut fixture = Self::empty();
        fixture.install(grant);
        fixture
    }

    fn at(&self) -> Moment {
        Moment { now: self.now, random: 0 }
    }

    fn install(&mut self, grant: Grant) {
        self.state.install(grant, self.at());
    }

    fn call(&mut self) -> Decision {
        self.state.call(self.now)
    }

    fn started(&mut self) -> Ticket {
        match self.call() {
            Decision::Start(ticket) => ticket,
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
        self.state.rejected(generation, self.at())
    }

    fn land(&mut self, ticket: &Ticket, result: Result<Grant, Failure>) -> Option<Outcome> {
        self.state.land(ticket.id, result, self.now, self.at())
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
    assert!(matches!(fixture.call(), Decision::Join));
    assert!(matches!(fixture.land(&ticket, Ok(grant("a"))), Some(Ok(1))));
    assert!(matches!(fixture.call(), Decision::Send(snapshot) if snapshot.generation() == 1));
}

#[test]
fn a_renewal_starts_once_and_stops_nobody() {
    let mut fixture = Fixture::holding(grant("a").refresh_token("r").expires_in(s(3600)));
    assert!(fixture.state.renew(fixture.now).is_none(), "not due");
    fixture.now += s(3500);
    let ticket = fixture.state.renew(fixture.now).expect("due");
    assert_eq!(shown(&ticket), Some("r"));
    assert!(fixture.state.renew(fixture.now).is_none(), "under way");
    assert!(matches!(fixture.call(), Decision::Send(_)));
    fixture.now += s(100);
    assert!(matches!(fixture.call(), Decision::Join), "expired now");
}

#[test]
fn a_renewal_that_fails_leaves_the_old_set_until_it_expires() {
    let mut fixture = Fixture::holding(grant("a").refresh_token("r").expires_in(s(3600)));
    fixture.now += s(3500);
    let ticket = fixture.state.renew(fixture.now).expect("due");
    fixture.land(&ticket, Err(Failure::transient("503").retry_after(s(150))));
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
fn only_the_current_generation_becomes_suspect() {
    let mut fixture = Fixture::holding(grant("a"));
    fixture.install(grant("b"));
    assert!(matches!(fixture.reject(1), Decision::Send(snapshot) if snapshot.generation() == 2));
    assert!(matches!(fixture.reject(2), Decision::Start(_)));
    assert!(matches!(fixture.reject(1), Decision::Join), "an old one when nothing is usable");
}

#[test]
fn a_pause_follows_a_failure_and_grows_from_one_second() {
    let mut fixture = Fixture::empty();
    for expected in [1, 2, 4, 8, 16, 32, 40, 40] {
        let ticket = fixture.started();
        fixture.land(&ticket, Err(Failure::transient("503")));
        assert_eq!(fixture.refused().retry_at, Some(fixture.now + s(expected)));
        fixture.now += s(expected) - Duration::from_nanos(1);
        fixture.refused();
        fixture.now += Duration::from_nanos(1);
    }
    let ticket = fixture.started();
    fixture.land(&ticket, Ok(grant("a")));
    fixture.reject(1);
    fixture.state.land(ticket.id + 1, Err(Failure::transient("503")), fixture.now, fixture.at());
    assert_eq!(fixture.refused().retry_at, Some(fixture.now + s(1)), "a success begins anew");
}

#[test]
fn the_servers_wait_is_a_lower_bound_of_up_to_a_day() {
    for (asked, waited) in
        [(s(0), s(1)), (s(1), s(1)), (s(7), s(7)), (s(86_400), s(86_400)), (s(1_763_650_000), s(86_400))]
    {
        let mut fixture = Fixture::empty();
        let ticket = fixture.started();
        fixture.land(&ticket, Err(Failure::transient("429").retry_after(asked)));
        assert_eq!(fixture.refused().retry_at, Some(fixture.now + waited));
    }
    let mut fixture = Fixture::empty();
    let ticket = fixture.started();
    fixture.land(&ticket, Err(Failure::transient("429").retry_after(Duration::MAX)));
    assert_eq!(fixture.refused().retry_at, Some(fixture.now + s(86_400)), "a day is the longest");
}

#[test]
fn what_is_no_new_set_is_not_installed() {
    for (name, bad) in [("the same", grant("a")), ("none", Grant::new())] {
        let mut fixture = Fixture::holding(grant("a").refresh_token("r1"));
        let Decision::Start(ticket) = fixture.reject(1) else { panic!("no flight") };
        let outcome = fixture.land(&ticket, Ok(bad.refresh_token("r2")));
        assert!(outcome.is_some_and(|outcome| outcome.is_err_and(|refusal| refusal.failure.is_transient())), "{name}");
        assert_eq!(fixture.generation(), 1, "{name}");
        fixture.now += s(1);
        assert_eq!(shown(&fixture.started()), Some("r2"), "{name}: the rotated refresh token is kept");
    }
}

#[test]
fn a_refresh_without_a_refresh_token_keeps_the_old_one_and_a_login_does_not() {
    let mut fixture = Fixture::holding(grant("a").refresh_token("r"));
    fixture.state.current().prove();
    let Decision::Start(ticket) = fixture.reject(1) else { panic!("no flight") };
    fixture.land(&ticket, Ok(grant("b")));
    let Decision::Start(ticket) = fixture.reject(2) else { panic!("no flight") };
    assert_eq!(shown(&ticket), Some("r"));
    assert!(fixture.state.present(ticket.id, None));
    fixture.land(&ticket, Ok(grant("c")));
    let Decision::Start(ticket) = fixture.reject(3) else { panic!("no flight") };
    assert_eq!(shown(&ticket), None);
}

#[test]
fn a_refresh_token_that_may_be_spent_is_not_shown_again() {
    let mut fixture = Fixture::holding(grant("a").refresh_token("r").expires_in(s(3600)));
    fixture.now += s(3500);
    let ticket = fixture.state.renew(fixture.now).expect("due");
    fixture.land(&ticket, Err(Failure::ambiguous("timeout")));
    fixture.now += s(99);
    assert!(fixture.state.renew(fixture.now).is_none(), "served to its end");
    assert!(matches!(fixture.call(), Decision::Send(_)));
    fixture.now += s(1);
    assert_eq!(shown(&fixture.started()), None, "then a login");
}

#[test]
fn a_refresh_token_known_not_to_rotate_is_shown_again() {
    for (brought, again) in [(Some("r"), Some("r")), (None, Some("r")), (Some("r2"), None)] {
        let mut fixture = Fixture::holding(grant("a").refresh_token("r"));
        let Decision::Start(ticket) = fixture.reject(1) else { panic!("no flight") };
        let mut answer = grant("b");
        if let Some(brought) = brought {
            answer = answer.refresh_token(brought);
        }
        fixture.land(&ticket, Ok(answer));
        let Decision::Start(ticket) = fixture.reject(2) else { panic!("no flight") };
        fixture.land(&ticket, Err(Failure::ambiguous("timeout")));
        fixture.now += s(1);
        assert_eq!(shown(&fixture.started()), again, "{brought:?}");
    }
}

#[test]
fn a_permanent_failure_lasts_until_an_install_or_a_clear() {
    for failure in [Failure::permanent("invalid_client"), Failure::grant_dead("invalid_grant")] {
        let mut fixture = Fixture::empty();
        let ticket = fixture.started();
        fixture.land(&ticket, Err(failure.clone()));
        fixture.now += s(86_400);
        assert_eq!(fixture.refused().retry_at, None);
        fixture.state.clear();
        let ticket = fixture.started();
        fixture.land(&ticket, Err(failure));
        fixture.install(grant("a"));
        assert!(matches!(fixture.call(), Decision::Send(_)));
    }
}

#[test]
fn what_a_superseded_flight_brings_is_dropped() {
    let mut fixture = Fixture::holding(grant("a").refresh_token("r"));
    let Decision::Start(old) = fixture.reject(1) else { panic!("no flight") };
    fixture.state.clear();
    assert!(!fixture.state.present(old.id, None), "nor does it go on");
    assert!(fixture.land(&old, Ok(grant("late"))).is_none());
    assert!(fixture.state.current().is_empty());
    let new = fixture.started();
    assert!(fixture.land(&old, Err(Failure::permanent("late"))).is_none());
    assert!(matches!(fixture.land(&new, Ok(grant("b"))), Some(Ok(2))));
}

#[test]
fn a_late_rejection_after_a_logout_brings_nobody_in() {
    let mut fixture = Fixture::holding(grant("a"));
    fixture.state.clear();
    assert!(matches!(fixture.reject(1), Decision::Fail(refusal) if refusal.failure.is_cleared()));
}

#[test]
fn three_generations_that_nobody_accepted_lead_to_a_pause_and_a_login() {
    let mut fixture = Fixture::holding(grant("t0").refresh_token("r"));
    fixture.state.current().prove();
    let mut ticket = match fixture.reject(1) {
        Decision::Start(ticket) => ticket,
        other => panic!("{other:?}"),
    };
    for generation in 2..=3 {
        fixture.land(&ticket, Ok(grant(&format!("t{generation}"))));
        fixture.state.rejected_again(generation, fixture.at());
        fixture.state.rejected_again(generation, fixture.at());
        assert!(matches!(fixture.call(), Decision::Send(_)), "a rejected second sending leaves no suspicion");
        ticket = match fixture.reject(generation) {
            Decision::Start(ticket) => ticket,
            other => panic!("{other:?}"),
        };
        assert_eq!(shown(&ticket), Some("r"));
    }
    fixture.land(&ticket, Ok(grant("t4")));
    assert!(matches!(fixture.reject(4), Decision::Fail(refusal) if refusal.retry_at == Some(fixture.now + s(1))));
    fixture.now += s(1);
    let ticket = fixture.started();
    assert_eq!(shown(&ticket), None, "a login");
    fixture.land(&ticket, Ok(grant("t5").refresh_token("r")));
    assert!(matches!(fixture.reject(5), Decision::Fail(refusal) if refusal.retry_at == Some(fixture.now + s(2))));
}

#[test]
fn one_accepted_request_ends_the_count() {
    let mut fixture = Fixture::holding(grant("t1"));
    for generation in 1..=9 {
        if generation % 3 == 0 {
            fixture.state.current().prove();
        }
        let Decision::Start(ticket) = fixture.reject(generation) else { panic!("stopped at {generation}") };
        fixture.land(&ticket, Ok(grant(&format!("u{generation}"))));
    }
}

#[test]
fn a_wait_that_a_server_asked_for_is_not_cut_short() {
    let mut fixture = Fixture::holding(grant("t1").expires_in(s(3600)));
    for generation in 1..=2 {
        let Decision::Start(ticket) = fixture.reject(generation) else { panic!("stopped at {generation}") };
        fixture.land(&ticket, Ok(grant(&format!("u{generation}")).expires_in(s(3600))));
    }
    fixture.now += s(3500);
    let ticket = fixture.state.renew(fixture.now).expect("due");
    fixture.land(&ticket, Err(Failure::transient("503").retry_after(s(60))));
    assert!(matches!(fixture.reject(3), Decision::Fail(refusal) if refusal.retry_at == Some(fixture.now + s(60))));
}

#[test]
fn static_credentials_never_start_a_flight() {
    let mut state = State::new(true, true);
    let at = Moment { now: Instant::now(), random: 0 };
    assert!(matches!(state.call(at.now), Decision::Fail(refusal) if refusal.failure.is_permanent()));
    state.install(grant("key").expires_in(s(1)), at);
    let later = at.now + s(86_400);
    assert!(matches!(state.call(later), Decision::Send(_)), "they do not expire");
    assert!(state.renew(later).is_none());
}
