//! The retries and the circuit breaker of Microsoft's seatbelt.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use layered::{Execute, Service as _, Stack};
use redress::TransportError;
use redress_lab::{BoxClient, LabBody, Policy, PolicyContext};
use seatbelt::breaker::Breaker;
use seatbelt::retry::Retry;
use seatbelt::{RecoveryInfo, ResilienceContext};
use tick::ClockControl;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tower::timeout::error::Elapsed;
use tower::{BoxError, ServiceExt as _, service_fn};

/// seatbelt's retries above its circuit breaker, as in the standard pipeline of Microsoft's HTTP client `fetch`.
///
/// Both have their defaults: three retries of safe methods from 10 ms with jitter, and a breaker for attempts that
/// opens for 5 s when a tenth of at least 100 attempts of 30 s failed. As in `seatbelt_http`, statuses from 500, 408
/// and 429 and transport errors are repeated, and a `Retry-After` is the wait. An attempt that the breaker rejects is
/// not repeated. The timeouts are those of the scenario.
///
/// The crate reads the system's clock, which does not advance in a run. Its own clock for tests takes its place, and
/// follows the lab's in steps of a millisecond. The random numbers are fastrand's, which the run seeds.
#[derive(Clone, Copy, Debug)]
pub struct Seatbelt;

/// The version in this workspace's Cargo.lock. A test keeps the two in step.
const VERSION: &str = "0.11.0";

/// The resolution of the clock, that of tokio's timers.
const STEP: Duration = Duration::from_millis(1);

type Call = Request<Full<Bytes>>;
type Answer = Result<Response<LabBody>, BoxError>;

/// seatbelt's clock for tests, kept at the time of the run.
struct RunClock {
    control: ClockControl,
    start: Instant,
    /// The time that the control was advanced to.
    shown: Mutex<Duration>,
    /// The number of calls in flight. Without one, the clock rests.
    calls: watch::Sender<usize>,
}

/// Counts a call until it is dropped.
struct ActiveCall(Arc<RunClock>);

impl RunClock {
    /// Advances seatbelt's clock to the time of the run.
    fn follow(&self) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.start.elapsed();
        let step = now.saturating_sub(*shown);
        *shown = now;
        self.control.advance(step);
    }

    /// Follows the time of the run while calls are in flight.
    async fn tick(self: Arc<Self>) {
        let mut calls = self.calls.subscribe();
        while calls.wait_for(|calls| *calls > 0).await.is_ok() {
            sleep(STEP).await;
            self.follow();
        }
    }

    fn begin(self: &Arc<Self>) -> ActiveCall {
        self.follow();
        self.calls.send_modify(|calls| *calls += 1);
        ActiveCall(Arc::clone(self))
    }
}

impl Drop for ActiveCall {
    fn drop(&mut self) {
        self.0.calls.send_modify(|calls| *calls -= 1);
    }
}

/// Classifies an answer as `http_extensions` does.
fn recovery(answer: &Answer) -> RecoveryInfo {
    let response = match answer {
        Ok(response) => response,
        Err(error) if error.is::<Elapsed>() => return RecoveryInfo::from(ErrorKind::TimedOut),
        Err(error) if error.downcast_ref().is_some_and(TransportError::is_connect) => {
            return RecoveryInfo::from(ErrorKind::ConnectionRefused);
        }
        Err(error) if error.is::<TransportError>() => return RecoveryInfo::from(ErrorKind::ConnectionReset),
        Err(_) => return RecoveryInfo::unavailable(),
    };
    let status = response.status();
    let is_transient = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
    if !is_transient && !status.is_server_error() {
        return RecoveryInfo::never();
    }
    let hint = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    hint.map_or_else(RecoveryInfo::retry, |seconds| RecoveryInfo::retry().delay(Duration::from_secs(seconds)))
}

impl Policy for Seatbelt {
    fn name(&self) -> &'static str {
        "seatbelt"
    }

    fn about(&self) -> String {
        format!(
            "seatbelt {VERSION}: Retry (3 retries of safe methods, 10 ms) above Breaker (10 % of 100 attempts in 30 s, open for 5 s), as in fetch's standard pipeline, Retry-After kept"
        )
    }

    fn client(&self, context: &PolicyContext) -> BoxClient {
        let control = ClockControl::new();
        let resilience = ResilienceContext::<Call, Answer>::new(control.to_clock()).name("lab");
        let retry = Retry::layer("standard.retry", &resilience)
            .clone_input_with(|request: &mut Call, _| request.method().is_safe().then(|| request.clone()))
            .recovery_with(|answer, _| recovery(answer));
        let breaker = Breaker::layer("standard.breaker", &resilience)
            .recovery_with(|answer, _| recovery(answer))
            .rejected_input(|_, _| Err("the circuit breaker is open".into()));
        let below = context.transport();
        let send = Execute::new(move |request: Call| below.clone().oneshot(request));
        let service = Arc::new((retry, breaker, send).into_service());
        let (start, shown, calls) = (Instant::now(), Mutex::default(), watch::channel(0).0);
        let clock = Arc::new(RunClock { control, start, shown, calls });
        tokio::spawn(Arc::clone(&clock).tick());
        BoxClient::new(service_fn(move |request| {
            let (service, clock) = (Arc::clone(&service), Arc::clone(&clock));
            async move {
                let _active = clock.begin();
                service.execute(request).await
            }
        }))
    }
}
