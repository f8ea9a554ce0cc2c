//! The description of the errors of one API, as data.

mod catalogue;
mod compiled;
mod condition;
mod error_rule;
mod file;
mod hints;
mod locations;
mod published;
mod route;
mod scope;
mod secret_path;
mod slot;
mod source;
mod spec;
mod standard;
mod success;
mod window;

use std::fmt;
use std::sync::Arc;

pub use catalogue::{
    Code, Coverage, IdempotencyHeader, KeyFormat, PublishedLimit, Reason, RetryAdvice, Rule, Schedule, Status,
};
pub(crate) use compiled::{Compiled, Reading};
pub(crate) use condition::{Condition, Facts};
pub(crate) use error_rule::{Clause, ErrorRule, Test};
use file::{Base, Chain, Checks};
pub use file::{DialectError, Mistake};
pub use route::{InvalidRoute, Route};
pub use scope::{CooldownScope, Scope, ScopeId};
pub(crate) use slot::Slot;
pub(crate) use source::{Response, is_error_name, is_remark, is_sentence, may_be_code};
pub(crate) use spec::Protocol;
pub(crate) use standard::{REQUEST_IDS, Standard};
pub(crate) use window::{UsedUp, Windows};

use crate::class::Class;
use crate::dialects;
use crate::head::Head;
use crate::hint::HintSource;
use crate::location::Location;

/// The description of the errors of one API: a TOML file, compiled once.
///
/// A dialect is data. It states the signals of an error, the places of code,
/// message, request id, field errors and hints, the meaning of each published
/// code, the advice on retries, and the headers with credentials. Clones share
/// one copy.
///
/// The shipped dialects are functions of [`dialects`](crate::dialects).
/// [`Dialect::from_toml`] reads your own; [`Dialect::extend`] and
/// [`Dialect::with_code`] add to a dialect.
///
/// # Examples
/// ```
/// use redress_envelope::{Class, Code, dialects};
///
/// let dialect = dialects::vlens().with_code(Code::new("4011", Class::TokenExpired));
/// assert_eq!(dialect.code("4011").map(|code| code.class), Some(Class::TokenExpired));
/// ```
#[derive(Clone)]
pub struct Dialect {
    inner: Arc<Compiled>,
}

impl Dialect {
    /// Reads a dialect from the text of a TOML file; `file` is its name in errors.
    ///
    /// A file that says `extends = "vlens"` begins with what that shipped dialect
    /// says. One that extends another file is read by
    /// [`from_toml_with`](Self::from_toml_with).
    ///
    /// # Errors
    /// Every mistake of the file, each with file, line, key and what was expected.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::Dialect;
    ///
    /// let error = Dialect::from_toml("acme.toml", "name = \"acme\"\n[codes.E1]\nclass = \"oops\"\n").unwrap_err();
    /// assert!(error.to_string().starts_with("acme.toml:3: codes.E1.class: expected one of unavailable, "));
    /// ```
    pub fn from_toml(file: &str, text: &str) -> Result<Self, DialectError> {
        file::read(file, text, &mut Base::Shipped(dialects::by_name), Checks::MISTAKES)
            .map(|read| Self::new(read.compiled))
    }

    /// Reads a dialect that may extend another file: `extends = "./base.toml"`.
    ///
    /// `resolve` returns the text of a file. It is given a path relative to the
    /// folder of `file`, with `/` between its parts, such as `base.toml` or
    /// `shared/base.toml`: never an absolute one, nor one with `..` in it. A file
    /// that is extended may extend one itself, in its own folder or below it. At
    /// most 8 files may follow each other so, and each of them at most once.
    ///
    /// # Errors
    /// As [`from_toml`](Self::from_toml). Where an extended file has the mistakes,
    /// they are in the error's [source](DialectError::extended). A name that leads
    /// elsewhere, a circle, too many files, and a file that `resolve` cannot return
    /// are mistakes in the line with `extends`.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::Dialect;
    ///
    /// let files = [("base.toml", "name = \"base\"\n[read]\ncode = \"error.code\"\n")];
    /// let resolve = |wanted: &str| {
    ///     let found = files.iter().find(|(name, _)| *name == wanted);
    ///     found.map(|(_, text)| (*text).to_owned()).ok_or("there is no such file")
    /// };
    /// let acme = Dialect::from_toml_with("acme.toml", "name = \"acme\"\nextends = \"./base.toml\"\n", resolve)?;
    /// assert_eq!(acme.name(), "acme");
    ///
    /// let error = Dialect::from_toml_with("acme.toml", "extends = \"./gone.toml\"\n", resolve).unwrap_err();
    /// assert_eq!(error.to_string(), "acme.toml:1: extends: cannot read gone.toml: there is no such file");
    /// # Ok::<(), redress_envelope::DialectError>(())
    /// ```
    pub fn from_toml_with<E: fmt::Display>(
        file: &str,
        text: &str,
        mut resolve: impl FnMut(&str) -> Result<String, E>,
    ) -> Result<Self, DialectError> {
        let mut resolve = |name: &str| resolve(name).map_err(|error| error.to_string());
        let mut chain = Chain::new(file, dialects::by_name, &mut resolve);
        file::read(file, text, &mut Base::Files(&mut chain), Checks::MISTAKES).map(|read| Self::new(read.compiled))
    }

