//! What runs and watches software, and stores its files.

use super::Shipped;
use crate::dialect::Dialect;

/// Returns the dialect of Datadog.
///
/// The signals of [`jsonapi`](super::jsonapi) hold.
///
/// # Codes
/// Those of [`jsonapi`](super::jsonapi).
#[must_use]
pub fn datadog() -> Dialect {
    DATADOG.dialect()
}

pub(super) static DATADOG: Shipped =
    Shipped::new("datadog", include_str!("../../dialects/datadog.toml")).extending(&super::JSONAPI);
