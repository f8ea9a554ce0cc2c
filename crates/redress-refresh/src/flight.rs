//! The call for new credentials, in a task of its own: it goes on when the caller that started it is dropped.

mod leased;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use redress_classify::Clock;
use secrecy::SecretString;
use tokio::runtime;
use tokio::time::Instant;

use crate::explanation::Explanation;
use crate::failure::{Failure, Purpose};
use crate::flight::leased::HeldLease;
use crate::notifier::{FlightEvent, notify};
use crate::record::Shown;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::state::{Now, Reuse, Ticket};
use crate::telemetry;
use crate::token_set::TokenSet;

/// A flight in progress. When it is dropped, by a panic or a shutdown, it ends as failed and its waiters are notified.
struct Flight {
    shared: Arc<Shared>,
    id: u64,
    timeout: Duration,
    /// How long after its first use the issuer accepts a refresh token again.
    grace: Duration,
    clock: Clock,
    /// When an earlier flight has presented the refresh token first, if it may be spent.
    earlier: Option<Shown>,
    /// When the last call to the issuer began.
    sent: Option<Instant>,
    /// The kind of that call.
    purpose: Purpose,
    /// The lease that was written to the store.
    lease: Option<HeldLease>,
    is_finished: bool,
}

/// Starts the flight for a ticket.
pub(crate) fn launch(shared: &Arc<Shared>, ticket: Ticket, settings: &Settings) {
    let timeout = settings.flight_timeout;
    let mut flight = Flight {
        shared: Arc::clone(shared),
        id: ticket.id,
        timeout: match shared.store() {
            Some(_) => timeout.min(leased::MAX_TIMEOUT),
            None => timeout,
        },
        grace: settings.refresh_grace,
        clock: settings.clock(),
        earlier: ticket.reuse.map(|reuse| reuse.shown),
        sent: None,
        purpose: Purpose::Login,
        lease: None,
        is_finished: false,
    };
    match runtime::Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn(flight.run(ticket.refresh_token))),
        Err(_) => drop(flight.finish(Err(Failure::transient(Explanation::new("no tokio runtime"))))),
    }
}

impl Flight {
    async fn run(mut self, refresh_token: Option<SecretString>) {
        let fetched = tokio::time::timeout(self.longest(), self.fetch(refresh_token)).await;
        let result = fetched.unwrap_or_else(|_| Err(self.interrupted("the flight timed out")));
        // The waiters are notified first: they do not wait for the store.
        let record = self.record(&result);
        if self.finish(result) {
            self.commit(record).await;
        }
    }

    /// Returns how long the flight may take: with a store, it may wait for the lease of another process before its own call.
    fn longest(&self) -> Duration {
        let wait = self.shared.store().map(|_| leased::lease_length(self.timeout, self.grace));
        self.timeout.saturating_add(wait.unwrap_or_default())
    }

    async fn fetch(&mut self, refresh_token: Option<SecretString>) -> Result<TokenSet, Failure> {
        let shared = Arc::clone(&self.shared);
        match shared.store() {
            Some(store) => self.fetch_leased(store, refresh_token).await,
            None => self.fetch_alone(refresh_token).await,
        }
    }

    /// Refreshes, and logs in if the refresh token is invalid.
    async fn fetch_alone(&mut self, refresh_token: Option<SecretString>) -> Result<TokenSet, Failure> {
        self.set_reuse(self.earlier);
        let shown = self.earlier.unwrap_or(Shown::from_now(Instant::now()));
        match self.call_within_grace(refresh_token, shown, None).await {
            Err(failure) if self.must_log_in(&failure) && self.set_presented(None) => {
                telemetry::invalid_grant(self.id, &failure);
                self.call(None).await.map_err(|later| later.after(&failure))
            }
            result => result,
        }
    }

