//! Rate-limit windows: the end of the window, and the quota that remains until
//! then.

use std::borrow::Cow;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::condition::{Condition, Facts};
use super::hints::{Hint, HintPlace};
use super::standard::{self, LimitHeader, Standard, is_zero};
use crate::cells::Cell;
use crate::head::{Head, ServerClock};
use crate::hint::{HintSource, Quota, RetryHint, Unit, When, before, members};
use crate::json::lossy;

/// When the windows of a response end, the latest of each kind.
#[derive(Default)]
pub(crate) struct Windows<'r> {
    used_up: Option<End<'r>>,
    left: Option<End<'r>>,
    unknown: Option<End<'r>>,
}

/// The end of the window whose quota is used up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum UsedUp {
    /// No quota is said to be used up.
    #[default]
    None,
    /// It is the end that counts for the response.
    Reset,
    /// It comes before the end that counts.
    Before(Box<RetryHint>),
}

/// The end of a window, and the place that states it.
#[derive(Clone, Copy)]
struct End<'r> {
    when: When,
    place: EndPlace<'r>,
}

#[derive(Clone, Copy)]
enum EndPlace<'r> {
    Declared(&'r HintPlace<Cell>),
    Standard(&'r HeaderName),
}

/// The quotas of a list of windows, as a response states them.
enum Quotas {
    OfEach(Vec<Quota>),
    OfAll(Quota),
}

impl<'r> Windows<'r> {
    /// Reads the end of every window that a response states: as the dialect
    /// declares it, and in standard headers that it does not declare.
    pub(crate) fn read(
        hints: &'r [Hint<Cell>],
        standard: &Standard<'r>,
        facts: &Facts<'_, '_>,
        clock: &ServerClock<'_>,
    ) -> Self {
        let mut windows = Self::default();
        let ends = hints.iter().filter(|hint| !hint.is_absent(facts.cells) && hint.is_reset());
        ends.for_each(|hint| windows.add_declared(hint, facts, clock));
        for header in standard.limits.ends().filter(|header| !standard::declares(hints, header.name)) {
            windows.add_standard(header, standard, facts.head, clock);
        }
        windows
    }

    /// Returns the end of a window that counts for a response, and the one of a
    /// window whose quota is used up.
    ///
    /// The end of a window with quota left counts only if no quota is used up.
    pub(crate) fn ends(self, clock: &ServerClock<'_>) -> (Option<RetryHint>, UsedUp) {
        let known = self.used_up.or(self.left);
        let is_later = |end: &End<'_>| known.is_none_or(|known| end.delay(clock) > known.delay(clock));
        let later = self.unknown.filter(is_later);
        let used_up = match (self.used_up, later) {
            (None, _) => UsedUp::None,
            (Some(_), None) => UsedUp::Reset,
            (Some(used_up), Some(_)) => UsedUp::Before(Box::new(used_up.hint())),
        };
        (later.or(known).map(End::hint), used_up)
    }

    /// Returns the end of a window whose quota is used up.
    pub(crate) fn used_up(self) -> Option<RetryHint> {
        self.used_up.map(End::hint)
    }

    fn add_declared(&mut self, hint: &'r Hint<Cell>, facts: &Facts<'_, '_>, clock: &ServerClock<'_>) {
        let texts = hint.texts(facts);
        if texts.is_empty() || !facts.fulfil(&hint.when) {
            return;
        }
        let place = EndPlace::Declared(&hint.place);
        let Some(list) = joined(texts.into_iter()) else { return };
        if hint.unit == Unit::RateLimit {
            return self.add_field(&list, place, clock);
        }
        let stated = hint.left.iter().find(|name| facts.head.headers.contains_key(*name));
        let lines = stated.into_iter().flat_map(|name| facts.head.headers.get_all(name));
        let quotas = Quotas::read(lines, &list).unwrap_or_else(|| Quotas::OfAll(hint.quota_of_conditions()));
        self.add_list(&list, &quotas, place, clock, |reset| hint.when_in(reset, clock.now()));
    }

    fn add_standard(
        &mut self,
        header: &LimitHeader<'r>,
        standard: &Standard<'r>,
        head: &Head<'_>,
        clock: &ServerClock<'_>,
    ) {
        let place = EndPlace::Standard(header.name);
        let lines = header.lines(head.headers);
        let Some((list, unit)) = joined(lines.map(text)).zip(header.unit()) else { return };
        if unit == Unit::RateLimit {
            return self.add_field(&list, place, clock);
        }
        let beside = standard.limits.quota_beside(header);
        let lines = beside.into_iter().flat_map(|beside| beside.lines(head.headers));
        let quotas = Quotas::read(lines, &list).unwrap_or(Quotas::OfAll(Quota::Unknown));
        self.add_list(&list, &quotas, place, clock, |reset| unit.read_text(reset, clock.now()));
    }

    /// Adds what a `RateLimit` field states.
    fn add_field(&mut self, field: &str, place: EndPlace<'r>, clock: &ServerClock<'_>) {
        if let Some((quota, when)) = Quota::of_field(field, clock.now()) {
            self.add(quota, End { when, place }, clock);
        }
    }

    /// Adds the ends of a list, each with what is left of its quota.
    fn add_list(
        &mut self,
        list: &str,
        quotas: &Quotas,
        place: EndPlace<'r>,
        clock: &ServerClock<'_>,
        read: impl Fn(&str) -> Option<When>,
    ) {
        for (nth, reset) in members(list).enumerate() {
            if let Some(when) = read(before(reset, b';')) {
                self.add(quotas.of(nth), End { when, place }, clock);
            }
        }
    }

    fn add(&mut self, quota: Quota, end: End<'r>, clock: &ServerClock<'_>) {
        let slot = match quota {
            Quota::UsedUp => &mut self.used_up,
            Quota::Left => &mut self.left,
            Quota::Unknown => &mut self.unknown,
        };
        if slot.is_none_or(|known| end.delay(clock) > known.delay(clock)) {
            *slot = Some(end);
        }
    }
}

impl End<'_> {
    fn delay(&self, clock: &ServerClock<'_>) -> Duration {
        self.when.delay(clock.now())
    }

    fn hint(self) -> RetryHint {
        let source = match self.place {
            EndPlace::Declared(place) => place.source(),
            EndPlace::Standard(name) => HintSource::Header(name.as_str().to_owned()),
        };
        RetryHint::new(self.when, source)
    }
}

