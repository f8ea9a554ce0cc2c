//! Headers of rate limits, told by their names: no list of them could be
//! complete.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::is_ignored;
use crate::hint::Unit;
use crate::pattern::Glob;

/// Headers of rate limits that are looked at: more than any vendor sends, as
/// each reset is compared with all of them.
const MAX_LIMITS: usize = 64;

const LIMIT: &str = "limit";
const REMAINING: &str = "remaining";
const SEPARATORS: [char; 3] = ['-', '_', '.'];

/// The headers of rate limits of a response.
#[derive(Debug, Default)]
pub(crate) struct LimitHeaders<'h>(Vec<LimitHeader<'h>>);

/// A header of a rate limit, told by its name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LimitHeader<'h> {
    pub(crate) name: &'h HeaderName,
    /// The value of its first line.
    first: &'h HeaderValue,
    has_more_lines: bool,
    pub(crate) part: Part,
}

/// The part that a header of a rate limit states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The remaining quota and the end of the window: the `RateLimit` field.
    Whole,
    /// When the window ends: a word of this length, at this byte of the name, says
    /// so.
    Reset(usize, usize),
    /// Something else, such as what is left.
    Other,
}

impl<'h> LimitHeaders<'h> {
    /// Adds a line of a header if it is one of a rate limit and not turned off.
    pub(super) fn add(&mut self, name: &'h HeaderName, value: &'h HeaderValue, ignored: &[Glob]) {
        let Some(part) = Part::from_name(name.as_str()) else { return };
        if let Some(last) = self.0.last_mut().filter(|last| std::ptr::eq(last.name, name)) {
            // The lines of one header follow each other.
            last.has_more_lines = true;
        } else if self.0.len() < MAX_LIMITS && !is_ignored(name.as_str(), ignored) {
            self.0.push(LimitHeader { name, first: value, has_more_lines: false, part });
        }
    }

    /// Returns the headers that say when a window ends.
    pub(crate) fn ends(&self) -> impl Iterator<Item = &LimitHeader<'h>> {
        self.0.iter().filter(|header| header.part != Part::Other)
    }

    /// Returns the header that says what is left until the time of a reset header.
    ///
    /// That is `x-ratelimit-remaining-tokens` beside `x-ratelimit-reset-tokens`,
    /// `x-ratelimit-requests-remaining` beside `x-ratelimit-requests-reset`, or
    /// where the resource has none, the one for all, `x-ratelimit-remaining`.
    pub(crate) fn quota_beside(&self, reset: &LimitHeader<'_>) -> Option<&LimitHeader<'h>> {
        let Part::Reset(at, len) = reset.part else { return None };
        let name = reset.name.as_str();
        let (before, after) = (&name[..at], &name[at + len..]);
        let mut others = self.0.iter().filter(|other| other.part == Part::Other);
        let is_exact = |other: &&LimitHeader<'_>| {
            let rest = other.name.as_str().strip_prefix(before).and_then(|rest| rest.strip_prefix(REMAINING));
            rest == Some(after)
        };
        others.clone().find(is_exact).or_else(|| {
            let limit = &name[..limit_at(name)? + LIMIT.len()];
            let own = name[limit.len()..at].trim_matches(SEPARATORS).to_owned() + after.trim_matches(SEPARATORS);
            let rest = |other: &LimitHeader<'h>| other.name.as_str().strip_prefix(limit);
            let is_same = |other: &&LimitHeader<'h>| {
                let resource = rest(other).map(|rest| rest.trim_matches(SEPARATORS).replace(REMAINING, ""));
                resource.is_some_and(|resource| resource.trim_matches(SEPARATORS) == own)
            };
            let is_whole =
                |other: &&LimitHeader<'h>| rest(other).is_some_and(|rest| rest.trim_matches(SEPARATORS) == REMAINING);
            others.clone().find(is_same).or_else(|| others.find(is_whole))
        })
    }
}

impl<'h> LimitHeader<'h> {
    /// Returns the lines of the header.
    pub(crate) fn lines(&self, headers: &'h HeaderMap) -> impl Iterator<Item = &'h HeaderValue> + use<'h> {
        let others = self.has_more_lines.then(|| headers.get_all(self.name).iter().skip(1));
        std::iter::once(self.first).chain(others.into_iter().flatten())
    }

