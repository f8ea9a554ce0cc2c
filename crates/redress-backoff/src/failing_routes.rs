//! Routes that fail for all callers while others of their upstream succeed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Method;
use tokio::time::Instant;

use crate::request_copy::RequestCopy;

/// The failures in a row after which a route counts as failing: three attempts of three calls. At random errors of six in ten a run
/// of nine begins at one call in a hundred, and ends with the first success.
const FAILURES: u32 = 9;
/// A run of failures ends without one for this long: a route that is called rarely gets its retries again.
const IDLE: Duration = Duration::from_secs(60);
/// The routes and hosts that are counted, in some 32 bytes each. Calls of further ones are retried as usual.
const MAX_RUNS: usize = 1_024;

/// The runs of failures of routes and of hosts, by their hashes.
///
/// A retry on a route that fails for each caller, such as one whose backend is away, brings nothing, and takes tokens that the other
/// routes need. Each call is still sent once, which shows when the route works again. If no route of the host succeeds, that is an
/// outage, and none of this table's concern: a route counts only while others succeed.
#[derive(Default)]
pub(crate) struct FailingRoutes {
    /// Set while a route has failed since its last success. A success reads the table only then.
    is_in_use: AtomicBool,
    /// In the order of the hashes. It keeps its memory when it is empty.
    runs: Mutex<Vec<Run>>,
}

/// A route and its host, as hashes.
#[derive(Clone, Copy)]
pub(crate) struct Route {
    route: u64,
    host: u64,
}

/// Failures without a success in between, of a route or of all routes of a host.
#[derive(Clone, Copy)]
struct Run {
    hash: u64,
    failures: u32,
    last: Instant,
}

impl Route {
    /// Returns the route of a request.
    pub(crate) fn of<B>(copy: &RequestCopy<B>) -> Self {
        Self::new(copy.host().0, &copy.method, copy.path_bytes())
    }

    /// Makes a route of the authority, the method, and the path without the segments that have a digit, which are often ids. Routes that
    /// are taken for one make retries more frequent, never rarer: a success of either ends the run.
    fn new(authority: &[u8], method: &Method, path: &[u8]) -> Self {
        let host = hash(OFFSET, authority);
        let mut route = hash(host, method.as_str().as_bytes());
        // Of the path up to this byte, with the present segment.
        let (mut longer, mut has_digit) = (route, false);
        for &byte in path {
            if byte == b'/' {
                route = if has_digit { route } else { longer };
                (longer, has_digit) = (route, false);
            }
            longer = add(longer, byte);
            has_digit |= byte.is_ascii_digit();
        }
        Self { route: if has_digit { route } else { longer }, host }
    }
}

impl FailingRoutes {
    /// Counts a failure. Returns `true` if the route fails while others of its host succeed.
    pub(crate) fn failed(&self, Route { route, host }: Route, now: Instant) -> bool {
        let mut runs = self.lock();
        if runs.len() + 2 > MAX_RUNS && position(&runs, route).is_err() {
            runs.retain(|run| run.lasts(now));
            if runs.len() + 2 > MAX_RUNS {
                return false;
            }
        }
        let mut count = |hash| {
            let at = position(&runs, hash).unwrap_or_else(|at| {
                runs.insert(at, Run { hash, failures: 0, last: now });
                at
            });
            let before = if runs[at].lasts(now) { runs[at].failures } else { 0 };
            runs[at] = Run { hash, failures: before.saturating_add(1), last: now };
            runs[at].failures
        };
        let (of_route, of_host) = (count(route), count(host));
        self.is_in_use.store(true, Ordering::Relaxed);
        of_route > FAILURES && of_host < of_route
    }

    /// Ends the runs of a route that has answered, and of its host. The closure is called only if a route has failed.
    #[inline]
    pub(crate) fn answered(&self, route: impl FnOnce() -> Option<Route>) {
        if self.is_in_use.load(Ordering::Relaxed)
            && let Some(route) = route()
        {
            self.end_runs(route);
        }
    }

