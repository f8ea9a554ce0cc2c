//! The Markov chain of a server under calls at one rate.
//!
//! A state is the number of requests at the server, and the number of callers whose request will be answered too
//! late and who will then send another one: the retry orbit of queueing theory.
//!
//! | event | rate | requests at the server | callers in the orbit |
//! |---|---|---|---|
//! | a call begins | rate of the calls | +1 if there is room | +1 if it will be too late and is retried |
//! | a timeout ends | orbit / timeout | +1 if there is room | -1 unless the retry will be too late as well |
//! | the server completes a request | capacity | -1 | |
//!
//! The numbers move on a grid: fine where a request may still be in time, coarser above.

use super::elimination::Rates;
use super::walk::{Completions, coarse, whole};
use super::{LONGEST, RECOVERED, System};

/// The number of grid points of the orbit.
const ORBIT_POINTS: usize = 22;
/// The number of grid points of the queue up to a quarter above what the server completes within the timeout.
const QUEUE_POINTS: f64 = 30.0;
/// The growth of the distance between two grid points above that.
const GROWTH: f64 = 1.2;
/// The parts into which the time of the outage is cut that matters for its last requests.
const SLICES: u32 = 64;

/// The solved chain of a system at one rate of calls.
#[derive(Debug)]
pub(super) struct Chain {
    system: System,
    rate: f64,
    queue: Vec<f64>,
    orbit: Vec<f64>,
    /// The probability to recover within about [`LONGEST`], by queue and then by orbit.
    chances: Vec<f64>,
    /// The expected time to recover, counted as 0 if the server does not.
    times: Vec<f64>,
}

impl Chain {
    /// Solves the chain. `most` is the largest number of requests that wait at the end of an outage.
    ///
    /// Returns `None` if the calls time out without an outage: more than 5 % at this rate.
    pub(super) fn solve(system: System, completions: &Completions, rate: f64, most: f64) -> Option<Self> {
        let busy = rate / system.capacity;
        // The time in an M/M/1 queue is exponentially distributed.
        let late = (-(1.0 - busy) * system.capacity * system.timeout.as_secs_f64()).exp();
        if busy >= 1.0 || late > 1.0 - RECOVERED {
            return None;
        }
        let enough = completions.most_ahead(1.0 - RECOVERED)?;
        let queue = queue_points(system, 2.0 * most);
        let orbit = orbit_points(system, rate);
        let mut chain = Self { system, rate, queue, orbit, chances: Vec::new(), times: Vec::new() };
        let columns = chain.orbit.len();
        let states = chain.queue.len() * columns;
        let (mut rates, mut hits) = (Rates::new(states, columns), vec![0.0; states]);
        for (state, hit) in hits.iter_mut().enumerate() {
            *hit = chain.transitions(&mut rates, completions, enough, (state / columns, state % columns));
            rates.leave(state, *hit + 1.0 / LONGEST.as_secs_f64());
        }
        let eliminated = rates.eliminate();
        chain.chances = eliminated.expected(hits);
        let is_good = |state: &usize| chain.has_recovered(enough, (state / columns, state % columns));
        let good: Vec<_> = (0..states).filter(is_good).collect();
        good.iter().for_each(|state| chain.chances[*state] = 1.0);
        // The time of those paths alone that recover: each state counts with its probability to do so.
        chain.times = eliminated.expected(chain.chances.clone());
        good.iter().for_each(|state| chain.times[*state] = 0.0);
        Some(chain)
    }

    /// Returns `true` if calls are answered in time even if all callers of the orbit came back at once.
    fn has_recovered(&self, enough: f64, (row, column): (usize, usize)) -> bool {
        row == 0 || self.queue[row] + self.orbit[column] <= enough
    }

    /// Adds the transitions of a state, and returns the rate at which the server recovers from it.
    fn transitions(&self, rates: &mut Rates, completions: &Completions, enough: f64, at: (usize, usize)) -> f64 {
        if self.has_recovered(enough, at) {
            return 0.0;
        }
        let (row, column, columns, mut hit) = (at.0, at.1, self.orbit.len(), 0.0);
        let from = row * columns + column;
        let mut add = |(row, column): (usize, usize), rate: f64| {
            if self.has_recovered(enough, (row, column)) {
                hit += rate;
            } else {
                rates.add(from, row * columns + column, rate);
            }
        };
        let (queue, orbit) = (&self.queue, &self.orbit);
        let back = orbit[column] / self.system.timeout.as_secs_f64();
        let arrivals = self.rate + back;
        let (is_top, below) = (row + 1 == queue.len(), queue[row] - queue[row - 1]);
        let above = if is_top { below } else { queue[row + 1] - queue[row] };
        let accepted = if is_top { room(self.system.capacity / arrivals, below) } else { 1.0 };
        let (rise, fall) = coarse(arrivals, self.system.capacity, above, below);
        add((row - 1, column), fall);
        if !is_top {
            add((row + 1, column), rise);
        }
        let late = completions.too_late(queue[row]);
        let again = accepted * late * goes_on(late, self.system.retries);
        let step = orbit.get(1).map_or(1.0, |second| *second);
        let (rise, fall) = coarse(self.rate * again, back * (1.0 - again), step, step);
        if column > 0 {
            add((row, column - 1), fall);
        }
        if column + 1 < columns {
            add((row, column + 1), rise);
        }
        hit
    }

