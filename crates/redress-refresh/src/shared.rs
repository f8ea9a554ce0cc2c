//! What all services of a layer share: the snapshot, the state behind a lock, and who waits.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};

use arc_swap::{ArcSwap, Guard};
use http::HeaderValue;
use redress_classify::Clock;
use secrecy::SecretString;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::credentials::{Credentials, Issuer};
use crate::explanation::Explanation;
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::flight::{self, Terms};
use crate::grant::Grant;
use crate::snapshot::{Freshness, Snapshot};
use crate::state::{Decision, Moment, Outcome, Refusal, State, Ticket};

/// The credentials of one layer.
pub(crate) struct Shared {
    /// What a request with fresh credentials reads, and all that it reads.
    snapshot: ArcSwap<Snapshot>,
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
    landing: Option<watch::Sender<Option<Outcome>>>,
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

/// The wait for a flight. Dropping it takes nothing from the flight and nothing from other waiters.
pub(crate) struct Wait(Pin<Box<dyn Future<Output = Outcome> + Send>>);

impl Shared {
    pub(crate) fn new<C: Credentials>(credentials: C) -> Arc<Self> {
        let is_static = credentials.is_static();
        let mut state = State::new(is_static, credentials.rotates());
        if let Some(grant) = credentials.held() {
            state.hold(grant, moment());
        }
        Arc::new(Self {
            snapshot: ArcSwap::new(Arc::clone(state.current())),
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
            Freshness::Unusable => self.decide(terms(), |state| state.call(Instant::now())),
        };
        (way, now)
    }

    /// Notes that a server has accepted credentials of that generation.
    pub(crate) fn prove(&self, generation: u64) {
        let snapshot = self.snapshot.load();
        if snapshot.generation() == generation {
            snapshot.prove();
        }
    }

    /// Finds credentials for a request that was rejected with those of that generation.
    pub(crate) fn rejected(self: &Arc<Self>, generation: u64, terms: Terms) -> Way {
        self.decide(terms, |state| state.rejected(generation, moment()))
    }

    /// Notes that a request was rejected that is not to be sent again.
    pub(crate) fn rejected_again(&self, generation: u64) {
        self.lock().state.rejected_again(generation, moment());
    }

    pub(crate) fn latest(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Returns the credentials that a server may quote, as far as they are secret.
    pub(crate) fn secrets(&self) -> Vec<HeaderValue> {
        let snapshot = self.snapshot.load();
        let values = snapshot.headers().iter().map(|(_, value)| value);
        values.filter(|value| value.is_sensitive()).cloned().collect()
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

    pub(crate) fn install(self: &Arc<Self>, grant: Grant, clock: Clock) {
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
            self.post(&Grant::new());
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
        result: Result<Grant, Failure>,
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

    fn post(&self, grant: &Grant) {
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
            cold.landing = Some(watch::Sender::new(None));
            Some(ticket)
        });
        self.launch(ticket, terms);
    }

    fn decide(self: &Arc<Self>, terms: Terms, decide: impl FnOnce(&mut State) -> Decision) -> Way {
        let (way, ticket) = self.change(|cold| match decide(&mut cold.state) {
            Decision::Send(snapshot) => (Way::Send(Guard::from_inner(snapshot)), None),
            Decision::Fail(refusal) => (Way::Fail(refusal), None),
            Decision::Join => (Way::Wait(cold.wait()), None),
            Decision::Start(ticket) => {
                cold.landing = Some(watch::Sender::new(None));
                (Way::Wait(cold.wait()), Some(ticket))
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
        let mut cold = self.lock();
        let result = change(&mut cold);
        let current = cold.state.current();
        if !Arc::ptr_eq(&self.snapshot.load(), current) {
            self.snapshot.store(Arc::clone(current));
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

impl Cold {
    fn wait(&self) -> Wait {
        let receiver = self.landing.as_ref().map(watch::Sender::subscribe);
        Wait(Box::pin(async move {
            let lost = || {
                Err(Refusal { failure: Failure::transient(Explanation::new("the flight was lost")), retry_at: None })
            };
            let Some(mut receiver) = receiver else { return lost() };
            let outcome = receiver.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone());
            outcome.unwrap_or_else(lost)
        }))
    }
}

impl Wait {
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wait")
    }
}

fn moment() -> Moment {
    Moment { now: Instant::now(), random: fastrand::u32(..) }
}

/// Wakes all waiters, outside the lock.
fn announce(landing: Option<watch::Sender<Option<Outcome>>>, outcome: Outcome) {
    if let Some(landing) = landing {
        landing.send_replace(Some(outcome));
    }
}