    /// Returns the unit of the end of the window; `None` for a header that states
    /// something else.
    pub(crate) fn unit(&self) -> Option<Unit> {
        self.part.unit(self.name.as_str())
    }
}

impl Part {
    /// Tells what a header of a rate limit says by its name; `None` for any other
    /// header.
    ///
    /// `x-ratelimit-reset`, `ratelimit-reset`, `x-rate-limit-requests-reset`,
    /// `acme-ratelimit-reset-after` and `x-ratelimit-next` say when the window
    /// ends, and `ratelimit` says all.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        // As most servers call them, so that few names are taken apart.
        match name {
            "x-ratelimit-limit" | "x-ratelimit-remaining" => return Some(Self::Other),
            "x-ratelimit-reset" => return Some(Self::Reset("x-ratelimit-".len(), "reset".len())),
            _ => {}
        }
        let at = limit_at(name)?;
        let (before, after) = (&name[..at], &name[at + LIMIT.len()..]);
        let end = before.bytes().rposition(|byte| !is_separator(byte))? + 1;
        if !before[..end].ends_with("rate") {
            return None;
        }
        if after.is_empty() {
            return Some(Self::Whole);
        }
        let reset = reset_word(after).map(|(nth, len)| Self::Reset(at + LIMIT.len() + nth, len));
        Some(reset.unwrap_or(Self::Other))
    }

    /// Returns the unit of the end of the window.
    pub(super) fn unit(self, name: &str) -> Option<Unit> {
        match self {
            Self::Whole => Some(Unit::RateLimit),
            Self::Reset(..) if name.ends_with("-ms") => Some(Unit::Milliseconds),
            Self::Reset(..) => Some(Unit::Guess),
            Self::Other => None,
        }
    }
}

/// Returns `false` for most headers that are not of a rate limit.
///
/// Of the letters of `ratelimit`, `m` is the one that the names of other
/// headers have least often. It is looked for in eight bytes at once.
#[inline]
pub(super) fn may_be_of_limit(name: &[u8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);
    let has_m = |bytes: &[u8; 8]| {
        let zero_for_m = u64::from_ne_bytes(*bytes) ^ u64::from_ne_bytes([b'm'; 8]);
        zero_for_m.wrapping_sub(ONES) & !zero_for_m & TOPS != 0
    };
    // Shorter names have no room for both words, `rate` and `limit`.
    let Some(last) = name.last_chunk().filter(|_| name.len() > 8) else { return false };
    has_m(last) || name.as_chunks().0.iter().any(has_m)
}

/// Returns where `limit` begins in a name: two bytes before an `m`, which few
/// names have.
fn limit_at(name: &str) -> Option<usize> {
    let bytes = name.as_bytes();
    let mut from = 0;
    while let Some(next) = bytes[from..].iter().position(|byte| *byte == b'm') {
        let at = (from + next).checked_sub(2);
        if let Some(at) = at.filter(|at| bytes[*at..].starts_with(LIMIT.as_bytes())) {
            return Some(at);
        }
        from += next + 1;
    }
    None
}

const fn is_separator(byte: u8) -> bool {
    matches!(byte, b'-' | b'_' | b'.')
}

/// Returns where the word begins by which the rest of a name says that it is
/// the end of a window, and how long it is.
fn reset_word(rest: &str) -> Option<(usize, usize)> {
    let mut begins_word = true;
    for (at, byte) in rest.bytes().enumerate() {
        if begins_word && let Some(len) = reset_word_len(&rest.as_bytes()[at..]) {
            return Some((at, len));
        }
        begins_word = is_separator(byte);
    }
    None
}

