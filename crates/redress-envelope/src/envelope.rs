//! One response as its dialect reads it.

mod reading;

use std::borrow::Cow;
use std::fmt;

use crate::cells::Cells;
use crate::dialect::{Compiled, Condition, Dialect, ErrorRule, Facts, Reading, Response, Source, Test};
pub use crate::fields::FieldError;
use crate::head::Head;
use crate::hint::RetryHint;
use crate::json::{Scanner, Unreadable};
use crate::markup;
use reading::Gathered;

/// What an error response says, borrowed from its body and headers where that is possible.
///
/// Every part is `None` (or empty) where the server said nothing, or something of a type that cannot be meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Envelope<'a> {
    /// The vendor's own code, verbatim, whether it was sent as a string or as a number.
    pub code: Option<Cow<'a, str>>,
    /// The sentence for people. It may hold personal data.
    pub message: Option<Cow<'a, str>>,
    /// The vendor's name for this one call.
    pub request_id: Option<Cow<'a, str>>,
    /// A finer code below [`code`](Self::code).
    pub reason: Option<Cow<'a, str>>,
    /// The fields that are at fault, in the order of the body; at most 256.
    pub fields: Vec<FieldError<'a>>,
    /// When the server asks the caller to come back.
    pub hint: Option<RetryHint>,
    /// When the rate-limit window ends, which many servers say in every response.
    pub reset: Option<RetryHint>,
    /// Whether the server says, by a flag of its own, that a retry makes sense.
    pub should_retry: Option<bool>,
    /// Whether the body itself says that it is an error, by the signal that the dialect declares.
    pub signalled: bool,
    /// Why the body, or the rest of it, could not be read. What a body that ends early had said before is kept.
    pub unreadable: Option<Unreadable>,
    /// The rule that holds, and the one that names codes by a pattern.
    pub(crate) rule: Option<u16>,
    pub(crate) pattern: Option<u16>,
    origins: Origins,
}

/// Where a part of an envelope stood.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Origin {
    /// A member of the body, or several, as paths.
    Body(String),
    /// A header, in lower case.
    Header(String),
    /// A parameter of the `WWW-Authenticate` header.
    Challenge(String),
    /// An XML element of the body.
    Element(String),
    /// The first field error.
    FirstField,
    /// The body as a whole, which is a text.
    WholeBody,
}

/// The form of the envelope, and which source of each slot spoke.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Origins {
    reading: u8,
    code: Spoke,
    message: Spoke,
    request_id: Spoke,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Spoke {
    #[default]
    Nobody,
    Source(u8),
    FirstField,
    WholeBody,
}

