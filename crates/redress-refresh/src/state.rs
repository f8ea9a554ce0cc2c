//! The state of the credentials: pure transitions that take the time and a random number.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use redress_classify::saturating;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use crate::expiry::{self, Expiry};
use crate::explanation::Explanation;
use crate::failure::Failure;
use crate::snapshot::{Freshness, Snapshot};
use crate::state::rejections::Rejections;
use crate::token_set::TokenSet;

mod min_age;
#[cfg(test)]
mod model;
mod rejections;
mod reuse;
mod routes;
#[cfg(test)]
mod tests;

pub(crate) use rejections::{Acceptance, RefreshStorm, Rejection};
pub(crate) use reuse::Reuse;
pub(crate) use routes::Route;

/// A longer wait than a day is a mistake, such as a date in the place of seconds, and would lock the client out for years. One
/// call a day shows whether it was.
const MAX_WAIT: Duration = Duration::from_secs(86_400);

/// How many superseded sets are kept: they are masked too when a late response quotes one.
const MAX_SUPERSEDED: usize = 8;

/// The state of the credentials of one layer.
pub(crate) struct State {
    current: Arc<Snapshot>,
    refresh_token: Option<SecretString>,
    /// The use of the refresh token, if an earlier flight may have spent it.
    reuse: Option<Reuse>,
    /// Whether the issuer may accept a refresh token only once. Each refresh updates it.
    rotates: bool,
    /// The value of `rotates` before the first refresh.
    may_rotate: bool,
    flight: Option<Flight>,
    flights: u64,
    block: Block,
    /// Failures in a row.
    failures: u32,
    /// Limits how many flights rejections cause.
    rejections: Rejections,
    /// The last superseded sets, newest last.
    superseded: VecDeque<Arc<Snapshot>>,
    /// The refresh token may be spent: the current set is used until it expires, then a login follows.
    keeps_until_expiry: bool,
    /// Only an install changes the credentials.
    is_static: bool,
}

/// The flight in progress.
#[derive(Debug)]
struct Flight {
    id: u64,
    is_login: bool,
    /// Whether a rejection caused it.
    by_rejection: bool,
    /// Whether the set that was rejected has been accepted since.
    accepted_since: bool,
    /// The use of its refresh token, if the answer is lost.
    reuse: Option<Reuse>,
}

/// Prevents flights from starting.
#[derive(Debug)]
enum Block {
    None,
    /// A pause after a failure.
    CoolDown(Failure, Instant),
    /// A failure that another attempt cannot cure.
    Permanent(Failure),
}

/// The time of a transition, and a random number for its jitter, uniform over the range of the type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) instant: Instant,
    pub(crate) random: u32,
}

/// The decision about a request that needs usable credentials.
#[derive(Debug)]
pub(crate) enum Decision {
    /// It is sent with these.
    Send(Arc<Snapshot>),
    /// It is sent with these, which were rejected elsewhere; the caller starts the flight of the ticket, if there is one.
    Probe(Arc<Snapshot>, Option<Ticket>),
    /// It waits for the flight that the caller starts, or until the given time.
    Start(Ticket, Option<Instant>),
    /// It waits for the flight in progress, or until the given time.
    Join(Option<Instant>),
    /// It fails at once.
    Fail(Refusal),
}

/// A flight that the caller starts.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) id: u64,
    /// The refresh token to present; a login has none.
    pub(crate) refresh_token: Option<SecretString>,
    /// The use of that token, if an earlier flight may have spent it.
    pub(crate) reuse: Option<Reuse>,
}

/// Why there are no credentials, and the earliest time at which another attempt is made.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) failure: Failure,
    pub(crate) retry_at: Option<Instant>,
}

/// The result of a flight: the generation that it installed, or why it installed none.
pub(crate) type Outcome = Result<u64, Refusal>;

impl Now {
    /// Reads the clock and draws a random number.
    pub(crate) fn read() -> Self {
        Self { instant: Instant::now(), random: fastrand::u32(..) }
    }
}

impl State {
    pub(crate) fn new(is_static: bool, may_rotate: bool) -> Self {
        Self {
            current: Arc::new(Snapshot::new(0, Vec::new(), None)),
            refresh_token: None,
            reuse: None,
            rotates: may_rotate,
            may_rotate,
            flight: None,
            flights: 0,
            block: Block::None,
            failures: 0,
            rejections: Rejections::new(),
            superseded: VecDeque::new(),
            keeps_until_expiry: false,
            is_static,
        }
    }

    /// Takes the initial credentials. A set without headers is a refresh token for the first flight.
    pub(crate) fn seed(&mut self, mut tokens: TokenSet, at: Now) {
        if tokens.is_empty() {
            self.refresh_token = tokens.take_refresh_token();
        } else {
            self.install(tokens, at);
        }
    }

    pub(crate) const fn rotates(&self) -> bool {
        self.rotates
    }

    pub(crate) const fn current(&self) -> &Arc<Snapshot> {
        &self.current
    }

    /// Decides about a request that found no usable credentials.
    pub(crate) fn acquire(&mut self, now: Instant) -> Decision {
        if self.current.freshness_at(now) != Freshness::Unusable {
            return Decision::Send(Arc::clone(&self.current));
        }
        self.drop_spent(now);
        if self.current.is_sendable_at(now) {
            return self.acquire_rejected(now);
        }
        if self.flight.is_some() {
            return Decision::Join(None);
        }
        match self.refusal(now) {
            Some(refusal) => Decision::Fail(refusal),
            None => Decision::Start(self.start(false), None),
        }
    }

