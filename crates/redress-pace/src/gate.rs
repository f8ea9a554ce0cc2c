//! The handle to the gates.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use tokio::time::Instant;

use crate::settings::Settings;
use crate::telemetry;

/// A handle to inspect the gates of a layer, and to open and shut them. Clones share the state of the layer.
///
/// # Examples
/// ```
/// use http::{Request, Response};
/// use redress_classify::dialects;
/// use redress_pace::{GatePhase, PaceLayer};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let layer = PaceLayer::new(dialects::generic());
/// let gate = layer.gate();
/// let limited = layer.layer(service_fn(|_: Request<()>| async {
///     Response::builder().status(429).header("retry-after", "30").body(())
/// }));
/// let request = || Request::get("https://api.example/v1/reports").body(());
///
/// limited.oneshot(request()?).await?;
/// assert!(matches!(gate.status(&request()?).phase, GatePhase::CoolingDown { .. }));
/// gate.open(&request()?);
/// assert_eq!(gate.status(&request()?).phase, GatePhase::Open);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Gate {
    settings: Arc<Settings>,
}

/// The state of the gates of one upstream, as [`Gate::status`] returns it.
///
/// # Examples
/// A readiness probe that fails while an upstream is in an outage:
/// ```
/// use http::Request;
/// use redress_classify::dialects;
/// use redress_pace::{GatePhase, PaceLayer};
///
/// let gate = PaceLayer::new(dialects::generic()).gate();
/// let request = Request::get("https://api.example/").body(())?;
/// let status = gate.status(&request);
/// let is_ready = !matches!(status.phase, GatePhase::Shut { .. }) && status.waiting < 1_000;
/// assert!(is_ready);
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct GateStatus {
    /// The treatment of a call that arrives now.
    pub phase: GatePhase,
    /// The number of calls that wait at this gate.
    pub waiting: usize,
}

/// The treatment of a call that arrives at a gate now.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use redress_pace::GatePhase;
///
/// let shut = GatePhase::Shut { age: Duration::from_secs(12), next_probe: Some(Duration::from_secs(1)) };
/// assert_ne!(shut, GatePhase::Open);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GatePhase {
    /// It lets the call pass.
    Open,
    /// It holds the call, since the server asked for a pause.
    CoolingDown {
        /// The time that is left of it. The calls that wait are released over a spread after it.
        left: Duration,
    },
    /// It holds the call, since the upstream is in an outage.
    Shut {
        /// The time since the outage began.
        age: Duration,
        /// The time to the next probe, or until the one in flight is replaced; `None` if the gate was shut by hand.
        next_probe: Option<Duration>,
    },
    /// It releases the calls that waited, a few at a time.
    Releasing {
        /// The number of calls that may be in flight, rounded up: a single one may have to pause before it is sent.
        places: usize,
        /// The number of those that are.
        in_flight: usize,
    },
}

impl Gate {
    pub(crate) const fn new(settings: Arc<Settings>) -> Self {
        Self { settings }
    }

    /// Returns `true` if there is no cool-down, no outage and no release in any partition, as far as the calls so far have found
    /// out. It takes one atomic load.
    ///
    /// # Examples
    /// ```
    /// use redress_classify::dialects;
    /// use redress_pace::PaceLayer;
    ///
    /// assert!(PaceLayer::new(dialects::generic()).gate().is_open());
    /// ```
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.settings.gates.is_inactive()
    }

    /// Returns the state of the gates of a request like this one. Of a scope and its partition it is that which holds the request
    /// for longer.
    #[must_use]
    pub fn status<B>(&self, request: &Request<B>) -> GateStatus {
        self.settings.gates.status(&self.settings.target(request), Instant::now())
    }

    /// Returns the end of the cool-down of a request like this one, by its scope or its partition; `None` without a cool-down.
    ///
    /// The calls that wait are released over a spread after it.
    #[must_use]
    pub fn cooldown_until<B>(&self, request: &Request<B>) -> Option<Instant> {
        self.settings.gates.cooldown(&self.settings.target(request), Instant::now()).map(|cooldown| cooldown.until)
    }

    /// Ends the cool-downs, outages and releases of requests like this one, by their scope and their partition. The calls that wait
    /// there go at once, within their limits.
    pub fn open<B>(&self, request: &Request<B>) {
        let target = self.settings.target(request);
        if let Some((age, waiting)) = self.settings.gates.open(&target, Instant::now()) {
            telemetry::gate_opened(&self.settings.dialect, &target.partition, "by_hand", age, waiting);
        }
    }

    /// Shuts the gate of the partition of requests like this one until it is [opened](Self::open): calls with a deadline wait, and
    /// none of them is sent as a probe. Calls without a deadline pass.
    ///
    /// For a maintenance that is known in advance.
    ///
    /// # Examples
    /// ```
    /// use http::Request;
    /// use redress_classify::dialects;
    /// use redress_pace::{GatePhase, PaceLayer};
    ///
    /// let gate = PaceLayer::new(dialects::generic()).gate();
    /// let request = Request::get("https://api.example/").body(())?;
    /// gate.shut(&request);
    /// assert!(matches!(gate.status(&request).phase, GatePhase::Shut { next_probe: None, .. }));
    /// gate.open(&request);
    /// assert_eq!(gate.status(&request).phase, GatePhase::Open);
    /// # Ok::<(), http::Error>(())
    /// ```
    pub fn shut<B>(&self, request: &Request<B>) {
        let target = self.settings.target(request);
        self.settings.gates.shut_by_hand(&self.settings, &target, Instant::now());
        telemetry::gate_shut(&self.settings.dialect, &target.partition, "by_hand");
    }

    /// Ends the waits at all gates, for a program that shuts down: calls that wait there fail at once, and so do later ones that
    /// would have to wait, with [`is_paced`](redress_classify::Error::is_paced). Calls in the queue of a limit stay there.
    ///
    /// # Examples
    /// ```
    /// use http::{Request, Response};
    /// use redress_classify::dialects;
    /// use redress_pace::PaceLayer;
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let layer = PaceLayer::new(dialects::generic());
    /// let limited = layer.layer(service_fn(|_: Request<()>| async {
    ///     Response::builder().status(429).header("retry-after", "30").body(())
    /// }));
    /// let request = || Request::get("https://api.example/v1/reports").body(());
    /// limited.clone().oneshot(request()?).await?;
    ///
    /// let waiting = tokio::spawn(limited.oneshot(request()?));
    /// tokio::task::yield_now().await;
    /// layer.gate().end_waits();
    /// assert!(waiting.await?.expect_err("it does not wait").is_paced());
    /// # Ok(()) }
    /// ```
    pub fn end_waits(&self) {
        self.settings.gates.end_waits();
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("gates", &self.settings.gates).finish()
    }
}
