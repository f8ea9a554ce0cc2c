//! The policies that are compared: this project's own, and other crates' in their own code.

mod none;
mod ours;

pub use none::NoRetry;
pub use ours::{BudgetSetting, JitterName, Ours, Settings, Wait};

use crate::policy::Policy;

/// Returns the policies that are compared unless others are named.
#[must_use]
pub fn standard() -> Vec<Box<dyn Policy>> {
    vec![Box::new(NoRetry), Box::new(Ours::new())]
}
