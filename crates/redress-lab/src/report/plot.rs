//! A chart over time as SVG: shaded disturbances, axes, one line per policy.
//!
//! The layers of a chart, from back to front: shades of disturbances, the grid and its labels, the dotted line of the
//! capacity, one line per policy, and an arrow where a line leaves the chart. A chart has no legend: colour and
//! dashes are those of the page.

use std::fmt::Write as _;

use super::axis::Axis;
use super::disturbances::Disturbances;
use super::markup::Markup;
use super::number::{brief, count, rate};
use super::series::{Curve, Series};
use super::{legend, series};
use crate::compare::Comparison;
use crate::scenario::Scenario;

/// A chart, ready to be drawn.
#[derive(Debug)]
pub(super) struct Plot<'a> {
    scenario: &'a Scenario,
    series: Series,
    pub(super) curves: Vec<Curve>,
    points: Vec<Vec<(f64, f64)>>,
    time: Axis,
    values: Axis,
    disturbances: Disturbances,
    runs: usize,
}

/// The position of a chart within its SVG.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// A peak of a curve above the end of the axis.
#[derive(Debug)]
pub(super) struct Cut<'a> {
    pub(super) slot: Option<usize>,
    pub(super) name: &'a str,
    pub(super) second: usize,
    pub(super) value: f64,
}

impl<'a> Plot<'a> {
    /// Computes curves and axes. The value axis is cut below a short peak that would flatten the other curves.
    pub(super) fn new(comparison: &'a Comparison, slots: &[usize], series: Series) -> Self {
        let scenario = &comparison.scenario;
        let curves = series.curves(comparison, slots);
        let points: Vec<_> = curves.iter().map(Curve::points).collect();
        let reference = if series == Series::Offered { None } else { scenario.server.capacity() };
        // A capacity line far above all curves would waste most of the chart.
        let highest = points.iter().flatten().map(|(_, value)| *value).fold(0.0, f64::max);
        let values = Axis::values(&points, reference.filter(|capacity| *capacity <= 2.0 * highest));
        let time = Axis::time(series::length(comparison) as f64);
        Self {
            scenario,
            series,
            curves,
            points,
            time,
            values,
            disturbances: Disturbances::from_scenario(scenario),
            runs: comparison.seeds.len(),
        }
    }

    /// Returns the title.
    pub(super) fn title(&self) -> String {
        format!("{} over time: {}", self.series.title(), self.scenario.label())
    }

    /// Returns a description with the main numbers, for screen readers.
    pub(super) fn description(&self) -> String {
        let mut text =
            format!("{} in {} s. {}", self.series.unit(), brief(self.time.end, 0), self.disturbances.description());
        for curve in &self.curves {
            let (second, highest) = curve.highest();
            let (mean, last) = (curve.mean(self.scenario, 0.0, 1.0), curve.mean(self.scenario, 0.9, 1.0));
            let [mean, highest, last] = [mean, highest, last].map(rate);
            let name = &curve.name;
            write!(text, " {name}: {mean} on average, at most {highest} at {second} s, {last} in the last tenth.")
                .expect("a string takes any text");
        }
        text
    }

    /// Returns the resolution as a sentence.
    pub(super) fn resolution(&self) -> String {
        let step = self.curves.first().map_or(1, |curve| Curve::step(curve.seconds.len()));
        let seconds = if step == 1 { "a second".to_owned() } else { format!("the mean of {step} seconds") };
        let runs = if self.runs == 1 { "one run".to_owned() } else { format!("the mean of {} runs", self.runs) };
        format!("Each point is {seconds}, and {runs}.")
    }

    /// Returns the end of the axis, and the peaks above it.
    pub(super) fn cut(&self) -> (f64, Vec<Cut<'_>>) {
        let above = self.curves.iter().zip(&self.points).filter(|(_, points)| self.above(points).next().is_some());
        let cuts = above.map(|(curve, _)| {
            let (second, value) = curve.highest();
            Cut { slot: curve.slot, name: &curve.name, second, value }
        });
        (self.values.end, cuts.collect())
    }

    /// Returns the times of the points above the end of the axis.
    fn above<'p>(&'p self, points: &'p [(f64, f64)]) -> impl Iterator<Item = f64> + 'p {
        points.iter().filter(|(_, value)| *value > self.values.end * (1.0 + 1e-9)).map(|(time, _)| *time)
    }

    /// Draws the chart.
    pub(super) fn draw(&self, markup: &mut Markup, frame: Frame) {
        self.shades(markup, frame);
        self.grid(markup, frame);
        self.capacity(markup, frame);
        for (curve, points) in self.curves.iter().zip(&self.points) {
            let class = curve.slot.map_or("all".to_owned(), legend::class);
            let mut path = String::new();
            for (nth, (time, value)) in points.iter().enumerate() {
                let letter = if nth == 0 { 'M' } else { 'L' };
                let (x, y) = (brief(frame.x(*time, &self.time), 1), brief(frame.y(*value, &self.values), 1));
                write!(path, "{letter}{x} {y}").expect("a string takes any text");
            }
            markup.leaf("path", &[("class", &format!("line {class}")), ("d", &path)]);
            self.arrows(markup, frame, &class, points);
        }
    }

