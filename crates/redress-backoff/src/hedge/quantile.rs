//! A streaming estimate of a high quantile of the latency. Pure, and of a fixed size.

use std::time::Duration;

/// The number of buckets: they reach from 1 ms to 110 s.
const BUCKETS: usize = 239;
/// The upper bounds of the buckets in nanoseconds. Each bucket is 5 % wider than the one below it.
const BOUNDS: [u64; BUCKETS] = bounds();
/// The number of latencies before which there is no estimate. The third longest of 50 is the first one: it lies above the 90th
/// percentile in nine of ten cases.
const FIRST: u32 = 50;
/// With this number of latencies all weights are halved, so that the estimate follows an upstream that changes: it is that of
/// the last 128 to 256 latencies, and of those before with less and less weight.
const HALVED_AT: u32 = 256;
/// The weight of a new latency: so much that a few halvings do not round it to nothing.
const WEIGHT: u16 = 64;
/// One in this number of latencies is longer than the estimate.
const ONE_IN: u32 = 20;

/// The weights of latencies in buckets of the same relative width, as in a `DDSketch` (Masson, Rim and Lee, VLDB 2019).
///
/// The estimate is the upper bound of a bucket: at least the exact quantile of the counted latencies, and at most 5 % and 1 ms above.
pub(super) struct LatencyQuantile {
    weights: [u16; BUCKETS],
    /// The sum of the weights.
    total: u32,
}

impl LatencyQuantile {
    pub(super) const fn new() -> Self {
        Self { weights: [0; BUCKETS], total: 0 }
    }

    /// Counts a latency.
    pub(super) fn record(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|bound| *bound < nanos).min(BUCKETS - 1);
        self.weights[bucket] += WEIGHT;
        self.total += u32::from(WEIGHT);
        if self.total >= HALVED_AT * u32::from(WEIGHT) {
            self.weights.iter_mut().for_each(|weight| *weight /= 2);
            self.total = self.weights.iter().map(|weight| u32::from(*weight)).sum();
        }
    }

    /// Returns the 95th percentile; `None` before 50 latencies.
    pub(super) fn p95(&self) -> Option<Duration> {
        if self.total < FIRST * u32::from(WEIGHT) {
            return None;
        }
        let (mut longer, most) = (0, self.total / ONE_IN);
        let is_below = |weight: &u16| {
            longer += u32::from(*weight);
            longer > most
        };
        let bucket = self.weights.iter().rposition(is_below)?;
        Some(Duration::from_nanos(BOUNDS[bucket]))
    }
}

const fn bounds() -> [u64; BUCKETS] {
    let mut bounds = [1_000_000; BUCKETS];
    let mut at = 1;
    while at < BUCKETS {
        bounds[at] = bounds[at - 1] + bounds[at - 1] / 20;
        at += 1;
    }
    bounds
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn each_bound_is_a_twentieth_above_the_one_before() {
        let bounds = bounds();
        assert_eq!(bounds[0], 1_000_000);
        for pair in bounds.windows(2) {
            assert_eq!(pair[1], pair[0] + pair[0] / 20);
        }
    }

    fn estimate(latencies: &[Duration]) -> Option<Duration> {
        let mut quantile = LatencyQuantile::new();
        latencies.iter().for_each(|latency| quantile.record(*latency));
        quantile.p95()
    }

    /// Returns the shortest latency that at most one in twenty exceeds.
    fn exact(latencies: &[Duration]) -> Duration {
        let mut sorted = latencies.to_vec();
        sorted.sort_unstable();
        sorted[sorted.len() - 1 - sorted.len() / 20]
    }

    #[test]
    fn there_is_no_estimate_before_fifty_latencies() {
        assert_eq!(estimate(&[MS; 49]), None);
        assert_eq!(estimate(&[MS; 50]), Some(MS));
        assert_eq!(estimate(&[Duration::ZERO; 50]), Some(MS), "the shortest estimate");
    }

    #[test]
    fn the_buckets_reach_from_a_millisecond_to_nearly_two_minutes() {
        assert!(BOUNDS.is_sorted());
        assert!((100..120).contains(&Duration::from_nanos(BOUNDS[BUCKETS - 1]).as_secs()));
        assert_eq!(estimate(&[Duration::MAX; 60]), Some(Duration::from_nanos(BOUNDS[BUCKETS - 1])));
    }

    #[test]
    fn the_estimate_follows_an_upstream_that_gets_slower_and_faster_again() {
        let mut quantile = LatencyQuantile::new();
        (0..1_000).for_each(|_| quantile.record(10 * MS));
        (0..20).for_each(|_| quantile.record(500 * MS));
        assert!(quantile.p95() >= Some(500 * MS), "after 20 slower ones");
        (0..1_000).for_each(|_| quantile.record(10 * MS));
        assert!(quantile.p95() < Some(11 * MS), "after 1,000 faster ones");
    }

    #[test]
    fn the_share_above_the_estimate_is_one_in_twenty_for_a_long_stream() {
        // A heavy tail: 10 ms divided by a uniform number, from a linear congruential generator.
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            Duration::from_nanos((10_000_000 << 32) / (state >> 32).max(1))
        };
        let mut quantile = LatencyQuantile::new();
        (0..HALVED_AT).for_each(|_| quantile.record(next()));
        let above = (0..20_000).filter(|_| {
            let (latency, estimate) = (next(), quantile.p95().unwrap_or_default());
            quantile.record(latency);
            latency > estimate
        });
        let above = above.count();
        assert!((800..1_200).contains(&above), "{above} of 20,000");
    }

    proptest! {
        #[test]
        fn the_estimate_is_at_most_a_twentieth_above_the_exact_quantile(
            latencies in prop::collection::vec(0..60_000_000_u64, 50..255),
        ) {
            let latencies: Vec<_> = latencies.into_iter().map(Duration::from_micros).collect();
            let (exact, estimate) = (exact(&latencies), estimate(&latencies).unwrap());
            prop_assert!(estimate >= exact, "{estimate:?} {exact:?}");
            prop_assert!(estimate <= (exact + exact / 20 + MS), "{estimate:?} {exact:?}");
        }
    }
}
