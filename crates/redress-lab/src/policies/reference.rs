//! The policies of the sources that the lab's named results come from: what people run, or tell others to run.
//!
//! They stand beside the shipped layers to be compared with them. They send every request again that failed, whatever its
//! method, because their sources do; and what two layers of them do is multiplied, because nothing in them stands down.

mod fleet;
mod hedge;
mod retries;
mod rule;
mod waits;
mod window;

pub use fleet::Fleet;
pub use hedge::{Hedge, HedgeBudget};
pub use retries::Reference;
pub use rule::{Deposit, Rule};
pub use waits::Waits;

use std::num::NonZeroU32;

use crate::policy::Policy;

/// Returns the policies with the settings of their sources, three attempts each.
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
