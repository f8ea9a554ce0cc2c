//! Rows of the catalogues, routes, limits and secrets that never count.

use std::collections::HashMap;

use toml::de::DeValue;

use super::super::{File, Item};
use super::facts::Facts;
use super::when::{NO_CODE, NO_REASON};
use super::{member, texts};
use crate::dialect::spec::Spec;
use crate::pattern::{Glob, Ranges};

/// The methods that are idempotent by themselves (RFC 9110 section 9.2.2).
const IDEMPOTENT: [&str; 6] = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"];

pub(super) fn codes<'t>(file: &mut File<'_>, item: &Item<'t>, facts: &Facts<'_>) {
    for (key, value) in item.value.as_table().into_iter().flatten() {
        let row = item.member(key, value);
        let word = Glob::new(key.get_ref().as_ref());
        if facts.code.is_empty() {
            if !facts.code.may_be_of_challenge(&word) {
                // Once is enough.
                return file.never(&row, NO_CODE);
            }
        } else if let Some(why) = facts.code.refusal(&word) {
            file.never(&row, &format!("{:?} is never read as the code: {why}", word.as_str()));
        }
        hidden(file, &row, facts.rule_of_code(key.get_ref()));
        let Some(status) = member(&row, "status") else { continue };
        let statuses = file.scalar(&status).as_deref().and_then(Ranges::parse);
        if statuses.is_some_and(|statuses| !facts.may_fail(&statuses)) {
            file.never(
                &status,
                "a response with this status is not an error: add an `[[error]]` rule for it, or leave `status` out",
            );
        }
    }
}

pub(super) fn reasons<'t>(file: &mut File<'_>, item: &Item<'t>, spec: &Spec, facts: &Facts<'_>) {
    for (key, value) in item.value.as_table().into_iter().flatten() {
        let row = item.member(key, value);
        let word = Glob::new(key.get_ref().as_ref());
        if facts.reason.is_empty() {
            return file.never(&row, NO_REASON);
        }
        if spec.codes.is_empty() {
            return file
                .never(&row, "a reason refines a known code, and `[codes]` has none: write a rule about the `reason`");
        }
        if let Some(why) = facts.reason.refusal(&word) {
            file.never(&row, &format!("{:?} is never read as the reason: {why}", word.as_str()));
        }
    }
}

/// Records a row that a rule hides: rules decide before codes and statuses do.
fn hidden(file: &mut File<'_>, row: &Item<'_>, rule: Option<usize>) {
    if let Some(nth) = rule {
        file.never(row, &format!("`rules[{nth}]` decides it before: say it there, or leave the rule out"));
    }
}

/// A row of a status that is not an error says only what to do about it.
pub(super) fn statuses<'t>(file: &mut File<'_>, item: &Item<'t>, facts: &Facts<'_>) {
    for (key, value) in item.value.as_table().into_iter().flatten() {
        let row = item.member(key, value);
        hidden(file, &row, key.get_ref().parse().ok().and_then(|status| facts.rule_of_status(status)));
        let statuses = Ranges::parse(key.get_ref());
        let decides = ["recovery", "not_processed"].iter().find_map(|key| member(&row, key));
        if let Some(decides) = decides
            && statuses.is_some_and(|statuses| !facts.may_fail(&statuses))
        {
            let why = "a response with this status is not an error: add a `class`, or an `[[error]]` rule for it";
            file.never(&decides, why);
        }
    }
}

pub(super) fn retry<'t>(file: &mut File<'_>, item: &Item<'t>) {
    if let Some(routes) = member(item, "idempotent") {
        for (route, span) in texts(&routes) {
            let method = route.split(' ').next().unwrap_or_default();
            if IDEMPOTENT.contains(&method) {
                let at = Item { span, ..routes.clone() };
                file.warn(&at, &format!("{method} is idempotent by itself: leave out `{route}`"));
            }
        }
    }
    let Some(flags) = member(item, "flags") else { return };
    for flag in file.items(&flags) {
        let (yes, no) = (member(&flag, "yes"), member(&flag, "no"));
        if member(&flag, "pushback").is_some_and(|pushback| pushback.value.as_bool() == Some(true)) {
            for words in yes.iter().chain(&no) {
                file.warn(words, "a `pushback` is a wait, or says no by being negative: leave it out");
            }
            continue;
        }
        let words = |item: &Option<Item<'t>>, usual: &str| match item {
            Some(item) => texts(item).into_iter().map(|(text, _)| text.to_ascii_lowercase()).collect(),
            None => vec![usual.to_owned()],
        };
        let (yes, refusing) = (words(&yes, "true"), words(&no, "false"));
        let known: std::collections::HashSet<_> = yes.iter().collect();
        if let Some(word) = refusing.iter().find(|word| known.contains(word)) {
            let at = no.as_ref().unwrap_or(&flag);
            file.never(at, &format!("`{word}` says yes already: leave it out of `yes`, or of `no`"));
        }
    }
}

/// Of two limits of the same requests in the same time the looser one is never
/// reached.
pub(super) fn limits<'t>(file: &mut File<'_>, item: &Item<'t>) {
    let mut seen: HashMap<[Option<String>; 3], String> = HashMap::new();
    for limit in file.items(item) {
        let of = ["route", "per_s", "scope"].map(|key| member(&limit, key).and_then(|value| file.scalar(&value)));
        if let Some(earlier) = seen.get(&of) {
            let problem =
                format!("of two limits in the same time the smaller one counts: leave out this one or `{earlier}`");
            file.warn(&limit, &problem);
        } else {
            seen.insert(of, limit.key);
        }
    }
}

pub(super) fn secrets<'t>(file: &mut File<'_>, item: &Item<'t>) {
    let Some(paths) = member(item, "paths") else { return };
    let items = if matches!(paths.value, DeValue::Array(_)) { file.items(&paths) } else { vec![paths] };
    for path in items {
        let Some(text) = path.value.as_str() else { continue };
        if let Some(why) = of_secret_path(text) {
            file.never(&path, &why);
        }
    }
}

/// Returns why no path of a request is like this one.
fn of_secret_path(text: &str) -> Option<String> {
    if let Some((path, _)) = text.split_once(['?', '#']) {
        let hint = if path.contains("{secret}") { format!("write {path:?}") } else { "leave it out".to_owned() };
        return Some(format!("a path ends before its query, which is never shown: {hint}"));
    }
    let segments: Vec<&str> = text.split('/').skip(1).collect();
    if segments.iter().any(|segment| segment.is_empty()) {
        let kept: Vec<&str> = segments.into_iter().filter(|segment| !segment.is_empty()).collect();
        return Some(format!("a path is compared without empty segments: write \"/{}\"", kept.join("/")));
    }
    let is_placeholder = |segment: &str| segment.starts_with('{') && segment.ends_with('}');
    let rest = |segment: &&str| segment.strip_suffix("{secret}").unwrap_or(segment).to_owned();
    let odd = segments.iter().find(|segment| !is_placeholder(segment) && rest(segment).contains(['{', '}']));
    let odd =
        odd.or_else(|| segments.iter().find(|segment| is_placeholder(segment) && segment.matches('{').count() > 1));
    odd.map(|segment| {
        format!("`{segment}` has braces in it: a placeholder such as `{{id}}` is a whole segment, and `{{secret}}` the end of one")
    })
}
