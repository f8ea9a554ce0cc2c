//! Conditions that restrict a rule, a reading or a hint.

use http::HeaderName;

use super::route::Route;
use crate::cells::{Cell, Cells, Value, bit};
use crate::head::Head;
use crate::hint::members;
use crate::pattern::{Glob, Ranges};

/// One condition. `P` is a path where a file is read, a cell once it is
/// compiled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Condition<P> {
    /// The status is in these ranges.
    Status(Ranges),
    /// The media type matches one of these patterns, in any case.
    MediaType(Vec<Glob>),
    /// The request is on this route.
    Route(Route),
    /// The header is there, with one of these values if there are any.
    Header(HeaderName, Vec<String>),
    /// The header is absent.
    NoHeader(HeaderName),
    /// The response is one event of a stream, of such a name.
    Event(Vec<Glob>),
    /// The member is there and not `null`, with one of these values if there are
    /// any.
    Body(P, Vec<String>),
    /// The member is present and of this kind.
    BodyKind(P, JsonKind),
    /// The member is absent or `null`.
    NoBody(P),
    /// The member is not there, or `null`, or an array or an object.
    NoScalar(P),
    /// The code matches one of these patterns. Known to rules only.
    Code(Vec<Glob>),
    /// The code is a number in these ranges. Known to rules only.
    CodeRange(Ranges),
    /// The reason matches one of these patterns. Known to rules only.
    Reason(Vec<Glob>),
    /// The message matches one of these patterns, in any case. Known to rules only.
    Message(Vec<Glob>),
}

/// The conditions of a reading, and what the cells of a body tell about them at one look.
#[derive(Debug)]
pub(crate) struct When {
    /// The cells in which there must be something, as bits.
    needed: u128,
    conditions: Vec<Condition<Cell>>,
    /// Those that hold unless there is something in one of these cells.
    of_absence: Vec<Condition<Cell>>,
    absent: u128,
}

/// The kind of a JSON value other than `null`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum JsonKind {
    Object,
    Array,
    Text,
    Number,
    Bool,
}

/// The input of conditions. Code, reason and message are set only for rules.
pub(crate) struct Facts<'f, 'a> {
    pub(crate) head: &'f Head<'f>,
    pub(crate) cells: &'f Cells<'a>,
    pub(crate) code: Option<&'f str>,
    pub(crate) reason: Option<&'f str>,
    pub(crate) message: Option<&'f str>,
}

impl<'f, 'a> Facts<'f, 'a> {
    /// Creates the input for conditions that are evaluated before code, reason and
    /// message are known.
    pub(crate) const fn new(head: &'f Head<'f>, cells: &'f Cells<'a>) -> Self {
        Self { head, cells, code: None, reason: None, message: None }
    }

    /// Returns `true` if each condition holds.
    pub(crate) fn fulfil(&self, when: &[Condition<Cell>]) -> bool {
        when.iter().all(|condition| condition.holds(self))
    }
}

impl When {
    pub(crate) fn new(all: Vec<Condition<Cell>>) -> Self {
        let cell_of = |condition: &Condition<Cell>| match condition {
            Condition::NoBody(cell) | Condition::NoScalar(cell) => bit(*cell),
            _ => 0,
        };
        let needed = all.iter().fold(0, |cells, condition| match condition {
            Condition::Body(cell, _) | Condition::BodyKind(cell, _) => cells | bit(*cell),
            _ => cells,
        });
        let (of_absence, conditions): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| cell_of(one) != 0);
        let absent = of_absence.iter().fold(0, |cells, one| cells | cell_of(one));
        Self { needed, conditions, of_absence, absent }
    }

    /// Returns `true` if each condition holds.
    pub(crate) fn holds(&self, facts: &Facts<'_, '_>) -> bool {
        facts.cells.has_all(self.needed)
            && facts.fulfil(&self.conditions)
            && (!facts.cells.has_any(self.absent) || self.are_absent(facts))
    }

    #[inline(never)]
    fn are_absent(&self, facts: &Facts<'_, '_>) -> bool {
        facts.fulfil(&self.of_absence)
    }
}

impl<P> Condition<P> {
    /// Puts a cell in the place of each path.
    pub(crate) fn compile(&self, mut cell: impl FnMut(&P) -> Option<Cell>) -> Option<Condition<Cell>> {
        Some(match self {
            Self::Status(statuses) => Condition::Status(statuses.clone()),
            Self::MediaType(kinds) => Condition::MediaType(kinds.clone()),
            Self::Route(route) => Condition::Route(route.clone()),
            Self::Header(name, values) => Condition::Header(name.clone(), values.clone()),
            Self::NoHeader(name) => Condition::NoHeader(name.clone()),
            Self::Event(names) => Condition::Event(names.clone()),
            Self::Body(path, values) => Condition::Body(cell(path)?, values.clone()),
            Self::BodyKind(path, kind) => Condition::BodyKind(cell(path)?, *kind),
            Self::NoBody(path) => Condition::NoBody(cell(path)?),
            Self::NoScalar(path) => Condition::NoScalar(cell(path)?),
            Self::Code(codes) => Condition::Code(codes.clone()),
            Self::CodeRange(codes) => Condition::CodeRange(codes.clone()),
            Self::Reason(reasons) => Condition::Reason(reasons.clone()),
            Self::Message(messages) => Condition::Message(messages.clone()),
        })
    }