impl<'a> Envelope<'a> {
    /// Reads a response, its body given in as many pieces as it came in.
    ///
    /// It never fails: what is not JSON leaves headers, status and, if it is a plain text, a message. Of a repeated key
    /// the last one counts, and a member of a wrong type is absent; both leave the rest as it is. Where the body is cut
    /// makes no difference.
    ///
    /// # Examples
    /// ```
    /// use std::time::SystemTime;
    /// use redress_envelope::{Envelope, Head, dialects};
    ///
    /// let headers = http::HeaderMap::new();
    /// let head = Head::new(500, &headers, SystemTime::UNIX_EPOCH);
    /// let body = br#"{"error":"internal","message":"oops","requestId":"9f51"}"#;
    /// let envelope = Envelope::read(&dialects::veridia(), &head, [&body[..]]);
    /// assert_eq!(envelope.code.as_deref(), Some("internal"));
    /// assert_eq!(envelope.request_id.as_deref(), Some("9f51"));
    /// ```
    pub fn read<I>(dialect: &Dialect, head: &Head<'a>, pieces: I) -> Self
    where
        I: IntoIterator<Item = &'a [u8]>,
        I::IntoIter: Clone,
    {
        let pieces = pieces.into_iter();
        let compiled = dialect.compiled();
        let mut gathered = Gathered::new(&compiled.plan);
        let unreadable = scan(&mut gathered, pieces.clone()).err();
        if !matches!(unreadable, None | Some(Unreadable::Truncated)) {
            gathered = Gathered::new(&compiled.plan);
        }
        let text = matches!(unreadable, Some(Unreadable::NotJson)).then(|| markup::text(pieces)).flatten();
        assemble(compiled, head, &mut gathered, text, unreadable)
    }

    /// Returns where the code stood.
    #[must_use]
    pub fn code_origin(&self, dialect: &Dialect) -> Option<Origin> {
        self.origin(dialect, self.origins.code, |reading| &reading.code)
    }

    /// Returns where the message stood.
    #[must_use]
    pub fn message_origin(&self, dialect: &Dialect) -> Option<Origin> {
        self.origin(dialect, self.origins.message, |reading| &reading.message)
    }

    /// Returns where the request id stood.
    #[must_use]
    pub fn request_id_origin(&self, dialect: &Dialect) -> Option<Origin> {
        self.origin(dialect, self.origins.request_id, |reading| &reading.request_id)
    }

    fn origin(&self, dialect: &Dialect, spoke: Spoke, slot: fn(&Reading) -> &Vec<Source<u8>>) -> Option<Origin> {
        match spoke {
            Spoke::Nobody => None,
            Spoke::FirstField => Some(Origin::FirstField),
            Spoke::WholeBody => Some(Origin::WholeBody),
            Spoke::Source(nth) => {
                let compiled = dialect.compiled();
                let source = slot(compiled.readings.get(usize::from(self.origins.reading))?).get(usize::from(nth))?;
                Some(source.origin(&compiled.plan))
            }
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(path) => write!(f, "{path} in the body"),
            Self::Header(name) => write!(f, "{name} header"),
            Self::Challenge(name) => write!(f, "{name} in the www-authenticate header"),
            Self::Element(name) => write!(f, "<{name}> in the body"),
            Self::FirstField => f.write_str("the first field error"),
            Self::WholeBody => f.write_str("the whole body"),
        }
    }
}

fn scan<'a>(gathered: &mut Gathered<'a, '_>, pieces: impl Iterator<Item = &'a [u8]>) -> Result<(), Unreadable> {
    let mut scanner = Scanner::new();
    for piece in pieces {
        scanner.feed(piece, gathered)?;
    }
    scanner.finish(gathered)?;
    if gathered.is_bare { Err(Unreadable::WrongRoot) } else { Ok(()) }
}

/// Picks from what was gathered the parts of the envelope.
fn assemble<'a>(
    compiled: &Compiled,
    head: &Head<'a>,
    gathered: &mut Gathered<'a, '_>,
    text: Option<String>,
    unreadable: Option<Unreadable>,
) -> Envelope<'a> {
    let cells = &gathered.cells;
    let facts = Facts { head, cells, code: None, reason: None, message: None };
    let nth = compiled.readings.iter().position(|reading| all_hold(&reading.when, &facts));
    let nth = nth.unwrap_or(compiled.readings.len() - 1);
    let reading = &compiled.readings[nth];
    let response = Response { head, cells, text: text.as_deref() };
    let (code, code_from) = say(&reading.code, &response);
    let (message, message_from) = say(&reading.message, &response);
    let (request_id, request_id_from) = say(&reading.request_id, &response);
    let (reason, _) = say(&reading.reason, &response);
    let mut envelope = Envelope {
        code,
        message,
        request_id,
        reason,
        fields: gathered.fields.of_lists(reading.lists),
        hint: None,
        reset: None,
        should_retry: None,
        signalled: compiled.errors.iter().any(|rule| signals(rule, &facts)),
        unreadable,
        rule: None,
        pattern: None,
        origins: Origins {
            reading: u8::try_from(nth).unwrap_or_default(),
            code: code_from,
            message: message_from,
            request_id: request_id_from,
        },
    };
    if envelope.message.is_none() {
        envelope.fall_back(gathered.root_text.take(), text);
    }
    if reading.body_hints || !compiled.flags.is_empty() || !head.headers.is_empty() {
        envelope.look_for_hints(compiled, reading, head, &gathered.cells);
    }
    if !compiled.rules.is_empty() {
        envelope.look_for_rules(compiled, head, &gathered.cells);
    }
    envelope
}

