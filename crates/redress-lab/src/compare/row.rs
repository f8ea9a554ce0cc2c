//! One row of the comparison table, as text and as JSON.

use serde::Serialize;

use super::{Comparison, Summary};

/// The summary of a policy in a scenario, with the policies that dominate it.
///
/// `redress lab run` prints [`cells`](Self::cells) as a table. With `--json` it writes this struct, one
/// line per row.
#[derive(Clone, Debug, Serialize)]
pub struct SummaryRow {
    /// The name of the scenario.
    pub scenario: String,
    /// The number of processes that the calls are spread over.
    pub clients: u32,
    /// The number of seeds.
    pub seeds: usize,
    /// The summary, as fields of the same JSON object.
    #[serde(flatten)]
    pub summary: Summary,
    /// The mean number of requests per call at the server.
    pub attempts_per_call: f64,
    /// The names of the policies that dominate this one.
    pub dominated_by: Vec<String>,
}

impl SummaryRow {
    /// The column headers of [`cells`](Self::cells).
    pub const COLUMNS: [&str; 15] = [
        "policy",
        "served",
        "refused",
        "lost",
        "load",
        "per call",
        "work",
        "peak/s",
        "p50 ms",
        "p99 ms",
        "p99 all",
        "recovery s",
        "early",
        "twice",
        "dominated by",
    ];

    /// Returns the cells of the row as text, in the order of [`COLUMNS`](Self::COLUMNS).
    ///
    /// # Examples
    /// ```
    /// use redress_lab::compare::SummaryRow;
    /// use redress_lab::policies::NoRetry;
    /// use redress_lab::{Comparison, Policy, Scenario};
    ///
    /// let scenario: Scenario = r#"
    ///     name = "calm"
    ///     length = "20s"
    ///     clients = { rate = 10.0, arrivals = "even", deadline = "5s" }
    ///     server = { kind = "fifo", rate = 100.0 }
    /// "#
    /// .parse()?;
    /// let policies: [Box<dyn Policy>; 1] = [Box::new(NoRetry)];
    /// let comparison = Comparison::run(&scenario, &policies, &[1], |_share| {});
    /// let cells = comparison.rows()[0].cells();
    /// assert_eq!(cells[0..2], ["none", "100.00 %"]);
    /// assert_eq!(SummaryRow::COLUMNS[0..2], ["policy", "served"]);
    /// # Ok::<(), redress_lab::InvalidScenario>(())
    /// ```
    #[must_use]
    pub fn cells(&self) -> [String; 15] {
        let summary = &self.summary;
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
            format!("{:.3}", summary.work / summary.calls.max(1.0)),
            format!("{:.0}", summary.peak_second),
            format!("{:.0}", summary.p50_ms),
            format!("{:.0}", summary.p99_ms),
            format!("{:.0}", summary.p99_all_ms),
            recovery,
            summary.early_retries.to_string(),
            summary.done_twice.to_string(),
            self.dominated_by.join(", "),
        ]
    }
}

impl Comparison {
    /// Returns one row per policy.
    #[must_use]
    pub fn rows(&self) -> Vec<SummaryRow> {
        let summaries = self.summaries();
        let row = |summary: &Summary| {
            let better = summaries.iter().filter(|other| !summary.dominated_by(other).is_empty());
            let per_call = summary.attempts / summary.calls.max(1.0);
            SummaryRow {
                scenario: self.scenario.name.clone(),
                clients: self.scenario.clients.clients.get(),
                seeds: self.seeds.len(),
                summary: summary.clone(),
                attempts_per_call: (per_call * 10_000.0).round() / 10_000.0,
                dominated_by: better.map(|other| other.policy.clone()).collect(),
            }
        };
        summaries.iter().map(row).collect()
    }
}
