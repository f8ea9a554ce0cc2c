//! The retries of tower.

use std::hash::{BuildHasher, DefaultHasher, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use redress::BoxError;
use tower::retry::Retry;
use tower::retry::backoff::{Backoff as _, ExponentialBackoff, ExponentialBackoffMaker, MakeBackoff as _};
use tower::retry::budget::{Budget as _, TpsBudget};
use tower::util::rng::HasherRng;

use super::{retryable, versions};
use crate::policy::{BoxClient, Policy, PolicyContext};
use crate::transport::LabBody;

/// tower's `Retry` with its `ExponentialBackoff` and `TpsBudget`, both with their defaults.
///
/// The budget is used as in the documentation of `tower::retry::budget`: a success deposits and a retry
/// withdraws. There is no maximum number of attempts per call, because that text argues against one.
///
/// The random numbers come from the seed. tower clones the `Policy` for each call, and the random
/// generator with it, so concurrent calls draw the same jitter. That is how the crate behaves, and the
/// comparison shows it.
#[derive(Clone, Copy, Debug)]
pub struct TowerRetry;

/// The policy that a user of tower writes. Each call works on its own clone; the budget is shared.
#[derive(Clone)]
struct Session {
    budget: Arc<TpsBudget>,
    backoff: ExponentialBackoff<HasherRng<Seeded>>,
}

/// Replaces the random seed of the standard library's hasher.
#[derive(Clone, Debug)]
struct Seeded(u64);

/// The defaults of `ExponentialBackoffMaker`, which are private for a maker with its own generator.
const MIN: Duration = Duration::from_millis(50);
const MAX: Duration = Duration::from_millis(u64::MAX);
const JITTER: f64 = 0.99;

impl BuildHasher for Seeded {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.0);
        hasher
    }
}

impl tower::retry::Policy<Request<Full<Bytes>>, Response<LabBody>, BoxError> for Session {
    type Future = tokio::time::Sleep;

    fn retry(
        &mut self,
        request: &mut Request<Full<Bytes>>,
        result: &mut Result<Response<LabBody>, BoxError>,
    ) -> Option<tokio::time::Sleep> {
        let is_failure = result.as_ref().map_or(true, |response| retryable::is_transient(response.status()));
        if !is_failure {
            self.budget.deposit();
            return None;
        }
        let may_retry = retryable::is_idempotent(request.method()) && self.budget.withdraw();
        may_retry.then(|| self.backoff.next_backoff())
    }

    fn clone_request(&mut self, request: &Request<Full<Bytes>>) -> Option<Request<Full<Bytes>>> {
        Some(request.clone())
    }
}

impl Policy for TowerRetry {
    fn name(&self) -> &'static str {
        "tower"
    }

    fn about(&self) -> String {
        let version = versions::TOWER;
        format!(
            "tower {version}: Retry with the defaults of ExponentialBackoff (50 ms, jitter 0.99) and TpsBudget (20 % and 10/s over 10 s)"
        )
    }

    fn client(&self, context: &PolicyContext) -> BoxClient {
        let random = HasherRng::with_hasher(Seeded(context.seed));
        let maker = ExponentialBackoffMaker::new(MIN, MAX, JITTER, random);
        let backoff = maker.expect("the minimum is below the maximum").make_backoff();
        BoxClient::new(Retry::new(Session { budget: Arc::new(TpsBudget::default()), backoff }, context.transport()))
    }
}
