//! Where one part of an envelope stands: a path, or a table.

use std::collections::HashMap;

use super::super::source::{Cut, Kind, Place, Repeats, Source};
use super::super::spec::PathSpec;
use super::words::{element, header, one_of, path, text};
use super::{File, Item};
use crate::path::Path;
use crate::pattern::Glob;
use crate::plan::Merge;

/// How many sources a part of an envelope may have: a reader remembers which
/// one spoke in one byte.
const MAX_SOURCES: usize = 255;
const KNOWN: &[&str] = &[
    "path",
    "header",
    "challenge",
    "element",
    "parts",
    "sep",
    "as",
    "after",
    "before",
    "last",
    "not",
    "not_status",
    "not_outcome",
    "join",
    "deepest",
    "after_fields",
];

/// Reads one source or a list of them; what a source does not say of its kind
/// is `kind`.
pub(super) fn sources<'t>(file: &mut File<'_>, item: &Item<'t>, kind: Kind) -> Vec<Source<PathSpec>> {
    let items = if item.value.is_array() { file.items(item) } else { vec![item.clone()] };
    if items.is_empty() {
        file.expected(item, "at least one");
    }
    let mut all: Vec<Source<PathSpec>> = Vec::new();
    let mut taken: HashMap<Place<PathSpec>, Vec<Kind>> = HashMap::new();
    for item in items {
        for source in source(file, &item, kind) {
            if is_hidden(&source, &taken) {
                file.note(&item.span, &item.key, "never reached: an earlier source takes all of it".to_owned());
                continue;
            }
            if source.takes_all_of_its_kind() {
                let kinds = taken.entry(source.place.clone()).or_default();
                if !kinds.contains(&source.kind) {
                    kinds.push(source.kind);
                }
            }
            all.push(source);
        }
    }
    if all.len() > MAX_SOURCES {
        file.note(&item.span, &item.key, format!("expected at most {MAX_SOURCES} sources, found {}", all.len()));
        all.truncate(MAX_SOURCES);
    }
    all
}

fn source<'t>(file: &mut File<'_>, item: &Item<'t>, kind: Kind) -> Vec<Source<PathSpec>> {
    if !item.value.is_table() {
        let path = file.parsed(item, path);
        return path.into_iter().map(|path| Source::new(Place::Body(PathSpec::one(path)), kind)).collect();
    }
    let mut places: Vec<Place<Path>> = Vec::new();
    let (mut between, mut merge, mut form) = (None, Merge::Last, Source::new(Place::Body(()), kind));
    for (key, value) in file.table(item).into_iter().flatten() {
        let entry = item.member(key, value);
        match key.get_ref().as_ref() {
            "path" => places.extend(file.each_parsed(&entry, path).into_iter().map(Place::Body)),
            "header" => places.extend(file.each_parsed(&entry, header).into_iter().map(Place::Header)),
            "challenge" => places.extend(file.each_parsed(&entry, text).into_iter().map(Place::Challenge)),
            "element" => places.extend(file.each_parsed(&entry, element).into_iter().map(Place::Body)),
            "parts" => places.push(Place::Parts(file.each_parsed(&entry, path), "/".to_owned())),
            "sep" => between = file.string(&entry),
            "as" => form.kind = file.parsed(&entry, one_of(&Kind::ALL)).unwrap_or(kind),
            "after" => form.cuts.extend(file.string(&entry).map(Cut::After)),
            "before" => form.cuts.extend(file.string(&entry).map(Cut::Before)),
            "last" => form.cuts.extend(file.string(&entry).map(Cut::Last)),
            "not" => form.not = file.values(&entry).into_iter().map(Glob::new).collect(),
            "not_status" => form.repeats = repeats(file, &entry),
            "not_outcome" => form.not_outcome = file.truth(&entry).unwrap_or_default(),
            "after_fields" => form.after_fields = file.truth(&entry).unwrap_or_default(),
            "join" => merge = file.string(&entry).map_or(Merge::Last, Merge::Joined),
            "deepest" => merge = file.string(&entry).map_or(Merge::Last, Merge::Deepest),
            _ => file.unknown(&item.key, key, KNOWN),
        }
    }
    if places.is_empty() {
        file.note(&item.span, &item.key, "expected one of path, header, challenge, element, parts".to_owned());
    }
    if matches!(merge, Merge::Deepest(_))
        && places.iter().any(|place| matches!(place, Place::Body(path) if path.is_xml()))
    {
        file.note(&item.span, &item.key, "expected `deepest` with a path into JSON".to_owned());
    }
    // One more than are allowed tells that they are too many, and what stands beside them is not copied for the others.
    places.truncate(MAX_SOURCES + 1);
    places.into_iter().map(|place| form.at(place, &merge, between.as_deref())).collect()
}

/// The keys of a source other than its place.
impl Source<()> {
    fn at(&self, place: Place<Path>, merge: &Merge, between: Option<&str>) -> Source<PathSpec> {
        let place = match place {
            Place::Body(path) => Place::Body(PathSpec { path, merge: merge.clone() }),
            Place::Header(name) => Place::Header(name),
            Place::Challenge(name) => Place::Challenge(name),
            Place::Parts(parts, usual) => {
                let between = between.map_or(usual, str::to_owned);
                Place::Parts(parts.into_iter().map(PathSpec::one).collect(), between)
            }
        };
        let Self { kind, repeats, not_outcome, after_fields, .. } = *self;
        let (cuts, not) = (self.cuts.clone(), self.not.clone());
        Source { cuts, not, repeats, not_outcome, after_fields, ..Source::new(place, kind) }
    }
}

fn repeats(file: &mut File<'_>, item: &Item<'_>) -> Repeats {
    match (item.value.as_bool(), item.value.as_str()) {
        (Some(true), _) => Repeats::Not,
        (Some(false), _) => Repeats::Count,
        (_, Some("number")) => Repeats::NotAsNumber,
        (_, Some("any")) => Repeats::NotAnyStatus,
        _ => {
            file.expected(item, "true, false, `number` or `any`");
            Repeats::Count
        }
    }
}

/// Returns `true` if a later source at the same place can never be reached:
/// `taken` are the kinds that earlier sources accept in full.
fn is_hidden(later: &Source<PathSpec>, taken: &HashMap<Place<PathSpec>, Vec<Kind>>) -> bool {
    // Several members are joined only if each of them is there.
    let is_one = !matches!(later.place, Place::Parts(..));
    is_one && taken.get(&later.place).is_some_and(|kinds| kinds.iter().any(|kind| takes_all_of(*kind, later.kind)))
}

/// Returns `true` if whatever is of one kind is of the other, too.
const fn takes_all_of(wide: Kind, narrow: Kind) -> bool {
    match wide {
        Kind::Any => true,
        Kind::Word => !matches!(narrow, Kind::Any),
        Kind::Text => {
            matches!(narrow, Kind::Text | Kind::Token | Kind::Phrase | Kind::Sentence | Kind::ErrorName | Kind::Id)
        }
        Kind::Number => matches!(narrow, Kind::Number),
        Kind::Symbol => matches!(narrow, Kind::Symbol | Kind::Token | Kind::ErrorName | Kind::Id),
        Kind::Token => matches!(narrow, Kind::Token),
        Kind::Phrase => matches!(narrow, Kind::Phrase),
        Kind::Sentence => matches!(narrow, Kind::Sentence),
        Kind::ErrorName => matches!(narrow, Kind::ErrorName),
        Kind::Id => matches!(narrow, Kind::Id),
    }
}
