//! The sources of the parts of an envelope: place, kind of value, and cuts.

mod words;

use std::borrow::Cow;

use http::HeaderName;

use crate::cells::{Cell, Cells, Value, bit};
use crate::challenge;
use crate::head::Head;
use crate::location::Location;
use crate::pattern::Glob;
use crate::plan::Plans;
pub(crate) use words::{is_error_name, is_outcome, is_prose, is_reason_phrase, is_remark, is_sentence, may_be_code};
use words::{is_id, is_standard_phrase};

/// A place that may hold a part of the envelope. `P` is a path where a file is
/// read, a cell once it is compiled.
#[derive(Clone, Debug)]
pub(crate) struct Source<P> {
    pub(crate) place: Place<P>,
    pub(crate) kind: Kind,
    pub(crate) cuts: Vec<Cut>,
    /// Values that say nothing.
    pub(crate) not: Vec<Glob>,
    pub(crate) repeats: Repeats,
    /// Whether a word such as `error` or `ok` counts as absent.
    pub(crate) not_outcome: bool,
    /// Whether it is only asked where no field error has a message either.
    pub(crate) after_fields: bool,
    /// Whether any text, and any number, is taken, and all of it; known once it is
    /// compiled.
    pub(crate) plain_text: bool,
    pub(crate) plain_number: bool,
    /// The cells that it reads, as bits; none if it reads headers, or before it is
    /// compiled.
    pub(crate) cells: u128,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place<P> {
    /// A member of the body.
    Body(P),
    /// A header; the first value that the source accepts counts.
    Header(HeaderName),
    /// A parameter of `WWW-Authenticate`.
    Challenge(String),
    /// Several members, joined.
    Parts(Vec<P>, String),
}

/// The kind of value that a source accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A text.
    Text,
    /// A number.
    Number,
    /// A text or a number.
    Word,
    /// A scalar.
    Any,
    /// A word that is not prose.
    Symbol,
    /// A text that is neither prose nor a reason phrase.
    Token,
    /// A reason phrase.
    Phrase,
    /// Prose other than a reason phrase.
    Sentence,
    /// The name of an error, as `HatError`.
    ErrorName,
    /// A text other than prose that has both letters and digits, as an identifier of one occurrence has.
    Id,
}

/// A part to cut from a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    After(String),
    Before(String),
    Last(String),
}

/// The treatment of a value that only repeats the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeats {
    /// It counts like any other value.
    Count,
    /// The number says nothing.
    NotAsNumber,
    /// Neither the number nor the reason phrase says anything.
    Not,
    /// The number of any status counts as absent.
    NotAnyStatus,
}

/// The input of a source.
pub(crate) struct Response<'r, 'a> {
    pub(crate) head: &'r Head<'a>,
    pub(crate) cells: &'r Cells<'a>,
}

impl<P> Source<P> {
    pub(crate) const fn new(place: Place<P>, kind: Kind) -> Self {
        Self {
            place,
            kind,
            cuts: Vec::new(),
            not: Vec::new(),
            repeats: Repeats::Count,
            not_outcome: false,
            after_fields: false,
            plain_text: false,
            plain_number: false,
            cells: 0,
        }
    }

    /// Returns `true` if it takes each value of its kind.
    pub(crate) const fn takes_all_of_its_kind(&self) -> bool {
        let is_plain = self.cuts.is_empty() && self.not.is_empty() && !self.not_outcome;
        is_plain && matches!(self.repeats, Repeats::Count) && !self.after_fields
    }

    /// Puts a cell in the place of each path.
    pub(crate) fn compile(&self, mut cell: impl FnMut(&P) -> Option<Cell>) -> Option<Source<Cell>> {
        let place = match &self.place {
            Place::Body(path) => Place::Body(cell(path)?),
            Place::Header(name) => Place::Header(name.clone()),
            Place::Challenge(name) => Place::Challenge(name.clone()),
            Place::Parts(parts, between) => {
                Place::Parts(parts.iter().map(cell).collect::<Option<_>>()?, between.clone())
            }
        };
        let Self { kind, cuts, not, repeats, not_outcome, .. } = self;
        let cells = match &place {
            Place::Body(cell) => bit(*cell),
            Place::Parts(parts, _) => parts.iter().fold(0, |cells, part| cells | bit(*part)),
            Place::Header(_) | Place::Challenge(_) => 0,
        };
        let is_plain = self.takes_all_of_its_kind();
        Some(Source {
            place,
            kind: *kind,
            cuts: cuts.clone(),
            not: not.clone(),
            repeats: *repeats,
            not_outcome: *not_outcome,
            after_fields: self.after_fields,
            plain_text: is_plain && matches!(kind, Kind::Text | Kind::Word | Kind::Any),
            plain_number: is_plain && matches!(kind, Kind::Number | Kind::Word | Kind::Any),
            cells,
        })
    }
}

impl Source<Cell> {
    /// Returns the place for people.
    pub(crate) fn location(&self, plan: &Plans) -> Location {
        match &self.place {
            Place::Body(cell) if Plans::is_xml(*cell) => Location::Element(plan.path(*cell).to_string()),
            Place::Body(cell) => Location::Body(plan.path(*cell).to_string()),
            Place::Header(name) => Location::Header(name.as_str().to_owned()),
            Place::Challenge(name) => Location::Challenge(name.clone()),
            Place::Parts(parts, _) => {
                let paths: Vec<_> = parts.iter().map(|part| plan.path(*part).to_string()).collect();
                Location::Body(paths.join(" and "))
            }
        }
    }

    pub(crate) const fn is_header(&self) -> bool {
        matches!(self.place, Place::Header(_))
    }

