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

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use http::HeaderMap;

    use super::*;
    use crate::Dialect;

    fn test(key: &str, value: &str) -> Test {
        let file = format!("name = \"d\"\n[[error]]\n{key} = {value}\n");
        let dialect = Dialect::from_toml("d.toml", &file).expect("it is valid");
        dialect.inner.errors[0].clauses[0].predicates[0].1.clone()
    }

    #[test]
    fn a_test_holds_for_the_values_that_it_names() {
        let values = [
            (Value::Null, None),
            (Value::Bool(false), Some("false")),
            (Value::Bool(true), Some("true")),
            (Value::Number("0"), Some("0")),
            (Value::Number("-0.0e5"), Some("-0.0e5")),
            (Value::Number("12"), Some("12")),
            (Value::Number("12.5"), Some("12.5")),
            (Value::Text(""), Some("")),
            (Value::Text("12"), Some("12")),
            (Value::Text("x"), Some("x")),
            (Value::Text("e5"), Some("e5")),
            (Value::Object, None),
        ];
        for (key, value, holds) in [
            ("not_null", r#""a""#, "01111111 1111"),
            ("is_false", r#""a""#, "01000000 0000"),
            ("is_true", r#""a""#, "00100000 0000"),
            ("not_zero", r#""a""#, "00000110 1110"),
            ("non_empty", r#""a""#, "00000000 1110"),
            ("equals", r#"{ path = "a", is = ["x", "true", "12"] }"#, "00100100 1100"),
            ("outside", r#"{ path = "a", range = "0-11" }"#, "00000110 1000"),
            ("outside", r#"{ path = "a", range = "0-12" }"#, "00000000 0000"),
        ] {
            let test = test(key, value);
            let held: String =
                values.iter().map(|(value, text)| if test.holds(*value, *text) { '1' } else { '0' }).collect();
            assert_eq!(held, holds.replace(' ', ""), "{key} {value}");
        }
    }

    #[test]
    fn a_truth_value_in_a_header_is_a_word_in_any_case() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("x-yes", "TRUE"), ("x-no", "False"), ("x-zero", "0"), ("x-text", "text")] {
            headers.insert(name, value.parse().unwrap());
        }
        let head = Head::new(200, &headers, SystemTime::UNIX_EPOCH);
        for (test, holds) in
            [(Test::IsTrue, "1000"), (Test::IsFalse, "0100"), (Test::NotZero, "1101"), (Test::NotNull, "1111")]
        {
            let held = |name| test.holds_in(&head, &HeaderName::from_static(name));
            let names = ["x-yes", "x-no", "x-zero", "x-text"];
            assert_eq!(names.map(|name| if held(name) { "1" } else { "0" }).concat(), holds, "{test:?}");
            assert!(!held("x-other"));
        }
    }

    #[test]
    fn a_head_decides_a_rule_or_leaves_it_to_the_body() {
        let mut headers = HeaderMap::new();
        headers.insert("x-failed", "1".parse().unwrap());
        let none = HeaderMap::new();
        // With the header, and without it: whether the rule holds; whether a head may be all that it asks for, or decide anything.
        for (rule, with, without, may_hold, depends) in [
            ("non_empty = { header = \"x-failed\" }", Some(true), Some(false), true, true),
            ("non_empty = [{ header = \"x-failed\" }, \"error\"]", Some(true), None, true, true),
            ("non_empty = \"error\"", None, None, false, false),
            ("non_empty = \"error\"\nunless_not_null = { header = \"x-failed\" }", Some(false), None, false, true),
            ("non_empty = \"error\"\nwhen = { no_header = \"x-failed\" }", Some(false), None, false, true),
            ("when = { header = \"x-failed\" }", Some(true), Some(false), true, true),
        ] {
            let file = format!("name = \"d\"\n[[error]]\n{rule}\n");
            let dialect = Dialect::from_toml("d.toml", &file).expect("it is valid");
            let of_head = |headers| dialect.inner.errors[0].of_head(&Head::new(200, headers, SystemTime::UNIX_EPOCH));
            assert_eq!((of_head(&headers), of_head(&none)), (with, without), "{rule}");
            let rule_of = &dialect.inner.errors[0];
            assert_eq!((rule_of.may_hold_by_head(), rule_of.depends_on_head()), (may_hold, depends), "{rule}");
        }
    }
}
