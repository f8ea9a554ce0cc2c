//! Time series: one curve per policy, averaged over its seeds.

use crate::compare::Comparison;
use crate::outcome::Second;
use crate::scenario::Scenario;

/// The quantity that a chart shows over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Series {
    /// Offered load: calls that began.
    Offered,
    /// Load: requests that arrived at the server.
    Load,
    /// Goodput: calls that were served.
    Goodput,
}

/// One line of a chart.
#[derive(Clone, Debug)]
pub(super) struct Curve {
    /// The policy; `None` if the line is the same for all policies.
    pub(super) slot: Option<usize>,
    pub(super) name: String,
    /// The value of each second.
    pub(super) seconds: Vec<f64>,
}

/// The maximum number of points of a line: 1.5 pixels per point on a phone.
const POINTS: usize = 200;

impl Series {
    /// All series, in the order of the page.
    pub const ALL: [Self; 3] = [Self::Offered, Self::Load, Self::Goodput];

    /// Returns the series with this name: `offered`, `load` or `goodput`.
    ///
    /// # Examples
    /// ```
    /// use redress_lab::report::Series;
    ///
    /// assert_eq!(Series::by_name("load"), Some(Series::Load));
    /// assert_eq!(Series::by_name(Series::Goodput.name()), Some(Series::Goodput));
    /// assert_eq!(Series::by_name("latency"), None);
    /// ```
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|series| series.name() == name)
    }

    /// Returns the name on a command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Load => "load",
            Self::Goodput => "goodput",
        }
    }

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Offered => "Offered load",
            Self::Load => "Load at the server",
            Self::Goodput => "Goodput",
        }
    }

    pub(super) const fn unit(self) -> &'static str {
        match self {
            Self::Offered => "calls begun a second",
            Self::Load => "requests a second",
            Self::Goodput => "calls served a second",
        }
    }

    const fn value(self, second: &Second) -> u64 {
        match self {
            Self::Offered => second.offered,
            Self::Load => second.load,
            Self::Goodput => second.goodput,
        }
    }

    /// Returns one curve per policy, or a single one if all are equal.
    pub(super) fn curves(self, comparison: &Comparison, slots: &[usize]) -> Vec<Curve> {
        let mut length = length(comparison);
        if self == Self::Offered {
            length = length.min(comparison.scenario.length.as_secs_f64().ceil() as usize);
        }
        let mut curves: Vec<_> = (comparison.policies.iter().zip(slots).enumerate())
            .map(|(nth, (policy, slot))| {
                let outcomes = comparison.outcomes(nth);
                let mut seconds = vec![0.0; length];
                for outcome in outcomes {
                    for (mean, second) in seconds.iter_mut().zip(&outcome.seconds) {
                        *mean += self.value(second) as f64 / outcomes.len() as f64;
                    }
                }
                Curve { slot: Some(*slot), name: policy.name.clone(), seconds }
            })
            .collect();
        if self == Self::Offered && curves.windows(2).all(|pair| pair[0].seconds == pair[1].seconds) {
            curves.truncate(1);
            for curve in &mut curves {
                (curve.slot, curve.name) = (None, "every policy".to_owned());
            }
        }
        curves
    }
}

impl Curve {
    /// Returns the number of seconds per point.
    pub(super) const fn step(seconds: usize) -> usize {
        if seconds == 0 { 1 } else { seconds.div_ceil(POINTS) }
    }

    /// Returns the points: the middle of each interval, and the mean over it.
    pub(super) fn points(&self) -> Vec<(f64, f64)> {
        let step = Self::step(self.seconds.len());
        let point = |(nth, stretch): (usize, &[f64])| {
            let seconds = stretch.len() as f64;
            ((nth * step) as f64 + seconds / 2.0, stretch.iter().sum::<f64>() / seconds)
        };
        self.seconds.chunks(step).enumerate().map(point).collect()
    }

    /// Returns the second with the highest value, and the value.
    pub(super) fn highest(&self) -> (usize, f64) {
        self.seconds.iter().copied().enumerate().fold((0, 0.0), |top, next| if next.1 > top.1 { next } else { top })
    }

    /// Returns the mean over a part of the time in which calls arrive. `from` and `to` are shares of
    /// that time.
    pub(super) fn mean(&self, scenario: &Scenario, from: f64, to: f64) -> f64 {
        let at = |share: f64| ((scenario.length.as_secs_f64() * share) as usize).min(self.seconds.len());
        let part = &self.seconds[at(from)..at(to)];
        part.iter().sum::<f64>() / part.len().max(1) as f64
    }
}

/// Returns the number of seconds until the last event of any policy.
pub(super) fn length(comparison: &Comparison) -> usize {
    let happens = |second: &Second| *second != Second::default();
    let ends = comparison.outcomes.iter().filter_map(|outcome| outcome.seconds.iter().rposition(happens));
    ends.max().map_or(1, |last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_curve_is_averaged_over_seeds_and_over_the_seconds_of_a_point() {
        let mut comparison = sample::comparison("t");
        let seeds = comparison.seeds.len();
        for (nth, outcome) in comparison.outcomes[..seeds].iter_mut().enumerate() {
            let load = |at: u64| Second { load: at + 10 * nth as u64, ..Second::default() };
            outcome.seconds = (0..400).map(load).collect();
        }
        let curve = &Series::Load.curves(&comparison, &[0, 1, 2])[0];
        assert_eq!(curve.seconds[..3], [5.0, 6.0, 7.0], "seeds with 0 and 10 more");
        assert_eq!(curve.points()[..2], [(1.0, 5.5), (3.0, 7.5)]);
        assert_eq!(curve.points().len(), 200);
        assert_eq!(curve.highest(), (399, 404.0));
    }

    #[test]
    fn equal_offered_loads_are_drawn_as_one_line() {
        let mut comparison = sample::comparison("t");
        let slots = |comparison: &Comparison, series: Series| -> Vec<_> {
            series.curves(comparison, &[0, 1, 2]).iter().map(|curve| curve.slot).collect()
        };
        assert_eq!(slots(&comparison, Series::Offered), [None]);
        assert_eq!(slots(&comparison, Series::Goodput), [Some(0), Some(1), Some(2)]);
        comparison.outcomes[0].seconds[3].offered += 1;
        assert_eq!(slots(&comparison, Series::Offered), [Some(0), Some(1), Some(2)]);
    }

    #[test]
    fn each_series_is_found_by_its_name() {
        for series in Series::ALL {
            assert_eq!(Series::by_name(series.name()), Some(series));
        }
        assert_eq!(Series::by_name("latency"), None);
    }
}
