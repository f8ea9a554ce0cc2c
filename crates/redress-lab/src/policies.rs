//! The policies that are compared: this project's own, and other crates' in their own code.

mod none;
mod ours;

pub use none::NoRetry;
pub use ours::{BudgetSetting, JitterName, Ours, Settings, Wait};
