//! Measures cases in turns, in short slices, so that whatever else the machine does hits all of them alike.

use std::fmt;
use std::time::{Duration, Instant};

/// How many slices each case gets; an odd number has a middle.
pub const ROUNDS: usize = 61;

/// About how long a slice takes.
const SLICE: Duration = Duration::from_micros(1500);

/// Something to be measured: one way to do what its neighbours do in other ways.
pub struct Case {
    name: &'static str,
    repeat: Box<dyn Fn(u64)>,
}

/// What a case costs once.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// The median of the rounds, in nanoseconds.
    pub ns: f64,
    /// How many allocations.
    pub allocs: u64,
}

impl Case {
    /// Names a way, which panics when it comes to a wrong result.
    pub fn new(name: &'static str, once: impl Fn() + 'static) -> Self {
        Self { name, repeat: Box::new(move |times| (0..times).for_each(|_| once())) }
    }

    /// Returns the name in the tables.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Does it so many times.
    pub fn repeat(&self, times: u64) {
        (self.repeat)(times);
    }

    fn time(&self, times: u64) -> Duration {
        let start = Instant::now();
        self.repeat(times);
        start.elapsed()
    }

    /// Returns how often it has to be done to fill a slice; this warms it up too.
    fn per_slice(&self) -> u64 {
        let mut times = 1;
        loop {
            let taken = self.time(times);
            if taken >= SLICE {
                return (f64_of(times) * SLICE.as_secs_f64() / taken.as_secs_f64()).ceil() as u64;
            }
            times *= 2;
        }
    }
}

/// Measures cases in turns; `after_round` is called after each of the [`ROUNDS`].
///
/// The counter of allocations stands aside while the time is taken.
pub fn measure(cases: &[Case], after_round: impl FnMut()) -> Vec<Cost> {
    let mut samples = Vec::new();
    allocation_counter::opt_out(|| samples = times(cases, after_round));
    let costs = cases.iter().zip(samples);
    costs.map(|(case, samples)| Cost { ns: median(samples), allocs: allocations(case) }).collect()
}

/// Returns the nanoseconds of each case in each round. Every round begins with another case, so that no case always
/// follows the same one.
fn times(cases: &[Case], mut after_round: impl FnMut()) -> Vec<Vec<f64>> {
    let per_slice: Vec<u64> = cases.iter().map(Case::per_slice).collect();
    let mut samples = vec![Vec::with_capacity(ROUNDS); cases.len()];
    for round in 0..ROUNDS {
        for nth in 0..cases.len() {
            let at = (nth + round) % cases.len();
            let taken = cases[at].time(per_slice[at]);
            samples[at].push(taken.as_secs_f64() * 1e9 / f64_of(per_slice[at]));
        }
        after_round();
    }
    samples
}

/// Counts what the case allocates when it is warm; it does the same every time.
fn allocations(case: &Case) -> u64 {
    case.repeat(1);
    allocation_counter::measure(|| case.repeat(1)).count_total
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

/// The counts here are far below what a float holds exactly.
fn f64_of(count: u64) -> f64 {
    count as f64
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_is_timed_in_every_round_and_its_allocations_are_counted() {
        let list = || assert_eq!(std::hint::black_box(vec![1_u8; 9]).len(), 9);
        let cases = [Case::new("number", || assert!(std::hint::black_box(1) > 0)), Case::new("list", list)];
        let mut rounds = 0;
        let costs = measure(&cases, || rounds += 1);
        assert_eq!(rounds, ROUNDS);
        assert!(costs.iter().all(|cost| cost.ns >= 0.0));
        assert_eq!(costs.iter().map(|cost| cost.allocs).collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn the_median_ignores_what_is_far_off() {
        assert_eq!(median(vec![9.0, 1.0, 1e9, 2.0, 3.0]), 3.0);
    }
}
