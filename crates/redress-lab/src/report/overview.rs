//! The top of the page: who came to what in which scenario.

use super::legend::{Legend, class};
use super::markup::Markup;
use super::number::{percent, times};
use super::tables::{NOTHING, best, cell, head, recovery, swatch, table};
use super::{Report, anchor};
use crate::compare::{Metric, Summary};

/// Goodput below these shares is tinted, the more the lower.
const TINTS: [f64; 4] = [0.5, 0.8, 0.95, 0.99];

/// Writes the summary matrix.
pub(super) fn matrix(markup: &mut Markup, report: &Report<'_>) {
    markup.element("section", &[("id", &"summary")], |markup| {
        markup.text_element("h2", &[], "Summary");
        markup.text_element(
            "p",
            &[],
            "Each cell: goodput, the share of calls that were served in time, and below it the load, requests at the server for \
             each call. ▼ marks a policy that another one dominates: as good or better in everything, and clearly better in \
             something. Cells with less than 99 % are tinted, the more the lower.",
        );
        table(markup, "Goodput and load, scenarios by policies", "matrix", |markup| {
            heads(markup, &report.legend);
            markup.element("tbody", &[], |markup| {
                for nth in 0..report.comparisons.len() {
                    row(markup, report, nth, |markup, at| share(markup, report, nth, at));
                }
            });
        });
        dominated(markup, report);
    });
}

/// Writes the table of recoveries.
pub(super) fn recoveries(markup: &mut Markup, report: &Report<'_>) {
    markup.element("section", &[("id", &"recovery")], |markup| {
        markup.text_element("h2", &[], "Recovery");
        markup.text_element(
            "p",
            &[],
            "Seconds from the end of the trouble until calls are served as before it. ★ marks the fastest; – stands where no \
             trouble ends within the run.",
        );
        table(markup, "Seconds to recover, scenarios by policies", "matrix", |markup| {
            heads(markup, &report.legend);
            markup.element("tbody", &[], |markup| {
                for (nth, comparison) in report.comparisons.iter().enumerate() {
                    let cells: Vec<_> = report.summaries[nth].iter().map(|it| recovery(comparison, it)).collect();
                    let best = best(&cells);
                    row(markup, report, nth, |markup, at| {
                        let classes = class(report.legend.slots[nth][at]);
                        cell(markup, &classes, &cells[at].text, best[at]);
                    });
                }
            });
        });
    });
}

/// Writes the policies with their settings.
pub(super) fn policies(markup: &mut Markup, legend: &Legend) {
    markup.element("section", &[("id", &"policies")], |markup| {
        markup.text_element("h2", &[], "Policies");
        markup.element("dl", &[("class", &"legend")], |markup| {
            for (slot, policy) in legend.policies.iter().enumerate() {
                markup.element("div", &[("class", &class(slot))], |markup| {
                    markup.element("dt", &[], |markup| {
                        swatch(markup, slot);
                        markup.text(&policy.name);
                    });
                    markup.text_element("dd", &[], &policy.about);
                });
            }
        });
    });
}

fn heads(markup: &mut Markup, legend: &Legend) {
    markup.element("thead", &[], |markup| {
        markup.element("tr", &[], |markup| {
            markup.text_element("th", &[("scope", &"col")], "Scenario");
            for (slot, policy) in legend.policies.iter().enumerate() {
                head(markup, "col", slot, &policy.name);
            }
        });
    });
}

/// Writes a scenario's row: a cell for each policy, also for those that took no part in it.
fn row(markup: &mut Markup, report: &Report<'_>, nth: usize, mut cell: impl FnMut(&mut Markup, usize)) {
    let scenario = &report.comparisons[nth].scenario;
    markup.element("tr", &[], |markup| {
        markup.element("th", &[("scope", &"row")], |markup| {
            markup.text_element("a", &[("href", &format!("#{}", anchor(nth)))], &scenario.name);
        });
        for slot in 0..report.legend.policies.len() {
            match report.legend.slots[nth].iter().position(|taken| *taken == slot) {
                Some(at) => cell(markup, at),
                None => markup.text_element("td", &[("class", &class(slot))], NOTHING),
            }
        }
    });
}

fn share(markup: &mut Markup, report: &Report<'_>, nth: usize, at: usize) {
    let summary = &report.summaries[nth][at];
    let share = summary.served / summary.calls.max(1.0);
    let tint = TINTS.iter().position(|tint| share < *tint).map(|tint| format!(" low{tint}")).unwrap_or_default();
    let classes = class(report.legend.slots[nth][at]) + &tint;
    markup.element("td", &[("class", &classes)], |markup| {
        markup.text_element("b", &[], percent(share));
        let worse = dominators(&report.summaries[nth], at);
        markup.element("small", &[], |markup| {
            markup.text(times(summary.attempts / summary.calls.max(1.0)));
            if !worse.is_empty() {
                markup.element("span", &[("class", &"mark"), ("title", &worse)], |markup| {
                    markup.trusted("<span aria-hidden=\"true\"> ▼</span>");
                    markup.text_element("span", &[("class", &"unseen")], format!(", dominated by {worse}"));
                });
            }
        });
    });
}

/// Writes who is dominated by whom, for those who cannot point at a mark.
fn dominated(markup: &mut Markup, report: &Report<'_>) {
    markup.element("details", &[], |markup| {
        markup.text_element("summary", &[], "Who is dominated by whom");
        markup.element("ul", &[], |markup| {
            let is_dominated = |it: &Vec<Summary>| (0..it.len()).any(|at| !dominators(it, at).is_empty());
            if !report.summaries.iter().any(is_dominated) {
                markup.text_element("li", &[], "Nobody");
            }
            for (nth, summaries) in report.summaries.iter().enumerate() {
                for (at, summary) in summaries.iter().enumerate() {
                    let worse = dominators(summaries, at);
                    if !worse.is_empty() {
                        let scenario = &report.comparisons[nth].scenario.name;
                        let text = format!("{scenario}: {} by {worse}", summary.policy);
                        markup.text_element("li", &[("class", &class(report.legend.slots[nth][at]))], text);
                    }
                }
            }
        });
    });
}

/// Returns who dominates a policy, and by what.
fn dominators(summaries: &[Summary], at: usize) -> String {
    let others = summaries.iter().enumerate().filter(|(other, _)| *other != at);
    let worse = others.filter_map(|(_, other)| {
        let figures = summaries[at].dominated_by(other);
        let names: Vec<_> = figures.into_iter().map(name).collect();
        (!names.is_empty()).then(|| format!("{} ({})", other.policy, names.join(", ")))
    });
    worse.collect::<Vec<_>>().join(", ")
}

const fn name(figure: Metric) -> &'static str {
    match figure {
        Metric::Goodput => "goodput",
        Metric::Load => "load",
        Metric::P99 => "p99",
        Metric::Recovery => "recovery",
    }
}
