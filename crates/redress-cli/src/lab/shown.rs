//! What comparisons came to, for people and for programs.

use redress_lab::Comparison;
use redress_lab::compare::Summary;
use serde::Serialize;

use crate::output::{LABEL, styled};
use crate::table::Table;

/// A policy in a scenario, as a line of JSON or a row of values.
#[derive(Debug, Serialize)]
struct Row<'a> {
    scenario: &'a str,
    seeds: usize,
    #[serde(flatten)]
    summary: &'a Summary,
    attempts_per_call: f64,
    dominated_by: Vec<&'a str>,
}

const COLUMNS: [&str; 13] = [
    "policy",
    "served",
    "refused",
    "lost",
    "load",
    "per call",
    "peak/s",
    "p50 ms",
    "p99 ms",
    "recovery s",
    "early",
    "twice",
    "dominated by",
];

pub(crate) fn tables(comparisons: &[Comparison]) -> String {
    let mut out = String::new();
    for comparison in comparisons {
        let scenario = &comparison.scenario;
        out.push_str(&format!("{}  {}\n", styled(LABEL, &scenario.name), scenario.about));
        let mut table = Table::new(&COLUMNS);
        let summaries = comparison.summaries();
        for row in rows(comparison, &summaries) {
            let cells = row.cells();
            table.push(&cells.each_ref().map(String::as_str));
        }
        out.push_str(&table.render("  "));
        out.push('\n');
    }
    out.push_str(&settings(comparisons));
    out
}

pub(crate) fn json(comparisons: &[Comparison]) -> String {
    lines(comparisons, |row| serde_json::to_string(&row).expect("names and numbers are JSON"))
}

pub(crate) fn csv(comparisons: &[Comparison]) -> String {
    let head = "scenario,policy,seeds,calls,served,refused,lost,attempts,attempts_per_call,peak_second,p50_ms,p99_ms,\
                recovery_s,never_recovered,early_retries,done_twice,dominated_by\n";
    head.to_owned() + &lines(comparisons, |row| row.values())
}

/// Returns what makes a comparison worthless, or breaks a promise.
pub(crate) fn mistakes(comparisons: &[Comparison]) -> Vec<String> {
    let mut mistakes: Vec<String> = idle(comparisons);
    for comparison in comparisons {
        let name = &comparison.scenario.name;
        for outcome in comparison.outcomes.iter().filter(|outcome| outcome.unfinished > 0) {
            let (policy, seed) = (&outcome.policy, outcome.seed);
            mistakes.push(format!("{name}: {} calls of {policy} never ended, seed {seed}", outcome.unfinished));
        }
    }
    mistakes
}

/// Finds the policies that say that they retry, and never did where others did: what they show is no comparison.
fn idle(comparisons: &[Comparison]) -> Vec<String> {
    let Some(policies) = comparisons.first().map(|comparison| &comparison.policies) else { return Vec::new() };
    let retried = |nth| comparisons.iter().any(|comparison| comparison.retried(nth));
    let active: Vec<bool> = (0..policies.len()).map(retried).collect();
    if !active.contains(&true) {
        return Vec::new();
    }
    let idle = policies.iter().zip(active).filter(|(policy, active)| policy.retries && !active);
    idle.map(|(policy, _)| format!("{} retries, it says, and never did", policy.name)).collect()
}

fn settings(comparisons: &[Comparison]) -> String {
    let mut table = Table::new(&["policy", "settings"]);
    for policy in comparisons.first().map(|comparison| comparison.policies.as_slice()).unwrap_or_default() {
        table.push(&[&policy.name, &policy.about]);
    }
    table.render("")
}

fn lines(comparisons: &[Comparison], line: impl Fn(Row<'_>) -> String) -> String {
    let mut out = String::new();
    for comparison in comparisons {
        let summaries = comparison.summaries();
        for row in rows(comparison, &summaries) {
            out.push_str(&line(row));
            out.push('\n');
        }
    }
    out
}

fn rows<'a>(comparison: &'a Comparison, summaries: &'a [Summary]) -> impl Iterator<Item = Row<'a>> {
    summaries.iter().map(|summary| {
        let better = summaries.iter().filter(|other| !summary.dominated_by(other).is_empty());
        Row {
            scenario: &comparison.scenario.name,
            seeds: comparison.seeds.len(),
            summary,
            attempts_per_call: rounded(summary.attempts / summary.calls.max(1.0), 4),
            dominated_by: better.map(|other| other.policy.as_str()).collect(),
        }
    })
}

impl Row<'_> {
    fn cells(&self) -> [String; 13] {
        let summary = self.summary;
        let percent = |calls: f64| format!("{:.2} %", calls / summary.calls.max(1.0) * 100.0);
        let recovery = match summary.never_recovered as usize {
            0 => format!("{:.1}", summary.recovery_s),
            all if all == self.seeds => "never".to_owned(),
            some => format!("{:.1}, {some} never", summary.recovery_s),
        };
        [
            summary.policy.clone(),
            percent(summary.served),
            percent(summary.refused),
            percent(summary.lost),
            format!("{:.0}", summary.attempts),
            format!("{:.3}", self.attempts_per_call),
            format!("{:.0}", summary.peak_second),
            format!("{:.0}", summary.p50_ms),
            format!("{:.0}", summary.p99_ms),
            recovery,
            summary.early_retries.to_string(),
            summary.done_twice.to_string(),
            self.dominated_by.join(", "),
        ]
    }

    fn values(&self) -> String {
        let Summary { calls, served, refused, lost, attempts, peak_second, p50_ms, p99_ms, .. } = self.summary;
        let Summary { recovery_s, never_recovered, early_retries, done_twice, .. } = self.summary;
        let (scenario, policy) = (quoted(self.scenario), quoted(&self.summary.policy));
        let better = quoted(&self.dominated_by.join(" "));
        format!(
            "{scenario},{policy},{},{calls},{served},{refused},{lost},{attempts},{},{peak_second},{p50_ms},{p99_ms},\
             {recovery_s},{never_recovered},{early_retries},{done_twice},{better}",
            self.seeds, self.attempts_per_call
        )
    }
}

/// Quotes a value where it has to be (RFC 4180, section 2).
fn quoted(value: &str) -> String {
    if value.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}