    /// Checks a file as `redress lint` does, and returns its dialect and its
    /// warnings, in the order of the lines.
    ///
    /// A rule that can never hold is a mistake here: conditions that exclude each
    /// other, a rule behind one that holds whenever it does, a code where none is
    /// read. [`from_toml`](Self::from_toml) takes such a file, so that a program
    /// does not stop at what a later version finds. What holds and changes nothing
    /// is a warning. Each says what to write instead. `resolve` is as for
    /// [`from_toml_with`](Self::from_toml_with); of the files that are extended
    /// only their mistakes are told.
    ///
    /// # Errors
    /// Every mistake of the file, those of [`from_toml`](Self::from_toml) first:
    /// only a file without any is checked further.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::Dialect;
    ///
    /// let toml = "name = \"acme\"\n[error]\nnot_null = \"error\"\nwhen = { status = \"400-599\" }\n";
    /// assert!(Dialect::from_toml("acme.toml", toml).is_ok());
    /// let resolve = |_: &str| Err("it extends no file");
    /// let error = Dialect::lint("acme.toml", toml, resolve).unwrap_err();
    /// let expected = "acme.toml:4: error.when.status: never holds: a status of 400 or more is an error without a rule";
    /// assert!(error.to_string().starts_with(expected));
    /// ```
    pub fn lint<E: fmt::Display>(
        file: &str,
        text: &str,
        mut resolve: impl FnMut(&str) -> Result<String, E>,
    ) -> Result<(Self, Vec<Mistake>), DialectError> {
        let mut resolve = |name: &str| resolve(name).map_err(|error| error.to_string());
        let mut chain = Chain::new(file, dialects::by_name, &mut resolve);
        let read = file::read(file, text, &mut Base::Files(&mut chain), Checks::LINT)?;
        Ok((Self::new(read.compiled), read.warnings))
    }

    /// Adds what another TOML file says to this dialect; what both say, the file
    /// decides, key by key.
    ///
    /// Secret headers and idempotent routes are added to those that are known; a
    /// file takes none away.
    ///
    /// # Errors
    /// As [`from_toml`](Self::from_toml).
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::{Class, Code, dialects};
    ///
    /// let toml = "[codes.4011]\nclass = \"token_expired\"\n";
    /// let dialect = dialects::vlens().extend("our-vlens.toml", toml)?;
    /// assert_eq!(dialect.code("4011").map(|code| code.class), Some(Class::TokenExpired));
    /// assert!(dialect.code("1050").is_some());
    /// # Ok::<(), redress_envelope::DialectError>(())
    /// ```
    pub fn extend(&self, file: &str, text: &str) -> Result<Self, DialectError> {
        let mut base = Base::Given(&self.inner.spec);
        file::read(file, text, &mut base, Checks::MISTAKES).map(|read| Self::new(read.compiled))
    }

    /// Adds a code, or replaces what the dialect says about it.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::{Class, Code, Recovery, dialects};
    ///
    /// let code = Code::new("E_SCAN", Class::Rejected).recovery(Recovery::NewInput);
    /// let ranex = dialects::ranex().with_code(code);
    /// assert_eq!(ranex.code("E_SCAN").map(|code| code.recovery), Some(Recovery::NewInput));
    /// ```
    #[must_use]
    pub fn with_code(&self, code: Code) -> Self {
        let mut spec = self.inner.spec.clone();
        spec.add_code(code);
        Self::new(Compiled::new(spec))
    }

