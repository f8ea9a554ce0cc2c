//! A circuit breaker above retries, both of tower-resilience.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use redress::BoxError;
use tokio::time::Instant;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_resilience_circuitbreaker::{CircuitBreakerLayer, CircuitState};

use super::{TowerResilience, retryable, versions};
use crate::policy::{BoxClient, Policy, PolicyContext};
use crate::transport::LabBody;

/// `CircuitBreakerLayer` of tower-resilience-circuitbreaker above the retries of [`TowerResilience::preset`].
///
/// The breaker is the crate's preset `standard()`, its "balanced configuration": it opens when half of at least
/// 100 calls failed, rejects calls for 30 s, and then lets three calls probe. In this version the window of 100
/// calls does not slide: the breaker counts all calls since it last opened or closed, so that it opens the later
/// the longer it was closed. A call counts once, with its retries. A failure is a transport error or a status that
/// the retries repeat.
///
/// The crate measures the 30 s with the system's clock, which does not advance in a run. Its own wait is
/// therefore 0, and the lab rejects the calls of 30 s of virtual time instead. All decisions are the crate's: when
/// to open, how many calls probe, when to close.
#[derive(Clone, Copy, Debug)]
pub struct TowerResilienceBreaker;

/// `wait_duration_in_open` of the preset.
const OPEN: Duration = Duration::from_secs(30);

/// The time at which the breaker opened, while it is open.
type Opened = Arc<Mutex<Option<Instant>>>;

/// Rejects a call while the breaker is open, and makes it through the breaker else.
async fn call(
    breaker: BoxClient,
    opened: Opened,
    request: Request<Full<Bytes>>,
) -> Result<Response<LabBody>, BoxError> {
    let since = *opened.lock().unwrap_or_else(PoisonError::into_inner);
    if since.is_some_and(|since| since.elapsed() < OPEN) {
        return Err("circuit is open; call not permitted".into());
    }
    breaker.oneshot(request).await
}

impl Policy for TowerResilienceBreaker {
    fn name(&self) -> &'static str {
        "tower-resilience-breaker"
    }

    fn about(&self) -> String {
        let (version, retries) = (versions::TOWER_RESILIENCE_CIRCUITBREAKER, TowerResilience::preset().about());
        format!(
            "tower-resilience-circuitbreaker {version}: CircuitBreakerLayer::standard() (50 % of 100 or more calls, 30 s in virtual time, 3 probes) above {retries}"
        )
    }

    fn client(&self, context: &PolicyContext) -> BoxClient {
        let opened = Opened::default();
        let transitions = Arc::clone(&opened);
        let settings = CircuitBreakerLayer::standard().wait_duration_in_open(Duration::ZERO);
        let settings = settings.on_state_transition(move |_, to| {
            let since = (to == CircuitState::Open).then(Instant::now);
            *transitions.lock().unwrap_or_else(PoisonError::into_inner) = since;
        });
        let layer = settings.failure_classifier(|result: &Result<Response<LabBody>, BoxError>| {
            result.as_ref().map_or(true, |response| retryable::is_transient(response.status()))
        });
        let layer = layer.build().expect("the preset is valid");
        let breaker = layer.layer(TowerResilience::preset().client(context)).map_err(BoxError::from);
        let breaker = BoxClient::new(breaker);
        BoxClient::new(service_fn(move |request| call(breaker.clone(), Arc::clone(&opened), request)))
    }
}
