//! The effect of a rejection: one route that rejects valid credentials must not take them from the other routes.
//!
//! A rejection means that a set of credentials is invalid, or that one route refuses it. Two observations tell them apart: the
//! response to the request when it is sent again with a fresh set, and whether other requests are accepted with the set that
//! was rejected. From them follow four rules:
//!
//! - **Rejected routes.** A route that rejects a fresh set which others accept is remembered for 10 min. Its rejections of
//!   that generation are returned to the caller and start no flight.
//! - **Minimum age.** A rejection starts a flight only if the current set is old enough, see [`MinAge`]. There are two minimum
//!   ages: one for rejections by routes that had accepted the current set, which are the better evidence, and one for all
//!   others.
//! - **Probes.** A rejection that starts a flight marks the set as rejected. Requests wait for the flight, but one in each
//!   second probes a set that had been accepted before. If the probe is accepted, the mark is removed and all proceed.
//! - **Login after three.** From the third set in a row on that was rejected before any request with it was accepted, the
//!   refresh token is not presented again, and the flight logs in.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::min_age::MinAge;
use super::routes::{Route, Routes};
use super::{Decision, Flight, Refusal, State};
use crate::explanation::Explanation;
use crate::failure::Failure;

/// After this many sets in a row that no server accepted, a login is tried in place of a refresh.
const MAX_UNACCEPTED_SETS: u32 = 3;
/// The shortest time between two probes, counted from the start of a probe, so that a dropped one blocks no other.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// Few access tokens live for a shorter time: a set that is rejected earlier may be one that the route never accepts. It is
/// twice the longest minimum age, so that a route that rejects each set keeps the minimum age up.
const PLAUSIBLE_LIFETIME: Duration = Duration::from_secs(4 * 60);

#[derive(Debug)]
pub(super) struct Rejections {
    routes: Routes,
    /// For rejections by routes that had accepted the current set.
    accepting_route_min_age: MinAge,
    /// For all other rejections.
    min_age: MinAge,
    /// The start of the age of the current set.
    since: Option<Instant>,
    /// Whether the set was marked as rejected by a route that had accepted it.
    alarm_by_accepting_route: bool,
    /// `None` until the current set is probed.
    next_probe: Option<Instant>,
    unaccepted_sets: u32,
    /// The number of flights since the minimum age began to rise, and the time of that.
    flights: u32,
    rising_since: Option<Instant>,
    storm: Option<RefreshStorm>,
}

/// Reports that rejections keep causing flights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RefreshStorm {
    pub(crate) flights: u32,
    pub(crate) during: Duration,
}

/// A request that was accepted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Acceptance {
    pub(crate) generation: u64,
    pub(crate) route: Option<Route>,
    /// Whether it was sent while its set was marked as rejected.
    pub(crate) is_probe: bool,
}

/// A request that was rejected with the credentials of a generation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rejection {
    pub(crate) generation: u64,
    pub(crate) route: Option<Route>,
    /// Whether it may have been processed. Then it may not be sent again, and no response shows whether a fresh set helps.
    pub(crate) is_uncertain: bool,
}

impl Rejections {
    pub(super) fn new() -> Self {
        Self {
            routes: Routes::default(),
            accepting_route_min_age: MinAge::default(),
            min_age: MinAge::default(),
            since: None,
            alarm_by_accepting_route: false,
            next_probe: None,
            unaccepted_sets: 0,
            flights: 0,
            rising_since: None,
            storm: None,
        }
    }

    fn min_age_for(&mut self, route_accepted: bool) -> &mut MinAge {
        if route_accepted { &mut self.accepting_route_min_age } else { &mut self.min_age }
    }

    const fn is_raised(&self) -> bool {
        self.min_age.is_raised() || self.accepting_route_min_age.is_raised()
    }

    /// Records a storm, which is reported once.
    fn record_storm(&mut self, is_storm: bool, now: Instant) {
        if is_storm {
            let during = now.saturating_duration_since(self.rising_since.unwrap_or(now));
            self.storm = Some(RefreshStorm { flights: self.flights, during });
        }
        if !self.is_raised() {
            (self.flights, self.rising_since) = (0, Some(now));
        }
    }
}

