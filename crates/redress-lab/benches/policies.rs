//! The standard comparison: every policy in every scenario that comes with the lab.
//!
//! ```text
//! cargo bench --bench policies
//! cargo bench --bench policies -- --test    # one scenario only, to see that it runs
//! ```

use std::time::Instant;

use redress_lab::compare::SummaryRow;
use redress_lab::{Comparison, policies, scenarios};

fn main() {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let policies = policies::standard();
    let mut scenarios = scenarios();
    if is_test {
        scenarios.truncate(1);
    }
    for scenario in &scenarios {
        let start = Instant::now();
        let comparison = Comparison::run(scenario, &policies, &[1], |_| {});
        let calls: u64 = comparison.outcomes.iter().map(|outcome| outcome.calls).sum();
        assert!(comparison.outcomes.iter().all(|outcome| outcome.unfinished == 0), "every call ends");
        print(&comparison);
        let took = start.elapsed();
        println!("{calls} calls in {took:.1?}, {:.0} a second\n", calls as f64 / took.as_secs_f64());
    }
}

fn print(comparison: &Comparison) {
    let cells = comparison.rows().iter().map(SummaryRow::cells).collect::<Vec<_>>();
    let heads = SummaryRow::COLUMNS.map(str::to_owned);
    let rows: Vec<_> = std::iter::once(&heads).chain(&cells).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
    let widths: Vec<_> = (0..heads.len()).map(width).collect();
    println!("{}", comparison.scenario.name);
    for row in rows {
        let line: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        println!("  {}", line.join("  ").trim_end());
    }
}
