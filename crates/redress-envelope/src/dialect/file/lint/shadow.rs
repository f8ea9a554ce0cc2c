//! Rules that an earlier one hides: whenever the later one holds, the earlier
//! one does.

use super::super::{File, Item};
use super::when::covers;
use crate::dialect::condition::Condition;
use crate::dialect::spec::PathSpec;
use crate::pattern::{Glob, Ranges};

/// With how many rules before it a rule is compared: each with each would take
/// quadratic time.
const MAX_COMPARED: usize = 256;
/// How many pairs of values of two lists are compared; longer lists are
/// believed to differ.
const MAX_PAIRS: usize = 4_096;

/// The rules before the one in hand that no other one hides.
pub(super) struct Shadows<'s> {
    name: &'static str,
    earlier: Vec<(String, &'s [Condition<PathSpec>])>,
}

impl<'s> Shadows<'s> {
    pub(super) const fn new(name: &'static str) -> Self {
        Self { name, earlier: Vec::new() }
    }

    /// Reports a rule that an earlier rule hides, and remembers any other.
    pub(super) fn check(&mut self, file: &mut File<'_>, item: &Item<'_>, when: &'s [Condition<PathSpec>]) {
        let mut earlier = self.earlier.iter().rev().take(MAX_COMPARED);
        if let Some((key, _)) = earlier.find(|(_, earlier)| implies(when, earlier)) {
            let name = self.name;
            let problem = format!(
                "whenever it would, `{key}` holds before it: write the narrower {name} first, or leave one out"
            );
            // The earlier rule hides everything that this one would.
            return file.never(item, &problem);
        }
        self.earlier.push((item.key.clone(), when));
    }
}

/// Returns `true` if all of the weaker conditions hold whenever the stronger
/// ones do.
pub(super) fn implies(stronger: &[Condition<PathSpec>], weaker: &[Condition<PathSpec>]) -> bool {
    let few = stronger.len().saturating_mul(weaker.len()) <= MAX_PAIRS;
    few && weaker.iter().all(|weak| stronger.iter().any(|strong| follows(strong, weak)))
}

/// Returns `true` if the weak condition holds whenever the strong one does.
fn follows(strong: &Condition<PathSpec>, weak: &Condition<PathSpec>) -> bool {
    match (strong, weak) {
        (Condition::Status(strong), Condition::Status(weak))
        | (Condition::CodeRange(strong), Condition::CodeRange(weak)) => within(strong, weak),
        (Condition::MediaType(strong), Condition::MediaType(weak))
        | (Condition::Message(strong), Condition::Message(weak)) => are_like(strong, weak, Glob::covers_any_case),
        (Condition::Code(strong), Condition::Code(weak)) | (Condition::Reason(strong), Condition::Reason(weak)) => {
            are_like(strong, weak, Glob::covers)
        }
        (Condition::Code(codes), Condition::CodeRange(range)) => {
            is_few(codes.len(), range.bounds().len())
                && codes.iter().all(|code| !code.is_wild() && range.contains_text(code.as_str()))
        }
        (Condition::Route(strong), Condition::Route(weak)) => {
            let strong = strong.to_string();
            strong.split_once(' ').is_some_and(|(method, path)| weak.matches(method, path))
        }
        (Condition::Header(strong, values), Condition::Header(weak, others)) => {
            strong == weak && are_among(values, others)
        }
        (Condition::Body(strong, values), Condition::Body(weak, others)) if !others.is_empty() => {
            strong == weak && are_among(values, others)
        }
        (Condition::Body(strong, _) | Condition::BodyKind(strong, _), Condition::Body(weak, _)) => {
            covers(&weak.path, &strong.path)
        }
        (Condition::NoBody(strong), Condition::NoBody(weak)) => covers(&strong.path, &weak.path),
        (strong, weak) => strong == weak,
    }
}

/// Returns `true` if one of few values is always one of the others; none stand
/// for any.
fn are_among(values: &[String], others: &[String]) -> bool {
    let all = || is_few(values.len(), others.len()) && values.iter().all(|value| others.contains(value));
    others.is_empty() || (!values.is_empty() && all())
}

fn are_like(strong: &[Glob], weak: &[Glob], covers: fn(&Glob, &Glob) -> bool) -> bool {
    is_few(strong.len(), weak.len()) && strong.iter().all(|strong| weak.iter().any(|weak| covers(weak, strong)))
}

fn within(strong: &Ranges, weak: &Ranges) -> bool {
    let (strong, weak) = (strong.bounds(), weak.bounds());
    let lies_in = |strong: &std::ops::RangeInclusive<i64>| {
        weak.iter().any(|weak| weak.start() <= strong.start() && strong.end() <= weak.end())
    };
    is_few(strong.len(), weak.len()) && strong.iter().all(lies_in)
}

const fn is_few(values: usize, others: usize) -> bool {
    values.saturating_mul(others) <= MAX_PAIRS
}
