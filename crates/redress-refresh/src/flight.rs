//! The one call for new credentials, in a task of its own: no caller leads it, so no caller's end ends it.

mod over_store;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use redress_classify::Clock;
use secrecy::SecretString;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::explanation::Explanation;
use crate::failure::Failure;
use crate::flight::over_store::Held;
use crate::shared::Shared;
use crate::state::Ticket;
use crate::telemetry;
use crate::token_set::TokenSet;

/// What the layer's settings say about a flight.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// How long it may take.
    pub(crate) limit: Duration,
    /// For the dates of a store's records; the system's by default.
    pub(crate) clock: Option<Clock>,
}

/// A flight under way. However it ends, by a panic or a shutdown too, the slot is free again and the waiters know.
struct Flight {
    shared: Arc<Shared>,
    id: u64,
    limit: Duration,
    clock: Clock,
    /// When the last call to the issuer began.
    sent: Option<Instant>,
    /// Whether that call showed a refresh token.
    is_refresh: bool,
    /// The intent that was written to the store.
    held: Option<Held>,
    has_landed: bool,
}

/// Starts the flight that the ticket is for.
pub(crate) fn launch(shared: &Arc<Shared>, ticket: Ticket, terms: Terms) {
    let mut flight = Flight {
        shared: Arc::clone(shared),
        id: ticket.id,
        limit: match shared.fleet() {
            Some(_) => terms.limit.min(over_store::LONGEST_FLIGHT),
            None => terms.limit,
        },
        clock: terms.clock.unwrap_or_else(Clock::system),
        sent: None,
        is_refresh: false,
        held: None,
        has_landed: false,
    };
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn(flight.run(ticket.refresh_token))),
        Err(_) => drop(flight.land(Err(Failure::transient(Explanation::new("no tokio runtime"))))),
    }
}

impl Flight {
    async fn run(mut self, refresh_token: Option<SecretString>) {
        let limit = self.limit;
        let answer = tokio::time::timeout(limit, self.fetch(refresh_token)).await;
        let result = answer.unwrap_or_else(|_| Err(self.broken_off("the flight took too long")));
        // What the waiters wait for is not held up by the store.
        let written = self.written(&result);
        if self.land(result) {
            self.commit(written).await;
        }
    }

    async fn fetch(&mut self, refresh_token: Option<SecretString>) -> Result<TokenSet, Failure> {
        let shared = Arc::clone(&self.shared);
        match shared.fleet() {
            Some(fleet) => self.fetch_over(fleet, refresh_token).await,
            None => self.fetch_alone(refresh_token).await,
        }
    }

    /// Refreshes, and logs in if the refresh token is invalid.
    async fn fetch_alone(&mut self, refresh_token: Option<SecretString>) -> Result<TokenSet, Failure> {
        match self.ask(refresh_token).await {
            Err(failure) if self.is_refresh && failure.is_invalid_grant() && self.present(None) => {
                telemetry::invalid_grant(self.id, &failure);
                self.ask(None).await.map_err(|later| later.after(&failure))
            }
            result => result,
        }
    }

    /// Makes one call to the issuer: it shows the refresh token, or logs in without one.
    async fn ask(&mut self, refresh_token: Option<SecretString>) -> Result<TokenSet, Failure> {
        let sent = Instant::now();
        (self.sent, self.is_refresh) = (Some(sent), refresh_token.is_some());
        let calls = if self.is_refresh { self.shared.refreshes() } else { self.shared.logins() };
        calls.fetch_add(1, Ordering::Relaxed);
        telemetry::started(self.id, self.is_refresh);
        let result = match &refresh_token {
            Some(refresh_token) => self.shared.issuer().refresh(refresh_token).await,
            None => self.shared.issuer().login().await,
        };
        telemetry::answered(self.is_refresh, &result, sent.elapsed());
        result.map_err(|failure| failure.during(self.is_refresh))
    }

    /// Notes which refresh token is about to be shown; false when the flight is superseded.
    fn present(&self, refresh_token: Option<SecretString>) -> bool {
        self.shared.present(self.id, refresh_token)
    }

    /// Ends the flight; false when it is superseded.
    fn land(&mut self, result: Result<TokenSet, Failure>) -> bool {
        self.has_landed = true;
        let outcome = self.shared.land(self.id, result, self.sent.unwrap_or_else(Instant::now), &self.clock);
        telemetry::landed(self.id, outcome.as_ref());
        outcome.is_some()
    }

    /// Returns why a flight failed that was cut: what was never sent spent nothing.
    fn broken_off(&self, why: &'static str) -> Failure {
        let why = Explanation::new(why);
        if self.sent.is_none() {
            return Failure::transient(why);
        }
        Failure::ambiguous(why).during(self.is_refresh)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if !self.has_landed {
            let failure = self.broken_off("the flight was broken off");
            self.land(Err(failure));
        }
    }
}
