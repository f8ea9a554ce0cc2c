//! Where a server says when to come back, and whether to.

use std::borrow::Cow;
use std::time::SystemTime;

use http::HeaderName;

use super::condition::{Condition, Facts};
use super::spec::Wanted;
use super::standard;
use super::window::headers_of_quota;
use crate::cells::{Cell, Cells, bit};
use crate::head::{Head, ServerClock};
use crate::hint::{HintSource, RetryHint, Unit, When};
use crate::pattern::Glob;

/// What stands between the texts that a path with a wildcard leads to, each of which is read.
pub(crate) const BETWEEN: &str = "\n";

/// A header or a member that holds a hint. `P` is a path where a file is read, a cell once it is compiled.
#[derive(Clone, Debug)]
pub(crate) struct Hint<P> {
    pub(crate) place: HintPlace<P>,
    pub(crate) unit: Unit,
    /// Whether its file says that it is the end of a rate-limit window, which many APIs send with every response.
    pub(crate) reset: bool,
    /// The headers that may say what is left of the quota until then; none unless the name of its header says `reset`.
    pub(crate) left: Vec<HeaderName>,
    /// The unit that its header has in every dialect, for what its own unit cannot read.
    standard: Option<Unit>,
    pub(crate) when: Vec<Condition<P>>,
}

#[derive(Clone, Debug)]
pub(crate) enum HintPlace<P> {
    Header(HeaderName),
    /// A member, and its path for people.
    Body(P, String),
}

/// A header or a member that says whether to retry.
#[derive(Clone, Debug)]
pub(crate) struct Flag<P> {
    pub(crate) place: HintPlace<P>,
    pub(crate) says: FlagForm,
}

#[derive(Clone, Debug)]
pub(crate) enum FlagForm {
    /// One of these values says yes, one of those no.
    YesNo(Vec<String>, Vec<String>),
    /// A wait in milliseconds says yes; a negative or unreadable one no.
    Pushback,
}

impl Hint<Wanted> {
    /// States a hint as its file has it.
    pub(crate) fn new(place: HintPlace<Wanted>, unit: Unit, reset: bool, when: Vec<Condition<Wanted>>) -> Self {
        let left = headers_of_quota(&place);
        let standard = place.header().and_then(|name| standard::unit(name.as_str()));
        Self { place, unit, reset, left, standard, when }
    }

    /// Puts a cell in the place of each path.
    pub(crate) fn compile(&self, mut cell: impl FnMut(&Wanted) -> Option<Cell>) -> Option<Hint<Cell>> {
        let place = self.place.compile(&mut cell)?;
        let when = self.when.iter().filter_map(|condition| condition.compile(&mut cell)).collect();
        let Self { unit, reset, left, standard, .. } = self;
        Some(Hint { place, unit: *unit, reset: *reset, left: left.clone(), standard: *standard, when })
    }
}

impl<P> HintPlace<P> {
    /// Returns the name, if it is a header.
    pub(crate) const fn header(&self) -> Option<&HeaderName> {
        match self {
            Self::Header(name) => Some(name),
            Self::Body(..) => None,
        }
    }

    pub(crate) fn compile(&self, cell: impl FnOnce(&P) -> Option<Cell>) -> Option<HintPlace<Cell>> {
        Some(match self {
            Self::Header(name) => HintPlace::Header(name.clone()),
            Self::Body(path, name) => HintPlace::Body(cell(path)?, name.clone()),
        })
    }
}

impl HintPlace<Cell> {
    /// Returns the cell, if it stands in the body, as a bit.
    pub(crate) const fn cells(&self) -> u128 {
        match self {
            Self::Header(_) => 0,
            Self::Body(cell, _) => bit(*cell),
        }
    }