    /// Calls the issuer, and once more with the same refresh token if the answer is lost and the issuer has a grace. The token
    /// was first presented then; after the `end` of the lease it is not presented.
    async fn call_within_grace(
        &mut self,
        refresh_token: Option<SecretString>,
        shown: Shown,
        end: Option<Instant>,
    ) -> Result<TokenSet, Failure> {
        let left = (self.grace / 2).saturating_sub(shown.ago(Instant::now())).min(self.timeout / 2);
        if refresh_token.is_none() || left.is_zero() || !self.rotates() {
            return self.call(refresh_token).await;
        }
        let answer = tokio::time::timeout(left, self.call(refresh_token.clone())).await;
        let lost = match answer.unwrap_or_else(|_| Err(self.interrupted("the issuer did not answer in time"))) {
            Err(failure) if failure.is_ambiguous() => failure,
            result => return result,
        };
        if !self.set_presented(refresh_token.clone()) {
            return Err(lost);
        }
        let now = Instant::now();
        if Reuse::new(shown, self.grace, now).is_none() || end.is_some_and(|end| now >= end) {
            return Err(lost);
        }
        tracing::warn!(target: "redress::refresh", flight = self.id, failure = %lost, "answer lost: refresh repeated within the grace");
        // The first call may have spent the token, also when the second one was not processed.
        self.call(refresh_token).await.map_err(|later| later.after(&lost).maybe_processed())
    }

    /// Makes one call to the issuer: a refresh with a refresh token, a login without one.
    async fn call(&mut self, refresh_token: Option<SecretString>) -> Result<TokenSet, Failure> {
        let sent = Instant::now();
        self.sent = Some(sent);
        self.purpose = if refresh_token.is_some() { Purpose::Refresh } else { Purpose::Login };
        let calls = match self.purpose {
            Purpose::Login => &self.shared.logins,
            Purpose::Refresh => &self.shared.refreshes,
        };
        calls.fetch_add(1, Ordering::Relaxed);
        telemetry::started(self.id, self.purpose);
        let result = match &refresh_token {
            Some(refresh_token) => self.shared.issuer.refresh(refresh_token).await,
            None => self.shared.issuer.login().await,
        };
        telemetry::answered(self.purpose, &result, sent.elapsed());
        result.map_err(|failure| failure.during(self.purpose))
    }

    fn rotates(&self) -> bool {
        self.shared.update(|inner| inner.state.rotates())
    }

    fn must_log_in(&self, failure: &Failure) -> bool {
        self.purpose == Purpose::Refresh && failure.is_invalid_grant()
    }

    /// Records which refresh token is about to be presented. Returns `false` if the flight is superseded.
    fn set_presented(&self, refresh_token: Option<SecretString>) -> bool {
        self.shared.update(|inner| inner.state.set_presented(self.id, refresh_token))
    }

    /// Records the use of a refresh token that is about to be presented, and when an earlier flight presented it first.
    fn set_reuse(&self, earlier: Option<Shown>) {
        let (id, grace, now) = (self.id, self.grace, Instant::now());
        let [earlier, again] = [earlier, Some(earlier.unwrap_or(Shown::from_now(now)))]
            .map(|shown| shown.and_then(|shown| Reuse::new(shown, grace, now)));
        self.shared.update(|inner| inner.state.set_reuse(id, earlier, again));
    }

    /// Ends the flight and notifies its waiters. Returns `false` if it was superseded.
    fn finish(&mut self, result: Result<TokenSet, Failure>) -> bool {
        self.is_finished = true;
        let (id, sent) = (self.id, self.sent.unwrap_or_else(Instant::now));
        let finished = self.shared.update(|inner| {
            let outcome = inner.state.finish(id, result, sent, Now::read())?;
            Some((outcome, inner.notifier.take()))
        });
        let Some((outcome, notifier)) = finished else {
            telemetry::superseded(id);
            return false;
        };
        self.shared.latest().set_wall_expiry(&self.clock);
        notify(notifier, FlightEvent::Finished(outcome.clone()));
        telemetry::finished(id, &outcome);
        true
    }

    /// Returns the failure of a flight that was cut: a refresh token that was not sent is not spent.
    fn interrupted(&self, why: &'static str) -> Failure {
        let why = Explanation::new(why);
        match self.sent {
            None => Failure::transient(why),
            Some(_) => Failure::ambiguous(why).during(self.purpose),
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if !self.is_finished {
            let failure = self.interrupted("the flight was interrupted");
            self.finish(Err(failure));
        }
    }
}