    /// Decides whether to renew credentials in the background that can still be sent.
    pub(crate) fn renew(&mut self, now: Instant) -> Option<Ticket> {
        self.drop_spent(now);
        let is_due = self.current.freshness_at(now) == Freshness::Stale && !self.keeps_until_expiry;
        let is_free = self.flight.is_none() && self.refusal(now).is_none();
        (is_due && is_free).then(|| self.start(false))
    }

    /// Records which refresh token a flight is about to present, in place of the one that it started with. Without one the
    /// flight logs in, or needs no call. Returns `false` if the flight is superseded.
    pub(crate) fn set_presented(&mut self, id: u64, refresh_token: Option<SecretString>) -> bool {
        let Some(flight) = self.flight.as_mut().filter(|flight| flight.id == id) else { return false };
        flight.is_login = refresh_token.is_none();
        self.reuse = self.reuse.filter(|_| refresh_token.is_some());
        self.refresh_token = refresh_token;
        true
    }

    /// Ends a flight whose call began at `sent`. Returns `None` if it is superseded; its result is then dropped.
    pub(crate) fn finish(
        &mut self,
        id: u64,
        result: Result<TokenSet, Failure>,
        sent: Instant,
        at: Now,
    ) -> Option<Outcome> {
        let flight = self.flight.take_if(|flight| flight.id == id)?;
        Some(match result.and_then(|tokens| self.validate(tokens, &flight)) {
            Ok(tokens) => {
                self.supersede(&flight, at.instant);
                Ok(self.publish(tokens, sent, at))
            }
            Err(failure) => {
                self.keep_current(&flight, at.instant);
                Err(self.fail(failure, &flight, at))
            }
        })
    }

    /// Installs a set in place of all that is known; a flight in progress is superseded.
    pub(crate) fn install(&mut self, tokens: TokenSet, at: Now) {
        self.reset();
        self.publish(tokens, at.instant, at);
    }

    /// Forgets all credentials; a flight in progress is superseded.
    pub(crate) fn clear(&mut self) {
        self.reset();
        self.replace(Snapshot::new(self.current.generation(), Vec::new(), None));
    }

    /// Returns the last superseded sets.
    pub(crate) const fn superseded(&self) -> &VecDeque<Arc<Snapshot>> {
        &self.superseded
    }

    fn reset(&mut self) {
        self.flight = None;
        (self.refresh_token, self.reuse) = (None, None);
        self.rotates = self.may_rotate;
        self.rejections = Rejections::new();
        self.clear_failures();
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

    /// Ends the effects of earlier failures.
    fn clear_failures(&mut self) {
        self.block = Block::None;
        self.failures = 0;
        self.keeps_until_expiry = false;
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
        self.flight = Some(Flight { id: self.flights, is_login, by_rejection, accepted_since: false, reuse: None });
        let reuse = self.reuse.filter(|_| !is_login);
        Ticket { id: self.flights, refresh_token: self.refresh_token.clone(), reuse }
    }

    fn validate(&mut self, mut tokens: TokenSet, flight: &Flight) -> Result<TokenSet, Failure> {
        let refresh_token = tokens.take_refresh_token();
        if !flight.is_login {
            let presented = self.refresh_token.as_ref().map(SecretString::expose_secret);
            self.rotates = refresh_token.as_ref().is_some_and(|token| Some(token.expose_secret()) != presented);
        }
        // A rotated refresh token is kept even if the access token beside it is refused. A login starts without a refresh
        // token, so it keeps none of an earlier session.
        self.refresh_token = refresh_token.or(self.refresh_token.take());
        self.reuse = None;
        if tokens.is_empty() {
            return Err(Failure::transient(Explanation::new("the token set holds no credential header")));
        }
        // The same set again is valid unless a server has rejected it: many issuers return one until it expires.
        if self.current.is_rejected() && tokens.has_headers(self.current.headers()) {
            return Err(Failure::transient(Explanation::new("the issuer returned the rejected credentials again")));
        }
        Ok(tokens)
    }

    fn publish(&mut self, tokens: TokenSet, sent: Instant, at: Now) -> u64 {
        let generation = self.current.generation() + 1;
        let lifetime = tokens.lifetime().filter(|_| !self.is_static);
        let expiry = lifetime.and_then(|lifetime| Expiry::new(lifetime, sent, at.instant, at.random));
        let (headers, refresh_token) = tokens.into_parts();
        self.refresh_token = refresh_token.or(self.refresh_token.take());
        self.replace(Snapshot::new(generation, headers, expiry));
        self.clear_failures();
        generation
    }

    fn fail(&mut self, failure: Failure, flight: &Flight, at: Now) -> Refusal {
        if !failure.is_transient() {
            self.block = Block::Permanent(failure.clone());
            return Refusal { failure, retry_at: None };
        }
        if failure.is_ambiguous() && !flight.is_login && self.rotates {
            self.keep_or_drop_spent(flight.reuse, at.instant);
        }
        self.failures = self.failures.saturating_add(1);
        self.cool_down(failure, self.failures, at)
    }

    /// Starts a cool-down, or extends one: a wait that a server asked for is not shortened, up to a day.
    fn cool_down(&mut self, failure: Failure, failures: u32, at: Now) -> Refusal {
        let mut until =
            saturating::add(at.instant, failure.delay().min(MAX_WAIT).max(expiry::cool_down(failures, at.random)));
        if let Block::CoolDown(_, earlier) = &self.block {
            until = until.max(*earlier);
        }
        self.block = Block::CoolDown(failure.clone(), until);
        Refusal { failure, retry_at: Some(until) }
    }
}
