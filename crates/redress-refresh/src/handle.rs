//! The credentials and the settings of a layer together: all that its services do with them.

use std::sync::Arc;

use arc_swap::Guard;
use http::Request;
use redress_classify::straight::CallTime;
use redress_classify::{CloneBody, try_clone_request};
use tokio::runtime;
use tokio::time::Instant;

use crate::failure::Failure;
use crate::flight;
use crate::notifier::{FlightEvent, Wait, notifier, notify, wait};
use crate::settings::Settings;
use crate::shared::Shared;
use crate::snapshot::Snapshot;
use crate::state::{Acceptance, Decision, Now, Refusal, Rejection, State, Ticket};
use crate::token_set::TokenSet;

#[derive(Clone, Debug)]
pub(crate) struct Handle {
    pub(crate) shared: Arc<Shared>,
    pub(crate) settings: Arc<Settings>,
}

/// The credentials for a request, or how it gets them.
#[derive(Debug)]
pub(crate) enum Access {
    /// It is sent with these.
    Send(Guard<Arc<Snapshot>>),
    /// It waits for the flight.
    Wait(Wait),
    /// It fails.
    Fail(Refusal),
}

impl Handle {
    /// Returns credentials for a request.
    pub(crate) fn get(&self, time: &mut CallTime) -> Access {
        self.fresh(time).map_or_else(|| self.acquire(), Access::Send)
    }

    /// Returns credentials for a request that found none in the snapshot, or that has waited for some.
    pub(crate) fn acquire(&self) -> Access {
        self.decide(true, |state| state.acquire(Instant::now()))
    }

    /// Attaches credentials to a request. Returns a copy without them if the layer may send it again by itself.
    pub(crate) fn attach<B: CloneBody>(
        &self,
        snapshot: &Snapshot,
        request: &mut Request<B>,
        may_refresh: bool,
    ) -> Option<Request<B>> {
        let copy = if may_refresh && self.keeps_copies() { try_clone_request(request) } else { None };
        snapshot.apply_to(request);
        copy
    }

    /// Records that a server has accepted credentials, when that changes the state.
    #[cold]
    pub(crate) fn record_acceptance(&self, acceptance: Acceptance) {
        {
            let snapshot = self.shared.load();
            if acceptance.route.is_none() && !snapshot.is_rejected() {
                if snapshot.generation() == acceptance.generation {
                    snapshot.mark_accepted();
                }
                return;
            }
        }
        let notifier = self.shared.update(|inner| {
            let may_proceed = inner.state.record_acceptance(acceptance, Instant::now());
            inner.notifier.clone().filter(|_| may_proceed)
        });
        notify(notifier, FlightEvent::Accepted);
    }

    /// Returns credentials for a request that was rejected.
    pub(crate) fn record_rejection(&self, rejection: Rejection) -> Access {
        self.decide(false, |state| {
            let (Rejection { generation, route, is_uncertain }, now) = (rejection, Instant::now());
            if is_uncertain {
                state.record_uncertain_rejection(generation, route, now);
            }
            state.record_rejection(generation, route, now)
        })
    }

    /// Installs a set in place of all that is known; an empty one clears.
    pub(crate) fn install(&self, tokens: TokenSet) {
        if tokens.is_empty() {
            return self.clear();
        }
        let notifier = self.shared.update(|inner| {
            self.enqueue(&tokens);
            inner.state.install(tokens, Now::read());
            inner.notifier.take()
        });
        let current = self.shared.latest();
        current.set_wall_expiry(&self.settings.clock());
        self.flush();
        let generation = current.generation();
        tracing::info!(target: "redress::refresh", generation, "installed");
        notify(notifier, FlightEvent::Finished(Ok(generation)));
    }

    /// Forgets all credentials.
    pub(crate) fn clear(&self) {
        let notifier = self.shared.update(|inner| {
            self.enqueue(&TokenSet::new());
            inner.state.clear();
            inner.notifier.take()
        });
        self.flush();
        tracing::info!(target: "redress::refresh", "cleared");
        let refusal = Refusal { failure: Failure::cleared(), retry_at: None };
        notify(notifier, FlightEvent::Finished(Err(refusal)));
    }

    fn enqueue(&self, tokens: &TokenSet) {
        if let Some(store) = self.shared.store() {
            store.enqueue(tokens.clone());
        }
    }

    /// Writes an install or a clear to the store. If that fails, the next flight writes it first.
    fn flush(&self) {
        if let (Some(_), Ok(runtime)) = (self.shared.store(), runtime::Handle::try_current()) {
            let shared = Arc::clone(&self.shared);
            runtime.spawn(async move {
                let Some(store) = shared.store() else { return };
                if store.flush().await.is_err() {
                    tracing::warn!(target: "redress::refresh", "store unavailable: installed or cleared for this process only");
                }
            });
        }
    }

    /// Starts a flight in the background if a renewal is due.
    pub(crate) fn renew(&self) {
        let ticket = self.shared.update(|inner| {
            let ticket = inner.state.renew(Instant::now())?;
            inner.notifier = Some(notifier());
            Some(ticket)
        });
        self.launch(ticket);
    }

    /// Decides about a request. One that is `unsent` may also proceed with credentials that are accepted again.
    fn decide(&self, unsent: bool, decide: impl FnOnce(&mut State) -> Decision) -> Access {
        let (access, ticket) = self.shared.update(|inner| {
            let decision = decide(&mut inner.state);
            if let Decision::Start(..) | Decision::Probe(_, Some(_)) = &decision {
                inner.notifier = Some(notifier());
            }
            match decision {
                Decision::Send(snapshot) => (Access::Send(Guard::from_inner(snapshot)), None),
                Decision::Probe(snapshot, ticket) => (Access::Send(Guard::from_inner(snapshot)), ticket),
                Decision::Fail(refusal) => (Access::Fail(refusal), None),
                Decision::Join(until) => (Access::Wait(wait(inner.notifier.as_ref(), unsent, until)), None),
                Decision::Start(ticket, until) => {
                    (Access::Wait(wait(inner.notifier.as_ref(), unsent, until)), Some(ticket))
                }
            }
        });
        self.launch(ticket);
        access
    }

    fn launch(&self, ticket: Option<Ticket>) {
        if let Some(ticket) = ticket {
            flight::launch(&self.shared, ticket, &self.settings);
        }
    }
}
