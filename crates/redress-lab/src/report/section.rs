//! The part of the page about one scenario: settings, charts, figures, requests per call, and the map of its server.

use super::figures::figures;
use super::legend::class;
use super::markup::{Attributes, Markup};
use super::number::{count, part};
use super::plot::{Frame, Plot};
use super::series::Series;
use super::tables::{head, table};
use super::{Report, anchor, region, settings};
use crate::compare::Comparison;
use crate::outcome::Outcome;
use crate::scenario::Scenario;

/// The size of a chart: as wide as a phone, and three in a row on a desktop.
const FRAME: Frame = Frame { left: 44.0, top: 14.0, width: 346.0, height: 170.0 };
const SIZE: [f64; 2] = [400.0, 208.0];

/// Writes the part of one scenario.
pub(super) fn section(markup: &mut Markup, report: &Report<'_>, nth: usize) {
    let (comparison, id) = (&report.comparisons[nth], anchor(nth));
    let (title, classes) = (format!("{id}-title"), format!("scenario {}", report.size_class(nth)));
    markup.element("section", &[("id", &id), ("class", &classes.trim_end()), ("aria-labelledby", &title)], |markup| {
        markup.text_element("h3", &[("id", &title)], comparison.scenario.label());
        introduction(markup, &comparison.scenario);
        markup.element("div", &[("class", &"charts")], |markup| {
            for series in Series::ALL {
                chart(markup, &id, &Plot::new(comparison, &report.legend.slots[nth], series), series);
            }
        });
        let resolution = Plot::new(comparison, &report.legend.slots[nth], Series::Load).resolution();
        markup.text_element("p", &[("class", &"cut")], resolution);
        markup.text_element("h4", &[], "Figures");
        figures(markup, report, nth);
        let unfinished: u64 = comparison.outcomes.iter().map(|outcome| outcome.unfinished).sum();
        if unfinished > 0 {
            let text = format!("⚠ {unfinished} calls never ended: a bug in the lab.");
            markup.text_element("p", &[("class", &"bad")], text);
        }
        markup.text_element("h4", &[], "Requests per call");
        attempts_table(markup, comparison, &report.legend.slots[nth]);
        region::region(markup, &comparison.scenario);
    });
}

/// Writes the description and the settings of the scenario.
fn introduction(markup: &mut Markup, scenario: &Scenario) {
    if !scenario.about.is_empty() {
        markup.text_element("p", &[("class", &"about")], &scenario.about);
    }
    markup.element("dl", &[("class", &"settings")], |markup| {
        for (name, words) in settings::rows(scenario) {
            markup.element("div", &[], |markup| {
                markup.text_element("dt", &[], name);
                markup.text_element("dd", &[], words);
            });
        }
    });
}

/// Writes the chart of a series as a figure: caption, drawing with title and description for screen readers, and the
/// peaks that the axis cuts off.
fn chart(markup: &mut Markup, id: &str, plot: &Plot<'_>, series: Series) {
    let [title, text] = ["title", "text"].map(|part| format!("{id}-{}-{part}", series.name()));
    let attributes: Attributes<'_> = &[
        ("viewBox", &format!("0 0 {} {}", SIZE[0], SIZE[1])),
        ("role", &"img"),
        ("aria-labelledby", &title),
        ("aria-describedby", &text),
    ];
    markup.element("figure", &[], |markup| {
        markup.element("figcaption", &[], |markup| {
            markup.text_element("b", &[], series.title());
            markup.text(format_args!(" {}", series.unit()));
        });
        markup.element("svg", attributes, |markup| {
            markup.text_element("title", &[("id", &title)], plot.title());
            markup.text_element("desc", &[("id", &text)], plot.description());
            plot.draw(markup, FRAME);
        });
        let (end, cuts) = plot.cut();
        if !cuts.is_empty() {
            markup.element("p", &[("class", &"cut")], |markup| {
                markup.text(format_args!("▲ above the axis, which ends at {}:", count(end)));
                for cut in cuts {
                    let classes = cut.slot.map(class).unwrap_or_default();
                    let text = format!(" {} {} at {} s;", cut.name, count(cut.value), cut.second);
                    markup.text_element("span", &[("class", &classes)], text);
                }
            });
        }
    });
}

