//! What all services of a layer share: the snapshot, the state behind a lock, and who waits.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use arc_swap::{ArcSwap, Guard};
use http::HeaderValue;
use redress_classify::Clock;
use secrecy::SecretString;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::credentials::{Credentials, Issuer};
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::flight::{self, Terms};
use crate::snapshot::{Freshness, Snapshot};
use crate::state::{Accepted, Decision, Moment, Outcome, Refusal, Rejected, Route, State, Ticket};
use crate::telemetry;
use crate::token_set::TokenSet;
use crate::waiting::{self, Landing, Signal, Wait, announce, signal, under_way};

/// The credentials of one layer.
pub(crate) struct Shared {
    /// What a request with fresh credentials reads, and all that it reads.
    snapshot: ArcSwap<Snapshot>,
    /// Whether requests are to be told apart by their routes: some were rejected for no good reason.
    is_wary: AtomicBool,
    cold: Mutex<Cold>,
    issuer: Box<dyn Issuer>,
    is_static: bool,
    /// Empty as long as the credentials are this process's alone.
    fleet: OnceLock<Fleet>,
    refreshes: AtomicU64,
    logins: AtomicU64,
}

/// What only a request without fresh credentials touches. No user's code runs under its lock.
struct Cold {
    state: State,
    /// Tells the waiters of the flight under way what came of it.
    landing: Option<Landing>,
}

/// How a request goes on.
#[derive(Debug)]
pub(crate) enum Way {
    /// With these credentials.
    Send(Guard<Arc<Snapshot>>),
    /// After the flight.
    Wait(Wait),
    /// Not at all.
    Fail(Refusal),
}

impl Shared {
    pub(crate) fn new<C: Credentials>(credentials: C) -> Arc<Self> {
        let is_static = credentials.is_static();
        let mut state = State::new(is_static, credentials.rotates());
        if let Some(grant) = credentials.initial() {
            state.hold(grant, moment());
        }
        Arc::new(Self {
            snapshot: ArcSwap::new(Arc::clone(state.current())),
            is_wary: AtomicBool::new(false),
            cold: Mutex::new(Cold { state, landing: None }),
            issuer: Box::new(credentials),
            is_static,
            fleet: OnceLock::new(),
            refreshes: AtomicU64::new(0),
            logins: AtomicU64::new(0),
        })
    }

    /// Finds credentials for a request: fresh ones are lent, and the clock is read only if they expire; what it read is
    /// returned beside.
    pub(crate) fn seek(self: &Arc<Self>, terms: impl Fn() -> Terms) -> (Way, Option<Instant>) {
        let snapshot = self.snapshot.load();
        let (freshness, now) = snapshot.freshness();
        let clock = || terms().clock.unwrap_or_else(Clock::system);
        let is_overdue = freshness != Freshness::Unusable && now.is_some_and(|now| snapshot.is_overdue(now, clock));
        let freshness = if is_overdue { Freshness::Unusable } else { freshness };
        let way = match freshness {
            Freshness::Fresh => Way::Send(snapshot),
            Freshness::Stale => {
                self.renew(terms());
                Way::Send(snapshot)
            }
            Freshness::Unusable => self.decide(terms(), true, |state| state.call(Instant::now())),
        };
        (way, now)
    }

    /// Finds credentials for a request that has waited for some.
    pub(crate) fn seek_again(self: &Arc<Self>, terms: Terms) -> Way {
        self.decide(terms, true, |state| state.call(Instant::now()))
    }

    /// Whether requests are to be told apart by their routes.
    #[inline]
    pub(crate) fn is_wary(&self) -> bool {
        self.is_wary.load(Ordering::Relaxed)
    }

    /// Records that a server has accepted credentials, when that is news.
    #[cold]
    pub(crate) fn accepted(&self, accepted: Accepted) {
        {
            let snapshot = self.snapshot.load();
            let is_plain = accepted.route.is_none() && !snapshot.is_suspect();
            if is_plain {
                if snapshot.generation() == accepted.generation {
                    snapshot.prove();
                }
                return;
            }
        }
        let landing = self.change(|cold| {
            let may_go = cold.state.accepted(accepted, Instant::now());
            cold.landing.clone().filter(|_| may_go)
        });
        signal(landing, Signal::Accepted);
    }

    /// Finds credentials for a request that was rejected.
    pub(crate) fn rejected(self: &Arc<Self>, rejected: Rejected, terms: Terms) -> Way {
        let Rejected { generation, route, is_uncertain } = rejected;
        self.decide(terms, false, |state| {
            let now = Instant::now();
            if is_uncertain {
                state.doubt(generation, route, now);
            }
            state.rejected(generation, route, now)
        })
    }

    /// Records that a request was rejected that is not to be sent again.
    pub(crate) fn rejected_again(&self, generation: u64, route: Route) {
        self.change(|cold| cold.state.rejected_again(generation, route, Instant::now()));
    }

    /// Returns the secret values of the current set and of the last ones before it, newest first.
    pub(crate) fn secrets(&self) -> Vec<HeaderValue> {
        let cold = self.lock();
        let sets = std::iter::once(cold.state.current()).chain(cold.state.superseded().iter().rev());
        let values = sets.flat_map(|set| set.headers()).map(|(_, value)| value);
        values.filter(|value| value.is_sensitive()).cloned().collect()
    }

