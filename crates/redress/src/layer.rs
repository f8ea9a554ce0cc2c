//! The layers in their right order.

use std::time::Duration;

use redress_backoff::BackoffLayer;
use redress_classify::{ClassifyLayer, Dialect};
use redress_pace::{Gate, PaceLayer};
use redress_refresh::{Credentials, Origin, RefreshLayer, Tokens};
use tower_layer::Layer;

use crate::service::Redress;
use crate::timeout::AttemptTimeout;

/// Puts the layers over a transport, in the order in which they work:
///
/// ```text
///   caller
///     |  request goes down                 response comes up  ^
///   Backoff         keeps the copy ........ retries, re-sends |
///   Pace            waits for its turn .... learns cool-downs |
///   Refresh         stamps credentials .... renews the token  |
///   Classify        ....................... says what it means|
///   attempt timeout ....................... cuts the attempt  |
///     v                                                       |
///   transport: any `Service<http::Request<B>>`
/// ```
///
/// Clones of a layer, and the services that it makes, share budget, gate, limits and credentials: make one for each
/// upstream.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use redress::{Jitter, RedressLayer, StaticHeaders, dialects};
///
/// # fn main() -> Result<(), redress::BoxError> {
/// let keys = StaticHeaders::new().header("x-api-key", "key")?.header("x-api-secret", "secret")?;
/// let layer = RedressLayer::new(dialects::ranex())
///     .credentials(keys, "https://api.ranex.example".parse()?)
///     .deadline(Duration::from_secs(20))
///     .attempt_timeout(Duration::from_secs(5))
///     .backoff(|backoff| backoff.jitter(Jitter::Equal));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct RedressLayer {
    classify: ClassifyLayer,
    refresh: RefreshLayer,
    pace: PaceLayer,
    backoff: BackoffLayer,
    attempt_timeout: Option<Duration>,
    deadline: Option<Duration>,
}

impl RedressLayer {
    /// Reads, retries and paces as this dialect says; without credentials, deadline and attempt timeout.
    ///
    /// The limits that the vendor publishes for its routes are kept. A tenant whose limits were lifted says so:
    /// `.pace(PaceLayer::without_limits)`.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        Self {
            classify: ClassifyLayer::new(dialect.clone()),
            refresh: RefreshLayer::none(),
            pace: PaceLayer::new(dialect.clone()),
            backoff: BackoffLayer::new(dialect),
            attempt_timeout: None,
            deadline: None,
        }
    }

    /// Sets the credentials, and the only origin to which they may go.
    #[must_use]
    pub fn credentials(mut self, credentials: impl Credentials, origin: Origin) -> Self {
        self.refresh = RefreshLayer::new(credentials, origin).hand_up();
        if let Some(deadline) = self.deadline {
            self.refresh = self.refresh.deadline(deadline);
        }
        self
    }

    /// Sets how long a call may take in all: attempts, waits, refreshes. What would have to wait longer fails at once.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self.backoff = self.backoff.deadline(deadline);
        self.pace = self.pace.deadline(deadline);
        self.refresh = self.refresh.deadline(deadline);
        self
    }

    /// Sets how long one attempt may take until its response begins; what it cuts may have been processed.
    #[must_use]
    pub const fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = Some(timeout);
        self
    }

    /// Changes the settings of the Backoff layer.
    #[must_use]
    pub fn backoff(mut self, change: impl FnOnce(BackoffLayer) -> BackoffLayer) -> Self {
        self.backoff = change(self.backoff);
        self
    }

    /// Changes the settings of the Pace layer.
    #[must_use]
    pub fn pace(mut self, change: impl FnOnce(PaceLayer) -> PaceLayer) -> Self {
        self.pace = change(self.pace);
        self
    }

    /// Changes the settings of the Refresh layer; call it after [`credentials`](Self::credentials).
    #[must_use]
    pub fn refresh(mut self, change: impl FnOnce(RefreshLayer) -> RefreshLayer) -> Self {
        self.refresh = change(self.refresh);
        self
    }

    /// Returns a handle on the gate: to see which calls are parked until when, to let them go by hand.
    #[must_use]
    pub fn gate(&self) -> Gate {
        self.pace.gate()
    }

    /// Returns a handle on the credentials: to count refreshes, to put others in place, to log out.
    #[must_use]
    pub fn tokens(&self) -> Tokens {
        self.refresh.tokens()
    }
}

impl<S> Layer<S> for RedressLayer {
    type Service = Redress<S>;

    fn layer(&self, transport: S) -> Redress<S> {
        let attempt = AttemptTimeout::new(transport, self.attempt_timeout);
        let below = self.refresh.layer(self.classify.layer(attempt));
        Redress::new(self.backoff.layer(self.pace.layer(below)))
    }
}
