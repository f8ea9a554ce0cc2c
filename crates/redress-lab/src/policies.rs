//! The policies to compare: redress, other crates in their own code, and rules from publications.
//!
//! | policy | code that runs |
//! |---|---|
//! | `none` | no retries, the baseline |
//! | `redress` | `RedressLayer` with its defaults |
//! | `redress-equal`, `redress-no-jitter`, `redress-no-budget`, `redress-5-attempts` | the same with one setting changed |
//! | `redress-hedge` | the same with `BackoffLayer::hedge`; by its name only |
//! | `redress-shared` | the same with `RedressLayer::share`, for several processes; by its name only |
//! | `tower` | `tower::retry` with `TpsBudget` |
//! | `tower-resilience`, `tower-resilience-budget` | `tower-resilience-retry`, its preset and its guide |
//! | `tower-resilience-breaker` | `tower-resilience-circuitbreaker` above the first of the two |
//! | `backon` | `backon::Retryable` with the defaults of `ExponentialBuilder` |
//! | `reqwest-retry` | `RetryTransientMiddleware` with the defaults of `ExponentialBackoff` |
//! | `aws-smithy` | the orchestrator of the AWS SDKs with `RetryConfig::standard()` |
//!
//! The peers need the feature `peers`. The policies of [`mod@reference`] are rules from publications.

mod none;
#[cfg(feature = "peers")]
mod peers;
mod redress_stack;
pub mod reference;

pub use none::NoRetry;
#[cfg(feature = "peers")]
pub use peers::{AwsSmithy, Backon, ReqwestRetry, TowerResilience, TowerResilienceBreaker, TowerRetry};
pub(crate) use redress_stack::random;
pub use redress_stack::{BudgetSetting, JitterName, RedressStack, ScheduleSettings, StackSettings};

use crate::policy::Policy;

/// Returns the policies of the standard comparison: no retries, other crates (feature `peers`), and
/// redress with its defaults and with single settings changed.
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

/// Returns the policy of [`standard`] or [`reference::all`] with this name, or one that is in neither, since in nearly all
/// scenarios it does as `redress` does: `redress-hedge` or `redress-shared`.
///
/// # Examples
/// ```
/// use redress_lab::policies;
///
/// assert!(!policies::named("none").unwrap().retries());
/// assert!(policies::named("grpc").unwrap().about().starts_with("reference: "));
/// assert!(policies::named("redress-hedge").unwrap().about().ends_with("hedge true"));
/// assert!(policies::named("unknown").is_none());
/// ```
#[must_use]
pub fn named(name: &str) -> Option<Box<dyn Policy>> {
    let special = [redress_stack::hedging(), redress_stack::sharing()];
    let special = special.into_iter().map(|policy| Box::new(policy) as Box<dyn Policy>);
    standard().into_iter().chain(special).chain(reference::all()).find(|policy| policy.name() == name)
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
