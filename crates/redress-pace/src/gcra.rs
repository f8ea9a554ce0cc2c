//! The generic cell rate algorithm (GCRA, ITU-T I.371), in whole nanoseconds.

use std::num::NonZeroU32;
use std::time::Duration;

/// The parameters of a limit. Its state is one number: the theoretical arrival time (TAT) of the next request, at which it
/// would arrive if all requests were evenly spaced.
///
/// Any interval of length `per`, its end excluded, holds at most `requests`: a burst of `burst` requests, and others that
/// are `interval` apart, with `(requests - burst + 1) * interval >= per`. The usual parameters, a burst of all requests and
/// `per / requests` apart, would allow nearly twice as many in the first interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gcra {
    /// The emission interval.
    interval: u128,
    /// The time by which a request may precede its TAT.
    tolerance: u128,
}

impl Gcra {
    /// Creates the parameters. A burst of more than `requests` is cut to `requests`.
    pub(crate) fn new(requests: NonZeroU32, per: Duration, burst: NonZeroU32) -> Self {
        let burst = u128::from(burst.min(requests).get());
        let interval = per.as_nanos().div_ceil(u128::from(requests.get()) - burst + 1);
        Self { interval, tolerance: (burst - 1) * interval }
    }

    /// Returns the earliest time at which a request with `ahead` others before it may be sent.
    pub(crate) fn earliest(&self, tat: u128, now: u128, ahead: u64) -> u128 {
        let tat = tat.max(now).saturating_add(self.interval.saturating_mul(u128::from(ahead)));
        tat.saturating_sub(self.tolerance).max(now)
    }

    /// Returns the TAT after a request that is sent now, or `None` if it may not be sent yet.
    pub(crate) fn try_send(&self, tat: u128, now: u128) -> Option<u128> {
        (self.earliest(tat, now, 0) == now).then(|| tat.max(now).saturating_add(self.interval))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).unwrap()
    }

    /// Sends each request at its earliest time, in order.
    fn sends(gcra: &Gcra, arrivals: &[u128]) -> Vec<u128> {
        let (mut tat, mut last) = (0, 0);
        arrivals
            .iter()
            .map(|arrival| {
                let now = last.max(*arrival);
                last = gcra.earliest(tat, now, 0);
                assert!(last == now || gcra.try_send(tat, last - 1).is_none(), "not one nanosecond too late");
                tat = gcra.try_send(tat, last).unwrap();
                last
            })
            .collect()
    }

    /// The naive model: a request keeps its distance from each one before it.
    fn reference(requests: u32, per: u128, burst: u32, arrivals: &[u128]) -> Vec<u128> {
        let interval = per.div_ceil(u128::from(requests - burst + 1));
        let mut sent: Vec<u128> = Vec::new();
        for (nth, arrival) in arrivals.iter().enumerate() {
            let mut at = sent.last().copied().unwrap_or(0).max(*arrival);
            for (before, time) in sent.iter().enumerate() {
                let span = (nth - before + 1).saturating_sub(burst as usize) as u128;
                at = at.max(time + span * interval);
            }
            sent.push(at);
        }
        sent
    }

    /// Returns the maximum number of requests in an interval that begins with a request.
    fn busiest(sent: &[u128], per: u128) -> usize {
        sent.iter().map(|start| sent.iter().filter(|at| (*start..start + per).contains(*at)).count()).max().unwrap_or(0)
    }

    #[test]
    fn extreme_settings_saturate() {
        for requests in [1, 2, u32::MAX] {
            for burst in [1, 2, u32::MAX] {
                for per in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
                    let gcra = Gcra::new(count(requests), per, count(burst));
                    let mut tat = 0;
                    for now in [0, 1, u128::from(u64::MAX), u128::MAX] {
                        let _ = gcra.earliest(tat, now, u64::MAX);
                        tat = gcra.try_send(tat, now).unwrap_or(tat);
                    }
                    if per.is_zero() {
                        assert!(gcra.try_send(5, 5).is_some(), "no time is no limit");
                    }
                }
            }
        }
        let once_for_ever = Gcra::new(count(2), Duration::MAX, count(2));
        let tat = once_for_ever.try_send(0, 0).and_then(|tat| once_for_ever.try_send(tat, 0)).unwrap();
        assert_eq!(once_for_ever.try_send(tat, u128::from(u64::MAX)), None, "two, and no third one");
    }

    #[test]
    fn a_pause_allows_no_more_than_the_burst() {
        let gcra = Gcra::new(count(60), Duration::from_secs(60), count(6));
        let month = Duration::from_secs(30 * 86_400).as_nanos();
        let sent = sends(&gcra, &[vec![0; 100], vec![month; 100]].concat());
        assert_eq!(sent.iter().filter(|at| **at == month).count(), 6);
        assert!(busiest(&sent, Duration::from_secs(60).as_nanos()) <= 60);
    }

    #[test]
    fn the_usual_parameters_would_exceed_the_limit() {
        let (per, arrivals) = (60_000_000_000_u128, [0; 200]);
        let usual = Gcra { interval: per / 60, tolerance: 59 * (per / 60) };
        assert!(busiest(&sends(&usual, &arrivals), per) > 110, "which is why they are not used");
        for burst in [1, 6, 30, 59, 60, 1_000] {
            let gcra = Gcra::new(count(60), Duration::from_nanos(per as u64), count(burst));
            assert!(busiest(&sends(&gcra, &arrivals), per) <= 60, "{burst}");
        }
    }

    #[test]
    fn the_time_behind_others_is_exact() {
        let gcra = Gcra::new(count(10), Duration::from_secs(10), count(3));
        let sent = sends(&gcra, &[5; 40]);
        for (ahead, at) in sent.iter().enumerate() {
            assert_eq!(gcra.earliest(0, 5, ahead as u64), *at);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn no_interval_exceeds_the_limit_and_no_request_waits_longer_than_needed(
            requests in 1_u32..12,
            burst in 1_u32..12,
            per in prop_oneof![1_u64..50, 1_000_000_000_u64..60_000_000_001],
            gaps in prop::collection::vec(prop_oneof![4 => Just(0_u64), 2 => 0_u64..8, 1 => 0_u64..100, 1 => 0_u64..8_000_000_000], 1..40),
        ) {
            let burst = burst.min(requests);
            let gcra = Gcra::new(count(requests), Duration::from_nanos(per), count(burst));
            let arrivals: Vec<u128> = gaps.iter().scan(0, |at, gap| { *at += u128::from(*gap); Some(*at) }).collect();
            let sent = sends(&gcra, &arrivals);
            prop_assert!(busiest(&sent, u128::from(per)) <= requests as usize);
            prop_assert_eq!(sent, reference(requests, u128::from(per), burst, &arrivals));
        }
    }
}