/// Writes the table of calls by the number of requests sent.
fn attempts_table(markup: &mut Markup, comparison: &Comparison, slots: &[usize]) {
    let label = format!("Requests per call in {}", comparison.scenario.label());
    table(markup, &label, "attempts_table", |markup| {
        markup.element("thead", &[], |markup| markup.element("tr", &[], |markup| columns(markup, comparison)));
        markup.element("tbody", &[], |markup| {
            for (nth, slot) in slots.iter().enumerate() {
                markup
                    .element("tr", &[("class", &class(*slot))], |markup| attempts_row(markup, comparison, nth, *slot));
            }
        });
    });
}

/// Writes the head: one column per number of requests, the last one for that many and more.
fn columns(markup: &mut Markup, comparison: &Comparison) {
    markup.text_element("th", &[("scope", &"col")], "Policy");
    markup.text_element("th", &[("scope", &"col"), ("class", &"wide")], "Calls by requests sent");
    for sent in 0..Outcome::ATTEMPTS {
        let more = if sent + 1 == Outcome::ATTEMPTS { "+" } else { "" };
        markup.element("th", &[("scope", &"col")], |markup| {
            markup.text_element("span", &[("class", &format!("key sent{sent}"))], "");
            markup.text(format_args!("{sent}{more}"));
        });
    }
    if comparison.scenario.token.is_some() {
        markup.text_element("th", &[("scope", &"col")], "Logins");
    }
}

/// Writes the row of a policy. One that is declared to retry and never did is marked: its row is not a comparison.
fn attempts_row(markup: &mut Markup, comparison: &Comparison, nth: usize, slot: usize) {
    let (policy, outcomes) = (&comparison.policies[nth], comparison.outcomes(nth));
    let is_idle = policy.retries && !comparison.retried(nth);
    let note = if is_idle { " (never retried)" } else { "" };
    head(markup, "row", slot, &format!("{}{note}", policy.name));
    let shares = shares(outcomes);
    markup.element("td", &[("class", &"wide")], |markup| bar(markup, &policy.name, &shares));
    for share in shares {
        let class = if share > 0.0 { "" } else { "nil" };
        markup.text_element("td", &[("class", &class)], part(share));
    }
    if comparison.scenario.token.is_some() {
        let logins = outcomes.iter().map(|outcome| outcome.logins).sum::<u64>();
        markup.text_element("td", &[], count(logins as f64 / outcomes.len().max(1) as f64));
    }
}

/// Returns the shares of calls by the number of requests sent, over all runs.
fn shares(outcomes: &[Outcome]) -> [f64; Outcome::ATTEMPTS] {
    let mut shares = [0.0; Outcome::ATTEMPTS];
    let calls = outcomes.iter().flat_map(|outcome| outcome.calls_by_attempts).sum::<u64>().max(1) as f64;
    for outcome in outcomes {
        for (share, calls_of) in shares.iter_mut().zip(outcome.calls_by_attempts) {
            *share += calls_of as f64 / calls;
        }
    }
    shares
}

fn bar(markup: &mut Markup, name: &str, shares: &[f64]) {
    let sent: Vec<_> = shares.iter().enumerate().filter(|(_, share)| **share > 0.0).collect();
    let words: Vec<_> = sent.iter().map(|(sent, share)| format!("{sent}: {}", part(**share))).collect();
    let label = format!("{name}, shares of calls by requests sent: {}", words.join(", "));
    let attributes: Attributes<'_> =
        &[("class", &"bar"), ("viewBox", &"0 0 200 14"), ("preserveAspectRatio", &"none"), ("role", &"img")];
    markup.element("svg", attributes, |markup| {
        markup.text_element("title", &[], label);
        let mut from = 0.0;
        for (sent, share) in sent {
            let [x, width] = [from * 200.0, share * 200.0].map(|it| super::number::brief(it, 1));
            markup.leaf("rect", &[("class", &format!("sent{sent}")), ("x", &x), ("width", &width), ("height", &14)]);
            from += share;
        }
    });
}
