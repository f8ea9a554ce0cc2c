//! Hedged requests: a second request if the first one takes long.

use std::future::Future as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use redress::BoxError;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use tower::{ServiceExt as _, service_fn};

use crate::policy::{BoxClient, Policy, PolicyContext};
use crate::scenario::duration;
use crate::transport::LabBody;

/// Sends a second request if there is no response after a delay, and returns the first response (Dean
/// and Barroso, "The Tail at Scale", CACM 2013).
///
/// # Examples
/// ```
/// use redress_lab::policies::reference::Hedge;
///
/// let hedge: Hedge = toml::from_str(r#"
///     name = "hedge"
///     after = "300ms"
///     budget = { tokens = 10.0, deposit = 0.1 }
/// "#)?;
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Hedge {
    /// The name in tables and charts.
    pub name: String,
    /// The delay before the second request. The paper uses the 95th percentile of the latency.
    #[serde(with = "duration")]
    pub after: Duration,
    /// The token bucket that pays for second requests. Default: unlimited.
    #[serde(default)]
    pub budget: Option<HedgeBudget>,
}

/// A token bucket. A second request takes one token.
///
/// With `deposit = 0.1` at most one call in ten is hedged in the long run, plus the initial content of
/// the bucket.
///
/// # Examples
/// ```
/// use redress_lab::policies::reference::{Hedge, HedgeBudget};
/// use redress_lab::{Run, Scenario, run};
/// use std::time::Duration;
///
/// let scenario: Scenario = r#"
///     name = "all slow"
///     length = "20s"
///     clients = { rate = 20.0 }
///     server = { kind = "concurrency", base = "500ms", per_request = "0s" }
/// "#
/// .parse()?;
/// let budget = Some(HedgeBudget { tokens: 3.0, deposit: 0.0 });
/// let hedge = Hedge { name: "hedge".to_owned(), after: Duration::from_millis(400), budget };
/// let outcome = run(Run { scenario: &scenario, policy: &hedge, seed: 1 }, |_share| {});
/// assert_eq!(outcome.attempts, outcome.calls + 3, "the bucket pays for three second requests");
/// # Ok::<(), redress_lab::InvalidScenario>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HedgeBudget {
    /// The capacity. The bucket starts full.
    pub tokens: f64,
    /// The tokens that each call adds.
    pub deposit: f64,
}

impl Policy for Hedge {
    fn name(&self) -> &str {
        &self.name
    }

    fn about(&self) -> String {
        let after = humantime::format_duration(self.after);
        match self.budget {
            None => format!("reference: a second request after {after}"),
            Some(budget) => format!("reference: a second request after {after}, from {budget:?}"),
        }
    }

    fn client(&self, context: &PolicyContext) -> BoxClient {
        let (after, below) = (self.after, context.transport());
        let bucket = bucket(self.budget);
        BoxClient::new(service_fn(move |request| call(below.clone(), request, after, bucket.clone())))
    }
}

/// A budget with its current tokens; `None` for no limit.
pub(super) type Bucket = Option<(HedgeBudget, Arc<Mutex<f64>>)>;

/// Returns a full bucket.
pub(super) fn bucket(budget: Option<HedgeBudget>) -> Bucket {
    budget.map(|budget| (budget, Arc::new(Mutex::new(budget.tokens))))
}

/// Makes one call, with a second request after this delay if the bucket pays for it.
pub(super) async fn call(
    below: BoxClient,
    request: Request<Full<Bytes>>,
    after: Duration,
    bucket: Bucket,
) -> Result<Response<LabBody>, BoxError> {
    if let Some((budget, level)) = &bucket {
        let mut level = level.lock().unwrap_or_else(PoisonError::into_inner);
        *level = (*level + budget.deposit).min(budget.tokens);
    }
    let mut first = std::pin::pin!(below.clone().oneshot(request.clone()));
    if let Ok(result) = timeout(after, first.as_mut()).await {
        return result;
    }
    if !try_withdraw(&bucket) {
        return first.await;
    }
    let mut second = std::pin::pin!(below.oneshot(request));
    std::future::poll_fn(|cx| match first.as_mut().poll(cx) {
        Poll::Pending => second.as_mut().poll(cx),
        ready => ready,
    })
    .await
}

fn try_withdraw(bucket: &Bucket) -> bool {
    let Some((_, level)) = bucket else { return true };
    let mut level = level.lock().unwrap_or_else(PoisonError::into_inner);
    let is_allowed = *level >= 1.0;
    *level -= f64::from(u8::from(is_allowed));
    is_allowed
}