/// Returns what the first source says that says something, and which one that is.
#[inline]
fn say<'a>(slot: &[Source<u8>], response: &Response<'_, 'a>) -> (Option<Cow<'a, str>>, Spoke) {
    for (source, nth) in slot.iter().zip(0..) {
        if let Some(text) = source.read(response) {
            return (Some(text), Spoke::Source(nth));
        }
    }
    (None, Spoke::Nobody)
}

fn all_hold(when: &[Condition<u8>], facts: &Facts<'_, '_>) -> bool {
    when.iter().all(|condition| condition.holds(facts))
}

fn signals(rule: &ErrorRule<u8>, facts: &Facts<'_, '_>) -> bool {
    let holds = |(cell, test): &(u8, Test)| {
        facts.cells.get(*cell).is_some_and(|value| test.holds(value, facts.cells.text(value)))
    };
    rule.lines.iter().all(|line| line.atoms.iter().any(holds) != line.negated) && all_hold(&rule.when, facts)
}

impl<'a> Envelope<'a> {
    /// Takes a message from where no dialect has to name it: the first field error, or a body that is a text.
    fn fall_back(&mut self, root_text: Option<Cow<'a, str>>, text: Option<String>) {
        if let Some(first) = self.fields.iter().find(|field| !field.message.is_empty()) {
            (self.message, self.origins.message) = (Some(first.message.clone()), Spoke::FirstField);
        } else if let Some(text) = root_text.or(text.filter(|text| markup::is_plain(text)).map(Cow::Owned)) {
            (self.message, self.origins.message) = (Some(text), Spoke::WholeBody);
        }
    }

    fn look_for_hints(&mut self, compiled: &Compiled, reading: &Reading, head: &Head<'_>, cells: &Cells<'_>) {
        let now = head.server_now();
        let facts = Facts { head, cells, code: None, reason: None, message: None };
        let later = |a: RetryHint, b: RetryHint| a.later_at(b, now);
        let standard = head.headers.get_all(http::header::RETRY_AFTER).iter();
        let standard = standard.filter_map(|value| RetryHint::retry_after(value.as_bytes(), now)).reduce(later);
        let mut declared = reading.hints.iter().filter(|hint| !hint.reset).filter_map(|hint| hint.read(&facts, now));
        self.hint = if reading.ordered_hints {
            declared.next().or(standard)
        } else {
            standard.into_iter().chain(declared).reduce(later)
        };
        let resets = reading.hints.iter().filter(|hint| hint.reset);
        self.reset = resets.filter_map(|hint| hint.read(&facts, now)).reduce(later);
        for flag in &compiled.flags {
            if let Some((yes, wait)) = flag.read(head, cells, now) {
                self.should_retry = Some(yes);
                self.hint = self.hint.take().into_iter().chain(wait).reduce(later);
                break;
            }
        }
    }

    fn look_for_rules(&mut self, compiled: &Compiled, head: &Head<'_>, cells: &Cells<'_>) {
        let (code, reason, message) = (self.code.as_deref(), self.reason.as_deref(), self.message.as_deref());
        let facts = Facts { head, cells, code, reason, message };
        let mut found = (None, None);
        for (when, nth) in compiled.rules.iter().zip(0..).filter(|(when, _)| all_hold(when, &facts)) {
            let of_its_kind = if when.iter().any(Condition::is_pattern) { &mut found.1 } else { &mut found.0 };
            of_its_kind.get_or_insert(nth);
        }
        (self.rule, self.pattern) = found;
    }
}
