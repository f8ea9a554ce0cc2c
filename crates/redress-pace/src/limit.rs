//! A limit: a number of requests to some routes in a time.

use std::num::NonZeroU32;
use std::time::Duration;

use http::Method;
use redress_classify::Route;
use redress_store::stable_hash;

use crate::gcra::Gcra;
use crate::lease::Rule;

/// A maximum number of requests in any interval of a length, to some routes taken together, or to the whole API.
///
/// # Guarantee
/// No interval of that length, whenever it begins, holds more requests than the limit. Vendors count by windows, and when a
/// window begins is unknown to the client. Of `n` requests a burst of `b` may be sent at once after a pause; the others
/// follow `per / (n - b + 1)` apart, so that any interval holds at most `n`. A request counts when it is passed to the inner
/// service. Delays of the network, which may push requests together, are not known here, and the requests of other processes
/// only if they [share](crate::PaceLayer::share) the limit.
///
/// # The burst
/// A larger burst lets more requests pass without a wait after a pause, and lowers the steady rate by as many. The default is
/// a tenth of the requests, at least one: it fits the traffic of a small program, and leaves nine tenths of the rate. With a
/// burst of one the requests are evenly spaced, at the full rate.
///
/// # Examples
/// ```
/// use std::num::NonZeroU32;
/// use std::time::Duration;
/// use redress_classify::dialects;
/// use redress_pace::{Limit, PaceLayer};
///
/// let twenty = NonZeroU32::new(20).expect("not zero");
/// // Ranex limits its authentication endpoints, and does not publish which ones they are.
/// let auth = Limit::new("POST /v1/auth/token".parse()?, twenty, Duration::from_secs(60))
///     .route("POST /v1/auth/refresh".parse()?);
/// assert_eq!(auth, auth.clone().burst(NonZeroU32::new(2).expect("not zero")), "a tenth is the default burst");
/// let layer = PaceLayer::new(dialects::ranex()).limit(auth);
/// # Ok::<(), redress_classify::InvalidRoute>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    /// `None` for all routes.
    routes: Option<Vec<Route>>,
    requests: NonZeroU32,
    per: Duration,
    burst: NonZeroU32,
}

impl Limit {
    /// Creates a limit of `requests` to a route, which may have wildcards, in each `per`. A `per` of zero allows everything.
    ///
    /// # Examples
    /// ```
    /// use std::num::NonZeroU32;
    /// use std::time::Duration;
    /// use redress_pace::Limit;
    ///
    /// let ten = NonZeroU32::new(10).expect("not zero");
    /// let minute = Duration::from_secs(60);
    /// assert_ne!(Limit::new("GET /cats".parse()?, ten, minute), Limit::new("GET /dogs".parse()?, ten, minute));
    /// # Ok::<(), redress_classify::InvalidRoute>(())
    /// ```
    #[must_use]
    pub fn new(route: Route, requests: NonZeroU32, per: Duration) -> Self {
        Self { routes: Some(vec![route]), requests, per, burst: default_burst(requests) }
    }

    /// Creates a limit of `requests` to the whole API, on any route, in each `per`. A `per` of zero allows everything.
    ///
    /// # Examples
    /// ```
    /// use std::num::NonZeroU32;
    /// use std::time::Duration;
    /// use redress_classify::dialects;
    /// use redress_pace::{Limit, PaceLayer};
    ///
    /// let count = |n| NonZeroU32::new(n).expect("not zero");
    /// // A request to a report counts in both.
    /// let layer = PaceLayer::new(dialects::generic())
    ///     .limit(Limit::all_routes(count(5_000), Duration::from_secs(3_600)))
    ///     .limit(Limit::new("* /v1/reports/**".parse()?, count(10), Duration::from_secs(60)));
    /// # Ok::<(), redress_classify::InvalidRoute>(())
    /// ```
    #[must_use]
    pub fn all_routes(requests: NonZeroU32, per: Duration) -> Self {
        Self { routes: None, requests, per, burst: default_burst(requests) }
    }

    /// Adds a route. The limit counts the requests to all of its routes together.
    #[must_use]
    pub fn route(mut self, route: Route) -> Self {
        if let Some(routes) = &mut self.routes {
            routes.push(route);
        }
        self
    }

    /// Sets the number of requests that may be sent at once after a pause. More than all requests is all of them.
    ///
    /// # Examples
    /// ```
    /// use std::num::NonZeroU32;
    /// use std::time::Duration;
    /// use redress_pace::Limit;
    ///
    /// let count = |n| NonZeroU32::new(n).expect("not zero");
    /// let minute = Duration::from_secs(60);
    /// // Evenly spaced: one request a second.
    /// let even = Limit::all_routes(count(60), minute).burst(count(1));
    /// // 30 at once, and then one in about 2 s.
    /// let bursty = Limit::all_routes(count(60), minute).burst(count(30));
    /// assert_ne!(even, bursty);
    /// ```
    #[must_use]
    pub const fn burst(mut self, burst: NonZeroU32) -> Self {
        self.burst = burst;
        self
    }

    /// Returns `true` if the limit counts requests to this route.
    pub(crate) fn covers(&self, method: &Method, path: &str) -> bool {
        let Some(routes) = &self.routes else { return true };
        routes.iter().any(|route| route.matches(method.as_str(), path))
    }

    /// Returns `true` if this limit counts the same requests in the same time as an earlier one, which it replaces.
    pub(crate) fn replaces(&self, earlier: &Self) -> bool {
        self.routes == earlier.routes && self.per == earlier.per
    }

    /// Returns the specificity of the least specific route; `None`, which is the lowest, for the whole API.
    pub(crate) fn specificity(&self) -> Option<usize> {
        self.routes.iter().flatten().map(Route::specificity).min()
    }

    /// Returns the name of the limit in the keys of a store: the requests, the time in milliseconds, and a hash of the routes. Limits
    /// that differ in one of them are counted apart.
    pub(crate) fn record_name(&self) -> String {
        let routes: Vec<_> = self.routes.iter().flatten().map(Route::to_string).collect();
        let hash = stable_hash(&routes.join("\n"));
        format!("{}-{}-{hash:016x}", self.requests, self.per.as_millis())
    }

    /// Returns the law by which processes share the limit; `None` for one that allows everything.
    pub(crate) fn rule(&self) -> Option<Rule> {
        (!self.per.is_zero()).then(|| Rule::new(self.requests, self.per))
    }

    /// Returns the parameters of the algorithm.
    pub(crate) fn gcra(&self) -> Gcra {
        Gcra::new(self.requests, self.per, self.burst)
    }
}

fn default_burst(requests: NonZeroU32) -> NonZeroU32 {
    NonZeroU32::new(requests.get() / 10).unwrap_or(NonZeroU32::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_differ_have_records_of_their_own() {
        let requests = |number| NonZeroU32::new(number).unwrap();
        let limit = |route: &str, number, per| Limit::new(route.parse().unwrap(), requests(number), per);
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        let all = Limit::all_routes(requests(10), second);
        let limits = [
            all.clone(),
            Limit::all_routes(requests(11), second),
            Limit::all_routes(requests(10), minute),
            limit("GET /a", 10, second),
            limit("GET /b", 10, second),
            limit("GET /a", 10, second).route("GET /b".parse().unwrap()),
        ];
        let names: std::collections::HashSet<_> = limits.iter().map(Limit::record_name).collect();
        assert_eq!(names.len(), limits.len(), "{names:?}");
        let name = all.burst(requests(3)).record_name();
        assert!(names.contains(&name) && name.starts_with("10-1000-") && name.len() == 24, "{name}");
    }
}
