//! The events of flights and, with the feature `metrics`, a counter and a histogram of the calls to the issuer.

use std::time::Duration;

use tokio::time::Instant;

use crate::failure::{Failure, Purpose};
use crate::state::{Outcome, RefreshStorm, Refusal};
use crate::token_set::TokenSet;

/// Reports that a call to the issuer begins.
pub(crate) fn started(flight: u64, purpose: Purpose) {
    match purpose {
        Purpose::Login => tracing::debug!(target: "redress::refresh", flight, "login started"),
        Purpose::Refresh => tracing::debug!(target: "redress::refresh", flight, "refresh started"),
    }
}

/// Counts a call to the issuer that has ended.
#[cfg(feature = "metrics")]
pub(crate) fn answered(purpose: Purpose, result: &Result<TokenSet, Failure>, took: Duration) {
    let outcome = result.as_ref().err().map_or("success", Failure::kind);
    let labels = [("kind", purpose.name()), ("outcome", outcome)];
    metrics::counter!("redress_refreshes_total", &labels).increment(1);
    metrics::histogram!("redress_refresh_seconds", &labels).record(took);
}

#[cfg(not(feature = "metrics"))]
pub(crate) const fn answered(_purpose: Purpose, _result: &Result<TokenSet, Failure>, _took: Duration) {}

/// Counts a set that another process had got.
#[cfg(feature = "metrics")]
pub(crate) fn adopted() {
    metrics::counter!("redress_adoptions_total", "record" => "token").increment(1);
}

#[cfg(not(feature = "metrics"))]
pub(crate) const fn adopted() {}

/// Reports that a refresh token is worthless, and that a login follows.
pub(crate) fn invalid_grant(flight: u64, failure: &Failure) {
    tracing::info!(target: "redress::refresh", flight, %failure, "refresh token invalid: logging in");
}

/// Reports why a rejected response is handed up without a refresh.
pub(crate) fn not_refreshed(failure: &Failure) {
    tracing::debug!(target: "redress::refresh", kind = failure.kind(), %failure, "rejected, and not refreshed");
}

/// Reports the end of a flight.
pub(crate) fn finished(flight: u64, outcome: &Outcome) {
    match outcome {
        Ok(generation) => tracing::info!(target: "redress::refresh", flight, generation, "succeeded"),
        Err(Refusal { failure, retry_at }) => {
            let (kind, wait) = (failure.kind(), retry_at.map(|at| at.saturating_duration_since(Instant::now())));
            tracing::warn!(target: "redress::refresh", flight, kind, ?wait, %failure, "failed");
        }
    }
}

/// Reports the end of a flight whose result is dropped, because credentials were installed or cleared meanwhile.
pub(crate) fn superseded(flight: u64) {
    tracing::debug!(target: "redress::refresh", flight, "superseded: result dropped");
}

/// Warns that rejections keep causing calls to the issuer although each of them brings a new set.
pub(crate) fn storm(storm: RefreshStorm) {
    let RefreshStorm { flights, during } = storm;
    tracing::warn!(
        target: "redress::refresh",
        flights,
        ?during,
        "credentials are rejected soon after each refresh or login, which are now made less often: is the account used by \
         another process without a shared store, or does an endpoint answer 401 where it means 403?"
    );
}
