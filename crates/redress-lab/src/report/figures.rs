//! The table of figures of a scenario, one row per policy.

use super::Report;
use super::legend::class;
use super::markup::Markup;
use super::number::{count, millis, percent, times};
use super::tables::{Cell, NOTHING, best, cell, head, recovery, table};
use crate::compare::{Comparison, Summary};

/// A column: header and cell.
type Column = (&'static str, fn(&Comparison, &Summary) -> Cell);

/// The columns. A cell with a rank takes part in the choice of the best one.
const COLUMNS: [Column; 12] = [
    ("Goodput", |_, it| less(percent(it.served / it.calls.max(1.0)), -it.served)),
    ("Refused", |_, it| plain(it.refused)),
    ("Lost", |_, it| plain(it.lost)),
    ("Load per call", |_, it| less(times(it.attempts / it.calls.max(1.0)), it.attempts)),
    ("Work per call", |_, it| less(times(it.work / it.calls.max(1.0)), it.work)),
    ("Peak second", |_, it| less(count(it.peak_second), it.peak_second)),
    ("p50, ms", |_, it| latency(it, it.p50_ms)),
    ("p99, ms", |_, it| latency(it, it.p99_ms)),
    ("p99 of all, ms", |_, it| less(millis(it.p99_all_ms), it.p99_all_ms)),
    ("Recovery", recovery),
    ("Early retries", |_, it| fault(it.early_retries)),
    ("Done twice", |_, it| fault(it.done_twice)),
];

/// Writes the table.
pub(super) fn figures(markup: &mut Markup, report: &Report<'_>, nth: usize) {
    let (comparison, summaries) = (&report.comparisons[nth], &report.summaries[nth]);
    let columns: Vec<Vec<Cell>> =
        COLUMNS.iter().map(|(_, of)| summaries.iter().map(|summary| of(comparison, summary)).collect()).collect();
    let best: Vec<_> = columns.iter().map(|cells| best(cells)).collect();
    table(markup, &format!("Figures of {}", comparison.scenario.label()), "figures", |markup| {
        markup.element("thead", &[], |markup| {
            markup.element("tr", &[], |markup| {
                markup.text_element("th", &[("scope", &"col")], "Policy");
                for (name, _) in COLUMNS {
                    markup.text_element("th", &[("scope", &"col")], name);
                }
            });
        });
        markup.element("tbody", &[], |markup| {
            for (at, summary) in summaries.iter().enumerate() {
                let slot = report.legend.slots[nth][at];
                markup.element("tr", &[("class", &class(slot))], |markup| {
                    head(markup, "row", slot, &summary.policy);
                    for (cells, best) in columns.iter().zip(&best) {
                        let classes = if cells[at].text.starts_with('⚠') { "bad" } else { "" };
                        cell(markup, classes, &cells[at].text, best[at]);
                    }
                });
            }
        });
    });
}

/// A cell whose smaller rank is better.
const fn less(text: String, rank: f64) -> Cell {
    Cell { text, rank: Some(rank) }
}

/// A count without a rank: more of it is neither better nor worse.
fn plain(value: f64) -> Cell {
    Cell { text: count(value), rank: None }
}

/// A latency. Without served calls there is none.
fn latency(summary: &Summary, value: f64) -> Cell {
    if summary.served > 0.0 { less(millis(value), value) } else { Cell { text: NOTHING.to_owned(), rank: None } }
}

/// A count of violations, marked if it is not 0.
fn fault(times: u64) -> Cell {
    let mark = if times > 0 { "⚠ " } else { "" };
    Cell { text: format!("{mark}{}", count(times as f64)), rank: None }
}
