//! The policies that are compared: this project's own, and other crates' in their own code.

mod none;
#[cfg(feature = "peers")]
mod peers;
mod redress_stack;
pub mod reference;

pub use none::NoRetry;
#[cfg(feature = "peers")]
pub use peers::{AwsSmithy, Backon, ReqwestRetry, TowerResilience, TowerRetry};
pub(crate) use redress_stack::random;
pub use redress_stack::{BudgetSetting, JitterName, RedressStack, ScheduleSettings, StackSettings};

use crate::policy::Policy;

/// Returns the policies of the standard comparison: none, other crates' if the feature `peers` is on, and redress with its
/// defaults and some variants.
///
/// # Examples
/// ```
/// let policies = redress_lab::policies::standard();
/// assert!(policies.iter().any(|policy| policy.name() == "redress"));
/// ```
#[must_use]
pub fn standard() -> Vec<Box<dyn Policy>> {
    let ours = redress_stack::variants().map(|policy| Box::new(policy) as Box<dyn Policy>);
    let none: Box<dyn Policy> = Box::new(NoRetry);
    std::iter::once(none).chain(peers()).chain(ours).collect()
}

/// Returns the policy of [`standard`] or of [`reference::all`] with this name.
#[must_use]
pub fn named(name: &str) -> Option<Box<dyn Policy>> {
    standard().into_iter().chain(reference::all()).find(|policy| policy.name() == name)
}

#[cfg(feature = "peers")]
fn peers() -> Vec<Box<dyn Policy>> {
    peers::all()
}

#[cfg(not(feature = "peers"))]
fn peers() -> Vec<Box<dyn Policy>> {
    Vec::new()
}

#[cfg(test)]
mod tests;
