//! The tables of a dialect's file.

use toml::de::DeTable;

use super::super::spec::Spec;
use super::words::{header, secret_path};
use super::{File, Item, add, catalogue, error, read, retry};
use crate::dialects;
use crate::plan::{MAX_CELLS, MAX_LISTS, Plans};

const ROOT: &[&str] = &[
    "name",
    "vendor",
    "extends",
    "error",
    "read",
    "retry",
    "attempt",
    "idempotency",
    "limits",
    "secrets",
    "rules",
    "codes",
    "reasons",
    "status",
];

pub(super) fn root<'t>(file: &mut File<'_>, root: &'t DeTable<'t>, base: Option<&Spec>) -> Spec {
    let mut spec = start(file, root, base);
    for (key, value) in root {
        let item = Item::named("", key.get_ref(), value);
        match key.get_ref().as_ref() {
            "name" => spec.name = file.printed(&item).unwrap_or_default(),
            "vendor" => spec.vendor = file.printed(&item).unwrap_or_default(),
            "extends" => {}
            "error" => error::error(file, &item, &mut spec),
            "read" => read::read(file, &item, &mut spec),
            "retry" => retry::retry(file, &item, &mut spec),
            "attempt" => retry::attempt(file, &item, &mut spec),
            "idempotency" => retry::idempotency(file, &item, &mut spec),
            "limits" => spec.limits = file.items(&item).iter().filter_map(|item| retry::limit(file, item)).collect(),
            "secrets" => secrets(file, &item, &mut spec),
            "rules" => catalogue::rules(file, &item, &mut spec),
            "codes" => catalogue::codes(file, &item, &mut spec),
            "reasons" => catalogue::reasons(file, &item, &mut spec),
            "status" => catalogue::statuses(file, &item, &mut spec),
            _ => file.unknown("", key, ROOT),
        }
    }
    spec
}

/// Notes what is too much, or contested, in the plans that the paths of a file make.
pub(super) fn limits(file: &mut File<'_>, root: &DeTable<'_>, plans: &Plans) {
    let read = root.get_key_value("read").map_or(0..0, |(key, _)| key.span());
    for plan in plans.each() {
        let (values, lists) = (plan.values(), plan.lists());
        if values > MAX_CELLS {
            file.note(&read, "read", format!("expected at most {MAX_CELLS} paths in all, found {values}"));
        }
        if let Some(place) = plan.contested() {
            file.note(&read, "read", format!("expected one list of fields at `{place}`, found two that differ"));
        }
        if lists > MAX_LISTS {
            file.note(&read, "read", format!("expected at most {MAX_LISTS} lists of fields in all, found {lists}"));
        }
    }
}

/// Finds what the file begins with: the base it was given, the dialect it extends, or nothing.
fn start<'t>(file: &mut File<'_>, root: &'t DeTable<'t>, base: Option<&Spec>) -> Spec {
    let name = root.get("name").and_then(|value| value.get_ref().as_str()).unwrap_or_default();
    let extended = root.get("extends").map(|value| Item::named("", "extends", value));
    let mut spec = match (base, extended) {
        (Some(base), None) => base.clone(),
        (Some(base), Some(item)) => {
            file.expected(&item, "no `extends` in a file that already extends a dialect");
            base.clone()
        }
        (None, Some(item)) => match item.value.as_str().and_then(dialects::by_name) {
            Some(shipped) => shipped.inner.spec.clone(),
            None => {
                file.expected(&item, &format!("one of {}", dialects::NAMES.join(", ")));
                Spec::silent(name)
            }
        },
        (None, None) => {
            if !root.contains_key("name") {
                file.note(&(0..0), "name", "expected a name for the dialect, found none".to_owned());
            }
            Spec::silent(name)
        }
    };
    if spec.vendor.is_empty() || (!name.is_empty() && !root.contains_key("extends") && base.is_none()) {
        name.clone_into(&mut spec.vendor);
    }
    spec
}

fn secrets<'t>(file: &mut File<'_>, item: &Item<'t>, spec: &mut Spec) {
    let Some(table) = file.table(item) else { return };
    for (key, value) in table {
        let item = item.member(key, value);
        match key.get_ref().as_ref() {
            "headers" => {
                let names = file.each_parsed(&item, header);
                add(&mut spec.secret_headers, names.iter().map(ToString::to_string).collect());
            }
            "paths" => add(&mut spec.secret_paths, file.each_parsed(&item, secret_path)),
            _ => file.unknown("secrets", key, &["headers", "paths"]),
        }
    }
}