impl Quotas {
    /// Reads the lines of a header that says what is left until the ends in a list;
    /// `None` where it says nothing.
    fn read<'h>(lines: impl Iterator<Item = &'h HeaderValue>, ends: &str) -> Option<Self> {
        let is_list = ends.bytes().any(|byte| byte == b',');
        let (mut each, mut all) = (Vec::new(), None);
        for line in lines.filter_map(|line| std::str::from_utf8(line.as_bytes()).ok()) {
            for text in members(line) {
                let quota = if is_zero(text) { Quota::UsedUp } else { Quota::Left };
                all = Some(all.map_or(quota, |all: Quota| all.of_both(quota)));
                if is_list {
                    each.push(quota);
                }
            }
        }
        // Two lists of the same length belong together. Of any others one that is used up closes all.
        let is_of_each = is_list && each.len() == members(ends).count();
        if is_of_each && !each.is_empty() { Some(Self::OfEach(each)) } else { all.map(Self::OfAll) }
    }

    fn of(&self, nth: usize) -> Quota {
        match self {
            Self::OfEach(quotas) => quotas[nth],
            Self::OfAll(quota) => *quota,
        }
    }
}

/// Returns the lines of a list as one list (RFC 9651 section 4.2, RFC 9110
/// section 5.3); `None` where there is no line.
fn joined<'t>(mut lines: impl Iterator<Item = Cow<'t, str>>) -> Option<Cow<'t, str>> {
    let first = lines.next()?;
    let Some(second) = lines.next() else { return Some(first) };
    let lines: Vec<_> = [first, second].into_iter().chain(lines).collect();
    let lines: Vec<_> = lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
    Some(Cow::Owned(lines.join(", ")))
}

fn text(value: &HeaderValue) -> Cow<'_, str> {
    lossy(Cow::Borrowed(value.as_bytes()))
}

impl<P> Hint<P> {
    /// Returns `true` if it is the end of a window: by its file, by its unit, or by
    /// a header whose name says so.
    ///
    /// A file cannot declare otherwise, since a reset that is taken for a wait
    /// closes the API to a caller who has quota.
    pub(crate) fn is_reset(&self) -> bool {
        self.reset || self.unit == Unit::RateLimit || !self.left.is_empty()
    }

    /// Returns what the conditions of this hint say of its quota, which hold.
    fn quota_of_conditions(&self) -> Quota {
        let says_zero = |condition: &Condition<P>| match condition {
            Condition::Header(_, values) | Condition::Body(_, values) => {
                !values.is_empty() && values.iter().all(|value| is_zero(value))
            }
            _ => false,
        };
        if self.when.iter().any(says_zero) { Quota::UsedUp } else { Quota::Unknown }
    }
}

/// Returns the headers that may say what is left until the time of a header
/// whose name has the word `reset`: `x-ratelimit-remaining-tokens`, or else
/// `x-ratelimit-remaining`, beside `x-ratelimit-reset-tokens`. None for any
/// other header.
pub(crate) fn headers_of_quota<P>(place: &HintPlace<P>) -> Vec<HeaderName> {
    let HintPlace::Header(name) = place else { return Vec::new() };
    let name = name.as_str();
    let is_word = |at: usize| at == 0 || name[..at].ends_with(['-', '_', '.']) || name[..at].ends_with("limit");
    let Some((at, word)) = name.match_indices("reset").find(|(at, _)| is_word(*at)) else { return Vec::new() };
    let (before, after) = (&name[..at], &name[at + word.len()..]);
    let names = [format!("{before}remaining{after}"), format!("{before}remaining")];
    names.iter().filter_map(|name| name.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remaining_header_is_derived_from_the_reset_header() {
        for (reset, expected) in [
            ("x-ratelimit-reset", "x-ratelimit-remaining"),
            ("x-ratelimit-reset-after", "x-ratelimit-remaining-after"),
            ("x-ratelimit-reset-tokens", "x-ratelimit-remaining-tokens"),
            ("anthropic-ratelimit-requests-reset", "anthropic-ratelimit-requests-remaining"),
            ("x-ratelimitreset", "x-ratelimitremaining"),
            ("reset", "remaining"),
            ("x-preset-wait", ""),
            ("x-preset-reset", "x-preset-remaining"),
            ("retry-after", ""),
        ] {
            let names = headers_of_quota::<()>(&HintPlace::Header(reset.parse().expect("a legal name")));
            assert_eq!(names.first().map_or("", HeaderName::as_str), expected, "{reset}");
        }
        assert!(headers_of_quota(&HintPlace::Body((), "reset".to_owned())).is_empty());
    }
}
