//! Measures cases in turns, in short slices, so that whatever else the machine does hits all of them alike; what runs on one
//! thread is timed by the clock of that thread, which stands still while another program has the processor.

use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// How many slices each case gets; an odd number has a middle.
pub const ROUNDS: usize = 61;

/// About how long a slice takes, unless a case says otherwise.
const SLICE: Duration = Duration::from_micros(1500);

/// How many inputs are made at once: few enough to stay in the cache, enough to read the clock rarely.
const BATCH: u64 = 32;

/// Something to be measured: one way to do what its neighbours do in other ways.
pub struct Case {
    name: &'static str,
    time: Box<dyn Fn(u64) -> Duration>,
    count: Box<dyn Fn() -> u64>,
    slice: Duration,
}

/// The cost of one run of a case.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// The median of the rounds, in nanoseconds.
    pub ns: f64,
    /// The median of the rounds' ratios: its time over that of the first case in the same round. A machine that is slower
    /// for a while is so for both.
    pub relative: f64,
    /// How many allocations.
    pub allocs: u64,
}

impl Case {
    /// Names a way, which panics when it comes to a wrong result.
    pub fn new(name: &'static str, once: impl Fn() + 'static) -> Self {
        let once = Rc::new(once);
        let counted = Rc::clone(&once);
        let time = move |times| busy(|| (0..times).for_each(|_| once()));
        Self::timed(name, time, move || allocation_counter::measure(|| counted()).count_total)
    }

    /// Names a way that uses an input up, and panics when it comes to a wrong result. Neither the time nor the allocations
    /// of making an input count.
    pub fn with_input<T: 'static>(
        name: &'static str,
        input: impl Fn() -> T + 'static,
        once: impl Fn(T) + 'static,
    ) -> Self {
        let way = Rc::new((input, once));
        let counted = Rc::clone(&way);
        let count = move || {
            let input = (counted.0)();
            allocation_counter::measure(|| (counted.1)(input)).count_total
        };
        let time = move |times| {
            let batches = (0..times).step_by(BATCH as usize).map(|done| (times - done).min(BATCH));
            batches.map(|size| batch(size, &way.0, &way.1)).sum()
        };
        Self::timed(name, time, count)
    }

    /// Names a way that takes its own time of doing it so often, and counts what it allocates once it is warm.
    pub fn timed(
        name: &'static str,
        time: impl Fn(u64) -> Duration + 'static,
        count: impl Fn() -> u64 + 'static,
    ) -> Self {
        Self { name, time: Box::new(time), count: Box::new(count), slice: SLICE }
    }

    /// Sets how long a slice of it takes: longer for what is slow or uneven.
    #[must_use]
    pub const fn slice(mut self, slice: Duration) -> Self {
        self.slice = slice;
        self
    }

    /// Returns the name in the tables.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Does it so many times and returns how long that takes.
    #[must_use]
    pub fn time(&self, times: u64) -> Duration {
        (self.time)(times)
    }

    /// Counts what it allocates when it is warm; it does the same every time.
    #[must_use]
    pub fn allocations(&self) -> u64 {
        let _warm = self.time(1);
        (self.count)()
    }

    /// Returns how often it has to be done to fill a slice; this warms it up too.
    fn per_slice(&self) -> u64 {
        let mut times = 1;
        loop {
            let taken = self.time(times);
            if taken >= self.slice {
                return (f64_of(times) * self.slice.as_secs_f64() / taken.as_secs_f64()).ceil() as u64;
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
    let Some(first) = samples.first().cloned() else { return Vec::new() };
    let costs = cases.iter().zip(samples);
    let cost = |(case, samples): (&Case, Vec<f64>)| {
        let relative = samples.iter().zip(&first).map(|(ns, first)| ns / first).collect();
        Cost { ns: median(samples), relative: median(relative), allocs: case.allocations() }
    };
    costs.map(cost).collect()
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

/// Returns how long this thread works to do something.
///
/// # Panics
/// Never: the clock of a thread begins at zero and goes on.
pub fn busy(work: impl FnOnce()) -> Duration {
    let now = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("a time after zero");
    let start = now();
    work();
    now().saturating_sub(start)
}

/// Makes the inputs, and then takes the time of using them up.
fn batch<T>(size: u64, input: impl Fn() -> T, once: impl Fn(T)) -> Duration {
    let inputs: Vec<T> = (0..size).map(|_| input()).collect();
    let start = Instant::now();
    inputs.into_iter().for_each(once);
    start.elapsed()
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
    fn an_input_is_made_for_each_time_and_does_not_count() {
        let made = Rc::new(std::cell::Cell::new(0));
        let counter = Rc::clone(&made);
        let input = move || {
            counter.set(counter.get() + 1);
            vec![1_u8; 9]
        };
        let case = Case::with_input("list", input, |list| assert_eq!(std::hint::black_box(list).len(), 9));
        for times in [1, BATCH, 2 * BATCH + 1] {
            made.set(0);
            let _ = case.time(times);
            assert_eq!(made.get(), times);
        }
        assert_eq!(case.allocations(), 0, "it frees what it is given");
    }

    #[test]
    fn a_cost_is_set_against_the_first_case_of_the_same_round() {
        let round = Rc::new(std::cell::Cell::new(1));
        let counter = Rc::clone(&round);
        // Both are slower from round to round, the second one always twice as slow as the first one.
        let case = |name, times: u32| {
            let round = Rc::clone(&round);
            let time = move |count: u64| Duration::from_micros(round.get()) * times * u32::try_from(count).unwrap();
            Case::timed(name, time, || 0).slice(Duration::from_micros(1))
        };
        let costs = measure(&[case("first", 1), case("second", 2)], || counter.set(counter.get() * 5 / 4 + 1));
        assert_eq!(costs.iter().map(|cost| cost.relative).collect::<Vec<_>>(), [1.0, 2.0]);
    }

    #[test]
    fn what_another_thread_does_meanwhile_is_not_counted() {
        let spin = || (0..5_000_000_u64).for_each(|number| assert_ne!(std::hint::black_box(number), u64::MAX));
        let mut theirs = Duration::ZERO;
        let ours = busy(|| theirs = std::thread::spawn(move || busy(spin)).join().unwrap());
        assert!(ours < theirs, "{ours:?} of waiting for {theirs:?} of work");
    }

    #[test]
    fn the_median_ignores_what_is_far_off() {
        assert_eq!(median(vec![9.0, 1.0, 1e9, 2.0, 3.0]), 3.0);
    }
}
