//! The tables of a dialect's file, one function each.

use std::fmt::Display;
use std::str::FromStr;

use toml::de::DeTable;

use super::super::Test;
use super::super::catalogue::{Code, Limit, Reason, Route, Schedule, Status};
use super::super::spec::Spec;
use super::{File, Item};
use crate::class::{Class, Recovery};
use crate::dialects;
use crate::hint::Unit;
use crate::json::Container;
use crate::path::Path;
use crate::plan::{FieldList, MAX_CELLS};

const ROOT: &[&str] =
    &["name", "vendor", "extends", "error", "read", "retry", "limits", "secrets", "codes", "reasons", "status"];
const MAX_LISTS: usize = 16;

pub(super) fn root<'t>(file: &mut File<'_>, root: &'t DeTable<'t>, base: Option<&Spec>) -> Spec {
    let mut spec = start(file, root, base);
    for (key, value) in root {
        let item = Item::named("", key.get_ref(), value);
        match key.get_ref().as_ref() {
            "name" => spec.name = file.string(&item).unwrap_or_default(),
            "vendor" => spec.vendor = file.string(&item).unwrap_or_default(),
            "extends" => {}
            "error" => error(file, &item, &mut spec),
            "read" => read(file, &item, &mut spec),
            "retry" => retry(file, &item, &mut spec),
            "limits" => spec.limits = file.items(&item).iter().filter_map(|item| limit(file, item)).collect(),
            "secrets" => secrets(file, &item, &mut spec),
            "codes" => codes(file, &item, &mut spec),
            "reasons" => reasons(file, &item, &mut spec),
            "status" => statuses(file, &item, &mut spec),
            _ => file.unknown("", key, ROOT),
        }
    }
    if spec.values() > MAX_CELLS {
        let read = root.get_key_value("read").map_or(0..0, |(key, _)| key.span());
        file.note(&read, "read", format!("expected at most {MAX_CELLS} paths in all, found {}", spec.values()));
    }
    spec
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

fn error<'t>(file: &mut File<'_>, item: &Item<'t>, spec: &mut Spec) {
    let Some(table) = file.table(item) else { return };
    if table.is_empty() {
        file.note(&item.span, "error", "expected one of not_null, is_false, found none".to_owned());
        return;
    }
    spec.signals.clear();
    for (key, value) in table {
        let item = item.member(key, value);
        let test = match key.get_ref().as_ref() {
            "not_null" => Test::NotNull,
            "is_false" => Test::IsFalse,
            _ => {
                file.unknown("error", key, &["not_null", "is_false"]);
                continue;
            }
        };
        spec.signals.extend(file.each_parsed(&item, path).into_iter().map(|path| (path, test)));
    }
}

fn read<'t>(file: &mut File<'_>, item: &Item<'t>, spec: &mut Spec) {
    const KNOWN: &[&str] =
        &["root", "code", "message", "request_id", "request_id_headers", "reason", "fields", "hints"];
    let Some(table) = file.table(item) else { return };
    for (key, value) in table {
        let item = item.member(key, value);
        match key.get_ref().as_ref() {
            "root" => spec.root = file.parsed(&item, container).unwrap_or(Container::Object),
            "code" => spec.code = file.each_parsed(&item, path),
            "message" => spec.message = file.each_parsed(&item, path),
            "request_id" => spec.request_id = file.each_parsed(&item, path),
            "request_id_headers" => spec.request_id_headers = file.each_parsed(&item, header),
            "reason" => spec.reason = file.each_parsed(&item, path),
            "fields" => fields(file, &item, spec),
            "hints" => hints(file, &item, spec),
            _ => file.unknown("read", key, KNOWN),
        }
    }
}

fn fields<'t>(file: &mut File<'_>, item: &Item<'t>, spec: &mut Spec) {
    let items = file.items(item);
    if items.len() > MAX_LISTS {
        file.expected(item, "at most 16 lists of fields");
        return;
    }
    spec.fields = items.iter().filter_map(|item| field_list(file, item)).collect();
}

