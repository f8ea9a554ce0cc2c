//! `[[error]]`: when a success is an error.

use std::sync::Arc;

use super::super::error_rule::{ErrorRule, Line, Test};
use super::super::spec::{Spec, Wanted};
use super::when::{Scope, ranges, when};
use super::words::path;
use super::{File, Item};
use crate::path::Path;
use crate::signal::MAX_ATOMS;

const KNOWN: &[&str] =
    &["not_null", "is_false", "not_zero", "non_empty", "equals", "outside", "unless_not_null", "when"];

/// Reads one rule, or a list of them.
pub(super) fn error<'t>(file: &mut File<'_>, item: &Item<'t>, spec: &mut Spec) {
    let items = if item.value.is_table() { vec![item.clone()] } else { file.items(item) };
    spec.errors = items.iter().filter_map(|item| rule(file, item)).collect();
    let atoms = spec.errors.iter().flat_map(|rule| &rule.lines).flat_map(|line| &line.atoms);
    // A member that must not be empty is three: itself, its elements, its members.
    let atoms: usize = atoms.map(|(_, test)| if *test == Test::NonEmpty { 3 } else { 1 }).sum();
    if atoms > MAX_ATOMS || spec.errors.len() > MAX_ATOMS {
        file.note(&item.span, "error", format!("expected at most {MAX_ATOMS} rules and paths, found more"));
    }
}

fn rule<'t>(file: &mut File<'_>, item: &Item<'t>) -> Option<ErrorRule<Wanted>> {
    let mut rule = ErrorRule { lines: Vec::new(), when: Vec::new() };
    for (key, value) in file.table(item)? {
        let entry = item.member(key, value);
        match key.get_ref().as_ref() {
            "not_null" => rule.lines.push(line(file, &entry, false, &Test::NotNull)),
            "is_false" => rule.lines.push(line(file, &entry, false, &Test::IsFalse)),
            "not_zero" => rule.lines.push(line(file, &entry, false, &Test::NotZero)),
            "non_empty" => rule.lines.push(line(file, &entry, false, &Test::NonEmpty)),
            "unless_not_null" => rule.lines.push(line(file, &entry, true, &Test::NotNull)),
            "equals" => rule.lines.extend(equals(file, &entry)),
            "outside" => rule.lines.extend(outside(file, &entry)),
            "when" => rule.when = when(file, &entry, Scope::Head),
            _ => file.unknown(&item.key, key, KNOWN),
        }
    }
    if rule.lines.iter().all(|line| line.negated) {
        let some = KNOWN[..6].join(", ");
        file.note(&item.span, &item.key, format!("expected one of {some}, found none"));
        return None;
    }
    Some(rule)
}

fn line(file: &mut File<'_>, item: &Item<'_>, negated: bool, test: &Test) -> Line<Wanted> {
    let paths = at_most(file.each_parsed(item, path));
    Line { negated, atoms: paths.into_iter().map(|path| (Wanted::one(path), test.clone())).collect() }
}

/// Keeps one path more than are allowed, which tells that they are too many: what they are compared with is copied for each.
fn at_most(mut paths: Vec<Path>) -> Vec<Path> {
    paths.truncate(MAX_ATOMS + 1);
    paths
}

fn equals<'t>(file: &mut File<'_>, item: &Item<'t>) -> Option<Line<Wanted>> {
    let (mut paths, mut values) = (Vec::new(), Vec::new());
    for (key, value) in file.table(item)? {
        let entry = item.member(key, value);
        match key.get_ref().as_ref() {
            "path" => paths = file.each_parsed(&entry, path),
            "is" => values = file.values(&entry),
            _ => file.unknown(&item.key, key, &["path", "is"]),
        }
    }
    if paths.is_empty() || values.is_empty() {
        file.note(&item.span, &item.key, "expected `path` and `is`".to_owned());
    }
    let values: Arc<[String]> = values.into();
    let atoms = at_most(paths).into_iter().map(|path| (Wanted::one(path), Test::Is(Arc::clone(&values)))).collect();
    Some(Line { negated: false, atoms })
}

fn outside<'t>(file: &mut File<'_>, item: &Item<'t>) -> Option<Line<Wanted>> {
    let (mut paths, mut range) = (Vec::new(), None);
    for (key, value) in file.table(item)? {
        let entry = item.member(key, value);
        match key.get_ref().as_ref() {
            "path" => paths = file.each_parsed(&entry, path),
            "range" => range = ranges(file, &entry),
            _ => file.unknown(&item.key, key, &["path", "range"]),
        }
    }
    let (false, Some(range)) = (paths.is_empty(), range) else {
        file.note(&item.span, &item.key, "expected `path` and `range`".to_owned());
        return None;
    };
    let atoms = at_most(paths).into_iter().map(|path| (Wanted::one(path), Test::Outside(range.clone()))).collect();
    Some(Line { negated: false, atoms })
}
