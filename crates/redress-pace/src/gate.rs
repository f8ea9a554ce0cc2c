//! The handle on the gate.

use std::fmt;
use std::sync::Arc;

use http::Request;
use tokio::time::Instant;

use crate::layer::Settings;

/// Looks at the cool-downs of a layer, and ends them by hand. Clones look at the same.
///
/// # Examples
/// ```
/// use http::Request;
/// use redress_classify::dialects;
/// use redress_pace::PaceLayer;
///
/// let gate = PaceLayer::new(dialects::veridia()).gate();
/// let request = Request::get("https://api.example/v1/verify/vf_1").body(())?;
/// assert!(gate.is_open());
/// assert_eq!(gate.parked_until(&request), None);
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone)]
pub struct Gate {
    settings: Arc<Settings>,
}

impl Gate {
    pub(crate) const fn new(settings: Arc<Settings>) -> Self {
        Self { settings }
    }

    /// Whether no partition at all is parked, and no crowd is being released, as far as the calls so far have noticed: one
    /// atomic load.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.settings.lot.is_empty()
    }

    /// Returns until when calls such as this one are parked, by a cool-down of their scope or of all calls; they are released
    /// a little later, not all at once.
    #[must_use]
    pub fn parked_until<B>(&self, request: &Request<B>) -> Option<Instant> {
        self.settings.lot.parking(&self.settings.target(request), Instant::now()).map(|parking| parking.until)
    }

    /// Ends the cool-downs of the calls such as this one, of their scope and of all calls, and the releases. Those that wait
    /// go at once, at the pace of the limits.
    pub fn open<B>(&self, request: &Request<B>) {
        self.settings.lot.open(&self.settings.target(request));
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("lot", &self.settings.lot).finish()
    }
}
