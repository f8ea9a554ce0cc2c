//! `[[error]]`: when a success is an error.

use http::HeaderName;

use super::super::condition::Condition;
use super::super::error_rule::{ErrorRule, Line, Test};
use super::super::spec::{Spec, Wanted};
use super::when::{Scope, ranges, when};
use super::words::{header, path};
use super::{File, Item};
use crate::path::Path;
use crate::signal::MAX_ATOMS;

const KNOWN: &[&str] =
    &["not_null", "is_false", "not_zero", "non_empty", "equals", "outside", "is_true", "unless_not_null", "when"];

/// Reads one rule, or a list of them.
pub(super) fn error<'t>(file: &mut File<'_>, item: &Item<'t>, spec: &mut Spec) {
    let items = if item.value.is_table() { vec![item.clone()] } else { file.items(item) };
    spec.errors = items.iter().filter_map(|item| rule(file, item)).collect();
    let atoms = spec.errors.iter().flat_map(|rule| &rule.lines).flat_map(|line| &line.atoms);
    // A member that must not be empty is three: itself, its elements, its members.
    let atoms: usize = atoms.map(|(_, test)| if *test == Test::NonEmpty { 3 } else { 1 }).sum();
    let headers: usize = spec.errors.iter().flat_map(|rule| &rule.lines).map(|line| line.headers.len()).sum();
    if atoms > MAX_ATOMS || headers > MAX_ATOMS || spec.errors.len() > MAX_ATOMS {
        file.note(
            &item.span,
            "error",
            format!("expected at most {MAX_ATOMS} rules, paths and headers each, found more"),
        );
    }
}

fn rule<'t>(file: &mut File<'_>, item: &Item<'t>) -> Option<ErrorRule<Wanted>> {
    let mut rule = ErrorRule { lines: Vec::new(), when: Vec::new() };
    for (key, value) in file.table(item)? {
        let entry = item.member(key, value);
        match key.get_ref().as_ref() {
            "not_null" => rule.lines.push(line(file, &entry, false, &Test::NotNull)),
            "is_true" => rule.lines.push(line(file, &entry, false, &Test::IsTrue)),
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
    // Without a line of its own a rule is for responses that a header names, or for events.
    let names_one = |condition: &Condition<Wanted>| matches!(condition, Condition::Header(..) | Condition::Event(_));
    if rule.lines.iter().all(|line| line.negated) && !rule.when.iter().any(names_one) {
        let some = KNOWN[..7].join(", ");
        let problem = format!("expected one of {some}, or a header or an event in `when`, found none");
        file.note(&item.span, &item.key, problem);
        return None;
    }
    Some(rule)
}

/// Where a line of a rule looks.
enum Place {
    Member(Path),
    Header(HeaderName),
}

fn line<'t>(file: &mut File<'_>, item: &Item<'t>, negated: bool, test: &Test) -> Line<Wanted> {
    let items = if item.value.is_array() { file.items(item) } else { vec![item.clone()] };
    if items.is_empty() {
        file.expected(item, "at least one");
    }
    let places = items.iter().flat_map(|item| places(file, item)).collect();
    of_places(places, negated, test)
}

/// Reads a path, or a table that names a header.
fn places<'t>(file: &mut File<'_>, item: &Item<'t>) -> Vec<Place> {
    if !item.value.is_table() {
        return file.parsed(item, path).map(Place::Member).into_iter().collect();
    }
    let mut places = Vec::new();
    for (key, value) in file.table(item).into_iter().flatten() {
        let entry = item.member(key, value);
        match key.get_ref().as_ref() {
            "header" => places.extend(file.each_parsed(&entry, header).into_iter().map(Place::Header)),
            _ => file.unknown(&item.key, key, &["header"]),
        }
    }
    if places.is_empty() {
        file.note(&item.span, &item.key, "expected `header`".to_owned());
    }
    places
}

/// Makes a line of at most one place more than are allowed, which tells that they are too many: what they are compared with
/// is copied for each.
fn of_places(places: Vec<Place>, negated: bool, test: &Test) -> Line<Wanted> {
    let mut line = Line { negated, atoms: Vec::new(), headers: Vec::new() };
    for place in places.into_iter().take(MAX_ATOMS + 1) {
        match place {
            Place::Member(path) => line.atoms.push((Wanted::one(path), test.clone())),
            Place::Header(name) => line.headers.push((name, test.clone())),
        }
    }
    line
}

/// Reads a table that names its places as `path` and `header`, and something else by another key.
fn named<'t>(
    file: &mut File<'_>,
    item: &Item<'t>,
    other: &str,
    mut read: impl FnMut(&mut File<'_>, &Item<'t>),
) -> Option<Vec<Place>> {
    let mut places = Vec::new();
    for (key, value) in file.table(item)? {
        let entry = item.member(key, value);
        match key.get_ref().as_ref() {
            "path" => places.extend(file.each_parsed(&entry, path).into_iter().map(Place::Member)),
            "header" => places.extend(file.each_parsed(&entry, header).into_iter().map(Place::Header)),
            name if name == other => read(file, &entry),
            _ => file.unknown(&item.key, key, &["path", "header", other]),
        }
    }
    Some(places)
}

fn equals<'t>(file: &mut File<'_>, item: &Item<'t>) -> Option<Line<Wanted>> {
    let mut values = Vec::new();
    let places = named(file, item, "is", |file, entry| values = file.values(entry))?;
    if places.is_empty() || values.is_empty() {
        file.note(&item.span, &item.key, "expected `path` and `is`, or `header` and `is`".to_owned());
    }
    Some(of_places(places, false, &Test::Is(values.into())))
}

fn outside<'t>(file: &mut File<'_>, item: &Item<'t>) -> Option<Line<Wanted>> {
    let mut range = None;
    let places = named(file, item, "range", |file, entry| range = ranges(file, entry))?;
    let (false, Some(range)) = (places.is_empty(), range) else {
        file.note(&item.span, &item.key, "expected `path` and `range`, or `header` and `range`".to_owned());
        return None;
    };
    Some(of_places(places, false, &Test::Outside(range)))
}
