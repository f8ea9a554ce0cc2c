//! Reference policies: the rules of the publications that the lab's [checks](crate::check) repeat.
//!
//! They serve as a comparison for the shipped layers. Like their sources they retry every failure,
//! whatever the method. Several layers of them multiply their attempts, because they do not detect
//! retries of a layer below.

mod adaptive_hedge;
mod fleet;
mod hedge;
mod retries;
mod rule;
mod throttle;
mod waits;
mod window;

pub use adaptive_hedge::AdaptiveHedge;
pub use fleet::Fleet;
pub use hedge::{Hedge, HedgeBudget};
pub use retries::Reference;
pub use rule::{Deposit, Rule};
pub use throttle::Throttle;
pub use waits::Waits;

use std::num::NonZeroU32;

use crate::policy::Policy;

/// Returns the reference policies with the settings of their sources and three attempts each.
///
/// # Examples
/// ```
/// use redress_lab::policies::reference;
///
/// assert!(reference::all().iter().any(|policy| policy.name() == "breaker"));
/// ```
#[must_use]
pub fn all() -> Vec<Box<dyn Policy>> {
    let rules = [
        ("breaker", Rule::Breaker { threshold: 0.1 }),
        ("request-share", Rule::Requests { share: 0.1 }),
        ("concurrency-share", Rule::Concurrency { share: 0.2, least: 3 }),
        ("success-share", Rule::Successes { share: 0.2, floor: 10.0 }),
        ("bucket", Rule::Bucket { tokens: 5.0, deposit: 0.1, on: Deposit::Call }),
        ("grpc", Rule::Grpc { tokens: 10.0, ratio: 0.1 }),
    ];
    let attempts = NonZeroU32::MIN.saturating_add(2);
    rules.into_iter().map(|(name, rule)| Box::new(Reference::new(name, attempts, rule)) as Box<dyn Policy>).collect()
}

#[cfg(test)]
mod tests;
