//! With the feature `metrics` a counter and a histogram of the calls to stores.

use std::time::Duration;

use crate::BoxError;
use crate::store::Written;

/// The result of a call, as metrics name it.
pub(crate) trait Outcome {
    /// Returns the name of a call that was answered.
    #[cfg(feature = "metrics")]
    fn name(&self) -> &'static str {
        "ok"
    }
}

impl<T> Outcome for Option<T> {}

impl Outcome for Written {
    #[cfg(feature = "metrics")]
    fn name(&self) -> &'static str {
        match self {
            Self::Done => "ok",
            Self::Refused(_) => "refused",
        }
    }
}

/// Counts a call to a store for a kind of record that has ended, in time or not.
#[cfg(feature = "metrics")]
pub(crate) fn called<T: Outcome>(
    record: &'static str,
    call: &'static str,
    result: &Result<T, BoxError>,
    took: Duration,
) {
    let outcome = result.as_ref().map_or("failed", Outcome::name);
    let labels = [("record", record), ("call", call), ("outcome", outcome)];
    metrics::counter!("redress_store_calls_total", &labels).increment(1);
    metrics::histogram!("redress_store_seconds", &labels).record(took);
}

#[cfg(not(feature = "metrics"))]
pub(crate) const fn called<T: Outcome>(
    _record: &'static str,
    _call: &'static str,
    _result: &Result<T, BoxError>,
    _took: Duration,
) {
}
