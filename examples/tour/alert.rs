//! Counts the alerts that the stack raises, as a monitoring system would.

use std::sync::atomic::{AtomicUsize, Ordering};

use redress::BoxError;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

static ALERTS: AtomicUsize = AtomicUsize::new(0);

struct Alerts;

/// Begins to count.
pub(crate) fn watch() -> Result<(), BoxError> {
    Ok(tracing::subscriber::set_global_default(Alerts)?)
}

/// Returns how many alerts there were.
pub(crate) fn count() -> usize {
    ALERTS.load(Ordering::Relaxed)
}

impl Subscriber for Alerts {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "redress::alert"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        ALERTS.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
