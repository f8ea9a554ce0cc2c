//! What follows from a rejection, so that one route cannot take the credentials from the others.
//!
//! A rejection says that a set of credentials is dead, or that one route refuses it. Which of them it was shows when the
//! request is sent again with a fresh set, and when others are accepted with the set that was rejected:
//!
//! - **Rejected routes.** A route that rejects a fresh set that others accept is remembered for 10 min; its rejections of
//!   that generation come up, and cause no flight.
//! - **Floor.** A rejection causes a flight only when the current set is old enough, see [`Floor`]. There are two floors:
//!   one for rejections by routes that had accepted the current set, which says most about it, and one for all others.
//! - **Suspicion.** A rejection that causes a flight makes the set suspect. Calls wait for the flight, but one of them in a
//!   second probes a set that had been accepted before. If the probe is accepted, the suspicion ends and all go on.
//! - **Strikes.** Sets that were superseded by a rejection before anything accepted them. From the third in a row on, the
//!   refresh token is not shown again, and the flight logs in.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::floor::Floor;
use super::routes::{Route, Routes};
use super::{Decision, Flight, Refusal, State};
use crate::explanation::Explanation;
use crate::failure::Failure;

/// This many sets in a row that no server ever accepted show that a refresh does not help.
const MAX_STRIKES: u32 = 3;
/// The shortest time between two probes. It counts from the beginning of a probe, so that one that is dropped blocks none.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// Few access tokens live for less: a set that is rejected earlier may be one that the route never accepts. It is twice the
/// longest floor, so that a route that rejects each set keeps the floor up.
const PLAUSIBLE_LIFE: Duration = Duration::from_secs(4 * 60);

#[derive(Debug)]
pub(super) struct Rejections {
    routes: Routes,
    /// For rejections by routes that had accepted the current set.
    proven_floor: Floor,
    /// For all other rejections.
    floor: Floor,
    /// From when on the age of the current set counts.
    since: Option<Instant>,
    /// Whether the current suspicion came from a route that had accepted the set.
    is_proven_alarm: bool,
    /// Not set as long as the current set was not probed.
    next_probe: Option<Instant>,
    strikes: u32,
    /// Flights since the floor began to rise, and since when.
    flights: u32,
    rising_since: Option<Instant>,
    storm: Option<Storm>,
}

/// That rejections keep causing flights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Storm {
    pub(crate) flights: u32,
    pub(crate) during: Duration,
}

/// A request that was accepted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepted {
    pub(crate) generation: u64,
    pub(crate) route: Option<Route>,
    /// Whether it was sent while its set was suspect.
    pub(crate) is_probe: bool,
}

/// A request that was rejected with the credentials of that generation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rejected {
    pub(crate) generation: u64,
    pub(crate) route: Option<Route>,
    /// Whether it may have been processed, so that it may not be sent again to see whether a fresh set is accepted.
    pub(crate) is_uncertain: bool,
}

impl Rejections {
    pub(super) fn new() -> Self {
        Self {
            routes: Routes::default(),
            proven_floor: Floor::default(),
            floor: Floor::default(),
            since: None,
            is_proven_alarm: false,
            next_probe: None,
            strikes: 0,
            flights: 0,
            rising_since: None,
            storm: None,
        }
    }

    fn floor_of(&mut self, is_proven: bool) -> &mut Floor {
        if is_proven { &mut self.proven_floor } else { &mut self.floor }
    }

    const fn is_raised(&self) -> bool {
        self.floor.is_raised() || self.proven_floor.is_raised()
    }

    /// Remembers a storm, to be told once.
    fn note(&mut self, is_storm: bool, now: Instant) {
        if is_storm {
            let during = now.saturating_duration_since(self.rising_since.unwrap_or(now));
            self.storm = Some(Storm { flights: self.flights, during });
        }
        if !self.is_raised() {
            (self.flights, self.rising_since) = (0, Some(now));
        }
    }
}

impl State {
    /// Whether requests are to be told apart by their routes. It is false as long as nothing is wrong.
    pub(crate) fn is_wary(&self) -> bool {
        self.rejections.routes.has_rejected() || self.rejections.is_raised()
    }

    /// Takes the storm that is to be told, if there is one.
    pub(crate) fn take_storm(&mut self) -> Option<Storm> {
        self.rejections.storm.take()
    }

