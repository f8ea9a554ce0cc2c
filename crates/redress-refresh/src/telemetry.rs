//! What the layer tells of its flights: one event for each step, and with the feature `metrics` how the calls to the issuer
//! end and how long they take.

use std::time::Duration;

use tokio::time::Instant;

use crate::failure::Failure;
use crate::state::{Outcome, Refusal, Storm};
use crate::token_set::TokenSet;

/// Tells that a call to the issuer begins.
pub(crate) fn started(flight: u64, is_refresh: bool) {
    if is_refresh {
        tracing::debug!(target: "redress::refresh", flight, "refresh started");
    } else {
        tracing::debug!(target: "redress::refresh", flight, "login started");
    }
}

/// Counts a call to the issuer that has ended.
#[cfg(feature = "metrics")]
pub(crate) fn answered(is_refresh: bool, result: &Result<TokenSet, Failure>, took: Duration) {
    let outcome = result.as_ref().err().map_or("success", Failure::kind);
    let labels = [("kind", if is_refresh { "refresh" } else { "login" }), ("outcome", outcome)];
    metrics::counter!("redress_refreshes_total", &labels).increment(1);
    metrics::histogram!("redress_refresh_seconds", &labels).record(took);
}

#[cfg(not(feature = "metrics"))]
pub(crate) const fn answered(_is_refresh: bool, _result: &Result<TokenSet, Failure>, _took: Duration) {}

/// Tells that a refresh token is worthless, and that a login follows.
pub(crate) fn invalid_grant(flight: u64, failure: &Failure) {
    tracing::info!(target: "redress::refresh", flight, %failure, "refresh token invalid: logging in");
}

/// Tells why a rejected response is handed up without a refresh.
pub(crate) fn not_refreshed(failure: &Failure) {
    tracing::debug!(target: "redress::refresh", kind = failure.kind(), %failure, "rejected, and not refreshed");
}

/// Tells what came of a flight; `None` when it was superseded.
pub(crate) fn landed(flight: u64, outcome: Option<&Outcome>) {
    match outcome {
        Some(Ok(generation)) => tracing::info!(target: "redress::refresh", flight, generation, "succeeded"),
        Some(Err(Refusal { failure, retry_at })) => {
            let (kind, wait) = (failure.kind(), retry_at.map(|at| at.saturating_duration_since(Instant::now())));
            tracing::warn!(target: "redress::refresh", flight, kind, ?wait, %failure, "failed");
        }
        None => tracing::debug!(target: "redress::refresh", flight, "superseded: dropped what it brought"),
    }
}

/// Warns that rejections keep causing calls to the issuer although each of them brings a new set.
pub(crate) fn storm(storm: Storm) {
    let Storm { flights, during } = storm;
    tracing::warn!(
        target: "redress::refresh",
        flights,
        ?during,
        "credentials are rejected soon after each refresh or login, which are now made less often: is the account used by \
         another process without a shared store, or does an endpoint answer 401 where it means 403?"
    );
}