    /// Returns the probability that the server recovers after an outage within about [`LONGEST`], and the expected
    /// time from the end of the outage until then if it does, in seconds.
    pub(super) fn recovery(&self, outage: f64) -> (f64, f64) {
        let (queue, orbit) = self.system.end_of_outage(self.rate, outage);
        let ((row, down), (column, left)) = (place(&self.queue, queue), place(&self.orbit, orbit));
        let columns = self.orbit.len();
        let at = |values: &[f64]| {
            let near = |row: usize, column: usize| {
                let (row, column) = (row.min(self.queue.len() - 1), column.min(columns - 1));
                values[row * columns + column]
            };
            let between = |row| near(row, column) * (1.0 - left) + near(row, column + 1) * left;
            between(row) * (1.0 - down) + between(row + 1) * down
        };
        let chance = at(&self.chances);
        (chance, at(&self.times) / chance)
    }
}

impl System {
    /// Returns the number of requests at the server at the end of an outage, and of callers in the orbit.
    ///
    /// The server does nothing in the outage. Its queue takes requests in order until it is full, and refuses the
    /// others at the end; a caller who is refused sends all retries at once, and is refused again. A caller of the
    /// orbit sends as many further requests on average as a call has attempts, so that one with fewer retries left
    /// counts as a part of one.
    pub(super) fn end_of_outage(&self, rate: f64, outage: f64) -> (f64, f64) {
        let (timeout, retries) = (self.timeout.as_secs_f64(), f64::from(self.retries));
        let sent = self.sent(rate, outage);
        let most = f64::from(self.queue) + 1.0;
        let slice = timeout.min(outage) / f64::from(SLICES);
        let mut orbit = 0.0;
        for nth in 0..SLICES {
            let age = (f64::from(nth) + 0.5) * slice;
            let ahead = self.sent(rate, outage - age);
            let is_late = age + (ahead + 1.0) / self.capacity > timeout;
            if ahead < most && is_late {
                // Attempt `nth` of a call is sent that many timeouts after its first one.
                let attempts = whole((outage - age) / timeout) + 1;
                let left = |nth: usize| retries - nth as f64;
                let weight: f64 = (0..attempts.min(self.retries as usize)).map(left).sum();
                orbit += rate * slice * weight / (retries + 1.0);
            }
        }
        (sent.min(most), orbit)
    }

    /// Returns the number of requests that are sent within the first seconds of an outage.
    pub(super) fn sent(&self, rate: f64, seconds: f64) -> f64 {
        let timeout = self.timeout.as_secs_f64();
        (0..=self.retries).map(|nth| rate * (seconds - f64::from(nth) * timeout).max(0.0)).sum()
    }
}

/// Returns the probability that a caller whose request was too late sends another one.
///
/// With it a call has as many attempts on average as one with this maximum, if each of them fails with the
/// probability `late`.
fn goes_on(late: f64, retries: u32) -> f64 {
    if late >= 1.0 - 1e-9 {
        return f64::from(retries) / (f64::from(retries) + 1.0);
    }
    let power = late.powi(retries.cast_signed());
    (1.0 - power) / (1.0 - power * late)
}

/// Returns the probability that a full queue has room again for a request, if the chain only knows that it lies
/// within `width` of the bound. `ratio` is that of completions to arrivals.
fn room(ratio: f64, width: f64) -> f64 {
    if (ratio - 1.0).abs() < 1e-9 {
        return 1.0 - 1.0 / width.max(1.0);
    }
    let width = width.midpoint(1.0);
    (1.0 - (1.0 - ratio) / (1.0 - ratio.powf(width))).clamp(0.0, 1.0)
}

/// Returns the grid of the number of requests at the server.
fn queue_points(system: System, most: f64) -> Vec<f64> {
    let fine = 1.25 * system.capacity * system.timeout.as_secs_f64();
    let bound = (f64::from(system.queue) + 1.0).min(most + 2.0 * fine);
    let mut step = (fine / QUEUE_POINTS).ceil().max(1.0);
    let mut points = vec![0.0];
    let mut last = 0.0;
    while last < bound {
        if last >= fine {
            step = (step * GROWTH).ceil();
        }
        last = if last + 1.5 * step > bound { bound } else { last + step };
        points.push(last);
    }
    points
}

/// Returns the grid of the number of callers in the orbit.
fn orbit_points(system: System, rate: f64) -> Vec<f64> {
    let mean = rate * f64::from(system.retries) * system.timeout.as_secs_f64();
    let most = if system.retries == 0 { 0.0 } else { (1.2 * mean + 4.0 * mean.sqrt() + 2.0).ceil() };
    let steps = most.min(ORBIT_POINTS as f64 - 1.0);
    (0..=whole(steps)).map(|nth| if nth == 0 { 0.0 } else { most * nth as f64 / steps }).collect()
}

/// Returns the grid point at or below a value, and the part of the way to the next one.
fn place(points: &[f64], value: f64) -> (usize, f64) {
    let nth = points.partition_point(|point| *point <= value).saturating_sub(1);
    let Some(next) = points.get(nth + 1) else { return (nth, 0.0) };
    (nth, (value - points[nth]) / (next - points[nth]))
}
