//! Rate-limit windows: the end of the window, and the quota that remains until
//! then.

use std::borrow::Cow;

use http::HeaderName;

use super::condition::{Condition, Facts};
use super::hints::{Hint, HintPlace};
use super::standard::{Part, Standard, is_zero};
use crate::cells::Cell;
use crate::head::{Head, ServerClock};
use crate::hint::{Quota, RetryHint, Unit, When, members};

/// When the windows of a response end, the latest of each kind.
#[derive(Default)]
pub(crate) struct Windows {
    used_up: Option<RetryHint>,
    left: Option<RetryHint>,
    unknown: Option<RetryHint>,
}

impl Windows {
    /// Reads the end of every window that a response states: as the dialect
    /// declares it, and in standard headers that it does not declare.
    pub(crate) fn read(
        hints: &[Hint<Cell>],
        standard: &Standard<'_>,
        facts: &Facts<'_, '_>,
        clock: &ServerClock<'_>,
    ) -> Self {
        let mut windows = Self::default();
        hints.iter().filter(|hint| hint.is_reset()).for_each(|hint| windows.add_all(hint, facts, clock));
        for header in standard.limits.iter().filter(|header| header.part != Part::Other) {
            if let Some(hint) = Hint::standard(header.name, standard.quota_beside(*header), hints) {
                windows.add_all(&hint, facts, clock);
            }
        }
        windows
    }

    /// Returns the end of a window whose quota is used up, and the end of any
    /// window.
    ///
    /// The end of a window with quota left counts only if no quota is used up.
    pub(crate) fn ends(self, clock: &ServerClock<'_>) -> (Option<RetryHint>, Option<RetryHint>) {
        let other = if self.used_up.is_some() { self.used_up.clone() } else { self.left };
        (self.used_up, later(other, self.unknown, clock))
    }

    fn add_all(&mut self, hint: &Hint<Cell>, facts: &Facts<'_, '_>, clock: &ServerClock<'_>) {
        let texts = hint.texts(facts);
        if texts.is_empty() || !facts.fulfil(&hint.when) {
            return;
        }
        // The lines of a list are one list (RFC 9651 section 4.2, RFC 9110 section 5.3).
        let list = match &*texts {
            [only] => Cow::Borrowed(&**only),
            lines => Cow::Owned(
                lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(", "),
            ),
        };
        if hint.unit == Unit::RateLimit {
            let window = Quota::of_field(&list, clock.now());
            window.into_iter().for_each(|(quota, when)| self.add(quota, when, hint, clock));
            return;
        }
        let count = members(&list).count();
        let left = hint.quotas_left(facts.head);
        for (nth, reset) in members(&list).enumerate() {
            let reset = reset.split(';').next().unwrap_or_default();
            if let Some(when) = hint.when_in(reset, clock.now()) {
                let quota = match &*left {
                    [] => hint.quota_of_conditions(),
                    // Two lists of the same length belong together. Of any others one that is used up closes all.
                    left if left.len() == count => left[nth],
                    left => Quota::of_any(left),
                };
                self.add(quota, when, hint, clock);
            }
        }
    }

    fn add(&mut self, quota: Quota, when: When, hint: &Hint<Cell>, clock: &ServerClock<'_>) {
        let slot = match quota {
            Quota::UsedUp => &mut self.used_up,
            Quota::Left => &mut self.left,
            Quota::Unknown => &mut self.unknown,
        };
        *slot = later(slot.take(), Some(RetryHint::new(when, hint.place.source())), clock);
    }
}

fn later(a: Option<RetryHint>, b: Option<RetryHint>, clock: &ServerClock<'_>) -> Option<RetryHint> {
    a.into_iter().chain(b).reduce(|a, b| a.later_at(b, clock.now()))
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

    /// Returns what the header beside this one says of the quota of each window;
    /// nothing where there is none.
    fn quotas_left(&self, head: &Head<'_>) -> Vec<Quota> {
        let stated = self.left.iter().find(|name| head.headers.contains_key(*name));
        let left = stated.into_iter().flat_map(|name| head.texts(name)).flat_map(members);
        left.map(|text| if is_zero(text) { Quota::UsedUp } else { Quota::Left }).collect()
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
