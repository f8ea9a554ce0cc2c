//! Conditions that can never hold, by themselves, beside each other, or in
//! their dialect.

use super::facts::{Facts, SUCCESS};
use super::words::{Words, may_be_among};
use crate::dialect::condition::{Condition, JsonKind};
use crate::dialect::spec::PathSpec;
use crate::path::{Path, Step};
use crate::pattern::{Glob, Ranges};

/// The statuses whose responses have no body (RFC 9110 sections 15.3.5 and
/// 15.3.6).
const WITHOUT_BODY: [i64; 2] = [204, 205];

/// Which rule has the conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// An error rule, which is asked of successes only, and asks for members of the
    /// body.
    Error,
    /// An error rule that the head of a response may decide, or that is for single
    /// events.
    Head,
    /// A form of envelope, which is asked of errors only.
    Reading,
    /// A hint.
    Hint,
    /// A hint that is read of successes only.
    SuccessHint,
    /// A rule about an error.
    Rule,
}

/// A key of a `when`, and why its condition never holds.
type Problem = (&'static str, String);

/// Returns each condition that can never hold, and what to write instead.
pub(super) fn never_holding(when: &[Condition<PathSpec>], of: Of, facts: &Facts<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for condition in when {
        match condition {
            Condition::Status(statuses) => problems.extend(status(statuses, of, facts).map(|why| ("status", why))),
            Condition::MediaType(kinds) => problems.extend(kinds.iter().filter_map(media_type)),
            Condition::Route(route)
                if (of == Of::Error || when.iter().any(is_of_body)) && route.to_string().starts_with("HEAD ") =>
            {
                problems.push(("route", "the answer to a HEAD has no body: leave out the route".to_owned()));
            }
            Condition::Header(_, values) => problems.extend(values.iter().filter_map(|value| header_value(value))),
            Condition::Code(codes) => problems.extend(codes.iter().filter_map(|code| word("code", code, &facts.code))),
            Condition::Reason(reasons) => {
                problems.extend(reasons.iter().filter_map(|reason| word("reason", reason, &facts.reason)));
            }
            Condition::CodeRange(_) if !facts.code.says_numbers() => {
                let why = if facts.code.is_empty() {
                    NO_CODE
                } else {
                    "no source of `code` takes whole numbers: compare with `code`"
                };
                problems.push(("code_range", why.to_owned()));
            }
            _ => {}
        }
    }
    problems.extend(beside_each_other(when));
    problems
}

pub(super) const NO_CODE: &str = "no `code` is read: say in `[read]` where it stands, such as `code = \"error.code\"`";
pub(super) const NO_REASON: &str =
    "no `reason` is read: say in `[read]` where it stands, such as `reason = \"error.reason\"`";

/// Returns why a code or a reason is never read.
pub(super) fn word(key: &'static str, word: &Glob, words: &Words<'_>) -> Option<Problem> {
    if words.is_empty() {
        let why = if key == "code" { NO_CODE } else { NO_REASON };
        return (!words.may_be_of_challenge(word)).then(|| (key, why.to_owned()));
    }
    let why = words.refusal(word)?;
    Some((key, format!("{:?} is never read as the {key}: {why}", word.as_str())))
}

fn status(statuses: &Ranges, of: Of, facts: &Facts<'_>) -> Option<String> {
    match of {
        Of::Hint | Of::Head => None,
        Of::SuccessHint => {
            let is_asked = statuses.bounds().iter().any(|range| *range.start() <= 299 && *range.end() >= 200);
            let why = "a hint on a success is read of a 2xx: leave `status` out, or write successes such as `200-299`";
            (!is_asked).then(|| why.to_owned())
        }
        Of::Error => {
            let successes = statuses.bounds().iter().flat_map(|range| {
                let (first, last) = ((*range.start()).max(*SUCCESS.start()), (*range.end()).min(*SUCCESS.end()));
                first..=last
            });
            let mut with_body = successes.filter(|status| !WITHOUT_BODY.contains(status));
            let why = match with_body.next() {
                Some(_) => return None,
                None if statuses.bounds().iter().any(|range| *range.end() >= 400) => {
                    "a status of 400 or more is an error without a rule"
                }
                None => "only a 2xx with a body can be an error by its body",
            };
            Some(format!("{why}: leave `status` out, or write successes such as `200-299`"))
        }
        Of::Reading | Of::Rule => (!facts.may_fail(statuses)).then(|| {
            "a response with such a status is not an error: add an `[[error]]` rule for it, or write a status of 400 or more"
                .to_owned()
        }),
    }
}

fn media_type(kind: &Glob) -> Option<Problem> {
    let text = kind.as_str();
    let why = match text.split_once(';') {
        Some((before, _)) => format!("parameters are not compared: write {:?}", before.trim()),
        None if text.trim() != text => format!("a media type has no blanks around it: write {:?}", text.trim()),
        None if !kind.is_wild() && !text.contains('/') => {
            format!("{text:?} is not a media type: write \"application/{text}\", or \"*{text}\" for each that ends so")
        }
        None => return None,
    };
    Some(("content_type", why))
}

fn header_value(value: &str) -> Option<Problem> {
    let why = if value.trim() != value {
        format!("values are compared without the blanks around them: write {:?}", value.trim())
    } else if value.contains(|symbol: char| symbol.is_control() && symbol != '\t') {
        format!("a header cannot have the value {value:?}: leave it out")
    } else {
        return None;
    };
    Some(("header_is", why))
}

fn is_of_body(condition: &Condition<PathSpec>) -> bool {
    matches!(condition, Condition::Body(..) | Condition::BodyKind(..))
}

/// Returns the conditions that exclude each other. Each key stands once, but
/// for the paths of `no_body`: linear.
fn beside_each_other(when: &[Condition<PathSpec>]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for condition in when {
        match condition {
            Condition::NoHeader(absent) => {
                if when.iter().any(|other| matches!(other, Condition::Header(name, _) if name == absent)) {
                    problems
                        .push(("no_header", format!("`header` wants `{absent}` to be there: leave one of them out")));
                }
                let is_content_type = *absent == http::header::CONTENT_TYPE;
                let wants = |other: &Condition<PathSpec>| matches!(other, Condition::MediaType(kinds) if !kinds.iter().any(|kind| kind.matches("")));
                if is_content_type && when.iter().any(wants) {
                    let why = "`content_type` wants the header to be there: leave one of them out";
                    problems.push(("no_header", why.to_owned()));
                }
            }
            Condition::Body(path, values) => problems.extend(member(when, path, values)),
            Condition::Code(codes) => {
                let range = when.iter().find_map(|other| match other {
                    Condition::CodeRange(range) => Some(range),
                    _ => None,
                });
                if range.is_some_and(|range| !codes.iter().any(|code| may_be_among(code, range))) {
                    let why = "no such `code` lies in the `code_range`: write a rule for each";
                    problems.push(("code_range", why.to_owned()));
                }
            }
            Condition::Status(statuses) if when.iter().any(is_of_body) => {
                let mut possible = statuses.bounds().iter().flat_map(|range| (*range.start()).max(200)..=*range.end());
                if possible.all(|status| WITHOUT_BODY.contains(&status) || status == 304) {
                    problems.push(("status", "such a response has no body: leave out what is asked of it".to_owned()));
                }
            }
            _ => {}
        }
    }
    problems
}

/// Returns why a member can never be as it must be.
fn member(when: &[Condition<PathSpec>], path: &PathSpec, values: &[String]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for other in when {
        match other {
            Condition::NoBody(absent) if covers(&absent.path, &path.path) => {
                let why = format!("`body` wants `{}` to be there: leave one of them out", path.path);
                problems.push(("no_body", why));
            }
            Condition::BodyKind(at, kind) if at == path => {
                problems.extend(kind_of_values(*kind, values).map(|why| ("body_is", why)));
            }
            _ => {}
        }
    }
    problems
}

/// Returns why no member of this kind has one of the values.
fn kind_of_values(kind: JsonKind, values: &[String]) -> Option<String> {
    let name = JsonKind::ALL.iter().find(|(_, known)| *known == kind).map_or("", |(name, _)| *name);
    let may_be = |value: &String| match kind {
        JsonKind::Object | JsonKind::Array => false,
        JsonKind::Text => true,
        JsonKind::Number => {
            value.starts_with(|first: char| first.is_ascii_digit() || first == '-') && value.parse::<f64>().is_ok()
        }
        JsonKind::Bool => matches!(value.as_str(), "true" | "false"),
    };
    (!values.is_empty() && !values.iter().any(may_be))
        .then(|| format!("no member of the kind `{name}` has such a value: leave out `body_kind`, or `body_is`"))
}

/// Returns `true` if the member at one path is there, and not `null`, whenever
/// the one at the other is.
pub(super) fn covers(wide: &Path, narrow: &Path) -> bool {
    let covers = |(wide, narrow): (&Step, &Step)| match (wide, narrow) {
        (Step::Any, Step::Key(_)) | (Step::Each, Step::Index(_)) => true,
        (wide, narrow) => wide == narrow,
    };
    wide.steps().len() <= narrow.steps().len() && wide.steps().iter().zip(narrow.steps()).all(covers)
}
