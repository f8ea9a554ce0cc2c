//! Counts the alerts that the stack raises, as a monitoring system would.

use std::sync::LazyLock;

use redress::BoxError;
use redress_sandbox::Recorder;

static ALERTS: LazyLock<Recorder> = LazyLock::new(|| Recorder::with_target("redress::alert"));

/// Begins to count.
pub(crate) fn watch() -> Result<(), BoxError> {
    Ok(tracing::subscriber::set_global_default(ALERTS.clone())?)
}

/// Returns how many alerts there were.
pub(crate) fn count() -> usize {
    ALERTS.lines().len()
}