    /// Draws faults and waves as rectangles, at least 0.6 units wide so that a short one is visible, and bursts as
    /// lines.
    fn shades(&self, markup: &mut Markup, frame: Frame) {
        let Disturbances { faults, waves, bursts } = &self.disturbances;
        for (class, stretches) in [("wave", waves), ("fault", faults)] {
            for (from, to) in stretches {
                let (left, right) = (frame.x(*from, &self.time), frame.x(to.min(self.time.end), &self.time));
                let width = brief((right - left).max(0.6), 1);
                let (x, y, height) = (brief(left, 1), brief(frame.top, 1), brief(frame.height, 1));
                markup.leaf("rect", &[("class", &class), ("x", &x), ("y", &y), ("width", &width), ("height", &height)]);
            }
        }
        for at in bursts {
            line(markup, "burst", [frame.x(*at, &self.time), frame.top], [0.0, frame.height]);
        }
    }

    /// Draws the lines of values with their labels, and the ticks of time: in minutes if the run takes more than ten.
    fn grid(&self, markup: &mut Markup, frame: Frame) {
        let bottom = frame.top + frame.height;
        let decimals = if self.values.marks.get(1).is_some_and(|step| *step < 1.0) { 2 } else { 1 };
        for mark in &self.values.marks {
            let y = frame.y(*mark, &self.values);
            line(markup, if *mark > 0.0 { "grid" } else { "axis" }, [frame.left, y], [frame.width, 0.0]);
            let label = if *mark >= 1_000.0 { count(*mark) } else { brief(*mark, decimals) };
            label_at(markup, "end", frame.left - 6.0, y + 3.5, &label);
        }
        let in_minutes = self.time.end > 600.0;
        for mark in &self.time.marks {
            let x = frame.x(*mark, &self.time);
            line(markup, "axis", [x, bottom], [0.0, 4.0]);
            let label = brief(if in_minutes { mark / 60.0 } else { *mark }, 1);
            let unit = if *mark > 0.0 { if in_minutes { " min" } else { " s" } } else { "" };
            let anchor = if x + 14.0 > frame.left + frame.width { "end" } else { "middle" };
            label_at(markup, anchor, x, bottom + 16.0, &format!("{label}{unit}"));
        }
    }

    /// Draws the capacity of the server as a dotted line, if it is within the chart.
    fn capacity(&self, markup: &mut Markup, frame: Frame) {
        let capacity = self.scenario.server.capacity().filter(|_| self.series != Series::Offered);
        if let Some(capacity) = capacity.filter(|capacity| *capacity <= self.values.end) {
            let y = frame.y(capacity, &self.values);
            line(markup, "capacity", [frame.left, y], [frame.width, 0.0]);
        }
    }

    /// Draws an arrow at the top wherever a line leaves the chart.
    fn arrows(&self, markup: &mut Markup, frame: Frame, class: &str, points: &[(f64, f64)]) {
        let mut path = String::new();
        for time in self.above(points) {
            let (x, y) = (brief(frame.x(time, &self.time) - 3.5, 1), brief(frame.top - 1.0, 1));
            write!(path, "M{x} {y}l3.5 -6 3.5 6z").expect("a string takes any text");
        }
        if !path.is_empty() {
            markup.leaf("path", &[("class", &format!("arrow {class}")), ("d", &path)]);
        }
    }
}

impl Frame {
    /// The horizontal position of a time.
    fn x(&self, time: f64, axis: &Axis) -> f64 {
        self.left + self.width * time / axis.end
    }

    /// The vertical position of a value; one above the axis is drawn at its end.
    fn y(&self, value: f64, axis: &Axis) -> f64 {
        self.top + self.height * (1.0 - value.min(axis.end) / axis.end)
    }
}

/// Draws a straight line from a point by a distance.
fn line(markup: &mut Markup, class: &str, [x, y]: [f64; 2], [right, down]: [f64; 2]) {
    let path = format!("M{} {}l{} {}", brief(x, 1), brief(y, 1), brief(right, 1), brief(down, 1));
    markup.leaf("path", &[("class", &class), ("d", &path)]);
}

/// Writes a label at a point; `anchor` is the end of the text that is placed there.
fn label_at(markup: &mut Markup, anchor: &str, x: f64, y: f64, text: &str) {
    markup.text_element("text", &[("x", &brief(x, 1)), ("y", &brief(y, 1)), ("text-anchor", &anchor)], text);
}
