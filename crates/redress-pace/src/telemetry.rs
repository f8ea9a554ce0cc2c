//! The `tracing` events of the layer, one for each decision, and with the feature `metrics` a metric of each.

use std::time::Duration;

use redress_classify::{CooldownScope, Dialect, ScopeId};
use tokio::time::Instant;

use crate::gates::Transition;
use crate::partition::Partition;
use crate::scope::{GateKey, Target};

/// The reason why a call waits, or is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitReason {
    /// The upstream cools down.
    Cooldown,
    /// The upstream is in an outage.
    Outage,
    /// All permits of the release after a cool-down or an outage are in use.
    Release,
    /// A limit is reached.
    Limit,
}

impl WaitReason {
    /// Returns the name of the reason in events and metrics.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Cooldown => "cooldown",
            Self::Outage => "outage",
            Self::Release => "release",
            Self::Limit => "limit",
        }
    }
}

/// Reports a cool-down that a response started or extended, with its scope unless it concerns all calls.
pub(crate) fn cooldown_started(dialect: &Dialect, target: &Target, named: CooldownScope, class: &str, wait: Duration) {
    let (scope, partition) = (target.cooled_by(named, None).scope(), &target.partition);
    let scope = scope_name(dialect, scope);
    let dialect = dialect.name();
    tracing::debug!(target: "redress::pace", dialect, %partition, scope, class, ?wait, "cool-down started");
    measure("redress_cooldown_seconds", &[("dialect", dialect)], wait);
}

/// Reports a cool-down that another process learned of. Only the process that got the response counts its length in the metrics.
pub(crate) fn cooldown_adopted(dialect: &Dialect, partition: &Partition, key: &GateKey, class: &str, wait: Duration) {
    let (dialect, scope) = (dialect.name(), scope_name(dialect, key.scope()));
    tracing::debug!(target: "redress::pace", dialect, %partition, scope, class, ?wait, source = "store", "cool-down started");
    count("redress_adoptions_total", &[("record", "cooldown")]);
}

/// Reports that the store of cool-downs does not answer, or answers again.
pub(crate) fn store_changed(dialect: &Dialect, partition: &Partition, is_available: bool) {
    let dialect = dialect.name();
    if is_available {
        tracing::info!(target: "redress::pace", dialect, %partition, "store available again");
    } else {
        tracing::warn!(target: "redress::pace", dialect, %partition, "store unavailable: cool-downs are not shared");
        count("redress_unshared_total", &[("record", "cooldown")]);
    }
}

/// Reports that a store has lost the last writes of cool-downs, which are written again.
pub(crate) fn cooldowns_lost(dialect: &Dialect, partition: &Partition) {
    let dialect = dialect.name();
    tracing::warn!(target: "redress::pace", dialect, %partition, "the store lost writes: cool-downs written again");
}

/// Reports that the store of a limit does not answer, or answers again.
pub(crate) fn limit_store_changed(partition: &Partition, record: &str, is_available: bool) {
    if is_available {
        tracing::info!(target: "redress::pace", %partition, record, "store available again");
    } else {
        tracing::warn!(target: "redress::pace", %partition, record, "store unavailable: each process keeps a part of the limit");
        count("redress_unshared_total", &[("record", "limit")]);
    }
}

/// Reports that a store may have lost the last writes of a limit, which grants nothing until the other processes have reported.
pub(crate) fn limit_closed(partition: &Partition, record: &str) {
    tracing::warn!(target: "redress::pace", %partition, record, "the store may have lost writes: limit closed for a lease");
}

/// Counts the permits of a renewal.
pub(crate) fn permits_granted(permits: u32) {
    add("redress_shared_permits_total", &[], permits.into());
}

/// Reports a record of cool-downs that this program cannot read.
pub(crate) fn record_unreadable(dialect: &Dialect, partition: &Partition, reason: &'static str) {
    let dialect = dialect.name();
    tracing::warn!(target: "redress::pace", dialect, %partition, reason, "record of cool-downs not readable");
}

