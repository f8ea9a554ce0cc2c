//! `when = { ... }`: conditions.

use http::HeaderName;

use super::super::condition::{Condition, JsonKind};
use super::super::spec::PathSpec;
use super::words::{glob, header, one_of, path, route};
use super::{File, Item};
use crate::path::Path;
use crate::pattern::Ranges;

const HEAD: &[&str] = &["status", "content_type", "route", "header", "header_is", "no_header", "event"];
const BODY: &[&str] = &["body", "body_is", "body_kind", "no_body", "no_scalar"];
const WORDS: &[&str] = &["code", "code_range", "reason", "message"];

/// How much of a response the conditions of a place may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    /// The head: a body is still to come.
    Head,
    /// The body, too.
    Body,
    /// The words of the envelope, too.
    Words,
}

/// The keys that make a condition only together.
#[derive(Default)]
struct Combined {
    header: Option<HeaderName>,
    header_is: Vec<String>,
    body: Option<Path>,
    body_is: Vec<String>,
    body_kind: Option<JsonKind>,
}

pub(super) fn when<'t>(file: &mut File<'_>, item: &Item<'t>, scope: Scope) -> Vec<Condition<PathSpec>> {
    let Some(table) = file.table(item) else { return Vec::new() };
    let known: Vec<&str> = [(Scope::Head, HEAD), (Scope::Body, BODY), (Scope::Words, WORDS)]
        .iter()
        .filter(|(least, _)| scope >= *least)
        .flat_map(|(_, keys)| keys.iter().copied())
        .collect();
    let mut conditions = Vec::new();
    let mut combined = Combined::default();
    for (key, value) in table {
        let entry = item.member(key, value);
        match key.get_ref().as_ref() {
            name if !known.contains(&name) => file.unknown(&item.key, key, &known),
            "status" => conditions.extend(statuses(file, &entry).map(Condition::Status)),
            "content_type" => conditions.push(Condition::MediaType(file.each_parsed(&entry, glob))),
            "route" => conditions.extend(file.parsed(&entry, route).map(Condition::Route)),
            "header" => combined.header = file.parsed(&entry, header),
            "header_is" => combined.header_is = file.values(&entry),
            "no_header" => conditions.extend(file.each_parsed(&entry, header).into_iter().map(Condition::NoHeader)),
            "event" => conditions.push(Condition::Event(file.each_parsed(&entry, glob))),
            "body" => combined.body = file.parsed(&entry, path),
            "body_is" => combined.body_is = file.values(&entry),
            "body_kind" => combined.body_kind = file.parsed(&entry, one_of(&JsonKind::ALL)),
            "no_body" => conditions.extend(members(file, &entry, Condition::NoBody)),
            "no_scalar" => conditions.extend(members(file, &entry, Condition::NoScalar)),
            "code" => conditions.push(Condition::Code(file.each_parsed(&entry, glob))),
            "code_range" => conditions.extend(ranges(file, &entry).map(Condition::CodeRange)),
            "reason" => conditions.push(Condition::Reason(file.each_parsed(&entry, glob))),
            _ => conditions.push(Condition::Message(file.each_parsed(&entry, glob))),
        }
    }
    conditions.extend(combined.conditions(file, item));
    if table.is_empty() {
        file.expected(item, "at least one condition");
    }
    conditions
}

impl Combined {
    /// Makes the conditions, and notes each key without the one that it belongs to.
    fn conditions(self, file: &mut File<'_>, item: &Item<'_>) -> Vec<Condition<PathSpec>> {
        let Self { header, header_is, body, body_is, body_kind } = self;
        for (key, alone) in [
            ("header_is", header.is_none() && !header_is.is_empty()),
            ("body_is", body.is_none() && !body_is.is_empty()),
            ("body_kind", body.is_none() && body_kind.is_some()),
        ] {
            if alone {
                let what = key.split('_').next().unwrap_or_default();
                file.note(&item.span, &format!("{}.{key}", item.key), format!("expected `{what}` beside it"));
            }
        }
        let mut conditions: Vec<_> = header.map(|name| Condition::Header(name, header_is)).into_iter().collect();
        if let Some(path) = body {
            let wanted = PathSpec::one(path);
            conditions.extend(body_kind.map(|kind| Condition::BodyKind(wanted.clone(), kind)));
            conditions.push(Condition::Body(wanted, body_is));
        }
        conditions
    }
}

/// Reads a path or a list of them, and makes a condition of each.
fn members(
    file: &mut File<'_>,
    item: &Item<'_>,
    condition: fn(PathSpec) -> Condition<PathSpec>,
) -> impl Iterator<Item = Condition<PathSpec>> {
    file.each_parsed(item, path).into_iter().map(PathSpec::one).map(condition)
}

fn statuses(file: &mut File<'_>, item: &Item<'_>) -> Option<Ranges> {
    let ranges = ranges(file, item)?;
    if (0..100).chain(1000..1100).any(|status| ranges.contains(status)) {
        file.expected(item, "statuses from 100 to 999");
    }
    Some(ranges)
}

/// Reads numbers and ranges; a single number may be an integer.
pub(super) fn ranges(file: &mut File<'_>, item: &Item<'_>) -> Option<Ranges> {
    let text = file.scalar(item);
    let ranges = text.as_deref().and_then(Ranges::parse);
    if ranges.is_none() {
        file.expected(item, Ranges::EXPECTED);
    }
    ranges
}