    /// Returns what the place says, if it is a header.
    pub(crate) fn read_header<'a>(&self, head: &Head<'a>) -> Option<Cow<'a, str>> {
        let Place::Header(name) = &self.place else { return None };
        head.texts(name).find_map(|text| self.taken(Cow::Borrowed(text), head.status))
    }

    /// Returns what the place says where that is a member that is taken as it is,
    /// as most are.
    #[inline(always)]
    pub(crate) fn plain<'a>(&self, cells: &Cells<'a>) -> Option<&'a str> {
        let Place::Body(cell) = &self.place else { return None };
        match cells.get(*cell)? {
            Value::Text(text) if self.plain_text && !text.is_empty() => Some(text),
            Value::Number(number) if self.plain_number => Some(number),
            _ => None,
        }
    }

    /// Returns `true` if it reads members of the body, and none of them is there.
    /// Of a long list of sources most say nothing for that reason.
    #[inline(always)]
    pub(crate) const fn is_absent(&self, cells: &Cells<'_>) -> bool {
        self.cells != 0 && !cells.has_any(self.cells)
    }

    /// Returns what the place says, if it says something of the right kind.
    #[inline(never)]
    pub(crate) fn read<'a>(&self, response: &Response<'_, 'a>) -> Option<Cow<'a, str>> {
        match &self.place {
            Place::Body(cell) => self.of_value(response.cells.get(*cell)?, response),
            Place::Header(_) if response.head.headers.is_empty() => None,
            Place::Header(_) => self.read_header(response.head),
            Place::Challenge(name) => {
                let is_code = |text: &Cow<'_, str>| name != "error" || !text.contains(char::is_whitespace);
                let mut texts = challenge::parameters(response.head.headers, name).filter(is_code);
                texts.find_map(|text| self.taken(text, response.head.status))
            }
            Place::Parts(parts, between) => {
                let said = |part: &Cell| response.cells.get(*part).and_then(|value| response.cells.text(value));
                let text = |part: &Cell| said(part).filter(|text| !text.is_empty());
                let parts: Vec<_> = parts.iter().map(text).collect::<Option<_>>()?;
                self.taken(Cow::Owned(parts.join(between)), response.head.status)
            }
        }
    }

    #[inline]
    fn of_value<'a>(&self, value: Value<'a>, response: &Response<'_, 'a>) -> Option<Cow<'a, str>> {
        let status = response.head.status;
        if let (Value::Bool(_), Kind::Any) = (value, self.kind) {
            return self.taken(Cow::Owned(response.cells.text(value)?.to_owned()), status);
        }
        let (text, is_text) = response.cells.word(value)?;
        if !self.kind.takes(&text, is_text) {
            return None;
        }
        if !self.cuts.is_empty() {
            return self.taken(text, status);
        }
        self.says(&text, status).then_some(text)
    }

    fn taken<'a>(&self, text: Cow<'a, str>, status: u16) -> Option<Cow<'a, str>> {
        let text = self.cuts.iter().fold(text, |text, cut| cut.of(text));
        let is_text = self.kind != Kind::Number;
        (self.says(&text, status) && self.kind.takes(&text, is_text)).then_some(text)
    }

    #[inline]
    fn says(&self, text: &str, status: u16) -> bool {
        let is_refused = || self.not.iter().any(|not| not.matches(text)) || (self.not_outcome && is_outcome(text));
        !text.is_empty() && !is_refused() && !self.repeats.says_nothing(text, status)
    }
}

impl Kind {
    pub(crate) const ALL: [(&str, Self); 10] = [
        ("text", Self::Text),
        ("number", Self::Number),
        ("word", Self::Word),
        ("any", Self::Any),
        ("symbol", Self::Symbol),
        ("token", Self::Token),
        ("phrase", Self::Phrase),
        ("sentence", Self::Sentence),
        ("error_name", Self::ErrorName),
        ("id", Self::Id),
    ];

    #[inline]
    fn takes(self, text: &str, is_text: bool) -> bool {
        match self {
            Self::Text => is_text,
            Self::Number => !is_text,
            Self::Word | Self::Any => true,
            Self::Symbol => !is_prose(text),
            Self::Token => is_text && !is_prose(text) && !is_standard_phrase(text),
            Self::Phrase => is_text && is_reason_phrase(text),
            Self::Sentence => is_text && is_sentence(text),
            Self::ErrorName => is_text && !is_prose(text) && is_error_name(text),
            Self::Id => is_text && is_id(text),
        }
    }
}

impl Repeats {
    fn says_nothing(self, text: &str, status: u16) -> bool {
        let number = || text.parse() == Ok(status);
        match self {
            Self::Count => false,
            Self::NotAsNumber => number(),
            Self::Not => number() || is_reason_phrase(text),
            Self::NotAnyStatus => text.parse().is_ok_and(|number: u16| (100..600).contains(&number)),
        }
    }
}

impl Cut {
    fn of<'a>(&self, text: Cow<'a, str>) -> Cow<'a, str> {
        match text {
            Cow::Borrowed(text) => Cow::Borrowed(self.cut(text)),
            Cow::Owned(text) => Cow::Owned(self.cut(&text).to_owned()),
        }
    }

    fn cut<'t>(&self, text: &'t str) -> &'t str {
        match self {
            Self::After(mark) => text.rsplit_once(mark).map_or(text, |(_, after)| after),
            Self::Before(mark) => text.split_once(mark).map_or(text, |(before, _)| before),
            Self::Last(mark) => text.trim_end_matches(mark).rsplit(mark).next().unwrap_or(text),
        }
    }
}
