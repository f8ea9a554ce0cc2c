//! `[codes]`, `[reasons]`, `[status]` and `[[rules]]`: what the words of a
//! vendor mean.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::catalogue::{Code, Reason, Rule, Status};
use super::super::condition::Condition;
use super::super::spec::{PathSpec, Spec};
use super::when::{Scope, when};
use super::words::word;
use super::{File, Item};
use crate::class::{Class, Recovery};

/// How many rules a dialect may have: they are numbered in two bytes.
const MAX_RULES: usize = 65_535;

pub(super) fn codes<'t>(file: &mut File<'_>, item: &Item<'t>, spec: &mut Spec) {
    let Some(table) = file.table(item) else { return };
    for (key, value) in table {
        let entry = item.member(key, value);
        let name = key.get_ref().as_ref();
        if name.is_empty() {
            file.note(&key.span(), &entry.key, "expected a code, found an empty text".to_owned());
            continue;
        }
        if name.contains('*') {
            file.note(
                &key.span(),
                &entry.key,
                "expected one code, found a pattern, which belongs in a rule".to_owned(),
            );
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
            code = Code { guidance: code.guidance, ..Code::new(name, class) };
        }
        code.not_processed = row.not_processed.unwrap_or(code.not_processed);
        code.status = row.status.or(code.status);
        code.recovery = row.recovery.unwrap_or(code.recovery);
        code.guidance = row.guidance.unwrap_or(code.guidance);
        spec.add_code(code);
    }
}

pub(super) fn reasons<'t>(file: &mut File<'_>, item: &Item<'t>, spec: &mut Spec) {
    let Some(table) = file.table(item) else { return };
    for (key, value) in table {
        let row = row(file, &item.member(key, value), REASON);
        let name = key.get_ref().as_ref().to_owned();
        let new = Reason { reason: name.clone(), recovery: None, guidance: Arc::default() };
        let known = spec.reasons.entry(name).or_insert(new);
        known.recovery = row.recovery.or(known.recovery);
        if let Some(guidance) = row.guidance {
            known.guidance = guidance;
        }
    }
}

pub(super) fn statuses<'t>(file: &mut File<'_>, item: &Item<'t>, spec: &mut Spec) {
    let Some(table) = file.table(item) else { return };
    for (key, value) in table {
        let entry = item.member(key, value);
        let row = row(file, &entry, STATUS);
        let name = key.get_ref();
        let digits = name.len() == 3 && name.bytes().all(|byte| byte.is_ascii_digit());
        match name.parse::<u16>() {
            Ok(status @ 100..=999) if digits => {
                let new =
                    Status { status, class: None, recovery: None, not_processed: false, guidance: Arc::default() };
                let known = spec.statuses.entry(status).or_insert(new);
                known.class = row.class.or(known.class);
                known.recovery = row.recovery.or(known.recovery);
                known.not_processed = row.not_processed.unwrap_or(known.not_processed);
                if let Some(guidance) = row.guidance {
                    known.guidance = guidance;
                }
            }
            _ => file.note(&key.span(), &entry.key, "expected a status from 100 to 999".to_owned()),
        }
    }
}

const CODE: &[&str] = &["status", "class", "recovery", "not_processed", "guidance"];
const REASON: &[&str] = &["recovery", "guidance"];
const STATUS: &[&str] = &["class", "recovery", "not_processed", "guidance"];
const RULE: &[&str] = &["when", "class", "recovery", "not_processed", "guidance"];

/// The keys that the rows of all catalogues share.
#[derive(Default)]
struct Row {
    status: Option<u16>,
    class: Option<Class>,
    recovery: Option<Recovery>,
    not_processed: Option<bool>,
    guidance: Option<Arc<str>>,
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
            "when" => {}
            "status" => row.status = file.status(&member),
            "class" => row.class = file.parsed(&member, |text| word(text, &Class::ALL)),
            "recovery" => row.recovery = file.parsed(&member, |text| word(text, &Recovery::ALL)),
            "not_processed" => row.not_processed = file.truth(&member),
            _ => row.guidance = file.printed(&member).map(Arc::from),
        }
    }
    row.at_fault = file.mistakes.len() > mistakes;
    row
}

/// Reads rules; those of a file that extends another come first.
pub(super) fn rules<'t>(file: &mut File<'_>, item: &Item<'t>, spec: &mut Spec) {
    let mut rules: Vec<(Vec<Condition<PathSpec>>, Rule)> = Vec::new();
    let mut seen = HashSet::new();
    for item in file.items(item) {
        let Some(table) = file.table(&item) else { continue };
        let mistakes = file.mistakes.len();
        let conditions = match table.get_key_value("when") {
            Some((key, value)) => when(file, &item.member(key, value), Scope::Words),
            None => Vec::new(),
        };
        let row = row(file, &item, RULE);
        let says = row.class.is_some() || row.recovery.is_some() || row.not_processed.is_some();
        if file.mistakes.len() == mistakes && (conditions.is_empty() || !says) {
            file.note(&item.span, &item.key, "expected `when`, and `class` or `recovery`".to_owned());
        }
        if !conditions.is_empty() && !seen.insert(conditions.clone()) {
            file.note(&item.span, &item.key, "never reached: an earlier rule has the same `when`".to_owned());
        }
        let rule = Rule {
            class: row.class,
            recovery: row.recovery,
            not_processed: row.not_processed.unwrap_or_default(),
            guidance: row.guidance.unwrap_or_default(),
        };
        rules.push((conditions, rule));
    }
    let found = rules.len() + spec.rules.len();
    if found > MAX_RULES {
        file.note(&item.span, &item.key, format!("expected at most {MAX_RULES} rules, found {found}"));
    }
    rules.append(&mut spec.rules);
    spec.rules = rules;
}
