//! The routes of which all requests fail while others of their upstream succeed.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Method;
use tokio::time::Instant;

/// The failures in a row after which a route counts as failing: three attempts of three calls. At random errors of six in ten a run
/// of nine begins at one call in a hundred, and ends with the first success.
const FAILURES: u32 = 9;
/// A run of failures ends without one for this long: a route that is called rarely gets its retries again.
const IDLE: Duration = Duration::from_secs(60);
/// The routes that are counted, at 24 bytes or so each. Calls of further ones are retried as usual.
const MAX_ROUTES: usize = 1_024;

/// The runs of failures of routes, by the hash of a route.
///
/// A retry on a route that fails for each caller, such as one whose backend is away, brings nothing, and takes tokens that the other
/// routes need. Each call is still sent once, which shows when the route works again. If no route of the upstream succeeds, that is an
/// outage, and none of this layer's concern: a route counts only while others succeed.
#[derive(Default)]
pub(crate) struct FailingRoutes {
    /// Whether a route has failed since it succeeded last. A success looks at the table only then.
    is_in_use: AtomicBool,
    runs: Mutex<HashMap<u64, Run>>,
    hasher: RandomState,
}

/// Failures of a route without a success in between.
#[derive(Clone, Copy)]
struct Run {
    failures: u32,
    last: Instant,
}

impl FailingRoutes {
    /// Returns the hash of a route: the key of its budget, the method, and the path without the segments that have a digit, which are
    /// often ids. Routes that are taken for one make retries more frequent, never rarer: a success of either ends the run.
    pub(crate) fn key(&self, budget: u64, method: &Method, path: &str) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        (budget, method).hash(&mut hasher);
        let has_digit = |segment: &&str| segment.bytes().any(|byte| byte.is_ascii_digit());
        path.split('/').filter(|segment| !has_digit(segment)).for_each(|segment| segment.hash(&mut hasher));
        hasher.finish()
    }

    /// Counts a failure. Returns `true` if the route fails while others succeed: `of_all` is the number of failures of all routes since
    /// the last success of any.
    pub(crate) fn failed(&self, route: u64, of_all: u32, now: Instant) -> bool {
        let mut runs = self.lock();
        if runs.len() >= MAX_ROUTES && !runs.contains_key(&route) {
            runs.retain(|_, run| run.lasts(now));
            if runs.len() >= MAX_ROUTES {
                return false;
            }
        }
        let run = runs.entry(route).or_insert(Run { failures: 0, last: now });
        let before = if run.lasts(now) { run.failures } else { 0 };
        *run = Run { failures: before.saturating_add(1), last: now };
        let is_failing = run.failures > FAILURES && of_all < run.failures;
        self.is_in_use.store(true, Ordering::Relaxed);
        is_failing
    }

    /// Ends the run of a route that has answered. The closure is called only if a route has failed.
    #[inline]
    pub(crate) fn answered(&self, route: impl FnOnce() -> Option<u64>) {
        if self.is_in_use.load(Ordering::Relaxed)
            && let Some(route) = route()
        {
            self.end_run(route);
        }
    }

    #[cold]
    fn end_run(&self, route: u64) {
        let mut runs = self.lock();
        runs.remove(&route);
        if runs.is_empty() {
            self.is_in_use.store(false, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Run>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run {
    fn lasts(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last) < IDLE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(routes: &FailingRoutes, path: &str) -> u64 {
        routes.key(1, &Method::GET, path)
    }

    /// Counts failures while others succeed, and returns the first after which the route counts as failing.
    fn first(routes: &FailingRoutes, route: u64, now: Instant) -> Option<u32> {
        (1..=20).find(|_| routes.failed(route, 1, now))
    }

    #[test]
    fn a_route_counts_after_nine_failures_and_until_it_answers() {
        let (routes, now) = (FailingRoutes::default(), Instant::now());
        let route = route(&routes, "/v1/reports");
        assert_eq!(first(&routes, route, now), Some(10));
        assert!(routes.failed(route, 10, now));
        assert!(!routes.failed(route, 12, now), "no route has succeeded since: an outage");
        assert!(routes.failed(route, 12, now));
        routes.answered(|| Some(route));
        assert_eq!(first(&routes, route, now), Some(10));
    }

    #[test]
    fn a_run_ends_after_a_minute_without_a_failure() {
        let (routes, now) = (FailingRoutes::default(), Instant::now());
        let route = route(&routes, "/v1/reports");
        assert_eq!(first(&routes, route, now), Some(10));
        let later = now + IDLE - Duration::from_millis(1);
        assert!(routes.failed(route, 1, later));
        assert_eq!(first(&routes, route, later + IDLE), Some(10));
    }

    #[test]
    fn ids_and_nothing_else_are_left_out_of_a_route() {
        let routes = FailingRoutes::default();
        let key = |budget, method: Method, path| routes.key(budget, &method, path);
        let of = key(1, Method::GET, "/users/12/orders");
        for same in ["/users/7/orders", "/users/c0ffee1d-1/orders", "/users/12/orders/99"] {
            assert_eq!(key(1, Method::GET, same), of, "{same}");
        }
        for other in [key(2, Method::GET, "/users/12/orders"), key(1, Method::PUT, "/users/12/orders")] {
            assert_ne!(other, of);
        }
        for other in ["/users/me/orders", "/users/12", "/users", "/usersorders", "/"] {
            assert_ne!(key(1, Method::GET, other), of, "{other}");
        }
    }

    #[test]
    fn the_number_of_routes_is_bounded_and_old_ones_make_room() {
        let (routes, now) = (FailingRoutes::default(), Instant::now());
        for route in 0..MAX_ROUTES as u64 {
            routes.failed(route, 1, now);
        }
        assert_eq!(first(&routes, u64::MAX, now), None, "there is no room");
        assert_eq!(routes.lock().len(), MAX_ROUTES);
        assert_eq!(first(&routes, u64::MAX, now + IDLE), Some(10));
        assert_eq!(routes.lock().len(), 1);
    }

    #[test]
    fn a_success_asks_for_its_route_only_while_one_fails() {
        let (routes, now) = (FailingRoutes::default(), Instant::now());
        routes.answered(|| panic!("no route has failed"));
        routes.failed(1, 1, now);
        routes.answered(|| None);
        routes.answered(|| Some(2));
        assert!(routes.is_in_use.load(Ordering::Relaxed));
        routes.answered(|| Some(1));
        routes.answered(|| panic!("no route fails any more"));
    }
}
