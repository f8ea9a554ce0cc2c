//! The shipped [`BackoffLayer`] alone, configured as in a publication.

use std::num::NonZeroU32;
use std::time::{Duration, SystemTime};

use http_body_util::BodyExt as _;
use redress::{BackoffLayer, BoxError, Clock, Jitter, Schedule, dialects};
use tower::{Layer as _, ServiceExt as _};

use crate::policies::random;
use crate::policy::{BoxClient, Policy, PolicyContext};

/// A policy that consists of a [`BackoffLayer`] over the transport.
#[derive(Clone, Debug)]
pub(super) struct BackoffOnly {
    pub(super) layer: BackoffLayer,
    pub(super) name: &'static str,
    pub(super) retries: bool,
}

impl BackoffOnly {
    /// Retries this many times, immediately and without a budget.
    pub(super) fn at_once(name: &'static str, retries: u32) -> Self {
        Self::new(name, retries, schedule(Duration::ZERO, Duration::ZERO), Jitter::None)
    }

    /// Retries this many times with these waits, after throttling as after other failures, and without a budget. The
    /// dialect is `generic`, so that no advice of a vendor changes the numbers.
    pub(super) fn new(name: &'static str, retries: u32, schedule: Schedule, jitter: Jitter) -> Self {
        let attempts = NonZeroU32::MIN.saturating_add(retries);
        let layer = BackoffLayer::new(dialects::generic()).max_attempts(attempts).jitter(jitter);
        let layer = layer.transient_backoff(schedule).throttling_backoff(schedule).without_budget();
        Self { layer, name, retries: retries > 0 }
    }
}

impl Policy for BackoffOnly {
    fn name(&self) -> &str {
        self.name
    }

    fn about(&self) -> String {
        format!("redress {}: BackoffLayer", env!("CARGO_PKG_VERSION"))
    }

    fn retries(&self) -> bool {
        self.retries
    }

    fn client(&self, context: &PolicyContext) -> BoxClient {
        let clock = Clock::anchored(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        let layer = self.layer.clone().clock(clock).random(random(context.seed));
        let service = layer.layer(context.transport());
        let boxed = service.map_response(|response| response.map(|body| body.map_err(BoxError::from).boxed_unsync()));
        BoxClient::new(boxed.map_err(BoxError::from))
    }
}

/// Returns a schedule that doubles from `base` to `cap`.
pub(super) const fn schedule(base: Duration, cap: Duration) -> Schedule {
    Schedule { base, factor: NonZeroU32::MIN.saturating_add(1), cap }
}
