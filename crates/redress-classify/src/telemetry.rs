//! The `tracing` events of the layer, and with the feature `metrics` a count of alerts.

use std::time::Duration;

use redress_envelope::{Dialect, Recovery};

use crate::error::Error;
use crate::straight::SentParts;
use crate::upstream::Upstream;
use crate::verdict::Verdict;

/// Reports an attempt without a response.
pub(crate) fn no_response(dialect: &Dialect, host: &Upstream, error: &Error) {
    let (dialect, class, phase) = (dialect.name(), error.class().as_str(), error.phase().as_str());
    tracing::debug!(target: "redress::classify", dialect, %host, class, phase, "no response");
}

/// Reports an error response. If credits or a plan are used up, it also emits an alert: a person has to act.
pub(crate) fn error_response(request: &impl SentParts, verdict: &Verdict) {
    let Some(error) = verdict.api_error() else { return };
    let (dialect, status) = (error.dialect(), error.status());
    let (class, recovery, decided_by) =
        (error.class().as_str(), error.recovery().as_str(), verdict.decided_by().as_str());
    tracing::debug!(target: "redress::classify", dialect, host = %request.to_sent().upstream(), status, class, recovery, decided_by, "error response");
    if error.recovery() == Recovery::RaiseLimit {
        tracing::error!(target: "redress::alert", dialect, status, class, "credits or plan used up: raise the limit");
        count_alert(dialect);
    }
}

/// Reports a success that asks for a pause before the next call.
pub(crate) fn success_hint(dialect: &Dialect, status: u16, wait: Duration) {
    let dialect = dialect.name();
    tracing::debug!(target: "redress::classify", dialect, status, ?wait, "success with a hint");
}

/// Reports a held body that exceeds the maximum length before its signal is certain.
pub(crate) fn long_body(dialect: &Dialect, status: u16, held_bytes: u64) {
    let dialect = dialect.name();
    tracing::warn!(target: "redress::classify", dialect, status, held_bytes, "long body not held to its end: taken for a success");
}

/// Reports a held body whose time ended before its signal is certain.
pub(crate) fn slow_body(dialect: &Dialect, status: u16, held_bytes: u64) {
    let dialect = dialect.name();
    tracing::warn!(target: "redress::classify", dialect, status, held_bytes, "slow body not held to its end: taken for a success");
}

/// Reports a gRPC response that is handed up before its first message: a stream may wait for it as long as it likes.
pub(crate) fn no_message_yet(dialect: &Dialect) {
    tracing::debug!(target: "redress::classify", dialect = dialect.name(), "no message within the hold: taken for a success");
}

#[cfg(feature = "metrics")]
fn count_alert(dialect: &str) {
    metrics::counter!("redress_alerts_total", "dialect" => dialect.to_owned()).increment(1);
}

#[cfg(not(feature = "metrics"))]
const fn count_alert(_dialect: &str) {}
