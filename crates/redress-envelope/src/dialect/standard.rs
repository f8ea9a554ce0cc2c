//! The headers that every dialect reads, unless it declares a meaning of its
//! own or turns them off.
//!
//! A response has a dozen headers and few of them are standard ones. One pass
//! over the names costs less than a lookup of each standard header.

mod limit;
mod request_id;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::hints::{Flag, FlagForm, Hint, HintPlace};
use super::spec::PathSpec;
use crate::cells::Cell;
use crate::hint::{Unit, before, unquoted};
use crate::pattern::Glob;
use limit::may_be_of_limit;
pub(crate) use limit::{LimitHeader, LimitHeaders, Part};
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
    pub(crate) limits: LimitHeaders<'h>,
    /// `Date` and `Age`, which the clock of the server is read from.
    pub(crate) date: Option<&'h HeaderValue>,
    pub(crate) age: Option<&'h HeaderValue>,
    /// Whether it has a challenge (`WWW-Authenticate`).
    pub(crate) has_challenge: bool,
}

impl<'h> Standard<'h> {
    /// Goes through the headers of a response; `ignored` are names that its dialect
    /// turns off.
    pub(crate) fn find(headers: &'h HeaderMap, ignored: &[Glob]) -> Self {
        let mut found = Self::default();
        for (name, value) in headers {
            let text = name.as_str();
            // The last byte excludes most names from all but the rate limits.
            match text.as_bytes().last() {
                Some(b'd' | b't') if found.add_request_id(text, value, ignored) => continue,
                Some(b'y') if found.add_request_id(text, value, ignored) => continue,
                Some(b'y') => found.has_flags |= text == SHOULD_RETRY,
                Some(b'r' | b's') => found.add_wait(text),
                Some(b'e') => found.add_fact(text, value),
                _ => {}
            }
            if may_be_of_limit(text.as_bytes()) {
                found.limits.add(name, value, ignored);
            }
        }
        found
    }

    #[inline]
    fn add_wait(&mut self, name: &str) {
        if let Some(nth) = wait(name) {
            self.waits |= 1 << nth;
            self.has_flags |= name == PUSHBACK;
        }
    }

    #[inline]
    fn add_fact(&mut self, name: &str, value: &'h HeaderValue) {
        match name {
            "age" => self.age = self.age.or(Some(value)),
            "date" => self.date = self.date.or(Some(value)),
            "www-authenticate" => self.has_challenge = true,
            _ => {}
        }
    }

    /// Takes the value of a header that names the call if it is better than the one
    /// before; returns `false` for any other header.
    #[inline]
    fn add_request_id(&mut self, name: &str, value: &'h HeaderValue, ignored: &[Glob]) -> bool {
        let Some(rank) = rank(name) else { return false };
        let is_better = self.request_id.is_none_or(|(best, _)| rank < best);
        if is_better && !is_ignored(name, ignored) {
            self.request_id = id(name, value).map(|id| (rank, id)).or(self.request_id);
        }
        true
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
    wait(name).map(|nth| WAITS[nth].1).or_else(|| Part::from_name(name)?.unit(name))
}

pub(crate) fn is_ignored(name: &str, ignored: &[Glob]) -> bool {
    ignored.iter().any(|ignored| ignored.matches_any_case(name))
}

/// Returns which of [`WAITS`] a header is; few others end like them.
fn wait(name: &str) -> Option<usize> {
    let may_be_one = matches!(name.as_bytes(), [.., b't', b'e', b'r'] | [.., b'-', b'm', b's']);
    if may_be_one { WAITS.iter().position(|(known, _)| *known == name) } else { None }
}

/// Returns `true` if a header says that nothing is left.
pub(crate) fn is_zero(text: &str) -> bool {
    let number = unquoted(before(text, b';'));
    if let [b'1'..=b'9', rest @ ..] = number.as_bytes()
        && rest.iter().all(u8::is_ascii_digit)
    {
        return false;
    }
    number == "0" || number.parse::<f64>().is_ok_and(|number| number <= 0.0)
}
