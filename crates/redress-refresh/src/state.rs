//! What to do about credentials: pure transitions that are given the time and a random number.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use redress_classify::saturating;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use crate::explanation::Explanation;
use crate::failure::Failure;
use crate::life::{self, Life};
use crate::snapshot::{Freshness, Snapshot};
use crate::state::rejections::Rejections;
use crate::token_set::TokenSet;

mod floor;
#[cfg(test)]
mod model;
mod rejections;
mod routes;
#[cfg(test)]
mod tests;

pub(crate) use rejections::{Accepted, Rejected, Storm};
pub(crate) use routes::Route;

/// A longer wait than a day is a mistake, such as a date in the place of seconds; believed, it would lock its client out for
/// years. One call a day finds out.
const LONGEST_WAIT: Duration = Duration::from_secs(86_400);

/// How many superseded sets are kept, so that a server that quotes one of them late is recognised.
const MAX_SUPERSEDED: usize = 8;

/// All that is known about the credentials of one layer.
pub(crate) struct State {
    current: Arc<Snapshot>,
    refresh_token: Option<SecretString>,
    /// Whether an issuer may take a refresh token only once, until a refresh proves otherwise.
    rotates: bool,
    /// What is taken for true of an issuer that has proven nothing yet.
    may_rotate: bool,
    flight: Option<Flight>,
    flights: u64,
    block: Block,
    /// Failures in a row.
    failures: u32,
    /// What keeps rejections from causing too many flights.
    rejections: Rejections,
    /// The last sets that were superseded, newest last.
    superseded: VecDeque<Arc<Snapshot>>,
    /// The refresh token may be spent: the set is used to its end before a login replaces it.
    serves_to_end: bool,
    /// Nothing but an install changes the credentials.
    is_static: bool,
}

/// The one call for new credentials that is under way.
#[derive(Debug)]
struct Flight {
    id: u64,
    is_login: bool,
    /// Whether a rejection caused it.
    by_rejection: bool,
    /// Whether the set that was rejected has been accepted since.
    is_disproved: bool,
}

/// What keeps a flight from starting.
#[derive(Debug)]
enum Block {
    None,
    /// A pause after a failure.
    CoolDown(Failure, Instant),
    /// A failure that trying again cannot cure.
    Permanent(Failure),
}

/// When something happens, and the random number for it, of the range of the type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) now: Instant,
    pub(crate) random: u32,
}

/// What becomes of a request that needs usable credentials.
#[derive(Debug)]
pub(crate) enum Decision {
    /// It is sent with these.
    Send(Arc<Snapshot>),
    /// It is sent with these, which were rejected elsewhere, while a flight that is to be started goes on.
    Probe(Arc<Snapshot>, Option<Ticket>),
    /// It waits for a flight that is to be started, or until then.
    Start(Ticket, Option<Instant>),
    /// It waits for the flight under way, or until then.
    Join(Option<Instant>),
    /// It fails at once.
    Fail(Refusal),
}

/// A flight to be started.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) id: u64,
    /// The refresh token to show; without one it is a login.
    pub(crate) refresh_token: Option<SecretString>,
}

/// Why there are no credentials, and when it is worth while to ask again.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) failure: Failure,
    pub(crate) retry_at: Option<Instant>,
}

/// What came of a flight: the generation that it installed, or why there is none.
pub(crate) type Outcome = Result<u64, Refusal>;

impl State {
    pub(crate) fn new(is_static: bool, may_rotate: bool) -> Self {
        Self {
            current: Arc::new(Snapshot::new(0, Vec::new(), None)),
            refresh_token: None,
            rotates: may_rotate,
            may_rotate,
            flight: None,
            flights: 0,
            block: Block::None,
            failures: 0,
            rejections: Rejections::new(),
            superseded: VecDeque::new(),
            serves_to_end: false,
            is_static,
        }
    }

    /// Takes what is at hand from the start; without headers it is a refresh token, for the first flight to show.
    pub(crate) fn hold(&mut self, mut grant: TokenSet, at: Moment) {
        if grant.is_empty() {
            self.refresh_token = grant.take_refresh_token();
        } else {
            self.install(grant, at);
        }
    }

    pub(crate) const fn rotates(&self) -> bool {
        self.rotates
    }

    pub(crate) const fn current(&self) -> &Arc<Snapshot> {
        &self.current
    }

    /// Decides about a request that found no usable credentials.
    pub(crate) fn call(&mut self, now: Instant) -> Decision {
        if self.current.freshness_at(now) != Freshness::Unusable {
            return Decision::Send(Arc::clone(&self.current));
        }
        if self.current.is_sendable_at(now) {
            return self.call_suspect(now);
        }
        if self.flight.is_some() {
            return Decision::Join(None);
        }
        match self.refusal(now) {
            Some(refusal) => Decision::Fail(refusal),
            None => Decision::Start(self.start(false), None),
        }
    }

    /// Decides whether to renew in the background what can still be sent.
    pub(crate) fn renew(&mut self, now: Instant) -> Option<Ticket> {
        let is_due = self.current.freshness_at(now) == Freshness::Stale && !self.serves_to_end;
        let is_free = self.flight.is_none() && self.refusal(now).is_none();
        (is_due && is_free).then(|| self.start(false))
    }

    /// Notes which refresh token a flight is about to show, in place of the one that it began with; without one it is a
    /// login, or needs no call. False when the flight is superseded.
    pub(crate) fn present(&mut self, id: u64, refresh_token: Option<SecretString>) -> bool {
        let Some(flight) = self.flight.as_mut().filter(|flight| flight.id == id) else { return false };
        flight.is_login = refresh_token.is_none();
        self.refresh_token = refresh_token;
        true
    }

