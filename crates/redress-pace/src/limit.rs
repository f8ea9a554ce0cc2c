//! A limit: how many requests of which routes, in which time.

use std::num::NonZeroU32;
use std::time::Duration;

use http::Method;
use redress_classify::Route;

use crate::gcra::Gcra;

/// A number of requests in each span of time, to the routes of the limit taken together, or to the whole API.
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
///     .route("POST /v1/auth/refresh".parse()?);
/// let layer = PaceLayer::new(dialects::ranex()).limit(auth);
/// # Ok::<(), redress_classify::InvalidRoute>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// `None` for all of them.
    routes: Option<Vec<Route>>,
    requests: NonZeroU32,
    per: Duration,
    burst: NonZeroU32,
}

impl Limit {
    /// Allows this number of requests to the route, which may have wildcards, in each `per`. A `per` of zero allows everything.
    #[must_use]
    pub fn new(route: Route, requests: NonZeroU32, per: Duration) -> Self {
        Self { routes: Some(vec![route]), requests, per, burst: usual_burst(requests) }
    }

    /// Allows this number of requests to the whole API, on any route, in each `per`. A `per` of zero allows everything.
    ///
    /// # Examples
    /// ```
    /// use std::num::NonZeroU32;
    /// use std::time::Duration;
    /// use redress_classify::dialects;
    /// use redress_pace::{Limit, PaceLayer};
    ///
    /// let count = |n| NonZeroU32::new(n).expect("it is not zero");
    /// // A request to a report counts for both.
    /// let layer = PaceLayer::new(dialects::generic())
    ///     .limit(Limit::all_routes(count(5_000), Duration::from_secs(3_600)))
    ///     .limit(Limit::new("* /v1/reports/**".parse()?, count(10), Duration::from_secs(60)));
    /// # Ok::<(), redress_classify::InvalidRoute>(())
    /// ```
    #[must_use]
    pub fn all_routes(requests: NonZeroU32, per: Duration) -> Self {
        Self { routes: None, requests, per, burst: usual_burst(requests) }
    }

    /// Counts the requests to another route as well: the limit is for all of its routes together.
    #[must_use]
    pub fn route(mut self, route: Route) -> Self {
        if let Some(routes) = &mut self.routes {
            routes.push(route);
        }
        self
    }

    /// Sets how many requests may be sent at once after a pause; more than all of them is all of them.
    #[must_use]
    pub const fn burst(mut self, burst: NonZeroU32) -> Self {
        self.burst = burst;
        self
    }

    pub(crate) fn covers(&self, method: &Method, path: &str) -> bool {
        let Some(routes) = &self.routes else { return true };
        routes.iter().any(|route| route.matches(method.as_str(), path))
    }

    /// Returns `true` if this limit counts the same requests in the same time: the later one takes the place of the earlier.
    pub(crate) fn replaces(&self, earlier: &Self) -> bool {
        self.routes == earlier.routes && self.per == earlier.per
    }

    /// Returns how specific its least specific route is; the limits of the whole API come last.
    pub(crate) fn specificity(&self) -> Option<usize> {
        self.routes.iter().flatten().map(Route::specificity).min()
    }

    pub(crate) fn gcra(&self) -> Gcra {
        Gcra::of(self.requests, self.per, self.burst)
    }
}

fn usual_burst(requests: NonZeroU32) -> NonZeroU32 {
    NonZeroU32::new(requests.get() / 10).unwrap_or(NonZeroU32::MIN)
}
