//! How often: the generic cell rate algorithm, in whole nanoseconds.

use std::num::NonZeroU32;
use std::time::Duration;

/// The rule of a limit; what it remembers is one number, the time at which the next request would be due if all of them
/// came evenly.
///
/// A span of `per` holds `requests` at most, wherever it begins, its end excluded: `burst` of them may come at once and
/// the others `interval` apart, with `(requests - burst + 1) * interval >= per`. The usual choice of parameters, a burst
/// of all requests and `per / requests` apart, would let nearly twice as many through in the first span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gcra {
    interval: u128,
    /// How much earlier than due a request may come.
    tolerance: u128,
}

impl Gcra {
    /// Makes the rule; a burst of more than all requests is one of all of them.
    pub(crate) fn of(requests: NonZeroU32, per: Duration, burst: NonZeroU32) -> Self {
        let burst = u128::from(burst.min(requests).get());
        let interval = per.as_nanos().div_ceil(u128::from(requests.get()) - burst + 1);
        Self { interval, tolerance: (burst - 1) * interval }
    }

    /// Returns when a request may be sent that has so many others before it, given what is `due`.
    pub(crate) fn turn(&self, due: u128, now: u128, ahead: u64) -> u128 {
        let due = due.max(now).saturating_add(self.interval.saturating_mul(u128::from(ahead)));
        due.saturating_sub(self.tolerance).max(now)
    }

    /// Sends a request now: returns what is due afterwards, or `None` when it is too early.
    pub(crate) fn send(&self, due: u128, now: u128) -> Option<u128> {
        (self.turn(due, now, 0) == now).then(|| due.max(now).saturating_add(self.interval))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).unwrap()
    }

    /// Sends each request at its first possible time, in order.
    fn sends(gcra: &Gcra, arrivals: &[u128]) -> Vec<u128> {
        let (mut due, mut last) = (0, 0);
        arrivals
            .iter()
            .map(|arrival| {
                let now = last.max(*arrival);
                last = gcra.turn(due, now, 0);
                assert!(last == now || gcra.send(due, last - 1).is_none(), "not one nanosecond too late");
                due = gcra.send(due, last).unwrap();
                last
            })
            .collect()
    }

    /// The slow way: a request must keep its distance from each one before it.
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

    /// Counts the most requests of any span that begins with one.
    fn busiest(sent: &[u128], per: u128) -> usize {
        sent.iter().map(|start| sent.iter().filter(|at| (*start..start + per).contains(*at)).count()).max().unwrap_or(0)
    }

    #[test]
    fn absurd_settings_saturate() {
        for requests in [1, 2, u32::MAX] {
            for burst in [1, 2, u32::MAX] {
                for per in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
                    let gcra = Gcra::of(count(requests), per, count(burst));
                    let mut due = 0;
                    for now in [0, 1, u128::from(u64::MAX), u128::MAX] {
                        let _ = gcra.turn(due, now, u64::MAX);
                        due = gcra.send(due, now).unwrap_or(due);
                    }
                    if per.is_zero() {
                        assert!(gcra.send(5, 5).is_some(), "no time is no limit");
                    }
                }
            }
        }
        let once_for_ever = Gcra::of(count(2), Duration::MAX, count(2));
        let due = once_for_ever.send(0, 0).and_then(|due| once_for_ever.send(due, 0)).unwrap();
        assert_eq!(once_for_ever.send(due, u128::from(u64::MAX)), None, "two, and no third one");
    }

    #[test]
    fn a_long_silence_saves_nothing_up_beyond_the_burst() {
        let gcra = Gcra::of(count(60), Duration::from_secs(60), count(6));
        let month = Duration::from_secs(30 * 86_400).as_nanos();
        let sent = sends(&gcra, &[vec![0; 100], vec![month; 100]].concat());
        assert_eq!(sent.iter().filter(|at| **at == month).count(), 6);
        assert!(busiest(&sent, Duration::from_secs(60).as_nanos()) <= 60);
    }

    #[test]
    fn the_usual_parameters_would_break_the_vendors_count() {
        let (per, arrivals) = (60_000_000_000_u128, [0; 200]);
        let usual = Gcra { interval: per / 60, tolerance: 59 * (per / 60) };
        assert!(busiest(&sends(&usual, &arrivals), per) > 110, "which is why they are not used");
        for burst in [1, 6, 30, 59, 60, 1_000] {
            let gcra = Gcra::of(count(60), Duration::from_nanos(per as u64), count(burst));
            assert!(busiest(&sends(&gcra, &arrivals), per) <= 60, "{burst}");
        }
    }

    #[test]
    fn those_behind_learn_their_turn_exactly() {
        let gcra = Gcra::of(count(10), Duration::from_secs(10), count(3));
        let sent = sends(&gcra, &[5; 40]);
        for (ahead, at) in sent.iter().enumerate() {
            assert_eq!(gcra.turn(0, 5, ahead as u64), *at);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn no_span_ever_holds_more_than_the_limit_and_nobody_waits_longer_than_that_takes(
            requests in 1_u32..12,
            burst in 1_u32..12,
            per in prop_oneof![1_u64..50, 1_000_000_000_u64..60_000_000_001],
            gaps in prop::collection::vec(prop_oneof![4 => Just(0_u64), 2 => 0_u64..8, 1 => 0_u64..100, 1 => 0_u64..8_000_000_000], 1..40),
        ) {
            let burst = burst.min(requests);
            let gcra = Gcra::of(count(requests), Duration::from_nanos(per), count(burst));
            let arrivals: Vec<u128> = gaps.iter().scan(0, |at, gap| { *at += u128::from(*gap); Some(*at) }).collect();
            let sent = sends(&gcra, &arrivals);
            prop_assert!(busiest(&sent, u128::from(per)) <= requests as usize);
            prop_assert_eq!(sent, reference(requests, u128::from(per), burst, &arrivals));
        }
    }
}
