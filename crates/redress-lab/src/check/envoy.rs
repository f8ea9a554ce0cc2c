//! Envoy's backoff.
//!
//! Source: the documentation of `retry_back_off` in Envoy's `config.route.v3.RetryPolicy`. The waits of 4,000 calls
//! with five retries each are read from the times of the requests, and compared with the published distribution by
//! the test of Kolmogorov and Smirnov.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use redress::{BoxError, dialects};
use tokio::time::Instant;
use tower::{ServiceExt as _, service_fn};

use super::finding::{Measurement, number};
use super::{Check, Parameter, Trial};
use crate::policies::reference::{Reference, Rule, Waits};
use crate::policy::{BoxClient, Inner, Policy as _, PolicyContext};
use crate::store::LabStore;
use crate::transport::LabBody;

pub(super) const ENVOY_BACKOFF: Check = Check {
    id: "envoy-backoff",
    about: "Envoy, `retry_back_off`: the wait before retry N is uniform from 0 to (2^N - 1) times the base, and at most ten \
            times the base. Measured between the requests at the server. Runs a reference policy.",
    parameters: &[Parameter {
        name: "base",
        about: "the base interval in milliseconds",
        min: 1.0,
        max: 1_000.0,
        is_integer: false,
    }],
    cost: 0.3,
    values,
};

/// Calls: enough that a wrong distribution fails, and few enough for a third of a second.
const CALLS: u32 = 4_000;
/// Retries per call: the fourth is the first at the cap of ten times the base.
const RETRIES: u32 = 5;
/// The stretch of the model's clock, so that the resolution of tokio's timers (1 ms) does not matter.
const STRETCH: f64 = 1_000.0;

/// Compares the waits before each retry. The critical distance `2.2 / sqrt(n)` is exceeded by chance once in 16,000
/// times.
fn values(trial: &Trial<'_>) -> Vec<Measurement> {
    let base = trial.value_or("base", 25.0);
    let longest = |nth: u32| (2_f64.powi(nth.cast_signed()) - 1.0).min(10.0) * base;
    let waits = waits(base, trial.seed);
    let value = |nth: u32| {
        let mut shares: Vec<f64> =
            waits.iter().skip(nth as usize - 1).step_by(RETRIES as usize).map(|wait| wait / longest(nth)).collect();
        shares.sort_by(f64::total_cmp);
        let (distance, critical) = (from_uniform(&shares), 2.2 / f64::from(CALLS).sqrt());
        let most = shares.last().copied().unwrap_or_default();
        Measurement::new(
            format!("retry {nth}"),
            format!("uniform on 0..{} ms: Kolmogorov distance below {critical:.3}", number(longest(nth))),
            format!("up to {} ms, distance {distance:.4}", number(most * longest(nth))),
            distance < critical && most < 1.0 + 1e-3,
        )
    };
    (1..=RETRIES).map(value).collect()
}

/// Returns the waits of all calls, in milliseconds of the model.
fn waits(base: f64, seed: u64) -> Vec<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O needs nothing from the system");
    runtime.block_on(async {
        let wait = Waits::Envoy { base: crate::time::seconds(base / 1_000.0 * STRETCH) };
        let envoy = Reference::new("envoy", NonZeroU32::MIN.saturating_add(RETRIES), Rule::Always).wait(wait);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let client = envoy.client(&failing(Arc::clone(&seen), seed));
        let mut waits = Vec::new();
        for _ in 0..CALLS {
            let _ = client.clone().oneshot(Request::default()).await;
            let times = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
            waits.extend(times.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64() * 1_000.0 / STRETCH));
        }
        waits
    })
}

/// Returns the context of a server that records the times of requests and always fails.
fn failing(seen: Arc<Mutex<Vec<Instant>>>, seed: u64) -> PolicyContext {
    let server = service_fn(move |_: Request<Full<Bytes>>| {
        seen.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
        let body: LabBody = Full::default().map_err(|never| match never {}).boxed_unsync();
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        std::future::ready(Ok::<_, BoxError>(response))
    });
    PolicyContext {
        inner: Inner::Service(BoxClient::new(server)),
        dialect: dialects::generic(),
        deadline: Duration::from_secs(3_600),
        some_without_deadline: false,
        attempt_timeout: None,
        seed,
        store: LabStore::default(),
    }
}

/// Returns the Kolmogorov-Smirnov distance of sorted numbers from the uniform distribution on 0..1.
fn from_uniform(sorted: &[f64]) -> f64 {
    let count = sorted.len() as f64;
    let distances = (0_u32..).zip(sorted).map(|(nth, value)| {
        let nth = f64::from(nth);
        (value - nth / count).abs().max((value - (nth + 1.0) / count).abs())
    });
    distances.fold(0.0, f64::max)
}
