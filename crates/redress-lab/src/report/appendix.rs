//! The end of the page: definitions, seeds, and the command that repeats the run.

use super::Report;
use super::markup::Markup;

/// The definitions of the figures.
const DEFINITIONS: [(&str, &str); 16] = [
    (
        "Seed",
        "Seeds all random numbers of a run. Arrivals and service times are the same for every policy. Figures are means over the seeds; early retries and calls done twice are sums.",
    ),
    ("Goodput", "Calls that were fulfilled before their deadline, in percent of all calls."),
    ("Refused", "Calls that ended with an error response."),
    ("Lost", "Calls that ended without a response before their deadline."),
    ("Load", "Requests that were sent to the server, including retries. The load per call is 1 without retries."),
    (
        "Work",
        "The load without refused connections and without the probes that redress's gate sends in an outage: requests that made the server work.",
    ),
    ("Clients", "Processes that share nothing. The same calls are spread over them at random."),
    ("Offered load", "Calls that began. With open arrivals it is the same for every policy."),
    ("Peak second", "The largest number of requests at the server in one second."),
    ("p50, p99", "Median and 99th percentile of the latency of served calls, from the intended start of the call."),
    ("p99 of all", "99th percentile of all calls. A call that was not served counts with its deadline."),
    (
        "Recovery",
        "Whole seconds from the end of the last fault, burst or wave to the first five seconds in which the served share of calls is at least 95 % of the share before the disturbance. A run without recovery counts with the rest of its length.",
    ),
    (
        "Early retry",
        "A request that arrived before the Retry-After of an earlier response to the same call had passed. The expected number is 0.",
    ),
    (
        "Done twice",
        "Calls that are not idempotent and that the server performed more than once. The expected number is 0.",
    ),
    (
        "Dominated",
        "Another policy sent no unsafe call twice, is at least equal in goodput, work, p99 of all calls and recovery, and clearly better in one of them: by more than 0.5 points of goodput, 2 % of the work, 10 % of the p99, or 10 % and 2 s of the recovery.",
    ),
    (
        "Charts",
        "All axes are linear and begin at 0. Faults are shaded, periods with another arrival rate are tinted, bursts are vertical lines, and the dotted line is the capacity of the server. If a short peak would flatten the other curves, the axis ends below it, and the caption says so.",
    ),
];

/// Writes the command that repeats the run.
pub(super) fn repeat(markup: &mut Markup, report: &Report<'_>) {
    markup.element("section", &[("id", &"repeat")], |markup| {
        markup.text_element("h2", &[], "Repeat the run");
        markup.text_element(
            "p",
            &[],
            "The run uses virtual time and depends on its seeds only. This command produces the same page again:",
        );
        let label: super::markup::Attributes<'_> =
            &[("class", &"scroll command"), ("tabindex", &0), ("role", &"group"), ("aria-label", &"Command")];
        markup.element("pre", label, |markup| markup.text_element("code", &[], report.command));
        markup.text_element("p", &[], format!("{}. redress-lab {}.", seeds(report), env!("CARGO_PKG_VERSION")));
    });
}

/// Writes the definitions.
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

/// Returns the seeds as text: once if all scenarios have the same, else per scenario.
fn seeds(report: &Report<'_>) -> String {
    let written = |seeds: &[u64]| seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let mut all: Vec<_> = report.comparisons.iter().map(|comparison| written(&comparison.seeds)).collect();
    all.dedup();
    match &all[..] {
        [seeds] => format!("Seeds: {seeds}"),
        _ => {
            let each = report.comparisons.iter().map(|it| format!("{} {}", it.scenario.label(), written(&it.seeds)));
            format!("Seeds: {}", each.collect::<Vec<_>>().join("; "))
        }
    }
}
