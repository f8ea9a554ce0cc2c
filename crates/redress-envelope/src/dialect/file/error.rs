//! `[[error]]`: when a success is an error.

use http::HeaderName;

use super::super::condition::Condition;
use super::super::error_rule::{Clause, ErrorRule, Test};
use super::super::spec::{PathSpec, Spec};
use super::when::{Scope, ranges, when};
use super::words::{self, header};
use super::{File, Item};
use crate::path::Path;
use crate::signal::MAX_PREDICATES;

const KNOWN: &[&str] =
    &["not_null", "is_false", "not_zero", "non_empty", "equals", "outside", "is_true", "unless_not_null", "when"];

/// Reads one rule, or a list of them.
pub(super) fn error<'t>(file: &mut File<'_>, item: &Item<'t>, spec: &mut Spec) {
    let items = if item.value.is_table() { vec![item.clone()] } else { file.items(item) };
    spec.errors = items.iter().filter_map(|item| rule(file, item)).collect();
    let predicates = spec.errors.iter().flat_map(|rule| &rule.clauses).flat_map(|clause| &clause.predicates);
    // A member that must not be empty is three: itself, its elements, its members.
    let predicates: usize = predicates.map(|(_, test)| if *test == Test::NonEmpty { 3 } else { 1 }).sum();
    let headers: usize = spec.errors.iter().flat_map(|rule| &rule.clauses).map(|clause| clause.headers.len()).sum();
    if predicates > MAX_PREDICATES || headers > MAX_PREDICATES || spec.errors.len() > MAX_PREDICATES {
        file.note(
            &item.span,
            "error",
            format!("expected at most {MAX_PREDICATES} rules, paths and headers each, found more"),
        );
    }
}

fn rule<'t>(file: &mut File<'_>, item: &Item<'t>) -> Option<ErrorRule<PathSpec>> {
    let mut rule = ErrorRule { clauses: Vec::new(), when: Vec::new() };
    for (key, value) in file.table(item)? {
        let entry = item.member(key, value);
        match key.get_ref().as_ref() {
            "not_null" => rule.clauses.push(clause(file, &entry, false, &Test::NotNull)),
            "is_true" => rule.clauses.push(clause(file, &entry, false, &Test::IsTrue)),
            "is_false" => rule.clauses.push(clause(file, &entry, false, &Test::IsFalse)),
            "not_zero" => rule.clauses.push(clause(file, &entry, false, &Test::NotZero)),
            "non_empty" => rule.clauses.push(clause(file, &entry, false, &Test::NonEmpty)),
            "unless_not_null" => rule.clauses.push(clause(file, &entry, true, &Test::NotNull)),
            "equals" => rule.clauses.extend(equals(file, &entry)),
            "outside" => rule.clauses.extend(outside(file, &entry)),
            "when" => rule.when = when(file, &entry, Scope::Head),
            _ => file.unknown(&item.key, key, KNOWN),
        }
    }
    // Without a clause of its own a rule is for responses that a header names, or for events.
    let names_one = |condition: &Condition<PathSpec>| matches!(condition, Condition::Header(..) | Condition::Event(_));
    if rule.clauses.iter().all(|clause| clause.negated) && !rule.when.iter().any(names_one) {
        let some = KNOWN[..7].join(", ");
        let problem = format!("expected one of {some}, or a header or an event in `when`, found none");
        file.note(&item.span, &item.key, problem);
        return None;
    }
    Some(rule)
}

/// Reads a path; one that selects an element by an attribute would be decided too late.
fn path(text: &str) -> Result<Path, String> {
    let path = words::path(text)?;
    if path.selects() {
        Err("a path without `[@...]`".to_owned())
    } else if path.holds_below() {
        Err("a path without `**`".to_owned())
    } else {
        Ok(path)
    }
}

/// Where a clause of a rule looks.
enum Place {
    Member(Path),
    Header(HeaderName),
}

fn clause<'t>(file: &mut File<'_>, item: &Item<'t>, negated: bool, test: &Test) -> Clause<PathSpec> {
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

/// Makes a clause of at most one place more than are allowed, which tells that
/// they are too many: what they are compared with is copied for each.
fn of_places(places: Vec<Place>, negated: bool, test: &Test) -> Clause<PathSpec> {
    let mut clause = Clause { negated, predicates: Vec::new(), headers: Vec::new() };
    for place in places.into_iter().take(MAX_PREDICATES + 1) {
        match place {
            Place::Member(path) => clause.predicates.push((PathSpec::one(path), test.clone())),
            Place::Header(name) => clause.headers.push((name, test.clone())),
        }
    }
    clause
}

/// Reads a table that names its places as `path` and `header`, and something
/// else by another key.
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

fn equals<'t>(file: &mut File<'_>, item: &Item<'t>) -> Option<Clause<PathSpec>> {
    let mut values = Vec::new();
    let places = named(file, item, "is", |file, entry| values = file.values(entry))?;
    if places.is_empty() || values.is_empty() {
        file.note(&item.span, &item.key, "expected `path` and `is`, or `header` and `is`".to_owned());
    }
    Some(of_places(places, false, &Test::Is(values.into())))
}

fn outside<'t>(file: &mut File<'_>, item: &Item<'t>) -> Option<Clause<PathSpec>> {
    let mut range = None;
    let places = named(file, item, "range", |file, entry| range = ranges(file, entry))?;
    let (false, Some(range)) = (places.is_empty(), range) else {
        file.note(&item.span, &item.key, "expected `path` and `range`, or `header` and `range`".to_owned());
        return None;
    };
    Some(of_places(places, false, &Test::Outside(range)))
}

#[cfg(test)]
mod tests {
    use crate::Dialect;

    #[test]
    fn at_most_sixty_members_are_asked_and_one_that_must_not_be_empty_is_three() {
        for (rule, most) in [("not_null", 60), ("is_true", 60), ("non_empty", 20)] {
            let read = |count: usize| {
                let rules: String = (0..count).map(|nth| format!("[[error]]\n{rule} = \"a{nth}\"\n")).collect();
                Dialect::from_toml("d.toml", &format!("name = \"d\"\n{rules}"))
            };
            assert_eq!(read(most).map(drop), Ok(()), "{rule}");
            let error = read(most + 1).unwrap_err().to_string();
            assert!(error.contains("expected at most 60 rules, paths and headers each"), "{error}");
        }
    }
}
