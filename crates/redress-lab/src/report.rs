//! Reports: comparisons as an HTML page, and single charts as SVG.
//!
//! The page is a single file without external resources, and its content security policy enforces that.
//! It shows everything without scripts. With scripts, a switch per policy hides it in all charts and
//! tables, and a switch per number of processes hides its rows and sections.
//!
//! The parts of the page, in order: a matrix of goodput and load, a matrix of recovery times, the
//! policies with their settings, one section per scenario (settings, three charts, figures, requests
//! per call, the [map](crate::map) of a server that holds its requests), definitions, and the command that repeats the run.
//!
//! Text from scenario and policy files is escaped in one place, so a report of a file
//! from elsewhere is safe to open.

mod appendix;
mod axis;
mod disturbances;
mod figures;
mod legend;
mod markup;
mod number;
mod overview;
mod plot;
mod region;
#[cfg(test)]
mod sample;
mod section;
mod series;
mod settings;
mod standalone;
mod style;
mod tables;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::compare::{Comparison, Summary};
use legend::Legend;
use markup::Markup;
use number::count;
pub use series::Series;
pub use standalone::chart;

const SCRIPT: &str = include_str!("report/page.js");
/// Allows inline styles and the digest of `page.js`, and no network access. After a change of `page.js`
/// compute the digest by `openssl dgst -sha256 -binary page.js | base64`; a browser that blocks the
/// script also prints it.
const SECURITY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-XMHs4f085I5F4cDA/jCSebpSpoLNvU101n/jeDi4UnY='; \
                        base-uri 'none'; form-action 'none'";

/// The number of scenarios up to which their list is not folded: more would fill the screen of a phone.
const UNFOLDED: usize = 20;

/// The content of the page.
struct Report<'a> {
    comparisons: &'a [Comparison],
    command: &'a str,
    legend: Legend,
    /// The numbers of processes, each once, the smallest first.
    sizes: Vec<u32>,
    /// The summaries by scenario, and then by policy.
    summaries: Vec<Vec<Summary>>,
}

/// Returns the HTML page of these comparisons. The page shows `command` as the way to repeat the run.
///
/// The output depends on the arguments only, so two pages can be compared by their bytes.
///
/// # Examples
/// ```
/// use redress_lab::policies::{NoRetry, RedressStack};
/// use redress_lab::{Comparison, Policy, Scenario, report};
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
/// let page = report::page(&[comparison], "redress lab run pause.toml --report out.html");
/// assert!(page.starts_with("<!doctype html>"));
/// # Ok::<(), redress_lab::InvalidScenario>(())
/// ```
#[must_use]
pub fn page(comparisons: &[Comparison], command: &str) -> String {
    let summaries = comparisons.iter().map(Comparison::summaries).collect();
    let sizes: BTreeSet<u32> = comparisons.iter().map(|it| it.scenario.clients.clients.get()).collect();
    let (legend, sizes) = (Legend::from_comparisons(comparisons), sizes.into_iter().collect());
    let report = Report { comparisons, command, legend, sizes, summaries };
    let mut markup = Markup::default();
    markup.trusted("<!doctype html>\n");
    markup.element("html", &[("lang", &"en")], |markup| {
        markup.element("head", &[], |markup| report.head(markup));
        markup.element("body", &[], |markup| report.body(markup));
    });
    markup.into_string()
}

