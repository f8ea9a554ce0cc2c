//! Sources that never say something, and hints that are read anyway.

use super::super::{File, Item};
use super::facts::Facts;
use super::when::Of;
use super::{conditions, member, texts};
use crate::dialect::hints::{Hint, HintPlace};
use crate::dialect::spec::PathSpec;
use crate::hint::Unit;

pub(super) fn sources<'t>(file: &mut File<'_>, item: &Item<'t>) {
    let items = if item.value.is_array() { file.items(item) } else { vec![item.clone()] };
    for item in items.iter().filter(|item| item.value.is_table()) {
        source(file, item);
    }
}

fn source(file: &mut File<'_>, item: &Item<'_>) {
    let is = |key: &str, text: &str| member(item, key).is_some_and(|value| value.value.as_str() == Some(text));
    let is_true = |key: &str| member(item, key).is_some_and(|value| value.value.as_bool() == Some(true));
    if let Some(not) = member(item, "not")
        && texts(&not).iter().any(|(text, _)| text.bytes().all(|byte| byte == b'*'))
    {
        file.never(&not, "`*` leaves out every value: leave out the source");
    }
    if is("as", "phrase") && is_true("not_status") {
        file.never(
            item,
            "`not_status = true` leaves out the reason phrases that `as = \"phrase\"` takes: leave one of them out",
        );
    }
    for (key, needed) in [("sep", "parts"), ("join", "path"), ("deepest", "path")] {
        if let Some(key_item) = member(item, key)
            && member(item, needed).is_none()
        {
            file.warn(&key_item, &format!("`{key}` is for `{needed}`: leave it out"));
        }
    }
    if let (Some(join), Some(path)) = (member(item, "join"), member(item, "path"))
        && !texts(&path).iter().any(|(path, _)| path.contains(['*', '|']) || path.starts_with('/'))
    {
        file.warn(&join, "the path leads to one value: write `[*]` or `*` in it, or leave out `join`");
    }
}

pub(super) fn success_hints<'t>(file: &mut File<'_>, item: &Item<'t>, hints: &[Hint<PathSpec>], facts: &Facts<'_>) {
    for (item, hint) in file.items(item).iter().zip(hints) {
        conditions(file, item, &hint.when, Of::SuccessHint, facts);
    }
}

pub(super) fn hints<'t>(
    file: &mut File<'_>,
    item: &Item<'t>,
    hints: &[Hint<PathSpec>],
    ordered: bool,
    facts: &Facts<'_>,
) {
    for (item, hint) in file.items(item).iter().zip(hints) {
        conditions(file, item, &hint.when, Of::Hint, facts);
        let HintPlace::Header(name) = &hint.place else { continue };
        let is_standard = match name.as_str() {
            "retry-after" => hint.unit == Unit::Http && !hint.reset,
            "ratelimit" => hint.unit == Unit::RateLimit,
            _ => false,
        };
        if is_standard && !ordered && hint.when.is_empty() {
            file.warn(item, &format!("`{name}` is always read: leave it out"));
        }
    }
}
