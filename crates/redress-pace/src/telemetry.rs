//! What the layer tells: one event for each decision, and with the feature `metrics` a measure of it.

use std::time::Duration;

use redress_classify::{CooldownScope, Dialect};

use crate::partition::Partition;
use crate::scope::Target;

/// What makes a call wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The upstream has asked everybody to wait.
    Gate,
    /// It has come together with too many others.
    Release,
    /// The limit of the route is reached.
    Limit,
}

impl Why {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::Release => "release",
            Self::Limit => "limit",
        }
    }
}

/// Tells that an answer closed the gate, or closed it longer; for which scope, unless it is for all calls.
pub(crate) fn parked(dialect: &Dialect, target: &Target, said: CooldownScope, class: &str, wait: Duration) {
    let (scope, partition) = (target.parked_by(said, None).scope(), &target.partition);
    let scope = scope.and_then(|scope| dialect.scope(scope)).map(|scope| scope.name.as_str());
    let dialect = dialect.name();
    tracing::debug!(target: "redress::pace", dialect, %partition, scope, class, ?wait, "parked");
    measure("redress_gate_seconds", &[("dialect", dialect)], wait);
}

/// Tells that a call waits for its turn.
pub(crate) fn waits(dialect: &Dialect, partition: &Partition, why: Why, wait: Duration) {
    let (dialect, why) = (dialect.name(), why.as_str());
    tracing::debug!(target: "redress::pace", dialect, %partition, why, ?wait, "waits");
    measure("redress_pace_wait_seconds", &[("dialect", dialect), ("why", why)], wait);
}

/// Tells that a call's turn would come too late.
pub(crate) fn held_back(dialect: &Dialect, partition: &Partition, why: Why, wait: Duration) {
    let (dialect, why) = (dialect.name(), why.as_str());
    tracing::debug!(target: "redress::pace", dialect, %partition, why, ?wait, "held back");
    count("redress_held_back_total", &[("dialect", dialect), ("why", why)]);
}

#[cfg(feature = "metrics")]
fn measure(name: &'static str, labels: &[(&'static str, &str)], wait: Duration) {
    metrics::histogram!(name, &owned(labels)).record(wait);
}

#[cfg(not(feature = "metrics"))]
const fn measure(_name: &'static str, _labels: &[(&'static str, &str)], _wait: Duration) {}

#[cfg(feature = "metrics")]
fn count(name: &'static str, labels: &[(&'static str, &str)]) {
    metrics::counter!(name, &owned(labels)).increment(1);
}

#[cfg(not(feature = "metrics"))]
const fn count(_name: &'static str, _labels: &[(&'static str, &str)]) {}

#[cfg(feature = "metrics")]
fn owned(labels: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}
