//! The policy without retries, the baseline of every comparison.

use crate::policy::{BoxClient, Policy, PolicyContext};

/// Sends each request once.
#[derive(Clone, Copy, Debug)]
pub struct NoRetry;

impl Policy for NoRetry {
    fn name(&self) -> &str {
        "none"
    }

    fn about(&self) -> String {
        "no retries".to_owned()
    }

    fn retries(&self) -> bool {
        false
    }

    fn client(&self, context: &PolicyContext) -> BoxClient {
        context.transport()
    }
}
