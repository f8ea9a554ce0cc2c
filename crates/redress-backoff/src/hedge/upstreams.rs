//! The latency of each upstream, and the share of its calls that may be hedged.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redress_classify::Upstream;

use super::quantile::LatencyQuantile;
use crate::telemetry::NoHedge;

/// The number of upstreams whose latency is known: about half a megabyte of memory.
const MAX_UPSTREAMS: usize = 1_024;
/// The lowest price of a hedge in calls: at most 5 % of the calls are hedged.
const MIN_PRICE: u32 = 20;
/// The highest price. It lets an upstream be tried again whose hedges were of no use.
const MAX_PRICE: u32 = 640;
/// The factors of the price after a hedge that was of no use, and after one that won. So the price rises if fewer than one hedge in
/// three wins, as those of a server with a queue do, where a hedge waits behind the first attempt.
const DEARER: u32 = 2;
const CHEAPER: u32 = 4;
/// The number of hedges that may be saved up. It is small, since all processes of a fleet spend theirs at the same time.
const MAX_SAVED: u32 = 2;
/// The share of late calls is that of about this number of the last calls.
const MEMORY: u32 = 32;
/// From three times the expected share of late calls on, the upstream as a whole is slow: a hedge would be slow, too.
const MANY_LATE: u32 = WHOLE / 20 * 3;
/// The share of all calls.
const WHOLE: u32 = 1 << 20;
/// One in this number of calls is timed, once there is an estimate.
const ONE_IN: u32 = 16;

/// The upstreams of a layer that hedges, by their hashed host and port. Clones of the layer share it.
///
/// A tenant of a [`partition`](crate::BackoffLayer::partition) has no latency of its own: it is the host that answers.
#[derive(Default)]
pub(crate) struct HedgedUpstreams {
    hasher: RandomState,
    table: Mutex<HashMap<u64, Arc<HedgedUpstream>>>,
}

/// The latency of one upstream, and the share of its calls that was hedged.
pub(crate) struct HedgedUpstream {
    state: Mutex<State>,
    /// Whether the last call ended without a mark that the upstream is in an outage, slow, or recovers.
    is_healthy: AtomicBool,
}

struct State {
    quantile: LatencyQuantile,
    /// The 95th percentile, computed when a latency is recorded.
    p95: Option<Duration>,
    /// The number of calls that no hedge has used up.
    calls: u32,
    /// The number of calls that the next hedge uses up.
    price: u32,
    /// The share of the last calls that took longer than the percentile, as an exponentially weighted mean.
    late: u32,
}

/// The plan of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HedgePlan {
    /// The time after the send after which a hedge follows; `None` while there is no estimate.
    pub(crate) after: Option<Duration>,
    /// Whether the latency of the call is recorded.
    pub(crate) is_timed: bool,
}

impl HedgedUpstreams {
    /// Returns an upstream. If there are too many, all are forgotten, and learnt anew.
    pub(crate) fn get(&self, upstream: &Upstream) -> Arc<HedgedUpstream> {
        let key = self.hasher.hash_one(upstream);
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if table.len() >= MAX_UPSTREAMS && !table.contains_key(&key) {
            table.clear();
        }
        Arc::clone(table.entry(key).or_default())
    }
}

impl Default for HedgedUpstream {
    fn default() -> Self {
        let state = State { quantile: LatencyQuantile::new(), p95: None, calls: 0, price: MIN_PRICE, late: 0 };
        Self { state: Mutex::new(state), is_healthy: AtomicBool::new(true) }
    }
}

impl HedgedUpstream {
    /// Counts a call, and plans it. `random` is uniform over all of `u32`, and called once there is an estimate.
    pub(crate) fn begin_call(&self, random: impl FnOnce() -> u32) -> HedgePlan {
        let after = {
            let mut state = self.state();
            state.add_calls(1);
            state.late -= state.late / MEMORY;
            state.p95
        };
        HedgePlan { after, is_timed: after.is_none() || random().is_multiple_of(ONE_IN) }
    }

    /// Counts a call whose hedge is due.
    pub(crate) fn count_late(&self) {
        let mut state = self.state();
        state.late = (state.late + WHOLE / MEMORY).min(WHOLE);
    }

    /// Takes the calls that one hedge needs.
    ///
    /// # Errors
    /// Returns why no hedge may be sent: the upstream is slow as a whole, or there were too few calls.
    pub(crate) fn take_hedge(&self) -> Result<(), NoHedge> {
        let mut state = self.state();
        if state.late >= MANY_LATE {
            return Err(NoHedge::Slow);
        }
        state.calls = state.calls.checked_sub(state.price).ok_or(NoHedge::Share)?;
        Ok(())
    }

    /// Gives back what a hedge took that was not sent.
    pub(crate) fn return_hedge(&self) {
        let mut state = self.state();
        let price = state.price;
        state.add_calls(price);
    }

    /// Sets the price of the next hedge by whether one was of use: whether its call succeeded by it.
    pub(crate) fn end_hedge(&self, has_won: bool) {
        let mut state = self.state();
        let price = if has_won { state.price / CHEAPER } else { state.price * DEARER };
        state.price = price.clamp(MIN_PRICE, MAX_PRICE);
    }

