//! Generates open arrivals: the times of calls, and their kinds.

use std::time::Duration;

use rand::RngExt as _;
use rand_distr::{Distribution as _, Exp1};

use crate::scenario::{self, CallKind, Clients, Scenario};
use crate::streams::Random;
use crate::time;

/// One call of an open workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// The time since the start of the run, not rounded to the resolution of any timer.
    pub(crate) at: Duration,
    pub(crate) call: CallKind,
}

/// An iterator over the arrivals of a run, in order.
#[derive(Debug)]
pub(crate) struct Arrivals<'a> {
    scenario: &'a Scenario,
    clients: &'a Clients,
    length: Duration,
    random: Random,
    next: Option<Duration>,
    /// For steady arrivals: the number of slots used so far, each of `1 / peak` seconds.
    stretches: f64,
    /// For arrivals that are not random: the accumulated share of a call.
    due: f64,
    /// The bursts to come, the last one first.
    bursts: Vec<(Duration, u32)>,
}

impl<'a> Arrivals<'a> {
    pub(crate) fn new(scenario: &'a Scenario, random: Random) -> Self {
        let (clients, length) = (&scenario.clients, scenario.length);
        let mut bursts: Vec<_> = clients.burst.iter().map(|burst| (burst.at, burst.calls)).collect();
        bursts.retain(|(at, calls)| *calls > 0 && *at < length);
        bursts.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        let mut arrivals = Self { scenario, clients, length, random, next: None, stretches: 0.0, due: 0.0, bursts };
        arrivals.next = arrivals.after(Duration::ZERO);
        arrivals
    }

    /// Draws the next arrival by thinning (Lewis and Shedler, 1979): candidates come at the peak rate,
    /// and each is kept with probability `rate / peak`.
    fn after(&mut self, mut at: Duration) -> Option<Duration> {
        let peak = self.clients.peak_rate();
        if peak <= 0.0 || self.clients.callers.is_some() {
            return None;
        }
        loop {
            at = match self.clients.arrivals {
                scenario::ArrivalProcess::Poisson => {
                    let gap: f64 = Exp1.sample(&mut self.random);
                    time::sum(at, time::seconds(gap / peak))
                }
                scenario::ArrivalProcess::Even => time::sum(at, time::seconds(1.0 / peak)),
                scenario::ArrivalProcess::Steady => {
                    let moment = self.stretches + self.random.random::<f64>();
                    self.stretches += 1.0;
                    time::seconds(moment / peak)
                }
            };
            if at >= self.length {
                return None;
            }
            if self.accept(self.clients.rate_at(at) / peak) {
                return Some(at);
            }
        }
    }

    /// Decides whether a candidate is kept: at random for Poisson arrivals, and by an accumulated share
    /// otherwise, so that steady arrivals stay steady.
    fn accept(&mut self, share: f64) -> bool {
        if self.clients.arrivals == scenario::ArrivalProcess::Poisson {
            return self.random.random::<f64>() < share;
        }
        self.due += share;
        let is_due = self.due >= 1.0;
        self.due -= f64::from(u8::from(is_due));
        is_due
    }

    /// Takes a call of the next burst, if it comes before the next other arrival.
    fn burst(&mut self) -> Option<Duration> {
        let (at, left) = self.bursts.last_mut().filter(|(at, _)| self.next.is_none_or(|next| *at <= next))?;
        let at = *at;
        *left -= 1;
        if *left == 0 {
            self.bursts.pop();
        }
        Some(at)
    }
}

impl Iterator for Arrivals<'_> {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        let at = match self.burst() {
            Some(at) => at,
            None => {
                let at = self.next?;
                self.next = self.after(at);
                at
            }
        };
        Some(Arrival { at, call: self.scenario.draw_call(&mut self.random) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

    use super::*;
    use crate::streams::{Stream, stream};

    fn arrivals(clients: &str) -> Vec<Arrival> {
        let text =
            format!("name = 't'\nlength = '100s'\nclients = {{ {clients} }}\nserver = {{ kind = 'fifo', rate = 1.0 }}");
        let scenario: Scenario = text.parse().unwrap();
        Arrivals::new(&scenario, stream(7, Stream::Arrivals)).collect()
    }

    #[test]
    fn the_number_of_arrivals_matches_the_rate() {
        let all = arrivals("rate = 100.0, post = 0.3");
        assert!((9_600..=10_400).contains(&all.len()), "{}", all.len());
        assert!(all.is_sorted_by_key(|arrival| arrival.at));
        let posts = all.iter().filter(|arrival| arrival.call.is_post).count();
        assert!((2_700..=3_300).contains(&posts), "{posts}");
        assert_eq!(arrivals("rate = 100.0, arrivals = 'even'").len(), 9_999);
    }

    #[test]
    fn steady_arrivals_fill_every_second_equally_at_random_times() {
        let all = arrivals("rate = 100.0, arrivals = 'steady'");
        assert!(all.is_sorted_by_key(|arrival| arrival.at));
        let seconds: Vec<_> = all.chunk_by(|a, b| a.at.as_secs() == b.at.as_secs()).map(<[_]>::len).collect();
        assert_eq!(seconds, [100; 100]);
        let early = all.iter().filter(|arrival| arrival.at.subsec_micros() % 10_000 < 5_000).count();
        assert!((4_700..=5_300).contains(&early), "{early}");
        let half = arrivals("rate = 100.0, arrivals = 'steady', wave = [{ from = '0s', for = '100s', rate = 50.0 }]");
        let seconds: Vec<_> = half.chunk_by(|a, b| a.at.as_secs() == b.at.as_secs()).map(<[_]>::len).collect();
        assert_eq!(seconds, [50; 100]);
    }

    #[test]
    fn a_wave_changes_the_rate_and_a_burst_adds_calls() {
        let all = arrivals(
            "rate = 10.0, wave = [{ from = '20s', for = '10s', rate = 0.0, to = 200.0 }], burst = [{ at = '50s', calls = 500 }]",
        );
        let within = |from, to| all.iter().filter(|arrival| (from..to).contains(&arrival.at.as_secs())).count();
        assert!((900..=1_100).contains(&within(20, 30)), "{}", within(20, 30));
        assert!(within(20, 25) < within(25, 30) / 2);
        assert!((500..=530).contains(&within(50, 51)));
        assert!(all.is_sorted_by_key(|arrival| arrival.at));
    }
}
