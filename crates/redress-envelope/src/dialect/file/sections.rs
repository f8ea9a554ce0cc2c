//! The tables of a dialect's file.

use toml::de::DeTable;

use super::super::compiled::Compiled;
use super::super::spec::{Protocol, Spec};
use super::base::{self, Base};
use super::words::{header, one_of, secret_path};
use super::{File, Item, add, catalogue, error, read, retry, scopes};
use crate::plan::{MAX_CELLS, MAX_LISTS, MAX_NODES, Plans, Spelling};

const ROOT: &[&str] = &[
    "name",
    "vendor",
    "extends",
    "spelling",
    "protocol",
    "error",
    "read",
    "retry",
    "attempt",
    "idempotency",
    "limits",
    "scopes",
    "cooldown",
    "secrets",
    "rules",
    "codes",
    "reasons",
    "status",
];

pub(super) fn root<'t>(file: &mut File<'_>, root: &'t DeTable<'t>, base: &mut Base<'_, '_>) -> Spec {
    let mut spec = base::start(file, root, base);
    for (key, value) in root {
        let item = Item::named("", key.get_ref(), value);
        match key.get_ref().as_ref() {
            "name" => spec.name = file.printed(&item).unwrap_or_default(),
            "vendor" => spec.vendor = file.printed(&item).unwrap_or_default(),
            "extends" => {}
            "spelling" => spec.spelling = file.parsed(&item, one_of(&Spelling::ALL)).unwrap_or_default(),
            "protocol" => spec.protocol = file.parsed(&item, one_of(&Protocol::ALL)).unwrap_or_default(),
            "error" => error::error(file, &item, &mut spec),
            "read" => read::read(file, &item, &mut spec),
            "retry" => retry::retry(file, &item, &mut spec),
            "attempt" => retry::attempt(file, &item, &mut spec),
            "idempotency" => retry::idempotency(file, &item, &mut spec),
            "limits" => spec.limits = file.items(&item).iter().filter_map(|item| retry::limit(file, item)).collect(),
            "scopes" => scopes::scopes(file, &item, &mut spec),
            "cooldown" => scopes::cooldown(file, &item, &mut spec),
            "secrets" => secrets(file, &item, &mut spec),
            "rules" => catalogue::rules(file, &item, &mut spec),
            "codes" => catalogue::codes(file, &item, &mut spec),
            "reasons" => catalogue::reasons(file, &item, &mut spec),
            "status" => catalogue::statuses(file, &item, &mut spec),
            _ => file.unknown("", key, ROOT),
        }
    }
    if let Some((key, value)) = root.get_key_value("cooldown") {
        scopes::check_cooldown(file, &Item::named("", key.get_ref(), value), &spec);
    }
    spec
}

/// Records what is too much, or contested, in the plans that the paths of a
/// file make.
pub(super) fn limits(file: &mut File<'_>, root: &DeTable<'_>, compiled: &Compiled) {
    limits_of(file, root, "read", &compiled.plan);
    if let Some(success) = &compiled.success {
        limits_of(file, root, "retry", success.plan());
    }
}

fn limits_of(file: &mut File<'_>, root: &DeTable<'_>, table: &str, plans: &Plans) {
    let span = root.get_key_value(table).map_or(0..0, |(key, _)| key.span());
    for plan in plans.each() {
        let (values, lists) = (plan.values(), plan.lists());
        if values > MAX_CELLS {
            file.note(&span, table, format!("expected at most {MAX_CELLS} paths in all, found {values}"));
        }
        if plan.places() >= MAX_NODES {
            file.note(&span, table, format!("expected paths to less than {MAX_NODES} places in all"));
        }
        if let Some(place) = plan.contested() {
            file.note(&span, table, format!("expected one list of fields at `{place}`, found two that differ"));
        }
        if lists > MAX_LISTS {
            file.note(&span, table, format!("expected at most {MAX_LISTS} lists of fields in all, found {lists}"));
        }
    }
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
