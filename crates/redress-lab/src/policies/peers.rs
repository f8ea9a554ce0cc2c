//! Retries of other crates, run in their own code and configured as their documentation recommends.
//!
//! Some crates leave the decision about what to retry to their users. For those it is the common
//! advice: transport errors and the statuses 408, 429 and 5xx, for idempotent methods only
//! ([`retryable`]). Crates that decide themselves run unchanged, even if they send a POST again.

mod aws_smithy;
mod backon;
mod exchange;
mod reqwest_retry;
mod retryable;
mod tower_resilience;
mod tower_resilience_breaker;
mod tower_retry;
mod versions;

pub use self::aws_smithy::AwsSmithy;
pub use self::backon::Backon;
pub use self::reqwest_retry::ReqwestRetry;
pub use self::tower_resilience::TowerResilience;
pub use self::tower_resilience_breaker::TowerResilienceBreaker;
pub use self::tower_retry::TowerRetry;

use crate::policy::Policy;

/// Returns all policies of other crates.
pub(super) fn all() -> Vec<Box<dyn Policy>> {
    vec![
        Box::new(TowerRetry),
        Box::new(TowerResilience::preset()),
        Box::new(TowerResilience::guide()),
        Box::new(TowerResilienceBreaker),
        Box::new(Backon),
        Box::new(ReqwestRetry),
        Box::new(AwsSmithy),
    ]
}
