//! A push parser for JSON: the [`Scanner`] reads chunks and calls a [`Sink`].
//!
//! It accepts the grammar of RFC 8259 with these additions: one byte order mark
//! is skipped, containers nest at most 128 levels deep, invalid UTF-8 and lone
//! surrogates become U+FFFD, an unescaped control character in a string is
//! accepted, and a number stays text. A strict sink has the grammar enforced in
//! skipped data too. For any other sink, skipped data is searched for its end
//! by strings, escapes and depth only, at memory speed.

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

/// The reason why a body has no envelope, or only a part of one.
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
    /// The body is neither JSON nor XML that the dialect reads: HTML, text, binary,
    /// or a document with a mistake.
    NotJson,
    /// The body is an array, an object or a bare value where the dialect expects
    /// something else.
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

/// The interest of a sink in the next value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    /// The value is skipped without events.
    Skip,
    /// The value is reported.
    Read,
}

/// The receiver of the events of a scan.
pub(crate) trait Sink<'a> {
    /// Whether the grammar is enforced in skipped data as well.
    const STRICT: bool;
    /// How many bytes of a text are kept.
    const MAX_TEXT: usize;
    /// A value begins: the value of the last key, the next element, or the root. It
    /// may be called twice for a member.
    fn value(&mut self) -> Interest;
    /// The value is a container. Returns the interest in its content;
    /// [`close`](Self::close) is called in either case.
    fn open(&mut self, container: Container) -> Result<Interest, Unreadable>;
    /// The innermost reported container ends.
    fn close(&mut self);
    /// A member begins. Only the name is reported; the value follows.
    fn key(&mut self, name: Cow<'a, [u8]>);
    /// A member and its value begin; the name needed no unescaping. Equal to `key`
    /// and `value` in one call.
    fn member(&mut self, name: &'a str) -> Interest;
    /// The value is a scalar.
    fn scalar(&mut self, scalar: Scalar<'a>);
    /// The value is a string that needed no unescaping.
    fn text(&mut self, text: &'a str);
    /// The value is a number.
    fn number(&mut self, number: &'a str);
    /// The value is `true`, `false` or, as `None`, `null`.
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
