//! The events of the layer, one for each decision, and with the feature `metrics` its metrics. `docs/observability.md` lists both.

use std::time::Duration;

use redress_classify::{Class, Dialect, EndReason, Phase, Verdict, WaitSource};
use tracing::field::display;

use crate::request_copy::Host;

#[cfg(feature = "metrics")]
const ATTEMPTS: &str = "redress_attempts_total";
#[cfg(feature = "metrics")]
const CALLS: &str = "redress_calls_total";

/// The counters of calls that succeed at the first attempt, for which there is no event. Their keys are made with the layer, so
/// that a success allocates nothing.
#[derive(Clone, Debug)]
pub(crate) struct Successes {
    #[cfg(feature = "metrics")]
    keys: [metrics::Key; 2],
}

#[cfg(feature = "metrics")]
impl Successes {
    pub(crate) fn new(dialect: &Dialect) -> Self {
        let label = |name, value: &str| metrics::Label::new(name, value.to_owned());
        let key =
            |name, of| metrics::Key::from_parts(name, vec![label("dialect", dialect.name()), label(of, "success")]);
        Self { keys: [key(ATTEMPTS, "class"), key(CALLS, "end_reason")] }
    }

    pub(crate) fn count(&self) {
        let metadata = metrics::Metadata::new(module_path!(), metrics::Level::INFO, Some(module_path!()));
        metrics::with_recorder(|recorder| {
            for key in &self.keys {
                recorder.register_counter(key, &metadata).increment(1);
            }
        });
    }
}

#[cfg(not(feature = "metrics"))]
impl Successes {
    pub(crate) const fn new(_dialect: &Dialect) -> Self {
        Self {}
    }

    #[allow(clippy::unused_self, reason = "its twin needs it")]
    pub(crate) const fn count(&self) {}
}

/// The reason why a hedge is not sent, though its time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoHedge {
    /// The body cannot be sent again.
    NotClonable,
    /// The deadline has passed.
    Deadline,
    /// A layer below reports that the upstream is in an outage, slow, or recovers.
    Health,
    /// More calls are late than chance explains: the upstream is slow as a whole.
    Slow,
    /// As many calls were hedged as may be.
    Share,
    /// The retry budget is used up.
    Budget,
    /// The service below is not ready.
    NotReady,
    /// A layer below would have queued it.
    Refused,
}

/// The outcome of a hedge that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HedgeOutcome {
    /// It is the outcome of its call, a success.
    Won,
    /// The first attempt decided, or the call was dropped.
    Cancelled,
    /// It failed.
    Failed,
}

/// Reports a hedge that is sent.
pub(crate) fn hedge(dialect: &Dialect, host: Option<Host<'_>>, after: Duration) {
    let host = host.map(display);
    tracing::debug!(target: "redress::backoff", dialect = dialect.name(), host, ?after, "hedge");
}

/// Reports why a hedge is not sent.
pub(crate) fn no_hedge(dialect: &Dialect, host: Option<Host<'_>>, reason: NoHedge) {
    let host = host.map(display);
    let reason = match reason {
        NoHedge::NotClonable => "not_clonable",
        NoHedge::Deadline => "deadline",
        NoHedge::Health => "health",
        NoHedge::Slow => "slow",
        NoHedge::Share => "share",
        NoHedge::Budget => "budget",
        NoHedge::NotReady => "not_ready",
        NoHedge::Refused => "refused",
    };
    tracing::debug!(target: "redress::backoff", dialect = dialect.name(), host, reason, "no hedge");
}

/// Counts a hedge that has ended.
#[cfg(feature = "metrics")]
pub(crate) fn hedge_ended(dialect: &Dialect, outcome: HedgeOutcome) {
    let outcome = match outcome {
        HedgeOutcome::Won => "won",
        HedgeOutcome::Cancelled => "cancelled",
        HedgeOutcome::Failed => "failed",
    };
    metrics::counter!("redress_hedges_total", labels(dialect.name(), [("outcome", outcome)])).increment(1);
}

#[cfg(not(feature = "metrics"))]
pub(crate) const fn hedge_ended(_dialect: &Dialect, _outcome: HedgeOutcome) {}

/// Reports a retry that was decided.
pub(crate) fn retry(
    dialect: &Dialect,
    host: Option<Host<'_>>,
    verdict: &Verdict,
    attempt: u32,
    wait: Duration,
    source: &WaitSource,
) {
    let host = host.map(display);
    let (dialect, class, decided_by) = (dialect.name(), verdict.class().as_str(), verdict.decided_by().as_str());
    let wait_source = source.as_str();
    tracing::debug!(target: "redress::backoff", dialect, host, class, decided_by, attempt, ?wait, wait_source, "retry");
    record_wait(dialect, class, wait_source, wait);
}

/// Reports a request that is sent again at the end of an outage, for which a layer below makes it wait.
pub(crate) fn wait_for_end_of_outage(dialect: &Dialect, host: Option<Host<'_>>, verdict: &Verdict, attempt: u32) {
    let host = host.map(display);
    let (dialect, class, decided_by) = (dialect.name(), verdict.class().as_str(), verdict.decided_by().as_str());
    tracing::debug!(target: "redress::backoff", dialect, host, class, decided_by, attempt, "wait for the end of an outage");
}

