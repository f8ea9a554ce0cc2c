//! The headers that every dialect reads, unless it declares a meaning of its
//! own or turns them off.
//!
//! A response has a dozen headers and few of them are standard ones. One pass
//! over the names costs less than a lookup of each standard header.

mod request_id;

use http::{HeaderMap, HeaderName};

use super::hints::{Flag, FlagForm, Hint, HintPlace};
use super::spec::PathSpec;
use crate::cells::Cell;
use crate::hint::{Unit, unquoted};
use crate::pattern::Glob;
pub(crate) use request_id::REQUEST_IDS;
use request_id::{id, rank};

/// Headers that ask for a wait, each in its unit: RFC 9110 section 10.2.3,
/// `OpenAI`'s and Azure's milliseconds, AWS's, and gRPC's pushback (gRFC A6).
const WAITS: [(&str, Unit); 7] = [
    ("retry-after", Unit::Http),
    ("x-retry-after", Unit::Http),
    ("retry-after-ms", Unit::Milliseconds),
    ("x-retry-after-ms", Unit::Milliseconds),
    ("x-ms-retry-after-ms", Unit::Milliseconds),
    ("x-amz-retry-after", Unit::Milliseconds),
    (PUSHBACK, Unit::Milliseconds),
];
const PUSHBACK: &str = "grpc-retry-pushback-ms";
const SHOULD_RETRY: &str = "x-should-retry";

/// Headers of rate limits that are looked at: more than any vendor sends, as
/// each reset is compared with all of them.
const MAX_LIMITS: usize = 64;

/// Which of the standard headers a response has.
#[derive(Debug, Default)]
pub(crate) struct Standard<'h> {
    /// The best one that names the call.
    pub(crate) request_id: Option<(u8, &'h str)>,
    /// Bit `n` is set when it has wait `n` of [`WAITS`].
    pub(crate) waits: u8,
    /// Whether one of them says if a retry makes sense.
    pub(crate) has_flags: bool,
    /// Those of rate limits.
    pub(crate) limits: Vec<LimitHeader<'h>>,
}

/// A header of a rate limit, told by its name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LimitHeader<'h> {
    pub(crate) name: &'h HeaderName,
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

impl<'h> Standard<'h> {
    /// Goes through the headers of a response; `ignored` are names that its dialect
    /// turns off.
    pub(crate) fn find(headers: &'h HeaderMap, ignored: &[Glob]) -> Self {
        let mut found = Self::default();
        for name in headers.keys() {
            let text = name.as_str();
            if let Some(rank) = rank(text) {
                let is_better = found.request_id.is_none_or(|(best, _)| rank < best);
                if is_better && !is_ignored(text, ignored) {
                    found.request_id = id(headers, name).map(|id| (rank, id)).or(found.request_id);
                }
            } else if let Some(part) = part(text) {
                if found.limits.len() < MAX_LIMITS && !is_ignored(text, ignored) {
                    found.limits.push(LimitHeader { name, part });
                }
            } else {
                found.waits |= wait(text).map_or(0, |nth| 1 << nth);
                found.has_flags |= text == PUSHBACK || text == SHOULD_RETRY;
            }
        }
        found
    }

