//! Patterns of a dialect: texts with a `*`, and ranges of numbers.

use std::ops::RangeInclusive;

/// A pattern in which each `*` stands for any run of characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Glob {
    text: String,
    /// The literal parts between the stars: one part for a pattern without a star.
    parts: Box<[String]>,
}

/// Numbers such as `403,500-599`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ranges(Vec<RangeInclusive<i64>>);

impl Glob {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let parts = text.split('*').map(str::to_owned).collect();
        Self { text, parts }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns `true` if this pattern matches each text that another pattern
    /// matches.
    ///
    /// A star of the other pattern is a character that only a star of this one can
    /// match.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        self.matches(&other.text)
    }

    /// Like [`covers`](Self::covers), without regard to ASCII case.
    pub(crate) fn covers_any_case(&self, other: &Self) -> bool {
        self.matches_any_case(&other.text)
    }

    /// Returns `true` if the pattern has a star.
    pub(crate) const fn is_wild(&self) -> bool {
        self.parts.len() > 1
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        matches(&self.parts, text, Case::Sensitive)
    }

    pub(crate) fn matches_any_case(&self, text: &str) -> bool {
        if self.parts.iter().any(|part| part.len() > SHORT) {
            return Self::new(self.text.to_ascii_lowercase()).matches(&text.to_ascii_lowercase());
        }
        matches(&self.parts, text, Case::Insensitive)
    }
}

impl Ranges {
    pub(crate) const EXPECTED: &str = "numbers and ranges such as `403,500-599`";

    /// Reads numbers and ranges between commas; a number may have a sign.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let number = |text: &str| {
            let digits = text.strip_prefix('-').unwrap_or(text);
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<i64>().ok().filter(|_| plain)
        };
        let range = |part: &str| {
            let part = part.trim();
            let dash = part.char_indices().skip(1).find(|(_, symbol)| *symbol == '-').map(|(at, _)| at);
            let (first, last) = match dash {
                Some(at) => (number(&part[..at])?, number(&part[at + 1..])?),
                None => (number(part)?, number(part)?),
            };
            (first <= last).then_some(first..=last)
        };
        text.split(',').map(range).collect::<Option<_>>().map(Self)
    }

    pub(crate) fn bounds(&self) -> &[RangeInclusive<i64>] {
        &self.0
    }

    pub(crate) fn contains(&self, number: i64) -> bool {
        self.0.iter().any(|range| range.contains(&number))
    }

    /// Returns `true` if a text is a whole number among these.
    pub(crate) fn contains_text(&self, text: &str) -> bool {
        text.parse().is_ok_and(|number| self.contains(number))
    }
}

/// The longest part, in bytes, that is searched for by comparing it at each
/// position of the text. A longer part is searched for by `str::find`, which
/// takes linear time.
const SHORT: usize = 32;

/// Matches in linear time: the first part is a prefix, the last one a suffix,
/// and for each part between them the leftmost occurrence suffices.
fn matches(parts: &[String], text: &str, case: Case) -> bool {
    let [first, between @ .., last] = parts else {
        return parts.iter().all(|only| case.same(only.as_bytes(), text.as_bytes()));
    };
    let Some(text) = case.strip_prefix(first, text).and_then(|text| case.strip_suffix(last, text)) else {
        return false;
    };
    let mut rest = text;
    between.iter().filter(|part| !part.is_empty()).all(|part| {
        let end = case.find(part, rest).map(|at| at + part.len());
        let after = end.and_then(|end| rest.get(end..));
        rest = after.unwrap_or_default();
        after.is_some()
    })
}

/// Whether ASCII upper and lower case differ.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Sensitive,
    Insensitive,
}

impl Case {
    fn same(self, a: &[u8], b: &[u8]) -> bool {
        if self == Self::Sensitive { a == b } else { a.eq_ignore_ascii_case(b) }
    }

    fn strip_prefix<'t>(self, piece: &str, text: &'t str) -> Option<&'t str> {
        let (before, after) = text.split_at_checked(piece.len())?;
        self.same(piece.as_bytes(), before.as_bytes()).then_some(after)
    }

    fn strip_suffix<'t>(self, piece: &str, text: &'t str) -> Option<&'t str> {
        let (before, after) = text.split_at_checked(text.len().checked_sub(piece.len())?)?;
        self.same(piece.as_bytes(), after.as_bytes()).then_some(before)
    }

    fn find(self, piece: &str, text: &str) -> Option<usize> {
        if piece.len() > SHORT {
            return text.find(piece);
        }
        let (piece, text) = (piece.as_bytes(), text.as_bytes());
        let first = piece.first()?;
        let may_begin = |byte: &u8| byte.eq_ignore_ascii_case(first);
        text.windows(piece.len()).position(|window| may_begin(&window[0]) && self.same(piece, window))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run() {
        for (pattern, text, expected) in [
            ("E*", "E1001", true),
            ("E*", "E", true),
            ("E*", "F1", false),
            ("*limit*", "rate limit hit", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("*", "", true),
            ("", "a", false),
            ("abc", "abc", true),
            ("a*a", "a", false),
            ("ab*ba", "aba", false),
            ("**", "", true),
            ("*b*b*", "b", false),
            ("é*", "é", true),
            ("a*", "é", false),
            ("*a", "é", false),
        ] {
            assert_eq!(Glob::new(pattern).matches(text), expected, "{pattern} {text}");
        }
        assert!(Glob::new("*Rate Limit*").matches_any_case("API rate limit exceeded"));
    }

    #[test]
    fn a_part_of_any_length_matches_in_any_case_where_case_does_not_count() {
        for len in [1, 31, 32, 33, 64] {
            let parts = ["AbC", "dEF", "gHi"].map(|part| part.repeat(len)[..len].to_owned());
            let (text, pattern) = (parts.concat().to_ascii_lowercase(), Glob::new(parts.join("*")));
            assert!(pattern.matches_any_case(&text) && pattern.matches_any_case(&parts.concat()), "{len}");
            assert!(!pattern.matches(&text) && pattern.matches(&parts.concat()), "{len}");
            assert!(!pattern.matches_any_case(&text[len..]) && !pattern.matches_any_case(&text[..2 * len]), "{len}");
            let within = Glob::new(format!("*{}*", parts[1]));
            assert!(within.matches_any_case(&text) && !within.matches_any_case(&text[..2 * len - 1]), "{len}");
        }
    }

    #[test]
    fn a_pattern_covers_narrower_patterns() {
        for (wide, narrow, expected) in [
            ("E*", "E1", true),
            ("E*", "E1*", true),
            ("*", "*a*", true),
            ("E1*", "E*", false),
            ("a*c", "a*b*c", true),
            ("a*b*c", "a*c", false),
            ("E1", "E1", true),
            ("e*", "E1", false),
        ] {
            assert_eq!(Glob::new(wide).covers(&Glob::new(narrow)), expected, "{wide} {narrow}");
        }
        assert!(Glob::new("*Limit*").covers_any_case(&Glob::new("*rate LIMIT*")));
    }

    #[test]
    fn ranges_contain_their_numbers() {
        let ranges = Ranges::parse("-32099--32000, 7,200-299").unwrap();
        for (number, expected) in [(-32_050, true), (-31_999, false), (7, true), (8, false), (200, true), (300, false)]
        {
            assert_eq!(ranges.contains(number), expected, "{number}");
        }
        assert!(ranges.contains_text("250") && !ranges.contains_text("x"));
        for text in ["", "a", "5-", "9-3", "1,,2", "+5"] {
            assert_eq!(Ranges::parse(text), None, "{text}");
        }
    }
}
