//! Which words the sources of a code, or of a reason, can say.

use crate::dialect::source::{Cut, Kind, Place, Repeats, Source, is_outcome, is_prose, is_reason_phrase};
use crate::dialect::spec::PathSpec;
use crate::pattern::{Glob, Ranges};

/// How many sources that differ are looked at; where there are more, any word
/// is believed to be said by one of them.
const MAX_SOURCES: usize = 64;
/// The codes of a challenge, which is asked where no source has a code (RFC
/// 6750 section 3.1, RFC 9449 section 7.1, RFC 9470 section 3).
const OF_CHALLENGES: [&str; 6] = [
    "invalid_request",
    "invalid_token",
    "insufficient_scope",
    "invalid_dpop_proof",
    "use_dpop_nonce",
    "insufficient_user_authentication",
];

/// The words that some sources can say.
pub(super) struct Words<'s> {
    sources: Vec<&'s Source<PathSpec>>,
    /// Whether there are more sources than are looked at.
    any: bool,
    /// Whether a challenge is asked where no source says something.
    or_challenge: bool,
}

impl<'s> Words<'s> {
    pub(super) fn new(all: impl Iterator<Item = &'s Source<PathSpec>>, or_challenge: bool) -> Self {
        let mut sources: Vec<&Source<PathSpec>> = Vec::new();
        let mut any = false;
        for source in all {
            if sources.iter().any(|known| says_as_much(known, source)) {
                continue;
            }
            if sources.len() == MAX_SOURCES {
                any = true;
                break;
            }
            sources.push(source);
        }
        Self { sources, any, or_challenge }
    }

    /// Returns `true` if no source is there.
    pub(super) const fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Returns why no source can say such a word; `None` if one can.
    pub(super) fn refusal(&self, word: &Glob) -> Option<String> {
        if self.any || self.may_be_of_challenge(word) {
            return None;
        }
        let mut first = None;
        for source in &self.sources {
            let refusal = refusal(source, word)?;
            first.get_or_insert(refusal);
        }
        first
    }

    /// Returns `true` if a challenge may say such a word, where one is asked.
    pub(super) fn may_be_of_challenge(&self, word: &Glob) -> bool {
        self.or_challenge && OF_CHALLENGES.iter().any(|code| word.matches(code))
    }

    /// Returns `true` if a source can say a whole number.
    pub(super) fn says_numbers(&self) -> bool {
        let says = |source: &&Source<PathSpec>| {
            let joins = matches!(&source.place, Place::Parts(parts, sep) if parts.len() > 1 && !is_numeric(sep));
            !(matches!(source.kind, Kind::Sentence | Kind::Phrase) || joins && source.cuts.is_empty())
        };
        self.any || self.sources.iter().any(says)
    }
}

/// Returns `true` if one source can say whatever another one can.
fn says_as_much(wide: &Source<PathSpec>, narrow: &Source<PathSpec>) -> bool {
    let is_plain = wide.cuts.is_empty() && wide.not.is_empty() && !wide.not_outcome && wide.repeats == Repeats::Count;
    let takes_all = matches!(wide.kind, Kind::Word | Kind::Any | Kind::Text) && matches!(wide.place, Place::Body(_));
    let same = wide.kind == narrow.kind && wide.cuts == narrow.cuts && wide.not == narrow.not;
    let same = same && wide.not_outcome == narrow.not_outcome;
    let same_place = match (&wide.place, &narrow.place) {
        (Place::Parts(_, a), Place::Parts(_, b)) => a == b,
        (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
    };
    (is_plain && takes_all) || (same && same_place && wide.repeats == narrow.repeats)
}

/// Returns why a source can never say a word like this; `None` if it can, or if
/// that is not known.
fn refusal(source: &Source<PathSpec>, word: &Glob) -> Option<String> {
    let (text, is_wild) = (word.as_str(), word.is_wild());
    let is_prose = is_prose(text);
    let is_member = matches!(source.place, Place::Body(_));
    for cut in &source.cuts {
        let (key, mark) = match cut {
            Cut::After(mark) => ("after", mark),
            Cut::Before(mark) => ("before", mark),
            Cut::Last(mark) => ("last", mark),
        };
        if text.contains(mark.as_str()) {
            return Some(format!("`{key} = {mark:?}` leaves no text with {mark:?} in it"));
        }
    }
    let of_kind = match source.kind {
        Kind::Number if is_member && !is_number_like(text) => Some("`as = \"number\"` takes numbers only"),
        Kind::Symbol if is_prose => Some("`as = \"symbol\"` takes no text with a blank or a letter beyond ASCII in it"),
        Kind::Token if is_prose => Some("`as = \"token\"` takes no text with a blank or a letter beyond ASCII in it"),
        Kind::Token if !is_wild && is_canonical(text) => Some("`as = \"token\"` takes no reason phrase of a status"),
        Kind::Phrase if !is_wild && !is_reason_phrase(text) => Some("`as = \"phrase\"` takes reason phrases only"),
        Kind::Sentence if !is_wild && !is_prose => {
            Some("`as = \"sentence\"` takes texts with blanks or letters beyond ASCII only")
        }
        Kind::Sentence if !is_wild && is_reason_phrase(text) => Some("`as = \"sentence\"` takes no reason phrase"),
        _ => None,
    };
    if let Some(why) = of_kind {
        return Some(why.to_owned());
    }
    if let Some(not) = source.not.iter().find(|not| not.covers(word)) {
        return Some(format!("`not = {:?}` leaves it out", not.as_str()));
    }
    if source.not_outcome && !is_wild && is_outcome(text) {
        return Some("`not_outcome = true` leaves out words that say no more than that a call failed".to_owned());
    }
    if source.repeats == Repeats::Not && !is_wild && is_reason_phrase(text) {
        return Some("`not_status = true` leaves out reason phrases".to_owned());
    }
    match &source.place {
        Place::Parts(parts, sep)
            if parts.len() > 1 && source.cuts.is_empty() && !is_wild && !text.contains(sep.as_str()) =>
        {
            Some(format!("`parts` are joined by {sep:?}"))
        }
        _ => None,
    }
}

/// Returns `true` if the pieces of a pattern may be those of a JSON number.
fn is_number_like(text: &str) -> bool {
    let begins_so = text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '-' | '*'));
    begins_so
        && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'*' | b'+' | b'-' | b'.' | b'e' | b'E'))
}

fn is_numeric(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns `true` if a text is, to the letter, the reason phrase of a status.
fn is_canonical(text: &str) -> bool {
    let mut phrases = (400..600).filter_map(|status| http::StatusCode::from_u16(status).ok()?.canonical_reason());
    phrases.any(|phrase| phrase == text)
}

/// Returns `true` if a number in the ranges may be like the pattern.
pub(super) fn may_be_among(word: &Glob, numbers: &Ranges) -> bool {
    let text = word.as_str();
    if word.is_wild() {
        return text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'*' | b'+' | b'-'));
    }
    numbers.contains_text(text)
}
