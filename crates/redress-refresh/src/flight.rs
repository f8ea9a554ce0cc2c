//! The one call for new credentials, in a task of its own: no caller leads it, so no caller's end ends it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use secrecy::SecretString;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::failure::Failure;
use crate::grant::Grant;
use crate::shared::Shared;
use crate::state::Ticket;

/// A flight under way. However it ends, by a panic or a shutdown too, the slot is free again and the waiters know.
struct Flight {
    shared: Arc<Shared>,
    id: u64,
    has_landed: bool,
}

/// Starts the flight that the ticket is for.
pub(crate) fn launch(shared: &Arc<Shared>, ticket: Ticket, limit: Duration) {
    let mut flight = Flight { shared: Arc::clone(shared), id: ticket.id, has_landed: false };
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn(flight.run(ticket.refresh_token, limit))),
        Err(_) => flight.land(Err(Failure::transient("no tokio runtime")), Instant::now()),
    }
}

impl Flight {
    async fn run(mut self, refresh_token: Option<SecretString>, limit: Duration) {
        let mut sent = Instant::now();
        let answer = tokio::time::timeout(limit, self.fetch(refresh_token, &mut sent)).await;
        let result = answer.unwrap_or_else(|_| Err(Failure::ambiguous("the flight took too long")));
        self.land(result, sent);
    }

    async fn fetch(&self, refresh_token: Option<SecretString>, sent: &mut Instant) -> Result<Grant, Failure> {
        if let Some(refresh_token) = refresh_token {
            self.shared.refreshes().fetch_add(1, Ordering::Relaxed);
            tracing::debug!(target: "redress::refresh", flight = self.id, "refresh started");
            match self.shared.issuer().refresh(&refresh_token).await {
                Err(failure) if failure.is_grant_dead() && self.shared.log_in_instead(self.id) => {
                    tracing::info!(target: "redress::refresh", flight = self.id, "grant dead: logging in");
                }
                result => return result,
            }
        }
        *sent = Instant::now();
        self.shared.logins().fetch_add(1, Ordering::Relaxed);
        tracing::debug!(target: "redress::refresh", flight = self.id, "login started");
        self.shared.issuer().login().await
    }

    fn land(&mut self, result: Result<Grant, Failure>, sent: Instant) {
        self.has_landed = true;
        let flight = self.id;
        match self.shared.land(flight, result, sent) {
            Some(Ok(generation)) => tracing::info!(target: "redress::refresh", flight, generation, "succeeded"),
            Some(Err(refusal)) => {
                let (failure, kind) = (&refusal.failure, refusal.failure.kind());
                let wait = refusal.retry_at.map(|at| at.saturating_duration_since(Instant::now()));
                tracing::warn!(target: "redress::refresh", flight, kind, ?wait, %failure, "failed");
            }
            None => tracing::debug!(target: "redress::refresh", flight, "superseded: dropped what it brought"),
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if !self.has_landed {
            self.land(Err(Failure::ambiguous("the flight was broken off")), Instant::now());
        }
    }
}
