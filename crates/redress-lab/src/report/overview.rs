//! The first part of the page: goodput, load and recovery of every policy in every scenario.

use super::legend::{Legend, class};
use super::markup::Markup;
use super::number::{percent, times};
use super::tables::{NOTHING, best, cell, head, recovery, swatch, table};
use super::{Report, anchor};
use crate::compare::{Metric, Summary};

/// The limits below which a goodput is tinted; lower ones have a stronger tint.
const TINTS: [f64; 4] = [0.5, 0.8, 0.95, 0.99];

/// Writes the summary table.
pub(super) fn matrix(markup: &mut Markup, report: &Report<'_>) {
    markup.element("section", &[("id", &"summary")], |markup| {
        markup.text_element("h2", &[], "Summary");
        markup.text_element(
            "p",
            &[],
            "Each cell shows the goodput (the share of calls served before their deadline) and the load (requests at the server \
             per call). ▼ marks a policy that another one dominates: at least as good in all figures, and clearly better in \
             one. Cells below 99 % are tinted; lower values have a stronger tint.",
        );
        table(markup, "Goodput and load, scenarios and policies", "matrix", |markup| {
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

/// Writes the table of recovery times.
pub(super) fn recoveries(markup: &mut Markup, report: &Report<'_>) {
    markup.element("section", &[("id", &"recovery")], |markup| {
        markup.text_element("h2", &[], "Recovery");
        markup.text_element(
            "p",
            &[],
            "Seconds from the end of the last disturbance until goodput is back to normal. ★ marks the fastest policy; – means \
             that no disturbance ends within the run.",
        );
        table(markup, "Seconds to recover, scenarios and policies", "matrix", |markup| {
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

/// Writes the head of a matrix: a column per policy.
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

/// Writes the row of a scenario, with a cell for each policy of the report.
fn row(markup: &mut Markup, report: &Report<'_>, nth: usize, mut cell: impl FnMut(&mut Markup, usize)) {
    let scenario = &report.comparisons[nth].scenario;
    markup.element("tr", &[("class", &report.size_class(nth))], |markup| {
        markup.element("th", &[("scope", &"row")], |markup| {
            markup.text_element("a", &[("href", &format!("#{}", anchor(nth)))], scenario.label());
        });
        for slot in 0..report.legend.policies.len() {
            match report.legend.slots[nth].iter().position(|taken| *taken == slot) {
                Some(at) => cell(markup, at),
                None => markup.text_element("td", &[("class", &class(slot))], NOTHING),
            }
        }
    });
}

/// Writes a cell with goodput and load. The tint depends on the goodput alone, and a mark with a text tells of
/// domination, so that no information is in a colour only.
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

/// Writes the dominated policies as a list, which does not depend on a pointer.
fn dominated(markup: &mut Markup, report: &Report<'_>) {
    markup.element("details", &[], |markup| {
        markup.text_element("summary", &[], "Dominated policies");
        markup.element("ul", &[], |markup| {
            let is_dominated = |it: &Vec<Summary>| (0..it.len()).any(|at| !dominators(it, at).is_empty());
            if !report.summaries.iter().any(is_dominated) {
                markup.text_element("li", &[], "None");
            }
            for (nth, summaries) in report.summaries.iter().enumerate() {
                for (at, summary) in summaries.iter().enumerate() {
                    let worse = dominators(summaries, at);
                    if !worse.is_empty() {
                        let scenario = report.comparisons[nth].scenario.label();
                        let text = format!("{scenario}: {} by {worse}", summary.policy);
                        let classes = format!("{} {}", class(report.legend.slots[nth][at]), report.size_class(nth));
                        markup.text_element("li", &[("class", &classes.trim_end())], text);
                    }
                }
            }
        });
    });
}

/// Returns the policies that dominate one, with the figures in which it is worse.
fn dominators(summaries: &[Summary], at: usize) -> String {
    let others = summaries.iter().enumerate().filter(|(other, _)| *other != at);
    let worse = others.filter_map(|(_, other)| {
        let figures = summaries[at].dominated_by(other);
        let names: Vec<_> = figures.into_iter().map(Metric::name).collect();
        (!names.is_empty()).then(|| format!("{} ({})", other.policy, names.join(", ")))
    });
    worse.collect::<Vec<_>>().join(", ")
}