#[inline]
fn reset_word_len(text: &[u8]) -> Option<usize> {
    match text {
        [b'r', b'e', b's', b'e', b't', ..] => Some("reset".len()),
        [b'n', b'e', b'x', b't', ..] => Some("next".len()),
        [b'r', b'e', b't', ..] if text.starts_with(b"retry-after") => Some("retry-after".len()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Standard;
    use super::*;

    #[test]
    fn a_header_of_a_rate_limit_is_told_by_its_name() {
        for (name, expected) in [
            ("ratelimit", Some("whole")),
            ("x-ratelimit", Some("whole")),
            ("x-rate-limit", Some("whole")),
            ("ratelimit-reset", Some("reset")),
            ("x-ratelimit-reset", Some("reset")),
            ("x-rate-limit-reset", Some("reset")),
            ("x-ratelimitreset", Some("reset")),
            ("x-ratelimit-next", Some("next")),
            ("x-ratelimit-retry-after", Some("retry-after")),
            ("x-ratelimit-reset-after", Some("reset")),
            ("x-ratelimit-reset-requests", Some("reset")),
            ("x-ratelimit-requests-reset", Some("reset")),
            ("acme-ratelimit-input-tokens-reset", Some("reset")),
            ("x-ratelimit-remaining", Some("other")),
            ("x-ratelimit-limit", Some("other")),
            ("x-ratelimit-resource", Some("other")),
            ("x-ratelimit-preset", Some("other")),
            ("ratelimit-policy", Some("other")),
            ("x-limit-reset", None),
            ("x-request-id", None),
            ("limit", None),
            ("x", None),
        ] {
            let found = Part::from_name(name).map(|part| match part {
                Part::Whole => "whole",
                Part::Reset(at, len) => &name[at..at + len],
                Part::Other => "other",
            });
            assert_eq!(found, expected, "{name}");
            assert!(expected.is_none() || may_be_of_limit(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn the_letter_of_a_rate_limit_is_found_wherever_it_stands() {
        for len in 0..40 {
            let without = "r".repeat(len);
            assert!(!may_be_of_limit(without.as_bytes()), "{without}");
            for at in 0..len {
                let name = format!("{}m{}", &without[..at], &without[at + 1..]);
                assert_eq!(may_be_of_limit(name.as_bytes()), len > 8, "{name}");
            }
        }
    }

    #[test]
    fn limit_is_found_wherever_it_stands() {
        for before in 0..12 {
            for after in 0..12 {
                let name = format!("{}limit{}", "imtl-imtlimi".get(..before).unwrap(), "-".repeat(after));
                assert_eq!(limit_at(&name), name.find("limit"), "{name}");
            }
        }
        assert_eq!(limit_at("x-content-type-options"), None);
    }

    #[test]
    fn the_remaining_header_is_derived_from_the_reset_header() {
        for (reset, remaining) in [
            ("x-ratelimit-reset", Some("x-ratelimit-remaining")),
            ("x-ratelimit-reset-after", Some("x-ratelimit-remaining")),
            ("x-ratelimit-reset-tokens", Some("x-ratelimit-remaining-tokens")),
            ("x-ratelimit-tokens-reset", Some("x-ratelimit-remaining-tokens")),
            ("x-ratelimit-requests-reset", Some("x-ratelimit-requests-remaining")),
            ("x-ratelimit-reset-requests", Some("x-ratelimit-requests-remaining")),
            ("x-ratelimit-reset-jobs", Some("x-ratelimit-remaining")),
            ("x-ratelimit-next", Some("x-ratelimit-remaining")),
            ("x-rate-limit-reset", None),
            ("acme-ratelimitreset", Some("acme-ratelimitremaining")),
        ] {
            let names = [
                "x-ratelimit-limit",
                "x-ratelimit-remaining",
                "x-ratelimit-remaining-tokens",
                "x-ratelimit-requests-remaining",
                "acme-ratelimitremaining",
                reset,
            ];
            let headers: HeaderMap =
                names.map(|name| (HeaderName::from_static(name), http::HeaderValue::from(1))).into_iter().collect();
            let found = Standard::find(&headers, &[]).limits;
            let header = found.0.iter().find(|header| header.name == reset).expect("it is one of a rate limit");
            let beside = found.quota_beside(header);
            assert_eq!(beside.map(|beside| beside.name.as_str()), remaining, "{reset}");
        }
    }
}