    /// Returns the rank of the condition by the time that it takes: 0 for the
    /// least.
    pub(crate) const fn cost(&self) -> u8 {
        match self {
            Self::Status(_) => 0,
            Self::Message(_) => 2,
            _ => 1,
        }
    }

    /// Returns `true` if it names codes by a pattern rather than one by one.
    pub(crate) fn is_pattern(&self) -> bool {
        match self {
            Self::Code(codes) => codes.iter().any(Glob::is_wild),
            Self::CodeRange(_) => true,
            _ => false,
        }
    }

    /// Returns `true` if the head alone decides it, and how.
    pub(crate) fn of_head(&self, head: &Head<'_>) -> Option<bool> {
        Some(match self {
            Self::Status(statuses) => statuses.contains(i64::from(head.status)),
            Self::MediaType(kinds) => kinds.iter().any(|kind| kind.matches_any_case(head.media_type())),
            Self::Route(route) => route.matches(head.method, head.path),
            Self::Header(name, values) => {
                // A list in one line is the same as one in several (RFC 9110 section 5.3).
                let is = |text: &str| values.iter().any(|value| value == text);
                head.texts(name)
                    .any(|text| values.is_empty() || is(text) || (text.contains(',') && members(text).any(is)))
            }
            Self::NoHeader(name) => !head.headers.contains_key(name),
            Self::Event(names) => head.event.is_some_and(|event| names.iter().any(|name| name.matches(event))),
            _ => return None,
        })
    }
}

impl Condition<Cell> {
    pub(crate) fn holds(&self, facts: &Facts<'_, '_>) -> bool {
        if let Some(holds) = self.of_head(facts.head) {
            return holds;
        }
        let said = |cell: &Cell| facts.cells.get(*cell).filter(|value| *value != Value::Null);
        let like =
            |globs: &[Glob], word: Option<&str>| word.is_some_and(|word| globs.iter().any(|glob| glob.matches(word)));
        match self {
            Self::Body(cell, values) => said(cell).is_some_and(|value| {
                values.is_empty()
                    || facts.cells.text(value).is_some_and(|text| values.iter().any(|value| value == text))
            }),
            Self::BodyKind(cell, kind) => said(cell).is_some_and(|value| kind.is_of(value)),
            Self::NoBody(cell) => said(cell).is_none(),
            Self::NoScalar(cell) => said(cell).is_none_or(Value::is_container),
            Self::Code(codes) => like(codes, facts.code),
            Self::CodeRange(codes) => facts.code.is_some_and(|code| codes.contains_text(code)),
            Self::Reason(reasons) => like(reasons, facts.reason),
            Self::Message(globs) => {
                facts.message.is_some_and(|message| globs.iter().any(|glob| glob.matches_any_case(message)))
            }
            _ => false,
        }
    }
}

impl JsonKind {
    pub(crate) const ALL: [(&str, Self); 5] = [
        ("object", Self::Object),
        ("array", Self::Array),
        ("text", Self::Text),
        ("number", Self::Number),
        ("bool", Self::Bool),
    ];

    fn is_of(self, value: Value<'_>) -> bool {
        match value {
            Value::Null => false,
            Value::Object => self == Self::Object,
            Value::Array => self == Self::Array,
            Value::Bool(_) => self == Self::Bool,
            Value::Text(_) | Value::Owned { is_number: false, .. } => self == Self::Text,
            Value::Number(_) | Value::Owned { is_number: true, .. } => self == Self::Number,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_of_its_kind_alone() {
        let cell = Cell::default();
        for (value, kind) in [
            (Value::Null, None),
            (Value::Object, Some("object")),
            (Value::Array, Some("array")),
            (Value::Bool(false), Some("bool")),
            (Value::Text("1"), Some("text")),
            (Value::Owned { cell, is_number: false }, Some("text")),
            (Value::Number("1"), Some("number")),
            (Value::Owned { cell, is_number: true }, Some("number")),
        ] {
            let of: Vec<_> =
                JsonKind::ALL.iter().filter(|(_, kind)| kind.is_of(value)).map(|(name, _)| *name).collect();
            assert_eq!(of.first().copied(), kind, "{value:?}");
            assert!(of.len() <= 1, "{value:?}");
        }
    }
}