/// Reports why no retry follows a failed attempt.
pub(crate) fn no_retry(dialect: &Dialect, host: Option<Host<'_>>, verdict: &Verdict, attempt: u32, reason: EndReason) {
    let host = host.map(display);
    let (dialect, class, decided_by) = (dialect.name(), verdict.class().as_str(), verdict.decided_by().as_str());
    let end_reason = reason.as_str();
    tracing::debug!(target: "redress::backoff", dialect, host, class, decided_by, attempt, end_reason, "no retry");
}

/// Reports and counts a call that was dropped before its end.
pub(crate) fn call_dropped(dialect: &Dialect, host: Option<Host<'_>>, attempt: u32, phase: Phase) {
    let host = host.map(display);
    let (name, phase) = (dialect.name(), phase.as_str());
    tracing::debug!(target: "redress::backoff", dialect = name, host, attempt, phase, "call dropped");
    count_call(dialect, "dropped");
}

/// Reports the resend after a refresh.
pub(crate) fn resend(dialect: &Dialect) {
    tracing::debug!(target: "redress::backoff", dialect = dialect.name(), "resend after a refresh");
}

/// Reports why there is no resend after a refresh.
pub(crate) fn no_resend(dialect: &Dialect, reason: EndReason) {
    let (dialect, end_reason) = (dialect.name(), reason.as_str());
    tracing::debug!(target: "redress::backoff", dialect, end_reason, "no resend after a refresh");
}

/// Reports that the store of a shared budget does not answer, or answers again.
pub(crate) fn store_changed(dialect: &Dialect, partition: &str, is_available: bool) {
    let dialect = dialect.name();
    if is_available {
        tracing::info!(target: "redress::backoff", dialect, partition, "store available again");
    } else {
        tracing::warn!(target: "redress::backoff", dialect, partition, "store unavailable: the retry budget is not shared");
    }
}

/// Reports that a store may have lost the last writes of a shared budget, which is empty until the other processes have settled.
pub(crate) fn budget_closed(dialect: &Dialect, partition: &str) {
    let dialect = dialect.name();
    tracing::warn!(target: "redress::backoff", dialect, partition, "the store may have lost writes: retry budget emptied");
}

/// Reports a record of a shared budget that this program cannot read.
pub(crate) fn record_unreadable(dialect: &Dialect, partition: &str, reason: &'static str) {
    let dialect = dialect.name();
    tracing::warn!(target: "redress::backoff", dialect, partition, reason, "record of the retry budget not readable");
}

/// Counts a failed attempt.
#[cfg(feature = "metrics")]
pub(crate) fn failed_attempt(dialect: &Dialect, class: Class) {
    metrics::counter!(ATTEMPTS, labels(dialect.name(), [("class", class.as_str())])).increment(1);
}

#[cfg(not(feature = "metrics"))]
pub(crate) const fn failed_attempt(_dialect: &Dialect, _class: Class) {}

/// Counts a call that ends without a success.
pub(crate) fn failed_call(dialect: &Dialect, reason: EndReason) {
    count_call(dialect, reason.as_str());
}

#[cfg(feature = "metrics")]
fn count_call(dialect: &Dialect, end_reason: &'static str) {
    metrics::counter!(CALLS, labels(dialect.name(), [("end_reason", end_reason)])).increment(1);
}

#[cfg(not(feature = "metrics"))]
const fn count_call(_dialect: &Dialect, _end_reason: &'static str) {}

/// Records the level of the retry budget; `None` without a budget.
#[cfg(feature = "metrics")]
pub(crate) fn budget_level(dialect: &Dialect, level: Option<u32>) {
    if let Some(level) = level {
        metrics::gauge!("redress_retry_budget_tokens", "dialect" => dialect.name().to_owned()).set(level);
    }
}

#[cfg(not(feature = "metrics"))]
pub(crate) const fn budget_level(_dialect: &Dialect, _level: Option<u32>) {}

#[cfg(feature = "metrics")]
fn record_wait(dialect: &str, class: &'static str, wait_source: &'static str, wait: Duration) {
    let labels = labels(dialect, [("class", class), ("wait_source", wait_source)]);
    metrics::histogram!("redress_retry_wait_seconds", labels).record(wait);
}

#[cfg(not(feature = "metrics"))]
const fn record_wait(_dialect: &str, _class: &'static str, _wait_source: &'static str, _wait: Duration) {}

/// Returns the labels of a metric. The name of the dialect alone is copied.
#[cfg(feature = "metrics")]
fn labels<const N: usize>(dialect: &str, others: [(&'static str, &'static str); N]) -> Vec<metrics::Label> {
    let mut labels = Vec::with_capacity(1 + N);
    labels.push(metrics::Label::new("dialect", dialect.to_owned()));
    labels.extend(others.map(|(name, value)| metrics::Label::from_static_parts(name, value)));
    labels
}