impl State {
    /// Returns `true` if requests are distinguished by their routes, which is so only after unusual rejections.
    pub(crate) fn tracks_routes(&self) -> bool {
        self.rejections.routes.has_rejected() || self.rejections.is_raised()
    }

    /// Takes the storm to report, if there is one.
    pub(crate) fn take_storm(&mut self) -> Option<RefreshStorm> {
        self.rejections.storm.take()
    }

    /// Decides about a request whose credentials were rejected.
    pub(crate) fn record_rejection(&mut self, generation: u64, route: Option<Route>, now: Instant) -> Decision {
        if self.current.is_empty() {
            // There was a logout since: a request sent before it must not cause a login.
            return Decision::Fail(Refusal { failure: Failure::cleared(), retry_at: None });
        }
        if generation != self.current.generation() {
            return self.acquire(now);
        }
        let remembered = self.rejections.routes.rejected(route, now);
        if remembered == Some(generation) && self.current.is_accepted() {
            return decline(Explanation::new("the route rejects credentials that others accept"));
        }
        let route_accepted = self.rejections.routes.has_accepted(route);
        let is_due = self.is_due(route_accepted, now);
        if let Some(flight) = &self.flight {
            if is_due && !flight.accepted_since {
                self.mark_rejected(route_accepted);
            }
            return Decision::Join(None);
        }
        let age = self.rejections.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let min_age = self.rejections.min_age_for(route_accepted);
        if !is_due && !min_age.take_exemption() {
            if remembered.is_none() || !self.current.is_accepted() {
                min_age.mark_early();
            }
            return decline(too_new(age, min_age.length()));
        }
        self.mark_rejected(route_accepted);
        self.drop_spent(now);
        match self.refusal(now) {
            Some(refusal) => Decision::Fail(refusal),
            None => Decision::Start(self.start_by_rejection(), None),
        }
    }

    /// Records the rejection of a request that may have been processed, so that no resend shows whether a fresh set helps.
    ///
    /// Such a rejection within [`PLAUSIBLE_LIFETIME`] raises the minimum age. A token that lives longer than the longest minimum
    /// age is still refreshed at once, and a route that rejects each set starts no more flights than the minimum age allows.
    pub(crate) fn record_uncertain_rejection(&mut self, generation: u64, route: Option<Route>, now: Instant) {
        let is_young =
            self.rejections.since.is_some_and(|since| now.saturating_duration_since(since) < PLAUSIBLE_LIFETIME);
        if is_young && generation == self.current.generation() {
            let route_accepted = self.rejections.routes.has_accepted(route);
            self.rejections.min_age_for(route_accepted).mark_early();
        }
    }

    /// Records that a request was rejected again after it was sent again with a fresh set.
    pub(crate) fn record_second_rejection(&mut self, generation: u64, route: Route, now: Instant) {
        if generation != self.current.generation() || self.current.is_empty() {
            return;
        }
        if self.rejections.routes.rejected(Some(route), now).is_none() || !self.current.is_accepted() {
            let route_accepted = self.rejections.routes.has_accepted(Some(route));
            self.rejections.min_age_for(route_accepted).mark_early();
        }
        self.rejections.routes.remember(route, generation, now);
    }

    /// Records that a server has accepted a request. Returns `true` if waiting requests may proceed.
    pub(crate) fn record_acceptance(&mut self, accepted: Acceptance, now: Instant) -> bool {
        if accepted.generation != self.current.generation() || self.current.is_empty() {
            return false;
        }
        if let Some(route) = accepted.route {
            self.rejections.routes.accept(route, now);
        }
        let (was_rejected, was_accepted) = (self.current.is_rejected(), self.current.is_accepted());
        self.current.mark_accepted();
        if !was_rejected || !accepted.is_probe {
            return was_rejected && !was_accepted;
        }
        self.current.clear_rejection();
        match &mut self.flight {
            Some(flight) => flight.accepted_since = true,
            None => self.record_false_rejection(now),
        }
        true
    }

