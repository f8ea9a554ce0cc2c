//! Aligned tables for a terminal.
//!
//! ```text
//! policy   settings
//! none     no retries
//! redress  3 attempts, ...
//! ```

use anstyle::Style;

use crate::output::{LABEL, PLAIN, styled};
use crate::text::escaped;

/// Rows of equal length under a head, each column as wide as its widest cell.
///
/// Cells may hold text of others: they are escaped when they are added, so that a line end cannot forge a row.
///
/// The last column is not padded, so that a long cell wraps in the terminal and the others stay aligned.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    /// The style of each row's last cell; the head has one style.
    marks: Vec<Style>,
}

impl Table {
    /// Begins a table with the names of its columns.
    pub(crate) fn new(columns: &[&str]) -> Self {
        Self { rows: vec![columns.iter().map(|name| (*name).to_owned()).collect()], marks: vec![PLAIN] }
    }

    /// Adds a row; an empty cell is shown as `-`.
    pub(crate) fn push(&mut self, cells: &[&str]) {
        self.push_marked(cells, PLAIN);
    }

    /// Adds a row whose last cell has a style.
    pub(crate) fn push_marked(&mut self, cells: &[&str], mark: Style) {
        let shown = |cell: &&str| if cell.is_empty() { "-".to_owned() } else { escaped(cell) };
        self.rows.push(cells.iter().map(shown).collect());
        self.marks.push(mark);
    }

    /// Returns `true` if the table has no rows below its head.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }

    /// Writes the table, each line behind `indent`, without blanks at the ends of lines.
    pub(crate) fn render(&self, indent: &str) -> String {
        let mut widths = vec![0; self.rows[0].len()];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        let mut out = String::new();
        for (nth, (row, mark)) in self.rows.iter().zip(&self.marks).enumerate() {
            let mut cells: Vec<String> =
                row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            if let (Some(cell), true) = (cells.last_mut(), *mark != PLAIN) {
                *cell = styled(*mark, cell.trim_end());
            }
            let style = if nth == 0 { LABEL } else { PLAIN };
            out.push_str(indent);
            out.push_str(&styled(style, cells.join("  ").trim_end()));
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["code", "class"]);
        assert!(table.is_empty());
        table.push(&["größe", ""]);
        table.push(&["1\n", "invalid"]);
        let text = anstream::adapter::strip_str(&table.render("  ")).to_string();
        assert_eq!(text, "  code   class\n  größe  -\n  1\\n    invalid\n");
    }
}
