//! JSON as events: what a scan tells, and who listens.
//!
//! The scan takes the whole grammar of RFC 8259, with these rules of its own: one byte order mark is skipped, no container
//! lies deeper than 128 levels, invalid UTF-8 and lone surrogates become U+FFFD, a control character in a
//! text, which should have been escaped, stands for itself, and a number is a text that is never
//! evaluated. A strict sink has the grammar enforced in skipped data too; for any other, what it does not want is followed
//! to its end by strings, escapes and depth alone, at the speed of memory.

mod fast_path;
mod number;
mod scanner;
mod text;
mod tokens;

use std::borrow::Cow;
use std::fmt;

pub(crate) use scanner::Scanner;
pub(crate) use text::lossy;

/// How many bytes of a member's name matter: no path has a longer one.
pub(crate) const MAX_NAME: usize = 256;

/// Says why a body holds no envelope, or not all of one.
///
/// # Examples
/// ```
/// use std::time::SystemTime;
/// use redress_envelope::{Envelope, Head, Unreadable, dialects};
///
/// let headers = http::HeaderMap::new();
/// let head = Head::new(400, &headers, SystemTime::UNIX_EPOCH);
/// let read = |body: &'static [u8]| Envelope::read(&dialects::ranex(), &head, [body]).unreadable;
/// assert_eq!(read(b""), Some(Unreadable::Empty));
/// assert_eq!(read(br#"{"message":"cut"#), Some(Unreadable::Truncated));
/// assert_eq!(read(b"{}"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unreadable {
    /// The body is empty or white space only.
    Empty,
    /// The body is neither JSON nor XML that the dialect reads: HTML, text, binary, or a document with a mistake.
    NotJson,
    /// The body is an array, an object or a bare value where the dialect expects something else.
    WrongRoot,
    /// Containers or elements lie deeper than 128 levels.
    TooDeep,
    /// The body ends before its JSON or XML does.
    Truncated,
}

/// A value other than a container.
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

/// Whether a sink wants what comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    /// It is skipped without a further event.
    Skip,
    Read,
}

/// Whoever listens to the scanner.
pub(crate) trait Sink<'a> {
    /// Whether the grammar is enforced in skipped data as well.
    const STRICT: bool;
    /// How many bytes of a text are kept.
    const MAX_TEXT: usize;
    /// A value begins: the member of the last key, the next element, or the root. Of a member it may be said again.
    fn value(&mut self) -> Interest;
    /// The value that began, and was wanted, is a container; returns whether its inside is wanted. It is closed in any case.
    fn open(&mut self, container: Container) -> Result<Interest, Unreadable>;
    /// The innermost wanted container ends.
    fn close(&mut self);
    /// A member of the innermost container begins.
    fn key(&mut self, name: Cow<'a, [u8]>);
    /// A member of the innermost container begins whose name needed no unescaping; so does its value.
    fn member(&mut self, name: &'a str) -> Interest;
    /// The value that began, and was wanted, is a scalar.
    fn scalar(&mut self, scalar: Scalar<'a>);
    /// The value that began, and was wanted, is a text that needed no unescaping.
    fn text(&mut self, text: &'a str);
    /// The value that began, and was wanted, is a number.
    fn number(&mut self, number: &'a str);
    /// The value that began, and was wanted, is `true`, `false` or `null`.
    fn literal(&mut self, value: Option<bool>);
    /// Returns `true` if the rest no longer matters.
    fn is_done(&self) -> bool;
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the body is empty",
            Self::NotJson => "the body is neither JSON nor XML",
            Self::WrongRoot => {
                "the body is an array, an object or a bare value where the dialect expects something else"
            }
            Self::TooDeep => "the body nests deeper than 128 levels",
            Self::Truncated => "the body ends early",
        })
    }
}

impl std::error::Error for Unreadable {}
