//! The rates of a chain on a coarse grid, and the probability that a request times out.

/// Returns the rates to the next grid point above and below, for a quantity that grows by one at rate `up` and
/// shrinks by one at rate `down`.
///
/// The next points lie `above` and `below` away. Both the probability to reach the upper one first and the mean
/// time until one of them is reached are those of the random walk (the gambler's ruin), so that a coarse grid
/// keeps the drift and also the chance to move against it. On a grid of whole numbers the rates are `up` and
/// `down`.
pub(super) fn coarse(up: f64, down: f64, above: f64, below: f64) -> (f64, f64) {
    if up == 0.0 || down == 0.0 {
        return (up / above, down / below);
    }
    let bias = (down / up).ln();
    let (rise, fall) = (first(bias, above, below), first(-bias, below, above));
    let drift = up - down;
    let rate = if (bias * (above + below)).abs() < 1e-6 {
        (up + down) / (above * below)
    } else {
        drift / (rise * above - fall * below)
    };
    (rise * rate, fall * rate)
}

/// Returns the probability that a walk reaches `above` before `below`; `bias` is the logarithm of the ratio of
/// steps down to steps up.
fn first(bias: f64, above: f64, below: f64) -> f64 {
    let all = above + below;
    if (bias * all).abs() < 1e-6 {
        return below / all;
    }
    // For a bias against the walk the powers overflow: numerator and denominator are divided by the largest.
    if bias > 0.0 {
        return (-bias * above).exp() * (-bias * below).exp_m1() / (-bias * all).exp_m1();
    }
    (bias * below).exp_m1() / (bias * all).exp_m1()
}

/// The distribution of the number of requests that a server completes within the timeout: Poisson.
#[derive(Debug)]
pub(super) struct Completions {
    /// The number at which `below` begins.
    first: f64,
    /// The probability of at most `first + n` completions.
    below: Vec<f64>,
}

impl Completions {
    /// Computes the distribution around its mean, as far as a probability matters.
    pub(super) fn new(mean: f64) -> Self {
        let mode = mean.floor();
        let reach = (12.0 * mean.sqrt() + 40.0).ceil();
        let first = (mode - reach).max(0.0);
        let mut weights = Vec::new();
        let mut weight = 1.0;
        let mut number = mode;
        while number > first {
            weight *= number / mean;
            number -= 1.0;
            weights.push(weight);
        }
        weights.reverse();
        weight = 1.0;
        for step in 0..whole(reach) {
            weights.push(weight);
            weight *= mean / (mode + step as f64 + 1.0);
        }
        let total: f64 = weights.iter().sum();
        let mut sum = 0.0;
        let below = weights.iter().map(|weight| {
            sum += weight / total;
            sum
        });
        Self { first, below: below.collect() }
    }

    /// Returns the probability that a request that finds `ahead` others is answered too late. Between two whole
    /// numbers it is interpolated.
    pub(super) fn too_late(&self, ahead: f64) -> f64 {
        let place = ahead - self.first;
        if place < 0.0 {
            return 0.0;
        }
        let at = |nth: usize| self.below.get(nth).copied().unwrap_or(1.0);
        let (nth, part) = (whole(place), place.fract());
        (at(nth) * (1.0 - part) + at(nth.saturating_add(1)) * part).min(1.0)
    }

    /// Returns the largest number of requests ahead with which at most this share is answered too late.
    pub(super) fn most_ahead(&self, share: f64) -> Option<f64> {
        let nth = self.below.iter().take_while(|below| **below <= share).count();
        (nth > 0 || self.first > 0.0).then_some(self.first + nth as f64 - 1.0)
    }
}

/// Returns a number that is not negative as an index; a fraction is dropped.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates, and no number is negative")]
pub(super) const fn whole(number: f64) -> usize {
    number as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coarse_grid_keeps_drift_and_probabilities() {
        for (up, down, above, below) in
            [(3.0, 5.0, 1.0, 1.0), (5.0, 3.0, 4.0, 2.0), (2.0, 2.0, 3.0, 5.0), (9.0, 10.0, 200.0, 100.0)]
        {
            let (rise, fall) = coarse(up, down, above, below);
            let drift = rise * above - fall * below;
            assert!((drift - (up - down)).abs() < 1e-6, "{up} {down}: {drift}");
            // A martingale of the walk: (down / up)^x.
            let ratio: f64 = down / up;
            let change = rise * (ratio.powf(above) - 1.0) + fall * (ratio.powf(-below) - 1.0);
            assert!(change.abs() < 1e-6 * (rise * ratio.powf(above) + fall), "{up} {down}: {change}");
        }
        // Without a drift the variance is left to compare.
        let (rise, fall) = coarse(2.0, 2.0, 3.0, 5.0);
        assert!((rise * 9.0 + fall * 25.0 - 4.0).abs() < 1e-9, "{rise} {fall}");
        let (rise, fall) = coarse(3.0, 5.0, 1.0, 1.0);
        assert!((rise - 3.0).abs() < 1e-12 && (fall - 5.0).abs() < 1e-12);
        assert_eq!(coarse(0.0, 5.0, 2.0, 2.0), (0.0, 2.5));
        let (rise, fall) = coarse(1.0, 300.0, 5_000.0, 5_000.0);
        assert!(rise < 1e-300 && (fall - 299.0 / 5_000.0).abs() < 1e-9, "{rise} {fall}");
    }

    #[test]
    fn timeouts_follow_the_poisson_distribution() {
        let few = Completions::new(2.0);
        for (ahead, expected) in [(0.0, 0.135_335), (1.0, 0.406_006), (2.0, 0.676_676), (1.5, 0.541_341)] {
            assert!((few.too_late(ahead) - expected).abs() < 1e-5, "{ahead}: {}", few.too_late(ahead));
        }
        assert_eq!((few.most_ahead(0.5), few.most_ahead(0.1)), (Some(1.0), None));
        let many = Completions::new(300_000.0);
        assert!((many.too_late(300_000.0) - 0.5).abs() < 0.001);
        assert_eq!((many.too_late(280_000.0), many.too_late(320_000.0)), (0.0, 1.0));
    }
}