fn field_list<'t>(file: &mut File<'_>, item: &Item<'t>) -> Option<FieldList> {
    let (mut list, mut map, mut name, mut message) = (None, None, None, None);
    for (key, value) in file.table(item)? {
        let member = item.member(key, value);
        match key.get_ref().as_ref() {
            "list" => list = file.parsed(&member, path),
            "map" => map = file.parsed(&member, path),
            "path" => name = file.parsed(&member, path),
            "message" => message = file.parsed(&member, path),
            _ => file.unknown(&item.key, key, &["list", "map", "path", "message"]),
        }
    }
    match (list, map, name, message) {
        (Some(at), None, Some(path), Some(message)) => Some(FieldList::List { at, path, message }),
        (None, Some(at), None, None) => Some(FieldList::Map { at }),
        _ => {
            let forms = "either `list`, `path` and `message`, or `map` alone";
            file.note(&item.span, &item.key, format!("expected {forms}"));
            None
        }
    }
}

fn hints<'t>(file: &mut File<'_>, item: &Item<'t>, spec: &mut Spec) {
    spec.body_hints.clear();
    spec.header_hints.clear();
    for item in file.items(item) {
        let (mut body, mut name, mut unit) = (None, None, None);
        let Some(table) = file.table(&item) else { continue };
        let mistakes = file.mistakes.len();
        for (key, value) in table {
            let member = item.member(key, value);
            match key.get_ref().as_ref() {
                "body" => body = file.parsed(&member, path),
                "header" => name = file.parsed(&member, header),
                "unit" => unit = file.parsed(&member, self::unit),
                _ => file.unknown(&item.key, key, &["body", "header", "unit"]),
            }
        }
        match (body, name, unit) {
            (Some(path), None, Some(unit)) => spec.body_hints.push((path, unit)),
            (None, Some(name), Some(unit)) => spec.header_hints.push((name, unit)),
            _ if file.mistakes.len() > mistakes => {}
            _ => file.note(&item.span, &item.key, "expected `unit` and either `body` or `header`".to_owned()),
        }
    }
}

fn retry<'t>(file: &mut File<'_>, item: &Item<'t>, spec: &mut Spec) {
    const KNOWN: &[&str] = &["attempts", "base_ms", "factor", "cap_ms", "throttle_wait_ms", "idempotent"];
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

/// Adds what a list lacks: what is safe or secret for the dialect below stays so.
fn add<T: PartialEq>(known: &mut Vec<T>, more: Vec<T>) {
    for item in more {
        if !known.contains(&item) {
            known.push(item);
        }
    }
}

fn limit<'t>(file: &mut File<'_>, item: &Item<'t>) -> Option<Limit> {
    let (mut at, mut requests, mut per, mut scope) = (None, None, None, String::new());
    for (key, value) in file.table(item)? {
        let member = item.member(key, value);
        match key.get_ref().as_ref() {
            "route" => at = file.parsed(&member, route),
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
    Some(Limit { route: at, requests, per, scope })
}

fn secrets<'t>(file: &mut File<'_>, item: &Item<'t>, spec: &mut Spec) {
    let Some(table) = file.table(item) else { return };
    for (key, value) in table {
        let item = item.member(key, value);
        match key.get_ref().as_ref() {
            "headers" => add(&mut spec.secret_headers, file.each_parsed(&item, header)),
            _ => file.unknown("secrets", key, &["headers"]),
        }
    }
}

fn codes<'t>(file: &mut File<'_>, item: &Item<'t>, spec: &mut Spec) {
    let Some(table) = file.table(item) else { return };
    for (key, value) in table {
        let entry = item.member(key, value);
        let name = key.get_ref().as_ref();
        if name.is_empty() {
            file.note(&key.span(), &entry.key, "expected a code, found an empty text".to_owned());
            continue;
        }
        let row = row(file, &entry, CODE);
        let known = spec.codes.get(name).cloned();
        let Some(class) = row.class.or(known.as_ref().map(|known| known.class)) else {
            if !row.at_fault {
                file.note(&entry.span, &format!("{}.class", entry.key), "expected a class, found none".to_owned());
            }
            continue;
        };
        // A row of a known code changes what it names; a new class brings its own recovery along.
        let mut code = known.unwrap_or_else(|| Code::new(name, class));
        if code.class != class {
            code = Code::new(name, class).guidance(code.guidance);
        }
        code.status = row.status.or(code.status);
        code.recovery = row.recovery.unwrap_or(code.recovery);
        code.guidance = row.guidance.unwrap_or(code.guidance);
        spec.add_code(code);
    }
}