fn scope_name(dialect: &Dialect, scope: Option<ScopeId>) -> Option<&str> {
    scope.and_then(|scope| dialect.scope(scope)).map(|scope| scope.name.as_str())
}

/// Reports a gate that was shut or opened, and a probe that failed.
pub(crate) fn transition(dialect: &Dialect, partition: &Partition, transition: Transition, now: Instant) {
    match transition {
        Transition::Shut => gate_shut(dialect, partition, "failures"),
        Transition::ProbeFailed { next } => {
            let (dialect, wait) = (dialect.name(), next.map(|next| next.saturating_duration_since(now)));
            tracing::debug!(target: "redress::pace", dialect, %partition, outcome = "failed", ?wait, "probe");
            count("redress_probes_total", &[("dialect", dialect), ("outcome", "failed")]);
        }
        Transition::Opened { age, waiting } => {
            tracing::debug!(target: "redress::pace", dialect = dialect.name(), %partition, outcome = "answered", "probe");
            count("redress_probes_total", &[("dialect", dialect.name()), ("outcome", "answered")]);
            gate_opened(dialect, partition, "answer", age, waiting);
        }
    }
}

/// Reports a gate that was shut, after failures or by hand.
pub(crate) fn gate_shut(dialect: &Dialect, partition: &Partition, reason: &'static str) {
    let dialect = dialect.name();
    tracing::warn!(target: "redress::pace", dialect, %partition, reason, "gate shut: calls wait for the end of an outage");
    count("redress_gate_shuts_total", &[("dialect", dialect), ("reason", reason)]);
}

/// Reports the end of an outage, with its age and the number of calls that wait for their release.
pub(crate) fn gate_opened(
    dialect: &Dialect,
    partition: &Partition,
    reason: &'static str,
    age: Duration,
    waiting: usize,
) {
    let dialect = dialect.name();
    tracing::info!(target: "redress::pace", dialect, %partition, reason, ?age, waiting, "gate opened");
    measure("redress_outage_seconds", &[("dialect", dialect), ("reason", reason)], age);
}

/// Reports a call that waits.
pub(crate) fn call_waits(dialect: &Dialect, partition: &Partition, reason: WaitReason, wait: Duration) {
    let (dialect, reason) = (dialect.name(), reason.as_str());
    tracing::debug!(target: "redress::pace", dialect, %partition, reason, ?wait, "call waits");
    measure("redress_pace_wait_seconds", &[("dialect", dialect), ("reason", reason)], wait);
}

/// Reports a call that is rejected since its wait would be too long.
pub(crate) fn call_rejected(dialect: &Dialect, partition: &Partition, reason: WaitReason, wait: Duration) {
    let (dialect, reason) = (dialect.name(), reason.as_str());
    tracing::debug!(target: "redress::pace", dialect, %partition, reason, ?wait, "call rejected");
    count("redress_pace_rejections_total", &[("dialect", dialect), ("reason", reason)]);
}

#[cfg(feature = "metrics")]
fn measure(name: &'static str, labels: &[(&'static str, &str)], wait: Duration) {
    metrics::histogram!(name, &owned(labels)).record(wait);
}

#[cfg(not(feature = "metrics"))]
const fn measure(_name: &'static str, _labels: &[(&'static str, &str)], _wait: Duration) {}

fn count(name: &'static str, labels: &[(&'static str, &str)]) {
    add(name, labels, 1);
}

#[cfg(feature = "metrics")]
fn add(name: &'static str, labels: &[(&'static str, &str)], count: u64) {
    metrics::counter!(name, &owned(labels)).increment(count);
}

#[cfg(not(feature = "metrics"))]
const fn add(_name: &'static str, _labels: &[(&'static str, &str)], _count: u64) {}

#[cfg(feature = "metrics")]
fn owned(labels: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}
