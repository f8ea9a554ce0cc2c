//! Finds the rules of a file that can never hold, and the lines that change
//! nothing.
//!
//! The first are mistakes, the second warnings. Both are looked for only where
//! a file is checked, so that a dialect that was read once is read by each
//! later version. Only rules of the file itself are told of, by what the whole
//! dialect says, what it extends included.

mod error;
mod facts;
mod rows;
mod shadow;
mod source;
mod when;
mod words;

use std::ops::Range;

use facts::Facts;
use shadow::Shadows;
use toml::de::{DeTable, DeValue};
use when::Of;

use super::{File, Item, Mistake};
use crate::dialect::condition::Condition;
use crate::dialect::spec::{PathSpec, Spec};

/// Checks a file that has no other mistake, and the dialect that it makes.
pub(super) fn lint<'t>(file: &mut File<'_>, root: &'t DeTable<'t>, spec: &Spec) {
    let facts = Facts::new(spec);
    for (key, value) in root {
        let item = Item::named("", key.get_ref(), value);
        match key.get_ref().as_ref() {
            "error" => error::errors(file, &item, spec, &facts),
            "read" => readings(file, &item, spec, &facts),
            "rules" => rules(file, &item, spec, &facts),
            "codes" => rows::codes(file, &item, &facts),
            "reasons" => rows::reasons(file, &item, spec, &facts),
            "status" => rows::statuses(file, &item, &facts),
            "retry" => retry(file, &item, spec, &facts),
            "limits" => rows::limits(file, &item),
            "secrets" => rows::secrets(file, &item),
            _ => {}
        }
    }
    file.warnings.sort_by_key(|warning| warning.line);
}

fn readings<'t>(file: &mut File<'_>, item: &Item<'t>, spec: &Spec, facts: &Facts<'_>) {
    let mut guarded = spec.guarded.iter();
    let mut shadows = Shadows::new("reading");
    for item in &tables(file, item) {
        let Some(table) = item.value.as_table() else { continue };
        let reading = if table.contains_key("when") { guarded.next() } else { Some(&spec.reading) };
        let Some(reading) = reading else { continue };
        conditions(file, item, &reading.when, Of::Reading, facts);
        if !reading.when.is_empty() {
            shadows.check(file, item, &reading.when);
        }
        for (key, value) in table {
            let entry = item.member(key, value);
            match key.get_ref().as_ref() {
                "code" | "message" | "request_id" | "reason" => source::sources(file, &entry),
                "hints" => {
                    let ordered = reading.ordered_hints.or(spec.reading.ordered_hints).unwrap_or_default();
                    source::hints(file, &entry, reading.hints.as_deref().unwrap_or_default(), ordered, facts);
                }
                _ => {}
            }
        }
    }
}

fn retry<'t>(file: &mut File<'_>, item: &Item<'t>, spec: &Spec, facts: &Facts<'_>) {
    rows::retry(file, item);
    let hints = item.value.as_table().and_then(|table| table.get_key_value("success_hints"));
    if let Some((key, value)) = hints {
        source::success_hints(file, &item.member(key, value), &spec.success_hints, facts);
    }
}

fn rules<'t>(file: &mut File<'_>, item: &Item<'t>, spec: &Spec, facts: &Facts<'_>) {
    // A rule that names codes by a pattern counts after the known codes, the others before them.
    let (mut plain, mut patterns) = (Shadows::new("rule"), Shadows::new("rule"));
    for (item, (when, _)) in file.items(item).iter().zip(&spec.rules) {
        conditions(file, item, when, Of::Rule, facts);
        let of_its_kind = if when.iter().any(Condition::is_pattern) { &mut patterns } else { &mut plain };
        of_its_kind.check(file, item, when);
    }
}

/// Records each condition of a `when` that can never hold.
fn conditions(file: &mut File<'_>, item: &Item<'_>, all: &[Condition<PathSpec>], of: Of, facts: &Facts<'_>) {
    let Some(member) = member(item, "when") else { return };
    for (key, problem) in when::never_holding(all, of, facts) {
        let at = self::member(&member, key).unwrap_or_else(|| member.clone());
        file.never(&at, &problem);
    }
}

/// Returns the tables of a list of them, or the one.
fn tables<'t>(file: &mut File<'_>, item: &Item<'t>) -> Vec<Item<'t>> {
    if item.value.is_table() { vec![item.clone()] } else { file.items(item) }
}

/// Returns a member of a table.
fn member<'t>(item: &Item<'t>, key: &str) -> Option<Item<'t>> {
    let (key, value) = item.value.as_table()?.get_key_value(key)?;
    Some(item.member(key, value))
}

/// Returns the texts of a list of them, or the one.
fn texts<'t>(item: &Item<'t>) -> Vec<(&'t str, Range<usize>)> {
    match item.value {
        DeValue::String(text) => vec![(text.as_ref(), item.span.clone())],
        DeValue::Array(all) => all.iter().filter_map(|text| Some((text.get_ref().as_str()?, text.span()))).collect(),
        _ => Vec::new(),
    }
}

impl File<'_> {
    /// Records what can never hold, and what to write instead.
    fn never(&mut self, item: &Item<'_>, problem: &str) {
        self.note(&item.span, &item.key, format!("never holds: {problem}"));
    }

    /// Records what changes nothing.
    fn warn(&mut self, item: &Item<'_>, problem: &str) {
        let line = self.line(&item.span);
        self.warnings.push(Mistake { line, key: item.key.clone(), problem: format!("changes nothing: {problem}") });
    }
}
