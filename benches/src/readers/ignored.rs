//! `serde_json` told to check a body and to keep nothing: what any reading by serde costs at least.

use std::hint::black_box;

use serde::de::IgnoredAny;

use crate::measure::Case;

/// The name in the tables.
pub const NAME: &str = "serde_ignored";

/// Returns the skipping of a whole body.
///
/// # Panics
/// The case does when the body is not JSON.
#[must_use]
pub fn whole(body: &'static [u8]) -> Case {
    Case::new(NAME, move || assert!(serde_json::from_slice::<IgnoredAny>(black_box(body)).is_ok()))
}
