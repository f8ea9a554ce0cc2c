//! `when = { ... }`: conditions.

use super::super::condition::{Condition, JsonKind};
use super::super::spec::PathSpec;
use super::words::{glob, header, one_of, path, route};
use super::{File, Item};
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

pub(super) fn when<'t>(file: &mut File<'_>, item: &Item<'t>, scope: Scope) -> Vec<Condition<PathSpec>> {
    let Some(table) = file.table(item) else { return Vec::new() };
    let known: Vec<&str> = [(Scope::Head, HEAD), (Scope::Body, BODY), (Scope::Words, WORDS)]
        .iter()
        .filter(|(least, _)| scope >= *least)
        .flat_map(|(_, keys)| keys.iter().copied())
        .collect();
    let mut conditions = Vec::new();
    let (mut named, mut named_is) = (None, Vec::new());
    let (mut member, mut member_is) = (None, Vec::new());
    let mut kind = None;
    for (key, value) in table {
        let entry = item.member(key, value);
        match key.get_ref().as_ref() {
            name if !known.contains(&name) => file.unknown(&item.key, key, &known),
            "status" => conditions.extend(statuses(file, &entry).map(Condition::Status)),
            "content_type" => conditions.push(Condition::MediaType(file.each_parsed(&entry, glob))),
            "route" => conditions.extend(file.parsed(&entry, route).map(Condition::Route)),
            "header" => named = file.parsed(&entry, header),
            "header_is" => named_is = file.values(&entry),
            "no_header" => conditions.extend(file.each_parsed(&entry, header).into_iter().map(Condition::NoHeader)),
            "event" => conditions.push(Condition::Event(file.each_parsed(&entry, glob))),
            "body" => member = file.parsed(&entry, path),
            "body_is" => member_is = file.values(&entry),
            "body_kind" => kind = file.parsed(&entry, one_of(&JsonKind::ALL)),
            "no_body" => conditions.extend(members(file, &entry, Condition::NoBody)),
            "no_scalar" => conditions.extend(members(file, &entry, Condition::NoScalar)),
            "code" => conditions.push(Condition::Code(file.each_parsed(&entry, glob))),
            "code_range" => conditions.extend(ranges(file, &entry).map(Condition::CodeRange)),
            "reason" => conditions.push(Condition::Reason(file.each_parsed(&entry, glob))),
            _ => conditions.push(Condition::Message(file.each_parsed(&entry, glob))),
        }
    }
    for (key, alone) in [
        ("header_is", named.is_none() && !named_is.is_empty()),
        ("body_is", member.is_none() && !member_is.is_empty()),
        ("body_kind", member.is_none() && kind.is_some()),
    ] {
        if alone {
            let what = key.split('_').next().unwrap_or_default();
            file.note(&item.span, &format!("{}.{key}", item.key), format!("expected `{what}` beside it"));
        }
    }
    conditions.extend(named.map(|name| Condition::Header(name, named_is)));
    if let Some(path) = member {
        let wanted = PathSpec::one(path);
        conditions.extend(kind.map(|kind| Condition::BodyKind(wanted.clone(), kind)));
        conditions.push(Condition::Body(wanted, member_is));
    }
    if table.is_empty() {
        file.expected(item, "at least one condition");
    }
    conditions
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