    /// Ends a flight whose request began at `sent`; `None` when it is superseded and all that it brought is dropped.
    pub(crate) fn land(
        &mut self,
        id: u64,
        result: Result<TokenSet, Failure>,
        sent: Instant,
        at: Moment,
    ) -> Option<Outcome> {
        let flight = self.flight.take_if(|flight| flight.id == id)?;
        Some(match result.and_then(|grant| self.validate(grant, &flight)) {
            Ok(grant) => {
                self.supersede(&flight, at.now);
                Ok(self.publish(grant, sent, at))
            }
            Err(failure) => {
                self.keep(&flight, at.now);
                Err(self.fail(failure, &flight, at))
            }
        })
    }

    /// Installs a set in place of all that is known; a flight under way no longer counts.
    pub(crate) fn install(&mut self, grant: TokenSet, at: Moment) {
        self.reset();
        self.publish(grant, at.now, at);
    }

    /// Forgets all credentials; a flight under way no longer counts.
    pub(crate) fn clear(&mut self) {
        self.reset();
        self.replace(Snapshot::new(self.current.generation(), Vec::new(), None));
    }

    /// Returns the last sets that were superseded.
    pub(crate) const fn superseded(&self) -> &VecDeque<Arc<Snapshot>> {
        &self.superseded
    }

    fn reset(&mut self) {
        self.flight = None;
        self.refresh_token = None;
        self.rotates = self.may_rotate;
        self.rejections = Rejections::new();
        self.lift();
    }

    fn replace(&mut self, snapshot: Snapshot) {
        let old = std::mem::replace(&mut self.current, Arc::new(snapshot));
        if !old.is_empty() {
            if self.superseded.len() == MAX_SUPERSEDED {
                self.superseded.pop_front();
            }
            self.superseded.push_back(old);
        }
    }

    /// Lifts what a failure left behind.
    fn lift(&mut self) {
        self.block = Block::None;
        self.failures = 0;
        self.serves_to_end = false;
    }

    fn refusal(&self, now: Instant) -> Option<Refusal> {
        let refuse = |failure: &Failure, retry_at| Some(Refusal { failure: failure.clone(), retry_at });
        match &self.block {
            _ if self.is_static => refuse(&Failure::permanent(Explanation::new("no credentials are installed")), None),
            Block::CoolDown(failure, until) if now < *until => refuse(failure, Some(*until)),
            Block::Permanent(failure) => refuse(failure, None),
            Block::None | Block::CoolDown(..) => None,
        }
    }

    fn start(&mut self, by_rejection: bool) -> Ticket {
        self.flights += 1;
        let is_login = self.refresh_token.is_none();
        self.flight = Some(Flight { id: self.flights, is_login, by_rejection, is_disproved: false });
        Ticket { id: self.flights, refresh_token: self.refresh_token.clone() }
    }

    fn validate(&mut self, mut grant: TokenSet, flight: &Flight) -> Result<TokenSet, Failure> {
        let brought = grant.take_refresh_token();
        if !flight.is_login {
            let presented = self.refresh_token.as_ref().map(SecretString::expose_secret);
            self.rotates = brought.as_ref().is_some_and(|token| Some(token.expose_secret()) != presented);
        }
        // What the issuer rotated is kept even of an answer that is refused for its access token. A login begins without
        // a refresh token, so it keeps none of an earlier session.
        self.refresh_token = brought.or(self.refresh_token.take());
        if grant.is_empty() {
            return Err(Failure::transient(Explanation::new("the grant holds no credential header")));
        }
        // A set that no server has rejected is as good as new: many issuers give the same one until its end.
        if self.current.is_suspect() && grant.has_headers(self.current.headers()) {
            return Err(Failure::transient(Explanation::new("the issuer returned the rejected credentials again")));
        }
        Ok(grant)
    }

    fn publish(&mut self, grant: TokenSet, sent: Instant, at: Moment) -> u64 {
        let generation = self.current.generation() + 1;
        let lifetime = grant.lifetime().filter(|_| !self.is_static);
        let life = lifetime.and_then(|lifetime| Life::of(lifetime, sent, at.now, at.random));
        let (headers, refresh_token) = grant.into_parts();
        self.refresh_token = refresh_token.or(self.refresh_token.take());
        self.replace(Snapshot::new(generation, headers, life));
        self.lift();
        generation
    }

    fn fail(&mut self, failure: Failure, flight: &Flight, at: Moment) -> Refusal {
        if !failure.is_transient() {
            self.block = Block::Permanent(failure.clone());
            return Refusal { failure, retry_at: None };
        }
        if failure.is_ambiguous() && !flight.is_login && self.rotates {
            self.refresh_token = None;
            self.serves_to_end = true;
        }
        self.failures = self.failures.saturating_add(1);
        self.cool_down(failure, self.failures, at)
    }

    /// Begins a pause, or makes one longer: a wait that a server asked for is not cut short, up to a day.
    fn cool_down(&mut self, failure: Failure, failures: u32, at: Moment) -> Refusal {
        let mut until =
            saturating::add(at.now, failure.delay().min(LONGEST_WAIT).max(life::pause(failures, at.random)));
        if let Block::CoolDown(_, earlier) = &self.block {
            until = until.max(*earlier);
        }
        self.block = Block::CoolDown(failure.clone(), until);
        Refusal { failure, retry_at: Some(until) }
    }
}
