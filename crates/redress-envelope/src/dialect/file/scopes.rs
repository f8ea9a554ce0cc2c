//! `[[scopes]]` and `[cooldown]`: which calls share a limit, and which calls a
//! cool-down holds.

use std::collections::HashSet;

use super::super::scope::Scope;
use super::super::source::Kind;
use super::super::spec::Spec;
use super::source::sources;
use super::when::{Scope as Extent, when};
use super::words::{route, text};
use super::{File, Item};

/// How many scopes a dialect may have: their routes are compared with the path
/// of each call, one after the other.
const MAX_SCOPES: usize = 64;
/// How many routes a scope may have.
const MAX_ROUTES: usize = 64;
/// How many sets of conditions may say that a cool-down concerns all calls.
const MAX_GLOBAL: usize = 64;

/// Reads scopes. The scopes of an extending file come first and replace scopes
/// with the same name.
pub(super) fn scopes<'t>(file: &mut File<'_>, item: &Item<'t>, spec: &mut Spec) {
    let items = file.items(item);
    let mut scopes: Vec<Scope> = Vec::new();
    let mut names = HashSet::new();
    for item in &items {
        let Some(scope) = scope(file, item) else { continue };
        if !names.insert(scope.name.clone()) {
            file.note(&item.span, &item.key, format!("expected one scope `{}`, found two", scope.name));
        }
        scopes.push(scope);
    }
    scopes.extend(spec.scopes.drain(..).filter(|scope| !names.contains(&scope.name)));
    if scopes.len() > MAX_SCOPES {
        file.note(&item.span, &item.key, format!("expected at most {MAX_SCOPES} scopes, found {}", scopes.len()));
        scopes.truncate(MAX_SCOPES);
    }
    spec.scopes = scopes;
}

fn scope<'t>(file: &mut File<'_>, item: &Item<'t>) -> Option<Scope> {
    let (mut name, mut routes, mut key) = (None, Vec::new(), Vec::new());
    let mistakes = file.mistakes.len();
    for (member, value) in file.table(item)? {
        let entry = item.member(member, value);
        match member.get_ref().as_ref() {
            "name" => name = file.printed(&entry),
            "routes" => routes = file.each_parsed(&entry, route),
            "key" => key = file.each_parsed(&entry, text),
            _ => file.unknown(&item.key, member, &["name", "routes", "key"]),
        }
    }
    if routes.len() > MAX_ROUTES {
        file.note(&item.span, &item.key, format!("expected at most {MAX_ROUTES} routes, found {}", routes.len()));
        routes.truncate(MAX_ROUTES);
    }
    for name in &key {
        if !routes.iter().any(|route| route.names().any(|own| own == name)) && file.mistakes.len() == mistakes {
            let expected = format!("expected a name that a route has in braces, found {name:?}");
            file.note(&item.span, &format!("{}.key", item.key), expected);
        }
    }
    match name {
        Some(name) if !routes.is_empty() => Some(Scope { name, routes, key }),
        _ => {
            if file.mistakes.len() == mistakes {
                file.note(&item.span, &item.key, "expected `name` and `routes`".to_owned());
            }
            None
        }
    }
}

/// Reads how a response says which calls its cool-down holds. Each key replaces
/// that of the extended dialect.
pub(super) fn cooldown<'t>(file: &mut File<'_>, item: &Item<'t>, spec: &mut Spec) {
    let Some(table) = file.table(item) else { return };
    for (key, value) in table {
        let entry = item.member(key, value);
        match key.get_ref().as_ref() {
            "bucket" => spec.cooldown.bucket = sources(file, &entry, Kind::Word),
            "global" => {
                let items = if entry.value.is_table() { vec![entry.clone()] } else { file.items(&entry) };
                if items.len() > MAX_GLOBAL {
                    let found = format!("expected at most {MAX_GLOBAL} sets of conditions, found {}", items.len());
                    file.note(&entry.span, &entry.key, found);
                }
                let conditions = items.iter().take(MAX_GLOBAL).map(|item| when(file, item, Extent::Words));
                spec.cooldown.global = conditions.collect();
            }
            _ => file.unknown("cooldown", key, &["bucket", "global"]),
        }
    }
}

/// Records a `[cooldown]` that has no effect.
pub(super) fn check_cooldown(file: &mut File<'_>, item: &Item<'_>, spec: &Spec) {
    if spec.scopes.is_empty() {
        file.note(
            &item.span,
            "cooldown",
            "expected `[[scopes]]` beside it: without them all calls are concerned".to_owned(),
        );
    }
}
