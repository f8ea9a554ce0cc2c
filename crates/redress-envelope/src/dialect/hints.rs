//! The places of retry hints, and of flags that say whether to retry.

use std::borrow::Cow;
use std::time::SystemTime;

use http::HeaderName;

use super::condition::{Condition, Facts};
use super::spec::PathSpec;
use super::standard;
use super::window::headers_of_quota;
use crate::cells::{Cell, Cells, bit};
use crate::envelope::member_texts;
use crate::head::{Head, ServerClock};
use crate::hint::{HintSource, RetryHint, Unit, When};
use crate::json::lossy;
use crate::pattern::Glob;
use crate::plan::Plan;

/// The separator of the texts that a path with a wildcard leads to. Each of
/// them is read.
pub(crate) const BETWEEN: &str = "\n";

/// A header or a member that holds a hint. `P` is a path where a file is read,
/// a cell once it is compiled.
#[derive(Clone, Debug)]
pub(crate) struct Hint<P> {
    pub(crate) place: HintPlace<P>,
    pub(crate) unit: Unit,
    /// Whether its file says that it is the end of a rate-limit window, which many
    /// APIs send with every response.
    pub(crate) reset: bool,
    /// The headers that may say what is left of the quota until then; none unless
    /// the name of its header says `reset`.
    pub(crate) left: Vec<HeaderName>,
    /// The unit that its header has in every dialect, for what its own unit cannot
    /// read.
    pub(crate) standard: Option<Unit>,
    pub(crate) part: HintPart,
    pub(crate) difference: Option<Difference<P>>,
    pub(crate) when: Vec<Condition<P>>,
}

/// The part of a text that is a hint.
#[derive(Clone, Debug, Default)]
pub(crate) struct HintPart {
    /// The marks that must precede and follow it.
    pub(crate) after: Option<String>,
    pub(crate) before: Option<String>,
    /// The member of the JSON document that a header holds.
    pub(crate) member: Option<Plan>,
}

/// A hint that is what of a number is missing to another one, at the rate at
/// which that grows.
#[derive(Clone, Debug)]
pub(crate) struct Difference<P> {
    pub(crate) minus: P,
    /// How much it grows in one unit; 1 if there is none.
    pub(crate) over: Option<P>,
}

#[derive(Clone, Debug)]
pub(crate) enum HintPlace<P> {
    /// A header, with every value of its lines.
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
    /// The values that mean yes, and the values that mean no.
    YesNo(Vec<String>, Vec<String>),
    /// A wait in milliseconds says yes; a negative or unreadable one no.
    Pushback,
}

impl Hint<PathSpec> {
    /// States a hint as its file has it.
    pub(crate) fn new(place: HintPlace<PathSpec>, unit: Unit, reset: bool, when: Vec<Condition<PathSpec>>) -> Self {
        let left = headers_of_quota(&place);
        let standard = place.header().and_then(|name| standard::unit(name.as_str()));
        let (part, difference) = (HintPart::default(), None);
        Self { place, unit, reset, left, standard, part, difference, when }
    }

    /// Puts a cell in the place of each path.
    pub(crate) fn compile(&self, mut cell: impl FnMut(&PathSpec) -> Option<Cell>) -> Option<Hint<Cell>> {
        let place = self.place.compile(&mut cell)?;
        let when = self.when.iter().filter_map(|condition| condition.compile(&mut cell)).collect();
        let difference = match &self.difference {
            Some(Difference { minus, over }) => {
                let over = match over {
                    Some(over) => Some(cell(over)?),
                    None => None,
                };
                Some(Difference { minus: cell(minus)?, over })
            }
            None => None,
        };
        let Self { unit, reset, left, standard, part, .. } = self.clone();
        Some(Hint { place, unit, reset, left, standard, part, difference, when })
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
    /// States a wait that is read as it stands.
    pub(crate) const fn with_unit(place: HintPlace<Cell>, unit: Unit) -> Self {
        let part = HintPart { after: None, before: None, member: None };
        let difference = None;
        Self { place, unit, reset: false, left: Vec::new(), standard: None, part, difference, when: Vec::new() }
    }

    /// Returns `true` if it reads a member of the body that is not there, as most
    /// hints do.
    #[inline(always)]
    pub(crate) const fn is_absent(&self, cells: &Cells<'_>) -> bool {
        let own = self.place.cells();
        own != 0 && !cells.has_any(own)
    }

    /// Returns the longest valid hint at this place.
    pub(crate) fn read(&self, facts: &Facts<'_, '_>, clock: &ServerClock<'_>) -> Option<RetryHint> {
        if let (HintPlace::Header(name), true) = (&self.place, self.is_whole_text()) {
            let mut lines = facts.head.headers.get_all(name).iter().map(|line| lossy(Cow::Borrowed(line.as_bytes())));
            let first = lines.next()?;
            return self.longest(std::iter::once(first).chain(lines), facts, clock);
        }
        let texts = self.texts(facts);
        if texts.is_empty() { None } else { self.longest(texts.into_iter(), facts, clock) }
    }

    /// Returns the longest valid hint of these texts, if its conditions hold.
    fn longest<'t>(
        &self,
        texts: impl Iterator<Item = Cow<'t, str>>,
        facts: &Facts<'_, '_>,
        clock: &ServerClock<'_>,
    ) -> Option<RetryHint> {
        if !facts.fulfil(&self.when) {
            return None;
        }
        let now = clock.now();
        let longest = |a: When, b: When| if b.delay(now) > a.delay(now) { b } else { a };
        let when = texts.filter_map(|text| self.when_in(&text, now)).reduce(longest)?;
        Some(RetryHint::new(when, self.place.source()))
    }

