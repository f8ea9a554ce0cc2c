//! Error rules: the conditions under which a response is an error by its body
//! or headers.

use std::sync::Arc;

use http::HeaderName;

use super::condition::Condition;
use crate::cells::Value;
use crate::head::Head;
use crate::pattern::Ranges;

/// A rule that makes a response an error: a conjunction of clauses and
/// conditions.
#[derive(Clone, Debug)]
pub(crate) struct ErrorRule<P> {
    pub(crate) clauses: Vec<Clause<P>>,
    pub(crate) when: Vec<Condition<P>>,
}

/// A disjunction of predicates on members and headers. A negated clause holds
/// if none of them does.
#[derive(Clone, Debug)]
pub(crate) struct Clause<P> {
    pub(crate) negated: bool,
    pub(crate) predicates: Vec<(P, Test)>,
    /// Known before the body is.
    pub(crate) headers: Vec<(HeaderName, Test)>,
}

/// The test of a predicate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    /// Present and anything but `null`.
    NotNull,
    /// `false`; of a header this word, in any case.
    IsFalse,
    /// `true`; of a header this word, in any case.
    IsTrue,
    /// A number other than 0, or a text other than `""` and `"0"`.
    NotZero,
    /// A text, an array or an object with something in it.
    NonEmpty,
    /// One of these texts, numbers or truth values; shared by the paths of its
    /// clause.
    Is(Arc<[String]>),
    /// A number that is none of these.
    Outside(Ranges),
}

impl<P> ErrorRule<P> {
    /// Returns `true` if it is for single events of a stream, not for whole
    /// responses.
    pub(crate) fn is_of_events(&self) -> bool {
        self.when.iter().any(|condition| matches!(condition, Condition::Event(_)))
    }

    /// Returns `true` if the head of a response may be all that it asks for.
    pub(crate) fn may_hold_by_head(&self) -> bool {
        self.clauses.iter().all(|clause| clause.negated && clause.predicates.is_empty() || !clause.headers.is_empty())
    }

    /// Returns `true` if a head may decide anything: whether it holds, or one of
    /// its clauses.
    pub(crate) fn depends_on_head(&self) -> bool {
        let may_decide = |clause: &Clause<P>| clause.predicates.is_empty() || !clause.headers.is_empty();
        !self.when.is_empty() || self.clauses.is_empty() || self.clauses.iter().any(may_decide)
    }

    /// Returns `true` if the head decides that it holds, or that it does not;
    /// `None` when it asks for the body, too.
    pub(crate) fn of_head(&self, head: &Head<'_>) -> Option<bool> {
        if self.when.iter().any(|condition| condition.of_head(head) == Some(false)) {
            return Some(false);
        }
        let mut is_certain = true;
        for clause in &self.clauses {
            match clause.of_head(head) {
                Some(false) => return Some(false),
                Some(true) => {}
                None => is_certain = false,
            }
        }
        is_certain.then_some(true)
    }
}

impl<P> Clause<P> {
    /// Returns `true` if the head decides it, and how.
    pub(crate) fn of_head(&self, head: &Head<'_>) -> Option<bool> {
        if self.headers.iter().any(|(name, test)| test.holds_in(head, name)) {
            return Some(!self.negated);
        }
        self.predicates.is_empty().then_some(self.negated)
    }
}

impl Test {
    /// Returns the test for an element or attribute, which is a text or has
    /// something in it: an empty one is not there.
    ///
    /// A truth value is written as XML Schema has it (part 2, section 3.2.2).
    pub(crate) fn of_xml(&self) -> Self {
        match self {
            Self::NonEmpty => Self::NotNull,
            Self::IsFalse => Self::Is(["false", "0"].map(str::to_owned).into()),
            Self::IsTrue => Self::Is(["true", "1"].map(str::to_owned).into()),
            test => test.clone(),
        }
    }

    /// Returns `true` if a header has a value that is what it must be.
    fn holds_in(&self, head: &Head<'_>, name: &HeaderName) -> bool {
        head.texts(name).any(|text| match self {
            Self::IsFalse => text.eq_ignore_ascii_case("false"),
            Self::IsTrue => text.eq_ignore_ascii_case("true"),
            _ => self.holds(Value::Text(text), Some(text)),
        })
    }

    /// Returns `true` if a member with this value, and this text if it has one, is
    /// what it must be. A container is never empty here: what lies in it is asked.
    pub(crate) fn holds(&self, value: Value<'_>, text: Option<&str>) -> bool {
        match self {
            Self::NotNull => value != Value::Null,
            Self::IsFalse => value == Value::Bool(false),
            Self::IsTrue => value == Value::Bool(true),
            Self::Is(values) => text.is_some_and(|text| values.iter().any(|value| value == text)),
            _ if matches!(value, Value::Bool(_)) => false,
            Self::NotZero => text.is_some_and(|text| !text.is_empty() && !is_zero(text)),
            Self::NonEmpty => text.is_some_and(|text| !text.is_empty()) && !value.is_number(),
            Self::Outside(range) => text.and_then(whole).is_some_and(|number| !range.contains(number)),
        }
    }
}

/// Returns the whole part of a number; one that is too large counts as the
/// largest.
fn whole(number: &str) -> Option<i64> {
    let exact = number.parse().ok();
    exact.or_else(|| number.parse::<f64>().ok().filter(|number| number.is_finite()).map(|number| number as i64))
}

/// Returns `true` if a number, as it is written, is 0: `0`, `-0`, `0.0`, `0e5`.
fn is_zero(number: &str) -> bool {
    let digits = number.split(['e', 'E']).next().unwrap_or_default().trim_start_matches('-');
    !digits.is_empty() && digits.bytes().all(|byte| matches!(byte, b'0' | b'.'))
}
