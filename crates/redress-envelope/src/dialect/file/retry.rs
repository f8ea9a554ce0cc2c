//! `[retry]`, `[attempt]`, `[idempotency]` and `[[limits]]`: what a vendor says
//! about asking again.

use http::Method;

use super::super::catalogue::{Coverage, IdempotencyHeader, KeyFormat, PublishedLimit, Schedule};
use super::super::hints::{Flag, FlagForm, HintPlace};
use super::super::spec::{PathSpec, Spec};
use super::read::{body_place, hints};
use super::words::{header, method, one_of, path, route};
use super::{File, Item, add};

/// How many routes a limit may count together.
const MAX_ROUTES: usize = 64;

pub(super) fn retry<'t>(file: &mut File<'_>, item: &Item<'t>, spec: &mut Spec) {
    const KNOWN: &[&str] =
        &["attempts", "base_ms", "factor", "cap_ms", "throttle_wait_ms", "idempotent", "flags", "success_hints"];
    let Some(table) = file.table(item) else { return };
    let known = spec.retry.schedule;
    let (mut base, mut factor, mut cap) =
        (known.map(|known| known.base), known.map(|known| known.factor), known.map(|known| known.cap));
    let mistakes = file.mistakes.len();
    for (key, value) in table {
        let item = item.member(key, value);
        match key.get_ref().as_ref() {
            "attempts" => spec.retry.attempts = file.count(&item),
            "base_ms" => base = file.millis(&item),
            "factor" => factor = file.count(&item),
            "cap_ms" => cap = file.millis(&item),
            "throttle_wait_ms" => spec.retry.throttle_wait = file.millis(&item),
            "idempotent" => add(&mut spec.idempotent, file.each_parsed(&item, route)),
            "flags" => spec.flags = flags(file, &item),
            "success_hints" => spec.success_hints = hints(file, &item),
            _ => file.unknown("retry", key, KNOWN),
        }
    }
    match (base, factor, cap) {
        _ if file.mistakes.len() > mistakes => {}
        (Some(base), Some(_), Some(cap)) if cap < base => {
            file.note(&item.span, "retry", "expected a `cap_ms` that is not below `base_ms`".to_owned());
        }
        (Some(base), Some(factor), Some(cap)) => spec.retry.schedule = Some(Schedule { base, factor, cap }),
        (None, None, None) => {}
        _ => file.note(&item.span, "retry", "expected all of `base_ms`, `factor` and `cap_ms`, or none".to_owned()),
    }
}

pub(super) fn attempt<'t>(file: &mut File<'_>, item: &Item<'t>, spec: &mut Spec) {
    let Some(table) = file.table(item) else { return };
    for (key, value) in table {
        let item = item.member(key, value);
        match key.get_ref().as_ref() {
            "timeout_s" => spec.attempt_timeout = file.seconds(&item),
            "hold_s" => spec.hold_timeout = file.seconds(&item),
            _ => file.unknown("attempt", key, &["timeout_s", "hold_s"]),
        }
    }
}

pub(super) fn idempotency<'t>(file: &mut File<'_>, item: &Item<'t>, spec: &mut Spec) {
    const FORMATS: &[(&str, KeyFormat)] = &[("quoted", KeyFormat::Quoted), ("raw", KeyFormat::Raw)];
    let Some(table) = file.table(item) else { return };
    let mistakes = file.mistakes.len();
    let (mut name, mut format, mut methods) = (None, None, None);
    for (key, value) in table {
        let entry = item.member(key, value);
        match key.get_ref().as_ref() {
            "header" => name = file.parsed(&entry, header),
            "format" => format = file.parsed(&entry, one_of(FORMATS)),
            "methods" => methods = Some(each_method(file, &entry)),
            _ => file.unknown(&item.key, key, &["header", "format", "methods"]),
        }
    }
    let known = spec.idempotency.take().or_else(|| name.clone().map(IdempotencyHeader::new));
    if known.is_none() && file.mistakes.len() == mistakes {
        file.note(&item.span, &item.key, "expected `header`".to_owned());
    }
    spec.idempotency = known.map(|mut known| {
        known.name = name.unwrap_or(known.name);
        known.format = format.unwrap_or(known.format);
        known.methods = methods.unwrap_or(known.methods);
        known
    });
}

/// Reads methods; there may be none, where it is the caller who says which
/// requests take a key.
fn each_method(file: &mut File<'_>, item: &Item<'_>) -> Vec<Method> {
    match item.value.as_array() {
        Some(methods) if methods.is_empty() => Vec::new(),
        _ => file.each_parsed(item, method),
    }
}

fn flags<'t>(file: &mut File<'_>, item: &Item<'t>) -> Vec<Flag<PathSpec>> {
    let items = file.items(item);
    let mut flags: Vec<_> = items.iter().filter_map(|item| flag(file, item)).collect();
    // A pushback comes before all others.
    flags.sort_by_key(|flag| matches!(flag.says, FlagForm::YesNo(..)));
    flags
}

fn flag<'t>(file: &mut File<'_>, item: &Item<'t>) -> Option<Flag<PathSpec>> {
    let (mut place, mut pushback): (Option<HintPlace<PathSpec>>, bool) = (None, false);
    let (mut yes, mut no) = (vec!["true".to_owned()], vec!["false".to_owned()]);
    for (key, value) in file.table(item)? {
        let entry = item.member(key, value);
        match key.get_ref().as_ref() {
            "body" => place = file.parsed(&entry, path).map(body_place),
            "header" => place = file.parsed(&entry, header).map(HintPlace::Header),
            "yes" => yes = file.values(&entry),
            "no" => no = file.values(&entry),
            "pushback" => pushback = file.truth(&entry).unwrap_or_default(),
            _ => file.unknown(&item.key, key, &["body", "header", "yes", "no", "pushback"]),
        }
    }
    let Some(place) = place else {
        file.note(&item.span, &item.key, "expected either `body` or `header`".to_owned());
        return None;
    };
    Some(Flag { place, says: if pushback { FlagForm::Pushback } else { FlagForm::YesNo(yes, no) } })
}

pub(super) fn limit<'t>(file: &mut File<'_>, item: &Item<'t>) -> Option<PublishedLimit> {
    let (mut covers, mut requests, mut per, mut scope) = (Coverage::All, None, None, String::new());
    for (key, value) in file.table(item)? {
        let member = item.member(key, value);
        match key.get_ref().as_ref() {
            "route" => covers = coverage(file, &member),
            "requests" => requests = file.count(&member),
            "per_s" => per = file.seconds(&member),
            "scope" => scope = file.string(&member).unwrap_or_default(),
            _ => file.unknown(&item.key, key, &["route", "requests", "per_s", "scope"]),
        }
    }
    let (Some(requests), Some(per)) = (requests, per) else {
        file.note(&item.span, &item.key, "expected `requests` and `per_s`".to_owned());
        return None;
    };
    Some(PublishedLimit { covers, requests, per, scope })
}

fn coverage(file: &mut File<'_>, item: &Item<'_>) -> Coverage {
    if item.value.as_str() == Some("unknown") {
        return Coverage::Unknown;
    }
    let mut routes = file.each_parsed(item, route);
    if routes.len() > MAX_ROUTES {
        file.note(&item.span, &item.key, format!("expected at most {MAX_ROUTES} routes, found {}", routes.len()));
        routes.truncate(MAX_ROUTES);
    }
    Coverage::Routes(routes)
}
