//! Chart axes: range and ticks.

/// An axis from 0 to its end, with ticks at round numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    pub(super) end: f64,
    pub(super) marks: Vec<f64>,
    /// Whether some values are above the end.
    pub(super) is_cut: bool,
}

/// The quantile of a curve's points that determines the end of the axis. Short peaks above it may be
/// cut off.
const MOSTLY: f64 = 0.95;
/// The ratio of the highest point to that quantile from which the axis is cut.
const TOWERING: f64 = 2.5;

impl Axis {
    /// Returns the axis of values. It ends above the highest value, unless that is a short peak that
    /// would flatten all other curves.
    pub(super) fn values(curves: &[Vec<(f64, f64)>], reference: Option<f64>) -> Self {
        let values = |points: &Vec<(f64, f64)>| points.iter().map(|(_, value)| *value).collect::<Vec<_>>();
        let highest = curves.iter().flat_map(values).fold(reference.unwrap_or_default(), f64::max);
        let usual = |points: &Vec<(f64, f64)>| {
            let mut values = values(points);
            values.sort_by(f64::total_cmp);
            let last = values.len().saturating_sub(1);
            values.get((last as f64 * MOSTLY) as usize).copied().unwrap_or_default()
        };
        let usually = curves.iter().map(usual).fold(reference.unwrap_or_default(), f64::max);
        let is_cut = usually > 0.0 && highest > TOWERING * usually;
        let top = match highest {
            0.0 => 1.0,
            _ if is_cut => usually * 1.4,
            _ => highest,
        };
        let step = step(top / 4.0, &[1.0, 2.0, 2.5, 5.0, 10.0]);
        let count = (top / step - 1e-9).ceil().max(1.0);
        Self { end: count * step, marks: (0..=count as usize).map(|nth| nth as f64 * step).collect(), is_cut }
    }

    /// Returns the time axis, in seconds, with ticks at whole minutes or hours where possible.
    pub(super) fn time(seconds: f64) -> Self {
        const STEPS: [f64; 16] = [
            1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0, 7_200.0, 10_800.0,
            21_600.0,
        ];
        let step = STEPS.into_iter().find(|step| seconds / step <= 6.0).unwrap_or(21_600.0);
        let count = (seconds / step).floor() as usize;
        Self { end: seconds, marks: (0..=count).map(|nth| nth as f64 * step).collect(), is_cut: false }
    }
}

/// Returns the smallest product of one of the digits and a power of ten that is at least `least`.
fn step(least: f64, digits: &[f64]) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let round = digits.iter().map(|digit| digit * power).find(|step| *step >= least * (1.0 - 1e-9));
    round.unwrap_or(power * 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[f64]) -> Vec<(f64, f64)> {
        values.iter().map(|value| (0.0, *value)).collect()
    }

    #[test]
    fn an_axis_begins_at_zero_and_ends_at_a_round_number_above_the_maximum() {
        for (highest, end) in [(0.0, 1.0), (0.7, 0.8), (1.0, 1.0), (9.0, 10.0), (279.0, 300.0), (1_001.0, 1_500.0)] {
            let axis = Axis::values(&[points(&[0.0, highest, highest])], None);
            assert!((axis.end - end).abs() < 1e-9, "{highest}: {axis:?}");
            assert_eq!((axis.marks[0], axis.is_cut), (0.0, false));
            assert!((axis.marks.last().expect("marks") - axis.end).abs() < 1e-9 && axis.marks.len() <= 6, "{axis:?}");
        }
    }

    #[test]
    fn a_short_peak_is_cut_and_a_long_one_is_not() {
        let mut values = vec![280.0; 100];
        values[50] = 2_800.0;
        let cut = Axis::values(&[points(&values)], None);
        assert!(cut.is_cut && (390.0..=500.0).contains(&cut.end), "{cut:?}");
        values[20..40].fill(2_800.0);
        assert_eq!(Axis::values(&[points(&values)], None).end, 3_000.0);
    }

    #[test]
    fn time_ticks_are_whole_minutes() {
        for (seconds, step, marks) in [(20.0, 5.0, 5), (300.0, 60.0, 6), (330.0, 60.0, 6), (3_630.0, 1_200.0, 4)] {
            let axis = Axis::time(seconds);
            assert_eq!((axis.marks[1], axis.marks.len()), (step, marks), "{seconds}");
        }
    }
}