impl Report<'_> {
    fn head(&self, markup: &mut Markup) {
        markup.leaf("meta", &[("charset", &"utf-8")]);
        markup.leaf("meta", &[("http-equiv", &"Content-Security-Policy"), ("content", &SECURITY)]);
        markup.leaf("meta", &[("name", &"viewport"), ("content", &"width=device-width, initial-scale=1")]);
        markup.leaf("meta", &[("name", &"color-scheme"), ("content", &"light dark")]);
        // An empty icon prevents a request for `/favicon.ico`.
        markup.leaf("link", &[("rel", &"icon"), ("href", &"data:,")]);
        markup.text_element("title", &[], "Retry policies in outages");
        markup.element("style", &[], |markup| {
            markup.trusted(&style::page(&self.legend, if self.sizes.len() > 1 { self.sizes.len() } else { 0 }));
        });
    }

    fn body(&self, markup: &mut Markup) {
        // The line sample that the legends refer to.
        markup.trusted(
            "<svg width=\"0\" height=\"0\" class=\"unseen\" aria-hidden=\"true\"><symbol id=\"sample\" viewBox=\"0 0 30 8\">\
             <path class=\"line\" d=\"M0 4h30\"/></symbol></svg>\n",
        );
        markup.text_element("a", &[("class", &"skip"), ("href", &"#summary")], "Skip to the summary");
        self.masthead(markup);
        self.switches(markup);
        markup.element("main", &[], |markup| {
            overview::matrix(markup, self);
            overview::recoveries(markup, self);
            overview::policies(markup, &self.legend);
            markup.element("section", &[("id", &"scenarios")], |markup| {
                markup.text_element("h2", &[], "Scenarios");
                markup.text_element(
                    "p",
                    &[],
                    "A policy has the same colour and dash pattern in all charts. The bar at the top hides and shows policies; \
                     pointing at one of them there highlights its lines.",
                );
                for nth in 0..self.comparisons.len() {
                    section::section(markup, self, nth);
                }
            });
            appendix::definitions(markup);
            appendix::repeat(markup, self);
        });
        markup.element("script", &[], |markup| markup.trusted(SCRIPT));
    }

    fn masthead(&self, markup: &mut Markup) {
        markup.element("header", &[("class", &"masthead")], |markup| {
            markup.trusted("<button type=\"button\" id=\"theme\" hidden>Dark</button>");
            markup.text_element("h1", &[], "Retry policies in outages");
            markup.text_element("p", &[("class", &"lead")], self.lead());
            markup.element("nav", &[("aria-label", &"Contents")], |markup| {
                markup.element("ul", &[], |markup| {
                    for name in ["Summary", "Recovery", "Policies", "Scenarios", "Definitions", "Repeat the run"] {
                        let at = name.split(' ').next().unwrap_or(name).to_lowercase();
                        entry(markup, "", &at, name);
                    }
                });
                if self.comparisons.len() > UNFOLDED {
                    markup.element("details", &[], |markup| {
                        markup.text_element("summary", &[], "All scenarios");
                        self.contents(markup);
                    });
                } else {
                    self.contents(markup);
                }
            });
        });
    }

    /// Writes the list of scenarios. One that follows itself with another number of processes is named by that number.
    fn contents(&self, markup: &mut Markup) {
        markup.element("ol", &[], |markup| {
            let mut last = None;
            for (nth, comparison) in self.comparisons.iter().enumerate() {
                let scenario = &comparison.scenario;
                let name = match last.replace(&scenario.name) {
                    Some(last) if *last == scenario.name => self.size_name(nth),
                    _ => scenario.label(),
                };
                entry(markup, &self.size_class(nth), &anchor(nth), &name);
            }
        });
    }

    /// Writes one switch per policy. Without scripts they serve as the legend.
    fn switches(&self, markup: &mut Markup) {
        let attributes: markup::Attributes<'_> = &[("role", &"group"), ("aria-label", &"Policies shown")];
        markup.element("div", &[("class", &"switches")], |markup| {
            markup.element("div", attributes, |markup| {
                for (slot, policy) in self.legend.policies.iter().enumerate() {
                    let attributes: markup::Attributes<'_> = &[
                        ("type", &"button"),
                        ("data-policy", &legend::class(slot)),
                        ("data-name", &policy.name),
                        ("aria-pressed", &"true"),
                        ("title", &policy.about),
                        ("disabled", &""),
                    ];
                    markup.element("button", attributes, |markup| {
                        tables::swatch(markup, slot);
                        markup.text(&policy.name);
                    });
                }
                self.size_switches(markup);
                markup.trusted("<button type=\"button\" id=\"all\" hidden>Show all</button>");
                markup.trusted("<button type=\"button\" id=\"none\" hidden>Hide all</button>");
            });
        });
        markup.trusted("<p id=\"told\" class=\"unseen\" role=\"status\"></p>\n");
    }

    /// Writes one switch per number of processes, if there are several.
    fn size_switches(&self, markup: &mut Markup) {
        for (nth, clients) in self.sizes.iter().enumerate().filter(|_| self.sizes.len() > 1) {
            let name = clients_of(*clients);
            let attributes: markup::Attributes<'_> = &[
                ("type", &"button"),
                ("data-size", &format!("c{nth}")),
                ("data-name", &name),
                ("aria-pressed", &"true"),
                ("disabled", &""),
            ];
            markup.text_element("button", attributes, &name);
        }
    }

    /// Returns the class of what belongs to a comparison, by which the switch of its number of processes hides it; empty if
    /// all have the same number.
    fn size_class(&self, nth: usize) -> String {
        let clients = self.comparisons[nth].scenario.clients.clients.get();
        match self.sizes.iter().position(|size| *size == clients) {
            Some(at) if self.sizes.len() > 1 => format!("c{at}"),
            _ => String::new(),
        }
    }

    /// Returns the number of processes of a comparison as text.
    fn size_name(&self, nth: usize) -> String {
        clients_of(self.comparisons[nth].scenario.clients.clients.get())
    }

    fn lead(&self) -> String {
        let names: BTreeSet<_> = self.comparisons.iter().map(|it| &it.scenario.name).collect();
        let (scenarios, policies) = (names.len(), self.legend.policies.len());
        let runs: usize = self.comparisons.iter().map(|it| it.outcomes.len()).sum();
        let calls: u64 = self.comparisons.iter().flat_map(|it| &it.outcomes).map(|it| it.calls).sum();
        let [scenarios, policies, runs] = [(scenarios, "scenario"), (policies, "policy"), (runs, "run")].map(counted);
        let sizes: Vec<_> = self.sizes.iter().map(u32::to_string).collect();
        let sizes = if sizes.len() > 1 { format!(" with {} clients", sizes.join(" and ")) } else { String::new() };
        format!(
            "{scenarios}{sizes}, {policies}, {runs}: {} calls, in virtual time, by the shipped code of each policy.",
            count(calls as f64)
        )
    }
}

/// Returns the anchor of a scenario.
fn anchor(nth: usize) -> String {
    format!("scenario-{}", nth + 1)
}

fn entry(markup: &mut Markup, classes: &str, at: &str, name: &str) {
    markup
        .element("li", &[("class", &classes)], |markup| markup.text_element("a", &[("href", &format!("#{at}"))], name));
}

fn clients_of(clients: u32) -> String {
    counted((clients as usize, "client"))
}

fn counted((number, name): (usize, &str)) -> String {
    match (number, name) {
        (1, name) => format!("1 {name}"),
        (_, "policy") => format!("{number} policies"),
        (_, name) => format!("{} {name}s", count(number as f64)),
    }
}