    /// Decides about a request when the current set was rejected elsewhere and has not expired.
    pub(super) fn acquire_rejected(&mut self, now: Instant) -> Decision {
        let is_free = self.flight.is_none();
        let is_too_new = self.current.is_accepted() && !self.is_due(self.rejections.alarm_by_accepting_route, now);
        if is_free && (is_too_new || self.refusal(now).is_some()) {
            // There is no newer set for now, and this one may be accepted for this request.
            return Decision::Probe(Arc::clone(&self.current), None);
        }
        let ticket = is_free.then(|| self.start_by_rejection());
        if !self.current.is_accepted() {
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

    /// Closes the record of the current set when a flight brings the next one.
    pub(super) fn supersede(&mut self, flight: &Flight, now: Instant) {
        let rejections = &mut self.rejections;
        if flight.accepted_since {
            rejections.min_age_for(rejections.alarm_by_accepting_route).mark_early();
        }
        if flight.by_rejection {
            rejections.unaccepted_sets =
                if self.current.is_accepted() { 0 } else { rejections.unaccepted_sets.saturating_add(1) };
        }
        let age = rejections.since.map_or(Duration::MAX, |since| now.saturating_duration_since(since));
        rejections.flights = rejections.flights.saturating_add(1);
        let by_rejection = flight.by_rejection;
        let [one, other] = [&mut rejections.min_age, &mut rejections.accepting_route_min_age]
            .map(|min_age| min_age.supersede(age, by_rejection));
        rejections.record_storm(one || other, now);
        rejections.routes.supersede(now);
        (rejections.since, rejections.next_probe) = (Some(now), None);
    }

    /// Keeps the current set after a flight has failed. If the set had been accepted, its age starts again: other requests use
    /// it, and the failing issuer is not called more often.
    pub(super) fn keep_current(&mut self, flight: &Flight, now: Instant) {
        if flight.accepted_since {
            self.record_false_rejection(now);
        } else if flight.by_rejection && self.current.is_accepted() {
            self.rejections.since = Some(now);
            self.rejections.min_age.raise_to_base();
            self.rejections.accepting_route_min_age.raise_to_base();
        }
    }

    /// Records that a set was accepted after a rejection had started a flight that failed.
    pub(super) fn record_false_rejection(&mut self, now: Instant) {
        let rejections = &mut self.rejections;
        rejections.flights = rejections.flights.saturating_add(1);
        let is_storm = rejections.min_age_for(rejections.alarm_by_accepting_route).raise();
        rejections.record_storm(is_storm, now);
        (rejections.since, rejections.next_probe) = (Some(now), None);
    }

    /// Returns `true` if the current set is old enough for a rejection to replace it.
    fn is_due(&self, route_accepted: bool, now: Instant) -> bool {
        let min_age = if route_accepted { self.rejections.accepting_route_min_age } else { self.rejections.min_age };
        self.rejections.since.is_none_or(|since| now.saturating_duration_since(since) >= min_age.length())
    }

    fn mark_rejected(&mut self, route_accepted: bool) {
        if !self.current.is_rejected() {
            self.rejections.alarm_by_accepting_route = route_accepted;
            self.current.mark_rejected();
        }
    }

    /// Starts a flight that replaces a rejected set.
    fn start_by_rejection(&mut self) -> super::Ticket {
        if !self.current.is_accepted() && self.rejections.unaccepted_sets + 1 >= MAX_UNACCEPTED_SETS {
            (self.refresh_token, self.reuse) = (None, None);
        }
        self.start(true)
    }
}

/// Returns a rejection to the caller without a flight.
fn decline(why: Explanation) -> Decision {
    Decision::Fail(Refusal { failure: Failure::transient(why), retry_at: None })
}

/// Explains that a set of this age is not replaced before its minimum age.
fn too_new(age: Duration, min_age: Duration) -> Explanation {
    let left = min_age.saturating_sub(age);
    let text = format!("the credentials are {age:.1?} old, too new to be replaced: the next try is in {left:.1?}");
    Explanation::from_text(text)
}

#[cfg(test)]
mod tests {
    use super::super::{Now, TokenSet};
    use super::*;

    /// Counts the flights of an hour in which requests, one `every` so many seconds, are rejected with sets of that age or more,
    /// while other requests are accepted with the same sets.
    fn flights(every: u64, age: u64, is_uncertain: bool) -> u32 {
        let (mut state, start) = (State::new(false, true), Instant::now());
        let grant = |number: u64| TokenSet::bearer(format!("t{number}")).expect("legal").refresh_token("r");
        state.install(grant(0), Now { instant: start, random: 0 });
        let (mut flights, mut since) = (0, start);
        for second in (0..3600).step_by(usize::try_from(every).expect("small")) {
            let now = start + Duration::from_secs(second);
            let generation = state.current().generation();
            state.record_acceptance(Acceptance { generation, route: None, is_probe: false }, now);
            if now - since < Duration::from_secs(age) {
                continue;
            }
            if is_uncertain {
                state.record_uncertain_rejection(generation, None, now);
            }
            if let Decision::Start(ticket, _) = state.record_rejection(generation, None, now) {
                (flights, since) = (flights + 1, now);
                state.finish(ticket.id, Ok(grant(second + 1)), now, Now { instant: now, random: 0 });
            }
        }
        flights
    }

    #[test]
    fn a_route_that_rejects_each_set_costs_no_more_than_the_longest_minimum_age_allows() {
        assert!(flights(5, 0, false) > 600, "a resend would have shown it");
        for every in [1, 5, 15, 60, 120] {
            let flights = flights(every, 0, true);
            assert!((25..=36).contains(&flights), "every {every} s: {flights}");
        }
    }

    /// Replaces the current set, because a request was rejected.
    fn replace(state: &mut State, now: Instant) {
        let generation = state.current().generation();
        let Decision::Start(ticket, _) = state.record_rejection(generation, None, now) else { panic!("{generation}") };
        let grant = TokenSet::bearer(format!("t{}", generation + 1)).expect("legal").refresh_token("r");
        state.finish(ticket.id, Ok(grant), now, Now { instant: now, random: 0 });
    }

    /// A state whose first set was replaced now.
    fn replaced(now: Instant) -> State {
        let mut state = State::new(false, true);
        let first = TokenSet::bearer("t1").expect("legal").refresh_token("r");
        state.install(first, Now { instant: now, random: 0 });
        state.current().mark_accepted();
        replace(&mut state, now);
        state
    }

    #[test]
    fn a_route_that_rejected_an_earlier_set_does_not_raise_the_minimum_age_while_others_are_accepted() {
        for (is_accepted, expected) in [(true, 4), (false, 36)] {
            let (start, bad) = (Instant::now(), Route::numbered(1));
            let mut state = replaced(start);
            state.record_second_rejection(2, bad, start);
            let second = start + Duration::from_secs(4);
            replace(&mut state, second);
            assert_eq!(state.rejections.min_age.length(), Duration::from_secs(12), "its first rejection was early");
            if is_accepted {
                state.current().mark_accepted();
            }
            assert!(matches!(state.record_rejection(3, Some(bad), second), Decision::Fail(_)), "too early");
            replace(&mut state, second + Duration::from_secs(12));
            assert_eq!(state.rejections.min_age.length(), Duration::from_secs(expected), "accepted: {is_accepted}");
        }
    }

    #[test]
    fn the_rejection_of_a_request_that_may_have_been_processed_is_early_within_four_minutes() {
        for (age, is_current, expected) in [(10, true, 12), (239, true, 12), (240, true, 4), (10, false, 4)] {
            let start = Instant::now();
            let mut state = replaced(start);
            state.current().mark_accepted();
            let now = start + Duration::from_secs(age);
            state.record_uncertain_rejection(if is_current { 2 } else { 1 }, None, now);
            replace(&mut state, now);
            let min_age = state.rejections.min_age.length();
            assert_eq!(min_age, Duration::from_secs(expected), "after {age} s, of the current set: {is_current}");
        }
    }

    #[test]
    fn tokens_that_outlive_the_longest_minimum_age_are_refreshed_at_once() {
        for (age, expected) in [(300, 11), (600, 5), (130, 27)] {
            assert_eq!(flights(1, age, true), expected, "tokens of {age} s");
        }
    }
}
