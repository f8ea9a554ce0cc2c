//! The handle to the gates.

use std::fmt;
use std::sync::Arc;

use http::Request;
use tokio::time::Instant;

use crate::settings::Settings;
use crate::telemetry;

/// A handle to inspect the cool-downs of a layer, and to end them. Clones share the state of the layer.
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
/// let gate = layer.gate();
/// let limited = layer.layer(service_fn(|_: Request<()>| async {
///     Response::builder().status(429).header("retry-after", "30").body(())
/// }));
/// let request = || Request::get("https://api.example/v1/reports").body(());
///
/// limited.oneshot(request()?).await?;
/// assert!(gate.cooldown_until(&request()?).is_some());
/// gate.open(&request()?);
/// assert_eq!(gate.cooldown_until(&request()?), None);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Gate {
    settings: Arc<Settings>,
}

impl Gate {
    pub(crate) const fn new(settings: Arc<Settings>) -> Self {
        Self { settings }
    }

    /// Returns `true` if there is neither a cool-down nor a release in any partition, as far as the calls so far have found out.
    /// It takes one atomic load.
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

    /// Returns the end of the cool-down of a request like this one, by its scope or its partition; `None` without a cool-down.
    ///
    /// The calls that wait are released over a spread after it.
    #[must_use]
    pub fn cooldown_until<B>(&self, request: &Request<B>) -> Option<Instant> {
        self.settings.gates.cooldown(&self.settings.target(request), Instant::now()).map(|cooldown| cooldown.until)
    }

    /// Ends the cool-downs and releases of requests like this one, by their scope and their partition. The calls that wait there go
    /// at once, within their limits.
    pub fn open<B>(&self, request: &Request<B>) {
        let target = self.settings.target(request);
        if let Some(age) = self.settings.gates.open(&target, Instant::now()) {
            telemetry::gate_opened(&self.settings.dialect, &target.partition, "by_hand", age, 0);
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("gates", &self.settings.gates).finish()
    }
}
