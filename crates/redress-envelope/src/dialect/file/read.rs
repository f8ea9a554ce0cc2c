//! `[[read]]`: where the parts of an envelope stand.

use std::collections::HashSet;

use super::super::hints::{BETWEEN, Difference, Hint, HintPart, HintPlace};
use super::super::spec::{PathSpec, Reading, Spec};
use super::when::{Scope, when};
use super::words::{header, path, unit};
use super::{super::source::Kind, File, Item, fields::fields, source::sources};
use crate::pattern::Glob;
use crate::plan::{Merge, Plan, Spelling};

/// How many forms of envelope a dialect may tell apart: for each response their
/// conditions are asked one by one.
const MAX_READINGS: usize = 64;
const KNOWN: &[&str] =
    &["when", "code", "message", "request_id", "reason", "fields", "hints", "ordered_hints", "ignore_headers"];

/// Reads one form of envelope, or a list of them: those with conditions come
/// before the known ones, the one without changes the last.
pub(super) fn read<'t>(file: &mut File<'_>, item: &Item<'t>, spec: &mut Spec) {
    let items = if item.value.is_table() { vec![item.clone()] } else { file.items(item) };
    let mut guarded: Vec<Reading> = Vec::new();
    let mut places = HashSet::new();
    for (nth, item) in items.iter().enumerate() {
        let Some(table) = file.table(item) else { continue };
        if table.contains_key("when") {
            let reading = reading(file, item, Reading::default());
            if !places.insert(reading.when.clone()) {
                file.note(&item.span, &item.key, "never reached: an earlier reading has the same `when`".to_owned());
            }
            guarded.push(reading);
        } else if nth + 1 < items.len() {
            file.note(&item.span, &item.key, "expected `when`, else what follows is never reached".to_owned());
        } else {
            spec.reading = reading(file, item, spec.reading.clone());
        }
    }
    let others = spec.guarded.len();
    if guarded.len() + others > MAX_READINGS {
        let found = guarded.len() + others;
        let expected = format!("expected at most {MAX_READINGS} readings with conditions, found {found}");
        file.note(&item.span, &item.key, expected);
        guarded.truncate(MAX_READINGS);
    }
    guarded.append(&mut spec.guarded);
    spec.guarded = guarded;
}

fn reading<'t>(file: &mut File<'_>, item: &Item<'t>, mut reading: Reading) -> Reading {
    for (key, value) in file.table(item).into_iter().flatten() {
        let entry = item.member(key, value);
        match key.get_ref().as_ref() {
            "when" => reading.when = when(file, &entry, Scope::Body),
            "code" => reading.code = Some(sources(file, &entry, Kind::Word)),
            "message" => reading.message = Some(sources(file, &entry, Kind::Text)),
            "request_id" => reading.request_id = Some(sources(file, &entry, Kind::Word)),
            "reason" => reading.reason = Some(sources(file, &entry, Kind::Word)),
            "fields" => reading.fields = Some(fields(file, &entry)),
            "hints" => reading.hints = Some(hints(file, &entry)),
            "ignore_headers" => reading.ignored = Some(file.values(&entry).into_iter().map(Glob::new).collect()),
            "ordered_hints" => reading.ordered_hints = file.truth(&entry),
            _ => file.unknown(&item.key, key, KNOWN),
        }
    }
    reading
}

pub(super) fn hints<'t>(file: &mut File<'_>, item: &Item<'t>) -> Vec<Hint<PathSpec>> {
    let items = file.items(item);
    items.iter().filter_map(|item| hint(file, item)).collect()
}

fn hint<'t>(file: &mut File<'_>, item: &Item<'t>) -> Option<Hint<PathSpec>> {
    const KNOWN: &[&str] = &["body", "header", "unit", "reset", "when", "path", "after", "before", "minus", "over"];
    let (mut place, mut given) = (None, None);
    let (mut reset, mut conditions) = (false, Vec::new());
    let (mut part, mut minus, mut over) = (HintPart::default(), None, None);
    let mistakes = file.mistakes.len();
    for (key, value) in file.table(item)? {
        let entry = item.member(key, value);
        match key.get_ref().as_ref() {
            name @ ("body" | "header") if place.is_some() => {
                file.note(
                    &entry.span,
                    &item.key,
                    format!("expected either `body` or `header`, found `{name}` as well"),
                );
            }
            "body" => place = file.parsed(&entry, path).map(body_place),
            "header" => place = file.parsed(&entry, header).map(HintPlace::Header),
            "unit" => given = file.parsed(&entry, unit),
            "reset" => reset = file.truth(&entry).unwrap_or_default(),
            "when" => conditions = when(file, &entry, Scope::Body),
            "path" => part.member = file.parsed(&entry, path).map(|path| document_plan(&path)),
            "after" => part.after = file.string(&entry),
            "before" => part.before = file.string(&entry),
            "minus" => minus = file.parsed(&entry, path).map(PathSpec::one),
            "over" => over = file.parsed(&entry, path).map(PathSpec::one),
            _ => file.unknown(&item.key, key, KNOWN),
        }
    }
    if file.mistakes.len() > mistakes {
        return None;
    }
    let (Some(place), Some(unit)) = (place, given) else {
        file.note(&item.span, &item.key, "expected `unit` and either `body` or `header`".to_owned());
        return None;
    };
    let problem = match (&place, &part.member, &minus, &over) {
        (HintPlace::Body(..), Some(_), ..) => "expected `header` beside `path`, which leads into the JSON in a header",
        (_, _, None, Some(_)) => "expected `minus` beside `over`",
        _ => "",
    };
    if !problem.is_empty() {
        file.note(&item.span, &item.key, problem.to_owned());
        return None;
    }
    let difference = minus.map(|minus| Difference { minus, over });
    Some(Hint { part, difference, ..Hint::new(place, unit, reset, conditions) })
}

/// Compiles the path into the JSON document that a header holds.
fn document_plan(path: &crate::path::Path) -> Plan {
    let mut plan = Plan::of_json(Spelling::Exact);
    let merge = if path.has_wildcard() { Merge::Joined(BETWEEN.to_owned()) } else { Merge::Last };
    plan.cell(path, &merge);
    plan.finish()
}

/// States a member that holds a hint or a flag; of several that a wildcard
/// leads to, each is read.
pub(super) fn body_place(path: crate::path::Path) -> HintPlace<PathSpec> {
    let name = path.to_string();
    let merge = if path.has_wildcard() { Merge::Joined(BETWEEN.to_owned()) } else { Merge::Last };
    HintPlace::Body(PathSpec { path, merge }, name)
}
