//! The retries of backon.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::backon::{ExponentialBuilder, Retryable as _};
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Full;
use rand::{RngExt as _, SeedableRng as _};
use redress::BoxError;
use tower::{ServiceExt as _, service_fn};

use super::{retryable, versions};
use crate::policy::{BoxClient, Policy, PolicyContext};
use crate::streams::Random;
use crate::transport::LabBody;

/// backon's `Retryable` with the defaults of `ExponentialBuilder`, with jitter, and with the deadline
/// as the total delay.
///
/// A `Retry-After` in seconds replaces the wait, as in the crate's example `retry_after`. Unlike in
/// that example, the number of attempts stays limited: the example retries for as long as the server
/// sends `Retry-After`.
#[derive(Clone, Copy, Debug)]
pub struct Backon;

/// The reason for a failed attempt. backon retries errors only, so an error response is turned into an
/// error.
enum Failure {
    Refused(Box<Response<LabBody>>),
    Broken(BoxError),
}

impl Failure {
    /// Returns the wait that the server asked for.
    fn hint(&self) -> Option<Duration> {
        let Self::Refused(response) = self else { return None };
        let seconds = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
        Some(Duration::from_secs(seconds))
    }
}

/// Makes one attempt. An error response that is worth a retry becomes an error, since backon retries errors only.
async fn attempt(service: BoxClient, request: Request<Full<Bytes>>) -> Result<Response<LabBody>, Failure> {
    let response = service.oneshot(request).await.map_err(Failure::Broken)?;
    if retryable::is_transient(response.status()) { Err(Failure::Refused(Box::new(response))) } else { Ok(response) }
}

/// Makes one call, and turns the last error response back into a response.
async fn call(
    service: BoxClient,
    request: Request<Full<Bytes>>,
    waits: ExponentialBuilder,
) -> Result<Response<LabBody>, BoxError> {
    let is_idempotent = retryable::is_idempotent(request.method());
    let result = (|| attempt(service.clone(), request.clone()))
        .retry(waits)
        .when(|_| is_idempotent)
        .adjust(|failure, wait| wait.map(|wait| failure.hint().unwrap_or(wait)))
        .await;
    result.or_else(|failure| match failure {
        Failure::Refused(response) => Ok(*response),
        Failure::Broken(error) => Err(error),
    })
}

impl Policy for Backon {
    fn name(&self) -> &'static str {
        "backon"
    }

    fn about(&self) -> String {
        let version = versions::BACKON;
        format!(
            "backon {version}: ExponentialBuilder::default().with_jitter() (3 retries, 1 s), the deadline as total delay, Retry-After kept"
        )
    }

    fn client(&self, context: &PolicyContext) -> BoxClient {
        let waits = ExponentialBuilder::default().with_jitter().with_total_delay(Some(context.deadline));
        let (service, seeds) = (context.transport(), Mutex::new(Random::seed_from_u64(context.seed)));
        let seeds = std::sync::Arc::new(seeds);
        BoxClient::new(service_fn(move |request| {
            let seed = seeds.lock().unwrap_or_else(PoisonError::into_inner).random();
            call(service.clone(), request, waits.with_jitter_seed(seed))
        }))
    }
}