    /// Decides about a request whose credentials, of that generation, were rejected.
    pub(crate) fn rejected(&mut self, generation: u64, route: Option<Route>, now: Instant) -> Decision {
        if self.current.is_empty() {
            // A logout came between: what was sent before it brings nobody in again.
            return Decision::Fail(Refusal { failure: Failure::cleared(), retry_at: None });
        }
        if generation != self.current.generation() {
            return self.call(now);
        }
        let remembered = self.rejections.routes.rejected(route, now);
        if remembered == Some(generation) && self.current.is_proven() {
            return hold_back("the route rejects credentials that others accept");
        }
        let is_proven = self.rejections.routes.has_accepted(route);
        let is_due = self.is_due(is_proven, now);
        if let Some(flight) = &self.flight {
            if is_due && !flight.is_disproved {
                self.suspect(is_proven);
            }
            return Decision::Join(None);
        }
        let floor = self.rejections.floor_of(is_proven);
        if !is_due && !floor.take_spare() {
            if remembered.is_none() || !self.current.is_proven() {
                floor.mark_early();
            }
            return hold_back("the credentials are too new to be replaced");
        }
        self.suspect(is_proven);
        match self.refusal(now) {
            Some(refusal) => Decision::Fail(refusal),
            None => Decision::Start(self.start_again(), None),
        }
    }

    /// Records that a request was rejected that may have been processed, so that perhaps no resend shows whether a fresh set
    /// helps. A set that is rejected so within [`PLAUSIBLE_LIFE`] raises the floor: a token that lives for longer than the
    /// longest floor is still refreshed at once, and a route that rejects each set costs no more than the floor allows.
    pub(crate) fn doubt(&mut self, generation: u64, route: Option<Route>, now: Instant) {
        let is_young = self.rejections.since.is_some_and(|since| now.saturating_duration_since(since) < PLAUSIBLE_LIFE);
        if is_young && generation == self.current.generation() {
            let is_proven = self.rejections.routes.has_accepted(route);
            self.rejections.floor_of(is_proven).mark_early();
        }
    }

    /// Records that a request was rejected again that was sent again with a fresh set.
    pub(crate) fn rejected_again(&mut self, generation: u64, route: Route, now: Instant) {
        if generation != self.current.generation() || self.current.is_empty() {
            return;
        }
        if self.rejections.routes.rejected(Some(route), now).is_none() || !self.current.is_proven() {
            let is_proven = self.rejections.routes.has_accepted(Some(route));
            self.rejections.floor_of(is_proven).mark_early();
        }
        self.rejections.routes.remember(route, generation, now);
    }

    /// Records that a server has accepted a request. Returns `true` if calls that wait may go on.
    pub(crate) fn accepted(&mut self, accepted: Accepted, now: Instant) -> bool {
        if accepted.generation != self.current.generation() || self.current.is_empty() {
            return false;
        }
        if let Some(route) = accepted.route {
            self.rejections.routes.accept(route, now);
        }
        let (was_suspect, was_proven) = (self.current.is_suspect(), self.current.is_proven());
        self.current.prove();
        if !was_suspect || !accepted.is_probe {
            return was_suspect && !was_proven;
        }
        self.current.clear_suspicion();
        match &mut self.flight {
            Some(flight) => flight.is_disproved = true,
            None => self.false_alarm(now),
        }
        true
    }

    /// Decides about a request when the set was rejected elsewhere and has not expired.
    pub(super) fn call_suspect(&mut self, now: Instant) -> Decision {
        let is_free = self.flight.is_none();
        let is_held = self.current.is_proven() && !self.is_due(self.rejections.is_proven_alarm, now);
        if is_free && (is_held || self.refusal(now).is_some()) {
            // There will be no better one for now, and it may be good enough for this request.
            return Decision::Probe(Arc::clone(&self.current), None);
        }
        let ticket = is_free.then(|| self.start_again());
        if !self.current.is_proven() {
            return ticket.map_or(Decision::Join(None), |ticket| Decision::Start(ticket, None));
        }
        let next = self.rejections.next_probe.filter(|next| now < *next);
        match (next, ticket) {
            (None, ticket) => {
                self.rejections.next_probe = Some(now + PROBE_EVERY);
                Decision::Probe(Arc::clone(&self.current), ticket)
            }
            (next, Some(ticket)) => Decision::Start(ticket, next),
            (next, None) => Decision::Join(next),
        }
    }

