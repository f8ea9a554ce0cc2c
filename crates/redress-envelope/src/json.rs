//! JSON as events: what a scan tells, and who listens.
//!
//! The scan enforces the whole grammar of RFC 8259, in data that is kept and in data that is skipped, with these rules of
//! its own: one byte order mark is skipped, no container lies deeper than 128 levels, invalid UTF-8 and lone surrogates
//! become U+FFFD, and a number is a text that is never evaluated.

mod digits;
mod scanner;

use std::borrow::Cow;
use std::fmt;

pub(crate) use scanner::Scanner;

/// How many bytes of a member's name matter: no path has a longer one.
pub(crate) const MAX_NAME: usize = 256;

/// Says why a body holds no envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unreadable {
    /// There is no body, or only white space.
    Empty,
    /// The body is not a JSON object or array: HTML, text, binary, a bare value, or JSON with a mistake.
    NotJson,
    /// The body is an array where the dialect expects an object, or the other way round.
    WrongRoot,
    /// Containers lie deeper than 128 levels.
    TooDeep,
    /// The body ends before its JSON does.
    Truncated,
}

/// What the scanner tells of a value that is not a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    Number(Cow<'a, str>),
    Text(Cow<'a, str>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Container {
    Object,
    Array,
}

/// How much of a value its [`Sink`] asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// Nothing: the value is checked and skipped.
    Nothing,
    /// The kind of the value; a text or number comes empty.
    Kind,
    /// The value.
    All,
}

/// Whoever listens to the scanner.
pub(crate) trait Sink<'a> {
    /// A value begins: the member of the last key, the next element, or the root.
    fn value(&mut self) -> Want;
    /// The value that began is a container.
    fn open(&mut self, container: Container) -> Result<(), Unreadable>;
    /// The innermost container ends.
    fn close(&mut self);
    /// Whether the names of the innermost object matter.
    fn wants_key(&self) -> bool;
    /// A member begins; `None` where names do not matter.
    fn key(&mut self, name: Option<Cow<'a, str>>);
    /// The value that began is a scalar; only called when it was wanted.
    fn scalar(&mut self, scalar: Scalar<'a>);
    /// Whether the rest no longer matters.
    fn is_done(&self) -> bool;
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the body is empty",
            Self::NotJson => "the body is no JSON object or array",
            Self::WrongRoot => "the body is an array or object where the dialect expects the other",
            Self::TooDeep => "the body nests deeper than 128 levels",
            Self::Truncated => "the body ends early",
        })
    }
}

impl std::error::Error for Unreadable {}
