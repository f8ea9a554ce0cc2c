//! The routes that rejected fresh credentials and those that accepted the current ones, in bounded tables.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU64;
use std::sync::OnceLock;
use std::time::Duration;

use http::Request;
use redress_classify::saturating;
use tokio::time::Instant;

/// How long a route that rejected fresh credentials is remembered. The first success on it removes it earlier.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);
/// The maximum number of routes, so that ids in paths cannot fill the memory.
const MAX_ROUTES: usize = 1024;

/// A method and a path, as a hash with a random key of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Route(NonZeroU64);

/// The routes of one layer.
#[derive(Debug, Default)]
pub(super) struct Routes {
    /// The generation that was rejected although it was fresh, and when that is forgotten.
    rejected: HashMap<Route, (u64, Instant)>,
    /// Routes that accepted the current generation while routes were tracked.
    accepted: HashSet<Route>,
    /// When to remove routes whose time is over.
    prune_at: Option<Instant>,
}

impl Route {
    /// Hashes the method and the path of a request.
    #[cold]
    pub(crate) fn new<B>(request: &Request<B>) -> Self {
        static KEY: OnceLock<RandomState> = OnceLock::new();
        let key = KEY.get_or_init(RandomState::new);
        Self::numbered(key.hash_one((request.method(), request.uri().path())))
    }

    pub(crate) fn numbered(number: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(number))
    }
}

impl Routes {
    pub(super) fn has_rejected(&self) -> bool {
        !self.rejected.is_empty()
    }

    /// Returns the generation that a route rejected although it was fresh, if that is still remembered.
    pub(super) fn rejected(&self, route: Option<Route>, now: Instant) -> Option<u64> {
        let (generation, until) = self.rejected.get(&route?)?;
        (now < *until).then_some(*generation)
    }

    /// Records that a route rejected fresh credentials.
    pub(super) fn remember(&mut self, route: Route, generation: u64, now: Instant) {
        if self.rejected.len() >= MAX_ROUTES && !self.rejected.contains_key(&route) {
            let oldest = self.rejected.iter().min_by_key(|(_, (_, until))| *until).map(|(route, _)| *route);
            oldest.map(|route| self.rejected.remove(&route));
        }
        self.accepted.remove(&route);
        self.prune_at.get_or_insert(saturating::add(now, REMEMBERED));
        self.rejected.insert(route, (generation, saturating::add(now, REMEMBERED)));
    }

    /// Records that a route accepted the current generation.
    pub(super) fn accept(&mut self, route: Route, now: Instant) {
        self.rejected.remove(&route);
        if self.prune_at.is_some_and(|at| now >= at) {
            self.prune(now);
        }
        if self.accepted.len() < MAX_ROUTES {
            self.accepted.insert(route);
        }
    }

    pub(super) fn has_accepted(&self, route: Option<Route>) -> bool {
        route.is_some_and(|route| self.accepted.contains(&route))
    }

    /// Moves on to another generation, which no route has accepted yet.
    pub(super) fn supersede(&mut self, now: Instant) {
        self.accepted.clear();
        self.prune(now);
    }

    fn prune(&mut self, now: Instant) {
        self.rejected.retain(|_, (_, until)| now < *until);
        self.prune_at = self.rejected.values().map(|(_, until)| *until).min();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_its_method_and_its_path() {
        let route =
            |method: &str, uri: &str| Route::new(&Request::builder().method(method).uri(uri).body(()).expect("legal"));
        let one = route("GET", "https://a/x?q=1");
        assert_eq!(one, route("GET", "https://a/x?q=2"));
        assert_ne!(one, route("POST", "https://a/x"));
        assert_ne!(one, route("GET", "https://a/y"));
    }

    #[test]
    fn the_table_keeps_the_newest_routes_and_each_for_ten_minutes() {
        let (mut routes, now) = (Routes::default(), Instant::now());
        for number in 0..5000 {
            routes.remember(Route::numbered(number), number, now + Duration::from_millis(number));
        }
        assert_eq!(routes.rejected.len(), MAX_ROUTES);
        let later = now + Duration::from_secs(6);
        assert_eq!(routes.rejected(Some(Route::numbered(4999)), later), Some(4999));
        assert_eq!(routes.rejected(Some(Route::numbered(0)), later), None);
        assert_eq!(routes.rejected(Some(Route::numbered(4999)), now + Duration::from_secs(605)), None);
        for number in 0..5000 {
            routes.accept(Route::numbered(number), later);
        }
        assert!(!routes.has_rejected());
        assert_eq!(routes.accepted.len(), MAX_ROUTES);
    }

    #[test]
    fn a_route_that_rejected_is_forgotten_when_its_ten_minutes_are_over() {
        let (bad, good, now) = (Route::numbered(1), Route::numbered(2), Instant::now());
        let end = now + Duration::from_secs(600);
        let just_before = end - Duration::from_nanos(1);
        for is_superseded in [false, true] {
            let mut routes = Routes::default();
            routes.remember(bad, 7, now);
            for (at, remembered) in [(now, Some(7)), (just_before, Some(7)), (end, None)] {
                assert_eq!(routes.rejected(Some(bad), at), remembered);
                routes.accept(good, at);
                assert!(
                    routes.has_accepted(Some(good)) && !routes.has_accepted(Some(bad)) && !routes.has_accepted(None)
                );
                if is_superseded {
                    routes.supersede(at);
                    assert!(!routes.has_accepted(Some(good)), "no route has accepted the next generation yet");
                }
                assert_eq!(routes.has_rejected(), remembered.is_some(), "routes are tracked no longer than needed");
            }
        }
    }
}