fn reasons<'t>(file: &mut File<'_>, item: &Item<'t>, spec: &mut Spec) {
    let Some(table) = file.table(item) else { return };
    for (key, value) in table {
        let row = row(file, &item.member(key, value), REASON);
        let name = key.get_ref().as_ref().to_owned();
        let new = Reason { reason: name.clone(), recovery: None, guidance: String::new() };
        let known = spec.reasons.entry(name).or_insert(new);
        known.recovery = row.recovery.or(known.recovery);
        if let Some(guidance) = row.guidance {
            known.guidance = guidance;
        }
    }
}

fn statuses<'t>(file: &mut File<'_>, item: &Item<'t>, spec: &mut Spec) {
    let Some(table) = file.table(item) else { return };
    for (key, value) in table {
        let entry = item.member(key, value);
        let row = row(file, &entry, STATUS);
        let name = key.get_ref();
        let digits = name.len() == 3 && name.bytes().all(|byte| byte.is_ascii_digit());
        match name.parse::<u16>() {
            Ok(status @ 100..=999) if digits => {
                let new = Status { status, class: None, recovery: None, guidance: String::new() };
                let known = spec.statuses.entry(status).or_insert(new);
                known.class = row.class.or(known.class);
                known.recovery = row.recovery.or(known.recovery);
                if let Some(guidance) = row.guidance {
                    known.guidance = guidance;
                }
            }
            _ => file.note(&key.span(), &entry.key, "expected a status from 100 to 999".to_owned()),
        }
    }
}

const CODE: &[&str] = &["status", "class", "recovery", "guidance"];
const REASON: &[&str] = &["recovery", "guidance"];
const STATUS: &[&str] = &["class", "recovery", "guidance"];

/// What a line of a catalogue says.
#[derive(Default)]
struct Row {
    status: Option<u16>,
    class: Option<Class>,
    recovery: Option<Recovery>,
    guidance: Option<String>,
    /// Whether a mistake in it was noted.
    at_fault: bool,
}

fn row<'t>(file: &mut File<'_>, item: &Item<'t>, known: &[&str]) -> Row {
    let mut row = Row::default();
    let mistakes = file.mistakes.len();
    for (key, value) in file.table(item).into_iter().flatten() {
        let member = item.member(key, value);
        match key.get_ref().as_ref() {
            name if !known.contains(&name) => file.unknown(&item.key, key, known),
            "status" => row.status = file.status(&member),
            "class" => row.class = file.parsed(&member, |text| word(text, &Class::ALL)),
            "recovery" => row.recovery = file.parsed(&member, |text| word(text, &Recovery::ALL)),
            _ => row.guidance = file.string(&member),
        }
    }
    row.at_fault = file.mistakes.len() > mistakes;
    row
}

fn path(text: &str) -> Result<Path, String> {
    Path::parse(text).map_err(str::to_owned)
}

fn header(text: &str) -> Result<String, String> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if text.is_empty() || !text.bytes().all(token) {
        return Err("the name of a header".to_owned());
    }
    Ok(text.to_ascii_lowercase())
}

fn route(text: &str) -> Result<Route, String> {
    Route::parse(text).ok_or_else(|| "a method and a path such as `POST /v1/things/{id}`".to_owned())
}

fn container(text: &str) -> Result<Container, String> {
    match text {
        "object" => Ok(Container::Object),
        "array" => Ok(Container::Array),
        _ => Err("`object` or `array`".to_owned()),
    }
}

fn unit(text: &str) -> Result<Unit, String> {
    let known = || Unit::ALL.map(Unit::as_str).join(", ");
    Unit::ALL.into_iter().find(|unit| unit.as_str() == text).ok_or_else(|| format!("one of {}", known()))
}

fn word<T: FromStr + Display>(text: &str, all: &[T]) -> Result<T, String> {
    let known = || all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    text.parse().map_err(|_| format!("one of {}", known()))
}
