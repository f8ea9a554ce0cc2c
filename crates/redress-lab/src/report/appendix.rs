//! How the figures came about: seeds, command, definitions.

use super::Report;
use super::markup::Markup;

/// What each figure means.
const DEFINITIONS: [(&str, &str); 13] = [
    (
        "Seed",
        "Names all random numbers of a run: arrivals and server are the same for every policy. Figures are the mean over the seeds; early retries and calls done twice are the sum.",
    ),
    ("Goodput", "Calls that got what they asked for before their caller gave up; in percent of all calls."),
    ("Refused", "Calls that ended with a response that is an error."),
    ("Lost", "Calls that ended without a response in time."),
    ("Load", "Requests that arrived at the server, retries included; per call it is 1 when nothing is sent twice."),
    ("Offered load", "Calls that began, whatever became of them. With open arrivals it is the same for every policy."),
    ("Peak second", "The most requests at the server in one second."),
    (
        "p50, p99",
        "Half, and 99 in 100, of the served calls took at most so long, counted from the moment when the call should have begun.",
    ),
    (
        "Recovery",
        "Whole seconds from the end of the last fault, burst or wave until, of the calls that begin in five seconds, at least 95 % of the share from before the trouble are served. A run that never gets there counts with the time that was left.",
    ),
    (
        "Early retry",
        "A request that arrived before the server had asked this very call to come again. There should be none.",
    ),
    ("Done twice", "Calls that may not be done twice, and were."),
    (
        "Dominated",
        "Worse than or equal to another policy in goodput, load, p99 and recovery, and more than 2 % worse in one of them.",
    ),
    (
        "Charts",
        "Time runs to the right, every axis begins at 0, and none is logarithmic. Faults are shaded, stretches with another rate of arrivals tinted, bursts are vertical lines; the dotted line is what the server can serve in a second. Where a short peak would flatten all the rest the axis ends below it, and the caption says so.",
    ),
];

/// Writes how to repeat the run.
pub(super) fn repeat(markup: &mut Markup, report: &Report<'_>) {
    markup.element("section", &[("id", &"repeat")], |markup| {
        markup.text_element("h2", &[], "Repeat it");
        markup.text_element(
            "p",
            &[],
            "The run is in virtual time and depends on its seeds alone. The same command gives this page again:",
        );
        let label: super::markup::Attributes<'_> =
            &[("class", &"scroll command"), ("tabindex", &0), ("role", &"group"), ("aria-label", &"Command")];
        markup.element("pre", label, |markup| markup.text_element("code", &[], report.command));
        markup.text_element("p", &[], format!("{}. redress-lab {}.", seeds(report), env!("CARGO_PKG_VERSION")));
    });
}

/// Writes what each figure means.
pub(super) fn definitions(markup: &mut Markup) {
    markup.element("section", &[("id", &"definitions")], |markup| {
        markup.text_element("h2", &[], "Definitions");
        markup.element("dl", &[("class", &"settings")], |markup| {
            for (name, meaning) in DEFINITIONS {
                markup.element("div", &[], |markup| {
                    markup.text_element("dt", &[], name);
                    markup.text_element("dd", &[], meaning);
                });
            }
        });
    });
}

/// Says the seeds: once if all scenarios had the same.
fn seeds(report: &Report<'_>) -> String {
    let written = |seeds: &[u64]| seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let mut all: Vec<_> = report.comparisons.iter().map(|comparison| written(&comparison.seeds)).collect();
    all.dedup();
    match &all[..] {
        [seeds] => format!("Seeds: {seeds}"),
        _ => {
            let each = report.comparisons.iter().map(|it| format!("{} {}", it.scenario.name, written(&it.seeds)));
            format!("Seeds: {}", each.collect::<Vec<_>>().join("; "))
        }
    }
}
