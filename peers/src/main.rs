//! Compares the peers of this workspace with no retries and redress in the lab's scenarios.
//!
//! ```text
//! scripts/peers                        # all scenarios
//! scripts/peers black-hole flapping    # some of them
//! ```

use redress_lab::compare::SummaryRow;
use redress_lab::policies::{NoRetry, RedressStack};
use redress_lab::{Comparison, Policy, scenarios};
use redress_lab_peers::{Kube, Seatbelt};

fn main() {
    let names: Vec<_> = std::env::args().skip(1).collect();
    let policies: [Box<dyn Policy>; 4] =
        [Box::new(NoRetry), Box::new(Kube), Box::new(Seatbelt), Box::new(RedressStack::new())];
    for policy in &policies {
        println!("{}: {}", policy.name(), policy.about());
    }
    let is_chosen = |name: &str| names.is_empty() || names.iter().any(|chosen| chosen == name);
    for scenario in scenarios().iter().filter(|scenario| is_chosen(&scenario.name)) {
        let comparison = Comparison::run(scenario, &policies, &[1], |_share| {});
        println!("\n{}", scenario.name);
        print(&comparison);
    }
}

/// Prints the figures of a comparison in columns.
fn print(comparison: &Comparison) {
    let cells: Vec<_> = comparison.rows().iter().map(SummaryRow::cells).collect();
    let heads = SummaryRow::COLUMNS.map(str::to_owned);
    let rows: Vec<_> = std::iter::once(&heads).chain(&cells).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
    for row in &rows {
        let line: Vec<_> = row.iter().enumerate().map(|(nth, cell)| format!("{cell:<0$}", width(nth))).collect();
        println!("  {}", line.join("  ").trim_end());
    }
}
