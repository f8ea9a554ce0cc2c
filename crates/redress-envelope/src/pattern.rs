//! Sets that a dialect names in short: texts with a `*`, and ranges of numbers.

use std::ops::RangeInclusive;

/// A text in which each `*` stands for any run of symbols.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Glob(String);

/// Numbers such as `403,500-599`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ranges(Vec<RangeInclusive<i64>>);

impl Glob {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether it stands for more than one text.
    pub(crate) fn is_wild(&self) -> bool {
        self.0.contains('*')
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        matches(self.0.as_bytes(), text.as_bytes(), |a, b| a == b)
    }

    pub(crate) fn matches_any_case(&self, text: &str) -> bool {
        matches(self.0.as_bytes(), text.as_bytes(), |a, b| a.eq_ignore_ascii_case(&b))
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

    pub(crate) fn contains(&self, number: i64) -> bool {
        self.0.iter().any(|range| range.contains(&number))
    }

    /// Whether a text is a whole number among these.
    pub(crate) fn contains_text(&self, text: &str) -> bool {
        text.parse().is_ok_and(|number| self.contains(number))
    }
}

/// Matches by going back to the last `*` only, which is enough and takes no more than quadratic time.
fn matches(pattern: &[u8], text: &[u8], same: fn(u8, u8) -> bool) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut star = None;
    while from < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(symbol) if same(*symbol, text[from]) => (at, from) = (at + 1, from + 1),
            _ => {
                let Some((back, taken)) = star else { return false };
                star = Some((back, taken + 1));
                (at, from) = (back + 1, taken + 1);
            }
        }
    }
    pattern[at..].iter().all(|symbol| *symbol == b'*')
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
        ] {
            assert_eq!(Glob::new(pattern).matches(text), expected, "{pattern} {text}");
        }
        assert!(Glob::new("*Rate Limit*").matches_any_case("API rate limit exceeded"));
    }

    #[test]
    fn ranges_hold_what_they_name() {
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
