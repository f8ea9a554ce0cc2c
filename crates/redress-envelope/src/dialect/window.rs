//! The end of a rate-limit window: when quota returns, and what is left of it until then.

use std::time::SystemTime;

use http::HeaderName;

use super::condition::{Condition, Facts};
use super::hints::{Hint, HintPlace};
use crate::head::Head;
use crate::hint::{Quota, RetryHint, Unit, When};

/// When the windows of a response end, the latest of each kind.
#[derive(Default)]
pub(crate) struct Windows {
    used_up: Option<RetryHint>,
    left: Option<RetryHint>,
    unknown: Option<RetryHint>,
}

impl Windows {
    /// Reads the end of every window that a response states.
    pub(crate) fn read(hints: &[Hint<u8>], facts: &Facts<'_, '_>, now: SystemTime) -> Self {
        let mut windows = Self::default();
        for hint in hints.iter().filter(|hint| hint.is_reset() && facts.fulfil(&hint.when)) {
            let quota = hint.quota(facts.head);
            for text in hint.place.texts(facts.head, facts.cells) {
                let Some((quota, when)) = window(hint.unit, &text, quota, now) else { continue };
                let slot = match quota {
                    Quota::UsedUp => &mut windows.used_up,
                    Quota::Left => &mut windows.left,
                    Quota::Unknown => &mut windows.unknown,
                };
                let read = RetryHint::new(when, hint.place.source());
                *slot = later(slot.take(), Some(read), now);
            }
        }
        windows
    }

    /// Returns the end of a window of which nothing is left, and the end of any window.
    ///
    /// Of what has quota left the end counts only if nothing is used up.
    pub(crate) fn ends(self, now: SystemTime) -> (Option<RetryHint>, Option<RetryHint>) {
        let other = if self.used_up.is_some() { self.used_up.clone() } else { self.left };
        (self.used_up, later(other, self.unknown, now))
    }
}

fn later(a: Option<RetryHint>, b: Option<RetryHint>, now: SystemTime) -> Option<RetryHint> {
    a.into_iter().chain(b).reduce(|a, b| a.later_at(b, now))
}

/// Reads the end of a window, and what is left of its quota: a `RateLimit` field states both.
fn window(unit: Unit, text: &str, quota: Quota, now: SystemTime) -> Option<(Quota, When)> {
    if unit == Unit::RateLimit {
        return Quota::of_field(text, now);
    }
    Some((quota, unit.read(text.as_bytes(), now)?))
}

impl<P> Hint<P> {
    /// Returns `true` if it is the end of a window: by its file, by its unit, or by a header whose name says so.
    ///
    /// A file cannot declare otherwise, since a reset that is taken for a wait closes the API to a caller who has quota.
    pub(crate) fn is_reset(&self) -> bool {
        self.reset || self.unit == Unit::RateLimit || !self.left.is_empty()
    }

    /// Returns what the response says of the quota: by the header beside this one, or by the conditions of this hint,
    /// which hold.
    fn quota(&self, head: &Head<'_>) -> Quota {
        let is_zero = |text: &str| text.trim().parse::<f64>().is_ok_and(|number| number <= 0.0);
        let stated = self.left.iter().find(|name| head.headers.contains_key(*name));
        let mut numbers = stated.into_iter().flat_map(|name| head.texts(name)).flat_map(|text| text.split([',', ';']));
        match numbers.next().map(|first| is_zero(first) || numbers.any(is_zero)) {
            Some(true) => return Quota::UsedUp,
            Some(false) => return Quota::Left,
            None => {}
        }
        let says_zero = |condition: &Condition<P>| match condition {
            Condition::Header(_, values) | Condition::Body(_, values) => {
                !values.is_empty() && values.iter().all(|value| is_zero(value))
            }
            _ => false,
        };
        if self.when.iter().any(says_zero) { Quota::UsedUp } else { Quota::Unknown }
    }
}

/// Returns the headers that may say what is left until the time of a reset header: `x-ratelimit-remaining-tokens` beside
/// `x-ratelimit-reset-tokens`, `x-ratelimit-remaining` beside `x-ratelimit-reset-after`. None for any other header.
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
    fn the_header_of_what_is_left_is_told_by_the_name_of_the_reset() {
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
