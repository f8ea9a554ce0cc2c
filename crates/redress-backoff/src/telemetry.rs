//! What the layer tells: one event for each decision, and with the feature `metrics` a count of it.

use std::time::Duration;

use redress_classify::{Class, Dialect, EndReason, Verdict, WaitSource};

#[cfg(feature = "metrics")]
const ATTEMPTS: &str = "redress_attempts_total";
#[cfg(feature = "metrics")]
const CALLS: &str = "redress_calls_total";

/// Counts successes, of which no event tells. Its keys are made with the layer: a success allocates nothing.
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
        let about = metrics::Metadata::new(module_path!(), metrics::Level::INFO, Some(module_path!()));
        metrics::with_recorder(|recorder| {
            for key in &self.keys {
                recorder.register_counter(key, &about).increment(1);
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

/// Tells of a retry that was decided.
pub(crate) fn retry(dialect: &Dialect, verdict: &Verdict, attempt: u32, wait: Duration, source: &WaitSource) {
    let (dialect, class, basis) = (dialect.name(), verdict.class().as_str(), verdict.basis().as_str());
    let source = source.as_str();
    tracing::debug!(target: "redress::backoff", dialect, class, basis, attempt, ?wait, source, "retry");
    measure_wait(dialect, class, source, wait);
}

/// Tells why a failed attempt is the last one.
pub(crate) fn no_retry(dialect: &Dialect, verdict: &Verdict, attempt: u32, stop: EndReason) {
    let (dialect, class, basis) = (dialect.name(), verdict.class().as_str(), verdict.basis().as_str());
    tracing::debug!(target: "redress::backoff", dialect, class, basis, attempt, end_reason = stop.as_str(), "no retry");
}

/// Tells that a request goes out again with new credentials.
pub(crate) fn replay(dialect: &Dialect) {
    tracing::debug!(target: "redress::backoff", dialect = dialect.name(), "replay after a refresh");
}

/// Tells why it does not.
pub(crate) fn no_replay(dialect: &Dialect, stop: EndReason) {
    let (dialect, stop) = (dialect.name(), stop.as_str());
    tracing::debug!(target: "redress::backoff", dialect, end_reason = stop, "no replay after a refresh");
}

/// Counts a failed attempt.
#[cfg(feature = "metrics")]
pub(crate) fn failed(dialect: &Dialect, class: Class) {
    let labels = [("dialect", dialect.name().to_owned()), ("class", class.as_str().to_owned())];
    metrics::counter!(ATTEMPTS, &labels).increment(1);
}

#[cfg(not(feature = "metrics"))]
pub(crate) const fn failed(_dialect: &Dialect, _class: Class) {}

/// Counts the end of a call without a success.
#[cfg(feature = "metrics")]
pub(crate) fn stopped(dialect: &Dialect, stop: EndReason) {
    let labels = [("dialect", dialect.name().to_owned()), ("end_reason", stop.as_str().to_owned())];
    metrics::counter!(CALLS, &labels).increment(1);
}

#[cfg(not(feature = "metrics"))]
pub(crate) const fn stopped(_dialect: &Dialect, _stop: EndReason) {}

/// Notes what is left for retries.
#[cfg(feature = "metrics")]
pub(crate) fn level(dialect: &Dialect, level: Option<u32>) {
    if let Some(level) = level {
        metrics::gauge!("redress_budget_level", "dialect" => dialect.name().to_owned()).set(level);
    }
}

#[cfg(not(feature = "metrics"))]
pub(crate) const fn level(_dialect: &Dialect, _level: Option<u32>) {}

#[cfg(feature = "metrics")]
fn measure_wait(dialect: &str, class: &'static str, source: &'static str, wait: Duration) {
    let labels = [("dialect", dialect.to_owned()), ("class", class.to_owned()), ("source", source.to_owned())];
    metrics::histogram!("redress_wait_seconds", &labels).record(wait);
}

#[cfg(not(feature = "metrics"))]
const fn measure_wait(_dialect: &str, _class: &'static str, _source: &'static str, _wait: Duration) {}