    /// Moves on from the current set, when a flight brings the next one.
    pub(super) fn supersede(&mut self, flight: &Flight, now: Instant) {
        let rejections = &mut self.rejections;
        if flight.is_disproved {
            rejections.floor_of(rejections.is_proven_alarm).mark_early();
        }
        if flight.by_rejection {
            rejections.strikes = if self.current.is_proven() { 0 } else { rejections.strikes.saturating_add(1) };
        }
        let age = rejections.since.map_or(Duration::MAX, |since| now.saturating_duration_since(since));
        rejections.flights = rejections.flights.saturating_add(1);
        let by_rejection = flight.by_rejection;
        let is_storm =
            rejections.floor.supersede(age, by_rejection) | rejections.proven_floor.supersede(age, by_rejection);
        rejections.note(is_storm, now);
        rejections.routes.supersede(now);
        (rejections.since, rejections.next_probe) = (Some(now), None);
    }

    /// Stays with the current set when a flight has failed. The floor counts anew if the set had been accepted: others go on
    /// with it, and the issuer is not asked more often for failing.
    pub(super) fn keep(&mut self, flight: &Flight, now: Instant) {
        if flight.is_disproved {
            self.false_alarm(now);
        } else if flight.by_rejection && self.current.is_proven() {
            self.rejections.since = Some(now);
            self.rejections.floor.hold();
            self.rejections.proven_floor.hold();
        }
    }

    /// Records that a set was accepted after a rejection had started a flight that brought nothing.
    pub(super) fn false_alarm(&mut self, now: Instant) {
        let rejections = &mut self.rejections;
        rejections.flights = rejections.flights.saturating_add(1);
        let is_storm = rejections.floor_of(rejections.is_proven_alarm).raise();
        rejections.note(is_storm, now);
        (rejections.since, rejections.next_probe) = (Some(now), None);
    }

    /// Whether the current set is old enough for a rejection to replace it.
    fn is_due(&self, is_proven: bool, now: Instant) -> bool {
        let floor = if is_proven { self.rejections.proven_floor } else { self.rejections.floor };
        self.rejections.since.is_none_or(|since| now.saturating_duration_since(since) >= floor.length())
    }

    fn suspect(&mut self, is_proven: bool) {
        if !self.current.is_suspect() {
            self.rejections.is_proven_alarm = is_proven;
            self.current.suspect();
        }
    }

    /// Starts a flight that replaces a rejected set.
    fn start_again(&mut self) -> super::Ticket {
        if !self.current.is_proven() && self.rejections.strikes + 1 >= MAX_STRIKES {
            self.refresh_token = None;
        }
        self.start(true)
    }
}

/// Lets a rejection come up.
fn hold_back(why: &'static str) -> Decision {
    Decision::Fail(Refusal { failure: Failure::transient(Explanation::new(why)), retry_at: None })
}

#[cfg(test)]
mod tests {
    use super::super::{Moment, TokenSet};
    use super::*;

    /// Counts the flights of an hour in which calls, `every` so long apart, are rejected with sets of that age or more; others
    /// are accepted with the same sets.
    fn flights(every: u64, age: u64, is_uncertain: bool) -> u32 {
        let (mut state, start) = (State::new(false, true), Instant::now());
        let grant = |number: u64| TokenSet::bearer(format!("t{number}")).expect("legal").refresh_token("r");
        state.install(grant(0), Moment { now: start, random: 0 });
        let (mut flights, mut since) = (0, start);
        for second in (0..3600).step_by(usize::try_from(every).expect("small")) {
            let now = start + Duration::from_secs(second);
            let generation = state.current().generation();
            state.accepted(Accepted { generation, route: None, is_probe: false }, now);
            if now - since < Duration::from_secs(age) {
                continue;
            }
            if is_uncertain {
                state.doubt(generation, None, now);
            }
            if let Decision::Start(ticket, _) = state.rejected(generation, None, now) {
                (flights, since) = (flights + 1, now);
                state.land(ticket.id, Ok(grant(second + 1)), now, Moment { now, random: 0 });
            }
        }
        flights
    }

    #[test]
    fn a_route_that_rejects_each_set_costs_no_more_than_the_longest_floor_allows() {
        assert!(flights(5, 0, false) > 600, "a resend would have told");
        for every in [1, 5, 15, 60, 120] {
            let flights = flights(every, 0, true);
            assert!((25..=36).contains(&flights), "every {every} s: {flights}");
        }
    }

    #[test]
    fn tokens_that_live_longer_than_the_longest_floor_are_refreshed_at_once() {
        for (age, expected) in [(300, 11), (600, 5), (130, 27)] {
            assert_eq!(flights(1, age, true), expected, "tokens of {age} s");
        }
    }
}