    /// Returns `true` if all of a text is the hint.
    const fn is_whole_text(&self) -> bool {
        let HintPart { after, before, member } = &self.part;
        after.is_none() && before.is_none() && member.is_none() && self.difference.is_none()
    }

    /// Returns every text that is to be read.
    pub(super) fn texts<'r>(&'r self, facts: &'r Facts<'_, '_>) -> Vec<Cow<'r, str>> {
        let mut texts = self.place.texts(facts.head, facts.cells);
        if let Some(plan) = &self.part.member {
            texts = texts.iter().flat_map(|text| member_texts(plan, text)).map(Cow::Owned).collect();
        }
        if self.part.after.is_some() || self.part.before.is_some() {
            texts =
                texts.iter().filter_map(|text| self.part.cut(text)).map(|text| Cow::Owned(text.to_owned())).collect();
        }
        if let Some(difference) = &self.difference {
            texts = texts.iter().filter_map(|text| difference.from(text, facts.cells)).map(Cow::Owned).collect();
        }
        texts
    }

    /// Reads one text: as the dialect declares it, else as its header is read in
    /// every dialect.
    pub(super) fn when_in(&self, text: &str, now: SystemTime) -> Option<When> {
        let read = |unit: Unit| unit.read_text(text, now);
        read(self.unit).or_else(|| read(self.standard.filter(|standard| *standard != self.unit)?))
    }
}

impl HintPart {
    /// Returns what stands between the two marks; `None` where one of them is
    /// missing.
    fn cut<'t>(&self, text: &'t str) -> Option<&'t str> {
        let text = match &self.after {
            Some(mark) => text.split_once(mark.as_str())?.1,
            None => text,
        };
        match &self.before {
            Some(mark) => text.split_once(mark.as_str()).map(|(before, _)| before),
            None => Some(text),
        }
    }
}

impl Difference<Cell> {
    /// Returns the quotient as a decimal number, rounded up; `None` where a number
    /// is missing, nothing is, or nothing grows.
    fn from(&self, text: &str, cells: &Cells<'_>) -> Option<String> {
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        let at = |cell: Cell| cells.text(cells.get(cell)?).and_then(number);
        let over = self.over.map_or(Some(1.0), at).filter(|over| *over > 0.0)?;
        let quotient = (number(text)? - at(self.minus)?) / over;
        let millionths = (quotient * 1e6).ceil();
        (quotient >= 0.0 && millionths.is_finite()).then(|| format!("{:.6}", millionths / 1e6))
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
                let wait = Unit::Milliseconds.read_text(text, clock.now()).filter(|_| is_number);
                Some((wait.is_some(), wait.map(|when| RetryHint::new(when, self.place.source()))))
            }
        }
    }
}

/// Writes a JSON number that has an exponent without one, as far as that is
/// sensible.
fn plain(number: &str) -> Cow<'_, str> {
    if !number.contains(['e', 'E']) {
        return Cow::Borrowed(number);
    }
    match number.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Cow::Owned(format!("{value}")),
        _ => Cow::Borrowed(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::Value;

    #[test]
    fn a_number_with_an_exponent_is_written_without_one() {
        for (number, expected) in
            [("12", "12"), ("-1", "-1"), ("1e3", "1000"), ("1.5E-1", "0.15"), ("-1e3", ""), ("1e999", ""), ("0e0", "0")]
        {
            assert_eq!(plain(number), expected, "{number}");
        }
    }

    #[test]
    fn a_difference_is_a_wait_unless_it_is_negative_or_nothing_grows() {
        let mut cells = Cells::new();
        for (cell, number) in [(0, "5"), (1, "2"), (2, "0")] {
            cells.put_last(cell, Value::Number(number));
        }
        for (minus, over, text, expected) in [
            (0, None, "8", Some("3.000000")),
            (0, None, "5", Some("0.000000")),
            (0, None, "4", None),
            (0, Some(1), "8", Some("1.500000")),
            (0, Some(1), "4", None),
            (0, Some(2), "8", None),
            (0, Some(2), "5", None),
            (0, Some(9), "8", None),
            (9, None, "8", None),
            (0, None, "soon", None),
        ] {
            let found = Difference { minus, over }.from(text, &cells);
            assert_eq!(found.as_deref(), expected, "{text} - {minus} over {over:?}");
        }
    }
}
