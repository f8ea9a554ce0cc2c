//! Other crates' retries, in their own code, each set as its documentation recommends.
//!
//! What is retried where a crate leaves that to its user: transport errors and the statuses 408, 429 and 5xx, for
//! idempotent methods only. Where a crate has an opinion of its own, that is what runs, even if it sends a POST again.

mod aws_smithy;
mod backon;
mod exchange;
mod reqwest_retry;
mod retryable;
mod tower_resilience;
mod tower_retry;
mod versions;

pub use self::aws_smithy::AwsSmithy;
pub use self::backon::Backon;
pub use self::reqwest_retry::ReqwestRetry;
pub use self::tower_resilience::TowerResilience;
pub use self::tower_retry::TowerRetry;

use crate::policy::Policy;

/// Returns all of them.
pub(super) fn all() -> Vec<Box<dyn Policy>> {
    vec![
        Box::new(TowerRetry),
        Box::new(TowerResilience::preset()),
        Box::new(TowerResilience::guide()),
        Box::new(Backon),
        Box::new(ReqwestRetry),
        Box::new(AwsSmithy),
    ]
}