    /// Returns the header that says what is left until the time of a reset header.
    ///
    /// That is `x-ratelimit-remaining-tokens` beside `x-ratelimit-reset-tokens`,
    /// `x-ratelimit-requests-remaining` beside `x-ratelimit-requests-reset`, or
    /// where the resource has none, the one for all, `x-ratelimit-remaining`.
    pub(crate) fn quota_beside(&self, reset: LimitHeader<'_>) -> Option<&'h HeaderName> {
        let Part::Reset(at, len) = reset.part else { return None };
        let name = reset.name.as_str();
        let (before, after) = (&name[..at], &name[at + len..]);
        let limit = &name[..limit_at(name)? + LIMIT.len()];
        let resource = |text: &'_ str| text.trim_matches(SEPARATORS).to_owned();
        let others = self.limits.iter().filter(|other| other.part == Part::Other).map(|other| other.name);
        let is_exact = |other: &&HeaderName| {
            let rest = other.as_str().strip_prefix(before).and_then(|rest| rest.strip_prefix(REMAINING));
            rest == Some(after)
        };
        let is_same = |other: &&HeaderName| {
            let rest = other.as_str().strip_prefix(limit).map(resource);
            let own = resource(&name[limit.len()..at]) + &resource(after);
            rest.is_some_and(|rest| rest.replace(REMAINING, "").trim_matches(SEPARATORS) == own)
        };
        let is_whole = |other: &&HeaderName| {
            other.as_str().strip_prefix(limit).is_some_and(|rest| rest.trim_matches(SEPARATORS) == REMAINING)
        };
        others.clone().find(is_exact).or_else(|| others.clone().find(is_same)).or_else(|| others.clone().find(is_whole))
    }
}

/// Returns the waits that a reading takes from standard headers, each with its
/// bit: all but those that it ignores or declares itself.
pub(crate) fn waits(own: &[Hint<Cell>], ignored: &[Glob]) -> Vec<(u8, Hint<Cell>)> {
    let waits = WAITS.iter().enumerate().filter_map(|(nth, (name, unit))| {
        let name = HeaderName::from_static(name);
        let is_meant = !is_ignored(name.as_str(), ignored) && !declares(own, &name);
        is_meant.then(|| (1 << nth, Hint::with_unit(HintPlace::Header(name), *unit)))
    });
    waits.collect()
}

/// Returns the flags of standard headers, but for those that the dialect
/// declares itself.
pub(crate) fn flags(own: &[Flag<PathSpec>]) -> Vec<Flag<PathSpec>> {
    let yes_no = FlagForm::YesNo(vec!["true".to_owned()], vec!["false".to_owned()]);
    let flags = [(PUSHBACK, FlagForm::Pushback), (SHOULD_RETRY, yes_no)];
    let flags = flags.map(|(name, says)| Flag { place: HintPlace::Header(HeaderName::from_static(name)), says });
    let is_own = |flag: &Flag<PathSpec>| own.iter().any(|own| own.place.header() == flag.place.header());
    flags.into_iter().filter(|flag| !is_own(flag)).collect()
}

/// Returns `true` if one of the hints declares a meaning of this header.
pub(crate) fn declares<P>(hints: &[Hint<P>], name: &HeaderName) -> bool {
    hints.iter().any(|hint| hint.place.header() == Some(name))
}

/// Returns the unit that a standard header has; `None` for any other header.
pub(crate) fn unit(name: &str) -> Option<Unit> {
    wait(name).map(|nth| WAITS[nth].1).or_else(|| match part(name)? {
        Part::Whole => Some(Unit::RateLimit),
        Part::Reset(..) if name.ends_with("-ms") => Some(Unit::Milliseconds),
        Part::Reset(..) => Some(Unit::Guess),
        Part::Other => None,
    })
}

pub(crate) fn is_ignored(name: &str, ignored: &[Glob]) -> bool {
    ignored.iter().any(|ignored| ignored.matches_any_case(name))
}

/// Returns which of [`WAITS`] a header is; few others end like them.
fn wait(name: &str) -> Option<usize> {
    let may_be_one = matches!(name.as_bytes(), [.., b't', b'e', b'r'] | [.., b'-', b'm', b's']);
    if may_be_one { WAITS.iter().position(|(known, _)| *known == name) } else { None }
}

const LIMIT: &str = "limit";
const REMAINING: &str = "remaining";
const SEPARATORS: [char; 3] = ['-', '_', '.'];

/// Tells what a header of a rate limit says by its name: `x-ratelimit-reset`,
/// `ratelimit-reset`, `x-rate-limit-requests-reset`,
/// `acme-ratelimit-reset-after` and `x-ratelimit-next` when the window ends,
/// and `ratelimit` all.
fn part(name: &str) -> Option<Part> {
    let at = limit_at(name)?;
    let (before, after) = (&name[..at], &name[at + LIMIT.len()..]);
    if !before.trim_end_matches(SEPARATORS).ends_with("rate") {
        return None;
    }
    if after.is_empty() {
        return Some(Part::Whole);
    }
    let reset = reset_word(after).map(|(nth, len)| Part::Reset(at + LIMIT.len() + nth, len));
    Some(reset.unwrap_or(Part::Other))
}

/// Returns where `limit` begins in a name. Of five letters one is looked at, as
/// few names have any of these there.
fn limit_at(name: &str) -> Option<usize> {
    let bytes = name.as_bytes();
    let mut probe = LIMIT.len() - 1;
    while let Some(byte) = bytes.get(probe) {
        let starts: &[usize] = match byte {
            b'l' => &[0],
            b'i' => &[1, 3],
            b'm' => &[2],
            b't' => &[4],
            _ => &[],
        };
        let starts = starts.iter().filter_map(|back| probe.checked_sub(*back));
        if let Some(at) = starts.into_iter().find(|at| bytes[*at..].starts_with(LIMIT.as_bytes())) {
            return Some(at);
        }
        probe += LIMIT.len();
    }
    None
}

/// Returns where the word begins by which the rest of a name says that it is
/// the end of a window, and how long it is.
fn reset_word(rest: &str) -> Option<(usize, usize)> {
    let bytes = rest.as_bytes();
    let is_separator = |byte: &u8| SEPARATORS.contains(&char::from(*byte));
    let mut starts = (0..bytes.len()).filter(|at| *at == 0 || is_separator(&bytes[at - 1]));
    starts.find_map(|at| {
        let word =
            ["reset", "next", "retry-after"].into_iter().find(|word| bytes[at..].starts_with(word.as_bytes()))?;
        Some((at, word.len()))
    })
}

/// Returns `true` if a header says that nothing is left.
pub(crate) fn is_zero(text: &str) -> bool {
    let number = text.split(';').next().map(unquoted).unwrap_or_default();
    number.parse::<f64>().is_ok_and(|number| number <= 0.0)
}

#[cfg(test)]
mod tests {
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
            let found = part(name).map(|part| match part {
                Part::Whole => "whole",
                Part::Reset(at, len) => &name[at..at + len],
                Part::Other => "other",
            });
            assert_eq!(found, expected, "{name}");
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
            let found = Standard::find(&headers, &[]);
            let header = found.limits.iter().find(|header| header.name == reset).expect("it is one of a rate limit");
            assert_eq!(found.quota_beside(*header).map(HeaderName::as_str), remaining, "{reset}");
        }
    }
}
