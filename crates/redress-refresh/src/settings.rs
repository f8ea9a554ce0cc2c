//! The settings of a layer.

use std::sync::Arc;
use std::time::Duration;

use http::uri::Authority;
use redress_classify::Clock;

use crate::origin::Origin;
use crate::withheld::Withheld;

/// Longer than the timeout of a token endpoint and one retry take, shorter than most callers wait.
const FLIGHT_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) origins: Vec<Origin>,
    /// Further authorities that a `Host` header may name.
    pub(crate) hosts: Vec<Authority>,
    pub(crate) resend_above: bool,
    pub(crate) flight_timeout: Duration,
    /// Zero if the issuer has none.
    pub(crate) refresh_grace: Duration,
    pub(crate) deadline: Option<Duration>,
    pub(crate) clock: Option<Clock>,
    pub(crate) withheld: Arc<Withheld>,
}

impl Settings {
    /// Returns the clock for dates: the one that was set, or the system's.
    pub(crate) fn clock(&self) -> Clock {
        self.clock.clone().unwrap_or_else(Clock::system)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            hosts: Vec::new(),
            resend_above: false,
            flight_timeout: FLIGHT_TIMEOUT,
            refresh_grace: Duration::ZERO,
            deadline: None,
            clock: None,
            withheld: Arc::default(),
        }
    }
}