    /// Returns the dialect's name, such as `vlens`.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::dialects;
    ///
    /// assert_eq!(dialects::github().name(), "github");
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.spec.name
    }

    /// Returns the vendor's name as people write it.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::dialects;
    ///
    /// assert_eq!(dialects::github().vendor(), "GitHub");
    /// ```
    #[must_use]
    pub fn vendor(&self) -> &str {
        &self.inner.spec.vendor
    }

    /// Returns the class of a status, by the vendor's table or else the standard
    /// one; `None` for a success.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::{Class, Dialect};
    ///
    /// let toml = "name = \"acme\"\n[status.409]\nclass = \"rate_limited\"\n";
    /// let acme = Dialect::from_toml("acme.toml", toml)?;
    /// assert_eq!(acme.class_for_status(409), Some(Class::RateLimited));
    /// assert_eq!(acme.class_for_status(404), Some(Class::NotFound));
    /// assert_eq!(acme.class_for_status(200), None);
    /// # Ok::<(), redress_envelope::DialectError>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn class_for_status(&self, status: u16) -> Option<Class> {
        if status < self.inner.first_status.min(400) { None } else { self.class_in_table(status) }
    }

    fn class_in_table(&self, status: u16) -> Option<Class> {
        self.status(status).and_then(|row| row.class).or_else(|| Class::from_status(status))
    }

    /// Returns `true` if a response below 400 may be an error by its body.
    ///
    /// A layer holds the body of a success only for such a dialect.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::dialects;
    ///
    /// assert!(dialects::vlens().signals_in_body());
    /// assert!(!dialects::ranex().signals_in_body());
    /// ```
    #[must_use]
    pub fn signals_in_body(&self) -> bool {
        self.inner.signals_in_body
    }

    /// Returns `true` if an error rule says of a response from 200 to 399 that it
    /// is an error, by its head alone: by a header such as `grpc-status`, whatever
    /// the media type and whether there is a body or not.
    ///
    /// # Examples
    /// ```
    /// use std::time::SystemTime;
    /// use http::{HeaderMap, HeaderValue};
    /// use redress_envelope::{Dialect, Head};
    ///
    /// let toml = "name = \"rpc\"\n[error]\nnot_zero = { header = \"grpc-status\" }\n";
    /// let dialect = Dialect::from_toml("rpc.toml", toml)?;
    /// let mut headers = HeaderMap::new();
    /// headers.insert("grpc-status", HeaderValue::from_static("14"));
    /// assert!(dialect.signals_by_head(&Head::new(200, &headers, SystemTime::UNIX_EPOCH)));
    /// # Ok::<(), redress_envelope::DialectError>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn signals_by_head(&self, head: &Head<'_>) -> bool {
        self.inner.signals_by_head && self.is_signalled_by(head)
    }

    #[cold]
    fn is_signalled_by(&self, head: &Head<'_>) -> bool {
        let is_of_a_response = head.event.is_none() && matches!(head.status, 200..=399);
        is_of_a_response && self.inner.errors.iter().any(|rule| rule.of_head(head) == Some(true))
    }

    /// Returns `true` if an error rule names the media type of this head, whatever
    /// that type is.
    #[must_use]
    pub fn names_media_type(&self, head: &Head<'_>) -> bool {
        let rules = self.inner.errors.iter().filter(|rule| !rule.is_of_events());
        let mut conditions = rules.flat_map(|rule| &rule.when);
        conditions
            .any(|condition| matches!(condition, Condition::MediaType(_)) && condition.of_head(head) == Some(true))
    }

    pub(crate) fn rule(&self, nth: u16) -> &Rule {
        &self.inner.spec.rules[usize::from(nth)].1
    }

    pub(crate) fn compiled(&self) -> &Compiled {
        &self.inner
    }

    /// Reads the file of a shipped dialect, which may extend one other.
    pub(crate) fn from_shipped(file: &str, text: &str, base: Option<&Self>) -> Result<Self, DialectError> {
        let mut base = Base::Extended(base.map(|base| &base.inner.spec));
        file::read(file, text, &mut base, Checks::MISTAKES).map(|read| Self::new(read.compiled))
    }

    fn new(compiled: Compiled) -> Self {
        Self { inner: Arc::new(compiled) }
    }
}

impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Dialect").field(&self.name()).finish()
    }
}
