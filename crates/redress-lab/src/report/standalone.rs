//! A single chart as an SVG file.

use super::legend::{self, Legend};
use super::markup::{Attributes, Markup};
use super::number::count;
use super::plot::{Frame, Plot};
use super::series::Series;
use super::style;
use crate::compare::Comparison;

const WIDTH: f64 = 800.0;
const FRAME: Frame = Frame { left: 52.0, top: 62.0, width: 736.0, height: 220.0 };
/// The height of a row of the legend, below the axis.
const ROW: f64 = 22.0;
/// The number of columns of the legend.
const COLUMNS: usize = 3;

/// Returns a chart as an SVG file. Its background is transparent, and its colours suit light and dark
/// pages.
///
/// # Examples
/// ```
/// use redress_lab::policies::{NoRetry, RedressStack};
/// use redress_lab::report::{self, Series};
/// use redress_lab::{Comparison, Policy, Scenario};
///
/// let scenario: Scenario = r#"
///     name = "pause"
///     length = "20s"
///     clients = { rate = 5.0, deadline = "5s" }
///     server = { kind = "fifo", rate = 10.0 }
///     fault = [{ kind = "hold", from = "5s", for = "2s" }]
/// "#
/// .parse()?;
/// let policies: [Box<dyn Policy>; 2] = [Box::new(NoRetry), Box::new(RedressStack::new())];
/// let comparison = Comparison::run(&scenario, &policies, &[1], |_| {});
/// assert!(report::chart(&comparison, Series::Load).starts_with("<svg"));
/// # Ok::<(), redress_lab::InvalidScenario>(())
/// ```
#[must_use]
pub fn chart(comparison: &Comparison, series: Series) -> String {
    let legend = Legend::from_comparisons(std::slice::from_ref(comparison));
    let plot = Plot::new(comparison, &legend.slots[0], series);
    let legend_top = FRAME.top + FRAME.height + 44.0;
    let height = legend_top + ROW * plot.curves.len().div_ceil(COLUMNS) as f64;
    let mut markup = Markup::default();
    let attributes: Attributes<'_> = &[
        ("xmlns", &"http://www.w3.org/2000/svg"),
        ("viewBox", &format!("0 0 {WIDTH} {height}")),
        ("width", &WIDTH),
        ("height", &height),
        ("role", &"img"),
        ("aria-labelledby", &"title"),
        ("aria-describedby", &"desc"),
    ];
    markup.element("svg", attributes, |markup| {
        markup.text_element("title", &[("id", &"title")], plot.title());
        markup.text_element("desc", &[("id", &"desc")], plot.description());
        markup.element("style", &[], |markup| markup.trusted(&style::chart(legend.policies.len())));
        markup.text_element("text", &[("class", &"name"), ("x", &8), ("y", &20)], plot.title());
        markup.text_element("text", &[("x", &8), ("y", &40)], unit(&plot, series));
        plot.draw(markup, FRAME);
        names(markup, &plot, legend_top);
    });
    markup.into_string()
}

/// Returns the unit, and the peaks above the end of the axis.
fn unit(plot: &Plot<'_>, series: Series) -> String {
    let (end, cuts) = plot.cut();
    if cuts.is_empty() {
        return series.unit().to_owned();
    }
    let above = cuts.iter().map(|cut| format!("{} {} at {} s", cut.name, count(cut.value), cut.second));
    format!("{}; ▲ above {}: {}", series.unit(), count(end), above.collect::<Vec<_>>().join(", "))
}

/// Writes the legend.
fn names(markup: &mut Markup, plot: &Plot<'_>, top: f64) {
    for (nth, curve) in plot.curves.iter().enumerate() {
        let x = 8.0 + WIDTH / COLUMNS as f64 * (nth % COLUMNS) as f64;
        let y = top + ROW * (nth / COLUMNS) as f64;
        let class = curve.slot.map_or("all".to_owned(), legend::class);
        markup.leaf("path", &[("class", &format!("line {class}")), ("d", &format!("M{x:.1} {y}h30"))]);
        let text: Attributes<'_> = &[("class", &"who"), ("x", &format!("{:.1}", x + 38.0)), ("y", &(y + 4.0))];
        markup.text_element("text", text, &curve.name);
    }
}
