//! A limit: how many requests of which routes, in which time.

use std::num::NonZeroU32;
use std::time::Duration;

use http::Method;
use redress_classify::Route;

use crate::gcra::Gcra;

/// So many requests in each span of time, to the routes of the limit taken together.
///
/// # What it guarantees
/// In no span of time of that length, wherever it begins, are more requests sent than allowed: vendors count by windows
/// whose beginning nobody knows. Of `n` requests a burst of `b` may be sent at once, after a pause; the others follow one by
/// one, `per / (n - b + 1)` apart, so that burst and followers together stay within the `n`. A request counts when it is
/// handed down. What the network delays, and so pushes together, cannot be known here; nor what other processes send.
///
/// # The burst
/// A larger one lets more requests pass unhindered after a pause, and costs as many of the steady rate. The default is a
/// tenth of the requests, at least one: a handful of calls at once is the usual traffic of a small program, and nine
/// tenths of the rate remain. With a burst of one the requests are spaced evenly and none of the rate is lost.
///
/// # Examples
/// ```
/// use std::num::NonZeroU32;
/// use std::time::Duration;
/// use redress_classify::dialects;
/// use redress_pace::{Limit, PaceLayer};
///
/// let twenty = NonZeroU32::new(20).expect("it is not zero");
/// // Ranex limits its authentication endpoints, and the tenant knows which ones they are.
/// let auth = Limit::new("POST /v1/auth/token".parse()?, twenty, Duration::from_secs(60))
///     .also("POST /v1/auth/refresh".parse()?);
/// let layer = PaceLayer::new(dialects::ranex()).limit(auth);
/// # Ok::<(), redress_classify::InvalidRoute>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    routes: Vec<Route>,
    requests: NonZeroU32,
    per: Duration,
    burst: NonZeroU32,
}

impl Limit {
    /// Allows so many requests to this route in each `per`. A `per` of zero allows everything.
    #[must_use]
    pub fn new(route: Route, requests: NonZeroU32, per: Duration) -> Self {
        let burst = NonZeroU32::new(requests.get() / 10).unwrap_or(NonZeroU32::MIN);
        Self { routes: vec![route], requests, per, burst }
    }

    /// Counts the requests to another route as well: the limit is for all of its routes together.
    #[must_use]
    pub fn also(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// Sets how many requests may be sent at once after a pause; more than all of them is all of them.
    #[must_use]
    pub const fn burst(mut self, burst: NonZeroU32) -> Self {
        self.burst = burst;
        self
    }

    pub(crate) fn covers(&self, method: &Method, path: &str) -> bool {
        self.routes.iter().any(|route| route.matches(method.as_str(), path))
    }

    pub(crate) fn gcra(&self) -> Gcra {
        Gcra::of(self.requests, self.per, self.burst)
    }
}
