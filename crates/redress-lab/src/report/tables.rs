//! Parts of tables: scrollable boxes, headers with a line sample, and marks that do not rely on colour.

use super::legend::class;
use super::markup::Markup;
use super::number::seconds;
use crate::compare::{Comparison, Summary};

/// The text of a cell without a value.
pub(super) const NOTHING: &str = "–";

/// One cell of a column.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) text: String,
    /// The rank of the cell in its column; lower is better. `None` if it is not ranked.
    pub(super) rank: Option<f64>,
}

/// Writes a table in a box that scrolls horizontally, also by keyboard.
pub(super) fn table(markup: &mut Markup, label: &str, kind: &'static str, inside: impl FnOnce(&mut Markup)) {
    let attributes: super::markup::Attributes<'_> =
        &[("class", &"scroll"), ("tabindex", &0), ("role", &"group"), ("aria-label", &label)];
    markup.element("div", attributes, |markup| markup.element("table", &[("class", &kind)], inside));
}

/// Writes the line sample of a policy, next to its name.
pub(super) fn swatch(markup: &mut Markup, slot: usize) {
    let attributes: super::markup::Attributes<'_> =
        &[("class", &format!("swatch {}", class(slot))), ("viewBox", &"0 0 30 8"), ("aria-hidden", &"true")];
    markup.element("svg", attributes, |markup| markup.leaf("use", &[("href", &"#sample")]));
}

/// Writes the header of a policy's row or column.
pub(super) fn head(markup: &mut Markup, scope: &str, slot: usize, name: &str) {
    markup.element("th", &[("scope", &scope), ("class", &class(slot))], |markup| {
        swatch(markup, slot);
        markup.text(name);
    });
}

/// Returns which cells are the best of the column: none if all are equal.
pub(super) fn best(cells: &[Cell]) -> Vec<bool> {
    let ranked = || cells.iter().filter_map(|cell| Some((cell.rank?, &cell.text)));
    let Some((_, text)) = ranked().min_by(|one, other| one.0.total_cmp(&other.0)) else {
        return vec![false; cells.len()];
    };
    let differ = ranked().any(|(_, other)| other != text);
    cells.iter().map(|cell| differ && cell.rank.is_some() && cell.text == *text).collect()
}

/// Writes a cell, with a star if it is the best.
pub(super) fn cell(markup: &mut Markup, classes: &str, text: &str, is_best: bool) {
    markup.element("td", &[("class", &classes)], |markup| {
        if is_best {
            markup.trusted("<span class=\"star\" aria-hidden=\"true\">★</span>");
            markup.text_element("b", &[], text);
            markup.trusted("<span class=\"unseen\"> (best)</span>");
        } else {
            markup.text(text);
        }
    });
}

/// Returns how long a policy took to recover.
pub(super) fn recovery(comparison: &Comparison, summary: &Summary) -> Cell {
    let runs = comparison.seeds.len();
    if comparison.scenario.disturbances_end().is_none() {
        return Cell { text: NOTHING.to_owned(), rank: None };
    }
    let text = match summary.never_recovered as usize {
        0 => seconds(summary.recovery_s),
        never if never == runs => "never".to_owned(),
        never => format!("≥ {}, never in {never} of {runs}", seconds(summary.recovery_s)),
    };
    Cell { text, rank: Some(summary.recovery_s) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_cells_are_marked_unless_all_are_equal() {
        let cell = |(rank, text): (Option<f64>, &str)| Cell { text: text.to_owned(), rank };
        for (cells, marked) in [
            (vec![(Some(1.0), "1"), (Some(2.0), "2"), (None, "–")], vec![true, false, false]),
            (vec![(Some(1.04), "1"), (Some(1.0), "1"), (Some(2.0), "2")], vec![true, true, false]),
            (vec![(Some(1.0), "1"), (Some(1.0), "1")], vec![false, false]),
            (vec![(None, "–"), (Some(1.0), "1")], vec![false, false]),
            (vec![(None, "–")], vec![false]),
        ] {
            assert_eq!(best(&cells.into_iter().map(cell).collect::<Vec<_>>()), marked);
        }
    }

    #[test]
    fn a_missing_recovery_is_shown_as_never() {
        let comparison = crate::report::sample::comparison("t");
        let text = |never| {
            let summary = Summary { never_recovered: never, ..comparison.summaries()[1].clone() };
            recovery(&comparison, &summary).text.replace('\u{202f}', " ")
        };
        assert_eq!([text(0), text(1), text(2)], ["5 s", "≥ 5 s, never in 1 of 2", "never"]);
    }
}
