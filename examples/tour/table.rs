//! The reports as a table that a person can read.

use std::fmt::Write as _;

use crate::report::Report;

const HEAD: [&str; 8] = ["vendor", "scenario", "call", "server answered", "class", "the stack did", "outcome", "log"];

/// Renders the table, with colours if it goes to a terminal.
pub(crate) fn render(reports: &[Report], colours: bool) -> String {
    let rows: Vec<[String; 8]> = reports.iter().map(row).collect();
    let mut widths = HEAD.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = line(&HEAD.map(str::to_owned), widths);
    out.push_str(&widths.map(|width| "-".repeat(width)).join("  "));
    out.push('\n');
    for (row, report) in rows.iter().zip(reports) {
        let text = line(row, widths);
        match (colours, report.ok()) {
            (true, false) => {
                let _ = writeln!(out, "\x1b[31m{}\x1b[0m", text.trim_end());
            }
            _ => out.push_str(&text),
        }
        for problem in &report.problems {
            let _ = writeln!(out, "    ! {problem}");
        }
    }
    out
}

fn row(report: &Report) -> [String; 8] {
    let (vendor, scenario) = report.title();
    let agrees = if report.ok() { "agrees" } else { "DIFFERS" };
    [
        vendor.to_string(),
        scenario.to_owned(),
        report.call.clone(),
        report.answers(),
        report.class(),
        report.did(),
        report.result.clone(),
        agrees.to_owned(),
    ]
}

fn line(cells: &[String; 8], widths: [usize; 8]) -> String {
    let mut line = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        let _ = write!(line, "{cell:<width$}  ");
    }
    line.truncate(line.trim_end().len());
    line.push('\n');
    line
}