    /// Records the latency of a first attempt. If its hedge was faster, the time until then is less than its latency, but more
    /// than the 95th percentile, which is all that matters to it.
    pub(crate) fn record(&self, latency: Duration) {
        let mut state = self.state();
        state.quantile.record(latency);
        state.p95 = state.quantile.p95();
    }

    pub(crate) fn set_healthy(&self, is_healthy: bool) {
        // Read first: all calls share it, and it rarely changes.
        if self.is_healthy() != is_healthy {
            self.is_healthy.store(is_healthy, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_healthy(&self) -> bool {
        self.is_healthy.load(Ordering::Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add_calls(&mut self, calls: u32) {
        self.calls = (self.calls + calls).min(MAX_SAVED * self.price);
    }
}

impl fmt::Debug for HedgedUpstreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.table.lock().unwrap_or_else(PoisonError::into_inner).len();
        f.debug_struct("HedgedUpstreams").field("known", &known).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Uri};
    use proptest::prelude::*;

    use super::*;

    fn upstream(host: usize) -> Upstream {
        Upstream::new(&format!("https://{host}.example/").parse::<Uri>().unwrap(), &HeaderMap::new())
    }

    #[test]
    fn each_upstream_has_a_latency_of_its_own() {
        let upstreams = HedgedUpstreams::default();
        (0..50).for_each(|_| upstreams.get(&upstream(1)).record(Duration::from_millis(100)));
        assert!(upstreams.get(&upstream(1)).begin_call(|| 1).after.is_some());
        assert_eq!(upstreams.get(&upstream(2)).begin_call(|| 1), HedgePlan { after: None, is_timed: true });
    }

    #[test]
    fn a_known_upstream_keeps_its_state_until_there_are_too_many() {
        let upstreams = HedgedUpstreams::default();
        let first = upstreams.get(&upstream(0));
        let is_kept = || Arc::ptr_eq(&first, &upstreams.get(&upstream(0)));
        for host in 0..MAX_UPSTREAMS {
            upstreams.get(&upstream(host));
            assert!(is_kept(), "{host}");
        }
        upstreams.get(&upstream(MAX_UPSTREAMS));
        assert!(!is_kept());
    }

    #[test]
    fn the_table_of_upstreams_is_bounded() {
        let upstreams = HedgedUpstreams::default();
        for host in 0..3 * MAX_UPSTREAMS {
            upstreams.get(&upstream(host));
            assert!(upstreams.table.lock().unwrap().len() <= MAX_UPSTREAMS);
        }
    }

    #[test]
    fn each_call_is_timed_before_there_is_an_estimate_and_one_in_sixteen_after() {
        let upstream = HedgedUpstream::default();
        assert!((0..50).all(|_| {
            upstream.record(Duration::from_millis(9));
            upstream.begin_call(|| 1).is_timed || upstream.begin_call(|| 1).after.is_some()
        }));
        let timed = (0..1_600).filter(|random| upstream.begin_call(|| *random).is_timed);
        assert_eq!(timed.count(), 100);
    }

    #[test]
    fn no_hedge_is_sent_while_many_calls_are_late() {
        let upstream = HedgedUpstream::default();
        let calls = |number: u32, late: &dyn Fn(u32) -> bool| {
            for nth in 0..number {
                upstream.begin_call(|| 1);
                if late(nth) {
                    upstream.count_late();
                }
            }
            upstream.take_hedge()
        };
        assert_eq!(calls(1_000, &|nth| nth % 20 == 0), Ok(()), "as many as expected");
        assert_eq!(calls(1_000, &|nth| nth % 12 == 0), Ok(()), "somewhat more");
        assert_eq!(calls(4, &|_| true), Err(NoHedge::Slow));
        assert_eq!(calls(100, &|_| false), Ok(()));
        assert_eq!(calls(10_000, &|_| true), Err(NoHedge::Slow), "the mean is bounded");
        assert_eq!(calls(200, &|_| false), Ok(()));
    }

    #[test]
    fn hedges_that_are_of_no_use_get_dearer_and_those_that_win_cheap_again() {
        let upstream = HedgedUpstream::default();
        let price = || upstream.state().price;
        for (has_won, expected) in [
            (true, 20),
            (false, 40),
            (false, 80),
            (true, 20),
            (false, 40),
            (false, 80),
            (false, 160),
            (false, 320),
            (false, 640),
            (false, 640),
            (true, 160),
            (true, 40),
            (true, 20),
        ] {
            upstream.end_hedge(has_won);
            assert_eq!(price(), expected);
        }
        upstream.end_hedge(false);
        let calls = (1..).find(|_| {
            upstream.begin_call(|| 1);
            upstream.take_hedge().is_ok()
        });
        assert_eq!(calls, Some(40));
    }

    proptest! {
        #[test]
        fn there_is_at_most_one_hedge_for_twenty_calls(wanted in prop::collection::vec(any::<bool>(), 0..2_000)) {
            let upstream = HedgedUpstream::default();
            let (mut hedges, mut burst) = (0, 0);
            for (nth, is_wanted) in (1..).zip(wanted) {
                upstream.begin_call(|| 1);
                burst = if is_wanted && upstream.take_hedge().is_ok() { burst + 1 } else { 0 };
                hedges += u32::from(burst > 0);
                prop_assert!(hedges * MIN_PRICE <= nth && burst <= MAX_SAVED);
            }
        }
    }
}
