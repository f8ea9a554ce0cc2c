//! Hitting probabilities and times of a Markov chain, by elimination of states.
//!
//! The states lie on a line and each moves at most `band` places, so that the elimination stays within the
//! band. It adds, multiplies and divides positive numbers and never subtracts (Grassmann, Taksar and Heyman,
//! "Regenerative analysis and steady state distributions for Markov chains", 1985): a time of 10^100 seconds
//! is as exact as one of a second, where Gaussian elimination would lose it in the difference of two rates.

/// The rates of a chain: between its states, and from each of them to the outside.
#[derive(Debug)]
pub(super) struct Rates {
    states: usize,
    band: usize,
    /// Row by row, the rates to the states from `band` below to `band` above.
    between: Vec<f64>,
    /// The rate at which a state is left for the outside.
    outside: Vec<f64>,
}

/// A chain whose states were eliminated, from the highest to the lowest.
#[derive(Debug)]
pub(super) struct Eliminated {
    /// The rates to lower states, and in the place of those to higher ones their shares of all rates there.
    rates: Rates,
    /// The sum of the rates to lower states and to the outside.
    totals: Vec<f64>,
}

impl Rates {
    /// Creates a chain without transitions, in which a state moves at most `band` places.
    pub(super) fn new(states: usize, band: usize) -> Self {
        Self { states, band, between: vec![0.0; states * (2 * band + 1)], outside: vec![0.0; states] }
    }

    /// Adds a transition between two states.
    pub(super) fn add(&mut self, from: usize, to: usize, rate: f64) {
        let at = self.index(from, to);
        self.between[at] += rate;
    }

    /// Adds a transition to the outside. Each state must reach the outside.
    pub(super) fn leave(&mut self, from: usize, rate: f64) {
        self.outside[from] += rate;
    }

    const fn index(&self, from: usize, to: usize) -> usize {
        from * (2 * self.band + 1) + self.band + to - from
    }

    /// Eliminates the states.
    pub(super) fn eliminate(mut self) -> Eliminated {
        let width = 2 * self.band + 1;
        let mut totals = vec![0.0; self.states];
        for last in (0..self.states).rev() {
            let low = last.saturating_sub(self.band);
            let (before, row) = self.between.split_at_mut(last * width);
            let onward = &row[self.band + low - last..self.band];
            let total = onward.iter().sum::<f64>() + self.outside[last];
            totals[last] = total;
            for from in low..last {
                let start = from * width + self.band - from;
                if before[start + last] == 0.0 {
                    continue;
                }
                let share = before[start + last] / total;
                before[start + last] = share;
                self.outside[from] += share * self.outside[last];
                // A path that comes back to `from` only takes time, and is not a transition.
                for (to, rate) in before[start + low..start + last].iter_mut().zip(onward) {
                    *to += share * rate;
                }
            }
        }
        Eliminated { rates: self, totals }
    }
}

impl Eliminated {
    /// Returns the expected sum of what each state gains per unit of time, until the chain is left.
    ///
    /// With a gain of 1 it is the time until then; with the rate of one way out, the probability to take that.
    pub(super) fn expected(&self, mut gains: Vec<f64>) -> Vec<f64> {
        let Rates { states, band, between, .. } = &self.rates;
        for last in (0..*states).rev() {
            for from in last.saturating_sub(*band)..last {
                gains[from] += between[self.rates.index(from, last)] * gains[last];
            }
        }
        for state in 0..*states {
            let low = state.saturating_sub(*band);
            let onward = &between[self.rates.index(state, low)..self.rates.index(state, state)];
            let later: f64 = onward.iter().zip(&gains[low..state]).map(|(rate, gain)| rate * gain).sum();
            gains[state] = (gains[state] + later) / self.totals[state];
        }
        gains
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The times until a queue with these rates of arrival and service and this many places is empty.
    fn until_empty(arrival: f64, service: f64, places: usize, band: usize) -> Vec<f64> {
        let mut rates = Rates::new(places, band);
        rates.leave(0, service);
        for state in 1..places {
            rates.add(state, state - 1, service);
            rates.add(state - 1, state, arrival);
        }
        rates.eliminate().expected(vec![1.0; places])
    }

    #[test]
    fn the_time_until_a_queue_is_empty_matches_the_closed_form() {
        // From n to n - 1 in a queue with N places: (1 - r^(N - n + 1)) / (service (1 - r)), r = arrival / service.
        for (arrival, service) in [(0.5_f64, 1.0), (2.0, 1.0), (5.0, 3.0)] {
            let (ratio, places) = (arrival / service, 40);
            let times = until_empty(arrival, service, places, 1);
            let mut expected = 0.0;
            for (nth, time) in times.iter().enumerate() {
                let above = i32::try_from(places - nth).unwrap();
                expected += (1.0 - ratio.powi(above)) / (service * (1.0 - ratio));
                assert!((time / expected - 1.0).abs() < 1e-10, "{arrival} {service} {nth}: {time} {expected}");
            }
        }
    }

    #[test]
    fn a_time_of_many_orders_of_magnitude_is_exact() {
        let time = until_empty(10.0, 1.0, 100, 1)[0];
        assert!((time / ((10_f64.powi(100) - 1.0) / 9.0) - 1.0).abs() < 1e-10, "{time}");
    }

    #[test]
    fn a_wide_band_gives_the_time_of_a_narrow_one() {
        for (a, b) in until_empty(0.9, 1.0, 40, 7).iter().zip(until_empty(0.9, 1.0, 40, 1)) {
            assert!((a / b - 1.0).abs() < 1e-12, "{a} {b}");
        }
    }

    #[test]
    fn a_walk_between_two_exits_takes_each_with_the_probability_of_the_gamblers_ruin() {
        // From the n-th of 9 states, p = 0.6 up: 1 - (2/3)^(n + 1) over 1 - (2/3)^10.
        let mut rates = Rates::new(9, 2);
        let mut gains = vec![0.0; 9];
        for state in 1..9 {
            rates.add(state, state - 1, 4.0);
            rates.add(state - 1, state, 6.0);
        }
        rates.leave(0, 4.0);
        rates.leave(8, 6.0);
        gains[8] = 6.0;
        let chances = rates.eliminate().expected(gains);
        for (nth, chance) in (1..).zip(chances) {
            let ratio: f64 = 2.0 / 3.0;
            let expected = (1.0 - ratio.powi(nth)) / (1.0 - ratio.powi(10));
            assert!((chance - expected).abs() < 1e-12, "{nth}: {chance} {expected}");
        }
    }
}