    pub(crate) fn latest(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    pub(crate) const fn is_static(&self) -> bool {
        self.is_static
    }

    pub(crate) fn issuer(&self) -> &dyn Issuer {
        self.issuer.as_ref()
    }

    pub(crate) const fn refreshes(&self) -> &AtomicU64 {
        &self.refreshes
    }

    pub(crate) const fn logins(&self) -> &AtomicU64 {
        &self.logins
    }

    pub(crate) fn install(self: &Arc<Self>, grant: TokenSet, clock: Clock) {
        if grant.is_empty() {
            return self.clear(clock);
        }
        let landing = self.change(|cold| {
            self.post(&grant);
            cold.state.install(grant, moment());
            cold.landing.take()
        });
        self.latest().anchor(&clock);
        self.deliver(clock);
        let generation = self.latest().generation();
        tracing::info!(target: "redress::refresh", generation, "installed");
        announce(landing, Ok(generation));
    }

    pub(crate) fn clear(self: &Arc<Self>, clock: Clock) {
        let landing = self.change(|cold| {
            self.post(&TokenSet::new());
            cold.state.clear();
            cold.landing.take()
        });
        self.deliver(clock);
        tracing::info!(target: "redress::refresh", "cleared");
        announce(landing, Err(Refusal { failure: Failure::cleared(), retry_at: None }));
    }

    pub(crate) fn present(&self, id: u64, refresh_token: Option<SecretString>) -> bool {
        self.lock().state.present(id, refresh_token)
    }

    pub(crate) fn rotates(&self) -> bool {
        self.lock().state.rotates()
    }

    /// Shares the credentials by a store, if none shares them already.
    pub(crate) fn share(&self, fleet: Fleet) {
        if !self.is_static {
            let _ = self.fleet.set(fleet);
        }
    }

    pub(crate) fn fleet(&self) -> Option<&Fleet> {
        self.fleet.get()
    }

    /// Ends a flight; `None` when it is superseded.
    pub(crate) fn land(
        &self,
        id: u64,
        result: Result<TokenSet, Failure>,
        sent: Instant,
        clock: &Clock,
    ) -> Option<Outcome> {
        let (outcome, landing) = self.change(|cold| {
            let outcome = cold.state.land(id, result, sent, moment())?;
            Some((outcome, cold.landing.take()))
        })?;
        self.latest().anchor(clock);
        announce(landing, outcome.clone());
        Some(outcome)
    }

    fn post(&self, grant: &TokenSet) {
        if let Some(fleet) = self.fleet() {
            fleet.post(grant.clone());
        }
    }

    /// Tells the store what the user has done. What does not get there now does so before the next flight.
    fn deliver(self: &Arc<Self>, clock: Clock) {
        if let (Some(_), Ok(runtime)) = (self.fleet(), Handle::try_current()) {
            let shared = Arc::clone(self);
            runtime.spawn(async move {
                let Some(fleet) = shared.fleet() else { return };
                if fleet.deliver(&clock).await.is_err() {
                    tracing::warn!(target: "redress::refresh", "no store: what was installed or cleared stays here");
                }
            });
        }
    }

    fn renew(self: &Arc<Self>, terms: Terms) {
        let ticket = self.change(|cold| {
            let ticket = cold.state.renew(Instant::now())?;
            cold.landing = Some(under_way());
            Some(ticket)
        });
        self.launch(ticket, terms);
    }

    /// Decides how a request goes on; one that is `unsent` may also go on with credentials that are accepted again.
    fn decide(self: &Arc<Self>, terms: Terms, unsent: bool, decide: impl FnOnce(&mut State) -> Decision) -> Way {
        let (way, ticket) = self.change(|cold| {
            let decision = decide(&mut cold.state);
            if let Decision::Start(..) | Decision::Probe(_, Some(_)) = &decision {
                cold.landing = Some(under_way());
            }
            match decision {
                Decision::Send(snapshot) => (Way::Send(Guard::from_inner(snapshot)), None),
                Decision::Probe(snapshot, ticket) => (Way::Send(Guard::from_inner(snapshot)), ticket),
                Decision::Fail(refusal) => (Way::Fail(refusal), None),
                Decision::Join(until) => (Way::Wait(waiting::wait(cold.landing.as_ref(), unsent, until)), None),
                Decision::Start(ticket, until) => {
                    (Way::Wait(waiting::wait(cold.landing.as_ref(), unsent, until)), Some(ticket))
                }
            }
        });
        self.launch(ticket, terms);
        way
    }

    fn launch(self: &Arc<Self>, ticket: Option<Ticket>, terms: Terms) {
        if let Some(ticket) = ticket {
            flight::launch(self, ticket, terms);
        }
    }

    /// Changes the state and publishes what came of it before anybody else can change it.
    fn change<T>(&self, change: impl FnOnce(&mut Cold) -> T) -> T {
        let (result, storm) = {
            let mut cold = self.lock();
            let result = change(&mut cold);
            let current = cold.state.current();
            if !Arc::ptr_eq(&self.snapshot.load(), current) {
                self.snapshot.store(Arc::clone(current));
            }
            self.is_wary.store(cold.state.is_wary(), Ordering::Relaxed);
            (result, cold.state.take_storm())
        };
        if let Some(storm) = storm {
            telemetry::storm(storm);
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, Cold> {
        self.cold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("snapshot", &self.latest())
            .field("is_static", &self.is_static)
            .field("refreshes", &self.refreshes.load(Ordering::Relaxed))
            .field("logins", &self.logins.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}

fn moment() -> Moment {
    Moment { now: Instant::now(), random: fastrand::u32(..) }
}