    #[cold]
    fn end_runs(&self, Route { route, host }: Route) {
        let mut runs = self.lock();
        for hash in [route, host] {
            if let Ok(at) = position(&runs, hash) {
                runs.remove(at);
            }
        }
        if runs.is_empty() {
            self.is_in_use.store(false, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Run>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run {
    fn lasts(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last) < IDLE
    }
}

/// Returns where the run of a hash is, or where it would be.
fn position(runs: &[Run], hash: u64) -> Result<usize, usize> {
    runs.binary_search_by_key(&hash, |run| run.hash)
}

/// The beginning of a hash.
const OFFSET: u64 = 0xCBF2_9CE4_8422_2325;

/// Adds a text to a hash: FNV-1a, which takes few instructions. Paths that have the same hash on purpose are taken for one route, which
/// does no harm.
fn hash(before: u64, text: &[u8]) -> u64 {
    text.iter().fold(add(before, 0), |hash, byte| add(hash, *byte))
}

const fn add(before: u64, byte: u8) -> u64 {
    (before ^ byte as u64).wrapping_mul(0x0100_0000_01B3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(path: &str) -> Route {
        Route::new(b"api.example", &Method::GET, path.as_bytes())
    }

    /// Counts failures, with successes of another route of the host in between, and returns the first after which the route counts as
    /// failing.
    fn first(routes: &FailingRoutes, failing: Route, now: Instant) -> Option<u32> {
        (1..=20).find(|_| {
            routes.answered(|| Some(route("/well")));
            routes.failed(failing, now)
        })
    }

    #[test]
    fn a_route_counts_after_nine_failures_and_until_it_answers() {
        let (routes, now) = (FailingRoutes::default(), Instant::now());
        let reports = route("/v1/reports");
        assert_eq!(first(&routes, reports, now), Some(10));
        assert!((0..5).all(|_| routes.failed(reports, now)));
        for _ in 0..20 {
            routes.failed(route("/others"), now);
        }
        assert!(!routes.failed(reports, now), "no route has succeeded for long: an outage");
        routes.answered(|| Some(route("/others")));
        assert!(routes.failed(reports, now));
        routes.answered(|| Some(reports));
        assert_eq!(first(&routes, reports, now), Some(10));
    }

    #[test]
    fn a_host_with_one_route_has_an_outage() {
        let (routes, now) = (FailingRoutes::default(), Instant::now());
        let (only, elsewhere) = (route("/v1"), Route::new(b"b.example", &Method::GET, b"/v1"));
        for _ in 0..50 {
            assert!(!routes.failed(only, now));
            routes.answered(|| Some(elsewhere));
        }
    }

    #[test]
    fn a_run_ends_after_a_minute_without_a_failure() {
        let (routes, now) = (FailingRoutes::default(), Instant::now());
        let reports = route("/v1/reports");
        assert_eq!(first(&routes, reports, now), Some(10));
        let later = now + IDLE - Duration::from_millis(1);
        assert!(routes.failed(reports, later));
        assert_eq!(first(&routes, reports, later + IDLE), Some(10));
    }

    #[test]
    fn ids_and_nothing_else_are_left_out_of_a_route() {
        let key = |host: &str, method: Method, path: &str| Route::new(host.as_bytes(), &method, path.as_bytes()).route;
        let of = key("a.example", Method::GET, "/users/12/orders");
        for same in ["/users/7/orders", "/users/c0ffee1d-1/orders", "/users/12/orders/99"] {
            assert_eq!(key("a.example", Method::GET, same), of, "{same}");
        }
        for (host, method) in [("b.example", Method::GET), ("a.example", Method::PUT)] {
            assert_ne!(key(host, method, "/users/12/orders"), of, "{host}");
        }
        for other in ["/users/me/orders", "/users/12", "/users", "/usersorders", "/"] {
            assert_ne!(key("a.example", Method::GET, other), of, "{other}");
        }
    }

    #[test]
    fn the_number_of_routes_is_bounded_and_old_ones_make_room() {
        let (routes, now) = (FailingRoutes::default(), Instant::now());
        let nth = |n: usize| route(&"x".repeat(n));
        for n in 0..MAX_RUNS {
            routes.failed(nth(n), now);
        }
        let full = routes.lock().len();
        routes.failed(nth(MAX_RUNS), now);
        assert_eq!(routes.lock().len(), full, "the table is full");
        assert!((MAX_RUNS - 1..=MAX_RUNS).contains(&full), "{full}");
        routes.failed(nth(MAX_RUNS), now + IDLE);
        assert_eq!(routes.lock().len(), 2, "a route and its host");
    }

    #[test]
    fn one_old_route_makes_room_for_one_new_route_in_a_full_table() {
        let (routes, start) = (FailingRoutes::default(), Instant::now());
        let nth = |n: usize| route(&"x".repeat(n));
        routes.failed(nth(0), start);
        let now = start + IDLE;
        (1..MAX_RUNS - 2).for_each(|n| assert!(!routes.failed(nth(n), now)));
        assert_eq!(routes.lock().len(), MAX_RUNS - 1, "the routes and their host");
        routes.failed(nth(MAX_RUNS), now);
        assert!(position(&routes.lock(), nth(MAX_RUNS).route).is_ok(), "it is counted");
        assert!(position(&routes.lock(), nth(0).route).is_err(), "the old one is not");
    }

    #[test]
    fn a_success_asks_for_its_route_only_while_one_fails() {
        let (routes, now) = (FailingRoutes::default(), Instant::now());
        let reports = route("/v1/reports");
        routes.answered(|| panic!("no route has failed"));
        routes.failed(reports, now);
        routes.answered(|| None);
        routes.answered(|| Some(route("/well")));
        assert!(routes.is_in_use.load(Ordering::Relaxed));
        routes.answered(|| Some(reports));
        routes.answered(|| panic!("no route fails any more"));
    }

    #[test]
    fn many_routes_of_a_host_are_counted_up_to_a_bound() {
        let (routes, now) = (FailingRoutes::default(), Instant::now());
        let nth = |nth: usize| {
            let letters: String = nth.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
            route(&format!("/{letters}"))
        };
        // Each route has an entry, and their host has one.
        (0..MAX_RUNS - 2).for_each(|route| assert!(!routes.failed(nth(route), now)));
        assert_eq!(routes.lock().len(), MAX_RUNS - 1);
        assert!((0..20).all(|_| !routes.failed(nth(MAX_RUNS), now)), "it is not counted");
        assert_eq!(first(&routes, nth(0), now), Some(9), "the known ones are: it has failed once");
        assert_eq!(routes.lock().len(), MAX_RUNS - 1);
    }
}
