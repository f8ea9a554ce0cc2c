//! The buckets of routes, learnt from responses: a cache of the routes used last.

use std::collections::HashMap;
use std::mem;
use std::num::NonZeroU64;

use redress_classify::CooldownScope;

/// The minimum number of cached routes; the maximum is twice that. A bot or an integration calls some dozens of routes, each
/// for some dozens of channels or projects. A call on a route that is not cached waits for every cool-down in its scope.
const ROUTES: usize = 2048;

/// The scope or bucket that the last response on each route named, by the hash of the route.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    recent: HashMap<NonZeroU64, CooldownScope>,
    /// The map that was `recent` before it was full.
    older: HashMap<NonZeroU64, CooldownScope>,
}

impl Buckets {
    pub(crate) fn get(&self, route: NonZeroU64) -> Option<CooldownScope> {
        self.recent.get(&route).or_else(|| self.older.get(&route)).copied()
    }

    /// Stores the scope or bucket that the last response on a route named.
    pub(crate) fn set(&mut self, route: NonZeroU64, bucket: CooldownScope) {
        if let Some(known) = self.recent.get_mut(&route) {
            *known = bucket;
            return;
        }
        if self.recent.len() >= ROUTES {
            self.older = mem::take(&mut self.recent);
        }
        self.recent.insert(route, bucket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_routes_used_last_are_cached_and_their_number_is_bounded() {
        let mut buckets = Buckets::default();
        let (bucket, number) = (CooldownScope::Bucket, |route| NonZeroU64::MIN.saturating_add(route));
        for route in 0..20_000 {
            buckets.set(number(route), bucket(route));
            buckets.set(number(7), bucket(7));
        }
        assert_eq!(buckets.get(number(7)), Some(bucket(7)), "it is used all the time");
        let last = 20_000 - ROUTES as u64;
        assert!((last + 1..20_000).all(|route| buckets.get(number(route)) == Some(bucket(route))));
        assert_eq!(buckets.get(number(1_000)), None);
        assert!(buckets.recent.len() + buckets.older.len() <= 2 * ROUTES);
        buckets.set(number(7), bucket(8));
        assert_eq!(buckets.get(number(7)), Some(bucket(8)), "the last response counts");
    }
}