    /// Returns every text at the place.
    pub(super) fn texts<'r>(&'r self, head: &'r Head<'_>, cells: &'r Cells<'_>) -> Vec<Cow<'r, str>> {
        match self {
            Self::Header(name) => {
                let values = head.headers.get_all(name).iter();
                values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect()
            }
            Self::Body(cell, _) => match cells.get(*cell) {
                Some(value) if value.is_number() => cells.text(value).map(plain).into_iter().collect(),
                Some(value) => {
                    cells.text(value).into_iter().flat_map(|text| text.split(BETWEEN)).map(Cow::Borrowed).collect()
                }
                None => Vec::new(),
            },
        }
    }

    pub(super) fn source(&self) -> HintSource {
        match self {
            Self::Header(name) if *name == http::header::RETRY_AFTER => HintSource::RetryAfter,
            Self::Header(name) => HintSource::Header(name.as_str().to_owned()),
            Self::Body(_, path) => HintSource::Body(path.clone()),
        }
    }
}

impl Hint<Cell> {
    /// States a wait in a standard header.
    pub(crate) fn in_header(name: HeaderName, unit: Unit) -> Self {
        let place = HintPlace::Header(name);
        Self { place, unit, reset: false, left: Vec::new(), standard: None, when: Vec::new() }
    }

    /// States the end of a window in a standard header, with the one that says what is left; `None` where a hint of the
    /// dialect declares what the header means.
    pub(crate) fn standard(name: &HeaderName, left: Option<&HeaderName>, own: &[Self]) -> Option<Self> {
        if standard::declares(own, name) {
            return None;
        }
        let (unit, left) = (standard::unit(name.as_str())?, left.into_iter().cloned().collect());
        let place = HintPlace::Header(name.clone());
        Some(Self { place, unit, reset: true, left, standard: None, when: Vec::new() })
    }

    /// Returns the longest valid hint at this place.
    pub(crate) fn read(&self, facts: &Facts<'_, '_>, clock: &ServerClock<'_>) -> Option<RetryHint> {
        let texts = self.place.texts(facts.head, facts.cells);
        if texts.is_empty() || !facts.fulfil(&self.when) {
            return None;
        }
        let now = clock.now();
        let hints = texts.iter().filter_map(|text| self.when_in(text, now));
        hints.map(|when| RetryHint::new(when, self.place.source())).reduce(|a, b| a.later_at(b, now))
    }

    /// Reads one text: as the dialect declares it, else as its header is read in every dialect.
    pub(super) fn when_in(&self, text: &str, now: SystemTime) -> Option<When> {
        let read = |unit: Unit| unit.read(text.as_bytes(), now);
        read(self.unit).or_else(|| read(self.standard.filter(|standard| *standard != self.unit)?))
    }
}

impl Flag<Cell> {
    pub(crate) const fn is_header(&self) -> bool {
        self.place.header().is_some()
    }

    pub(crate) const fn is_pushback(&self) -> bool {
        matches!(self.says, FlagForm::Pushback)
    }

    pub(crate) fn is_ignored(&self, ignored: &[Glob]) -> bool {
        self.place.header().is_some_and(|name| standard::is_ignored(name.as_str(), ignored))
    }

    /// Returns whether to retry, and the wait if it says one.
    pub(crate) fn read(
        &self,
        head: &Head<'_>,
        cells: &Cells<'_>,
        clock: &ServerClock<'_>,
    ) -> Option<(bool, Option<RetryHint>)> {
        let texts = self.place.texts(head, cells);
        match &self.says {
            FlagForm::YesNo(yes, no) => texts.iter().find_map(|text| {
                let is_one_of = |words: &[String]| words.iter().any(|word| word.eq_ignore_ascii_case(text.trim()));
                if is_one_of(yes) { Some((true, None)) } else { is_one_of(no).then_some((false, None)) }
            }),
            FlagForm::Pushback => {
                // No other form is read here: what cannot be read is an order too (gRFC A6).
                let text = texts.first()?.trim();
                let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
                let wait = Unit::Milliseconds.read(text.as_bytes(), clock.now()).filter(|_| is_number);
                Some((wait.is_some(), wait.map(|when| RetryHint::new(when, self.place.source()))))
            }
        }
    }
}

/// Writes a JSON number that has an exponent without one, as far as that is sensible.
fn plain(number: &str) -> Cow<'_, str> {
    if !number.contains(['e', 'E']) {
        return Cow::Borrowed(number);
    }
    match number.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Cow::Owned(format!("{value}")),
        _ => Cow::Borrowed(""),
    }
}
