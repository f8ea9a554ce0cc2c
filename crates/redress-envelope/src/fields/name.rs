//! The name of a field while a map or a tree is read.

use std::borrow::Cow;

use crate::json::MAX_NAME;

/// The name in hand, behind those of the containers that it lies in. Few names are needed as a whole, so that the last part
/// is joined to the others when one is.
#[derive(Debug)]
pub(super) struct FieldName<'a> {
    /// All of it, or, where there is a part, what lies before that.
    whole: Cow<'a, str>,
    /// The last part, and where it begins; empty if there is none.
    part: Cow<'a, str>,
    part_at: u16,
    /// Where the name of the list in hand begins.
    begin: u16,
}

impl<'a> FieldName<'a> {
    pub(super) const fn new() -> Self {
        Self { whole: Cow::Borrowed(""), part: Cow::Borrowed(""), part_at: 0, begin: 0 }
    }

    /// Puts a name behind the first `named` bytes of the one in hand. `is_same` says whether both are of one list.
    pub(super) fn push(&mut self, named: u16, name: Cow<'a, str>, is_same: bool) {
        if named == 0 {
            (self.whole, self.part, self.begin) = (name, Cow::Borrowed(""), 0);
            return;
        }
        if !is_same {
            // It lies in a name of another list.
            self.begin = named + 1;
        }
        if !self.part.is_empty() && named > self.part_at {
            self.join();
        }
        (self.part, self.part_at) = (name, named);
        if usize::from(named) + 1 + self.part.len() > MAX_NAME || self.part.is_empty() {
            self.join();
        }
    }

    /// Joins the last part to the others.
    fn join(&mut self) {
        let before = self.whole.get(..usize::from(self.part_at)).unwrap_or(&self.whole);
        self.whole = short(Cow::Owned([before, ".", &self.part].concat()));
        self.part = Cow::Borrowed("");
    }

    /// Cuts it to its first bytes.
    #[inline(always)]
    pub(super) fn cut(&mut self, named: u16) {
        if named != self.len() {
            self.part = Cow::Borrowed("");
            truncate(&mut self.whole, usize::from(named));
        }
    }

    /// Lets all of it be of the list in hand, if nothing else is.
    pub(super) fn rest_is_own(&mut self) {
        if self.is_empty() {
            self.begin = 0;
        }
    }

    #[inline(always)]
    pub(super) fn len(&self) -> u16 {
        let len = if self.part.is_empty() { self.whole.len() } else { usize::from(self.part_at) + 1 + self.part.len() };
        // At most `MAX_NAME`.
        u16::try_from(len).unwrap_or(u16::MAX)
    }

    /// Returns `true` if nothing of it is of the list in hand.
    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.len() <= self.begin
    }

    /// Returns `true` if what lies behind the first `named` bytes is all that is of the list in hand.
    #[inline(always)]
    pub(super) const fn is_first(&self, named: u16) -> bool {
        named == 0 || self.begin == named + 1
    }

    /// Returns what is of the list in hand: what lies before the last part, and that part.
    #[inline]
    pub(super) fn parts(&self) -> (Cow<'a, str>, Cow<'a, str>) {
        let (begin, part_at) = (usize::from(self.begin), usize::from(self.part_at));
        let cut = |end: usize| match &self.whole {
            Cow::Borrowed(name) => Cow::Borrowed(name.get(begin..end).unwrap_or(name)),
            Cow::Owned(name) => Cow::Owned(name.get(begin..end).unwrap_or(name).to_owned()),
        };
        if self.part.is_empty() {
            (Cow::Borrowed(""), cut(self.whole.len()))
        } else if begin > part_at {
            (Cow::Borrowed(""), self.part.clone())
        } else {
            (cut(part_at), self.part.clone())
        }
    }
}

fn truncate(name: &mut Cow<'_, str>, len: usize) {
    match name {
        Cow::Borrowed(name) => *name = name.get(..len).unwrap_or(name),
        Cow::Owned(name) if name.is_char_boundary(len) => name.truncate(len),
        Cow::Owned(_) => {}
    }
}

/// Cuts a name that no field has.
pub(super) fn short(name: Cow<'_, str>) -> Cow<'_, str> {
    if name.len() <= MAX_NAME {
        return name;
    }
    let end = (0..=MAX_NAME).rev().find(|at| name.is_char_boundary(*at)).unwrap_or_default();
    match name {
        Cow::Borrowed(name) => Cow::Borrowed(&name[..end]),
        Cow::Owned(mut name) => {
            name.truncate(end);
            Cow::Owned(name)
        }
    }
}

/// Returns `true` if a text can be the name of a field: some servers write
/// `null` where they mean nothing, or a sentence.
pub(super) fn is_name(text: &str) -> bool {
    let is_sentence = text.ends_with('.') && text.contains(' ');
    !text.is_empty() && text != "null" && !is_sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(parts: &[(u16, &'static str, bool)]) -> FieldName<'static> {
        let mut name = FieldName::new();
        parts.iter().for_each(|(named, part, is_same)| name.push(*named, Cow::Borrowed(part), *is_same));
        name
    }

    fn parts(name: &FieldName<'_>) -> (String, String) {
        let (before, part) = name.parts();
        (before.into_owned(), part.into_owned())
    }

    #[test]
    fn a_name_in_a_name_of_another_list_begins_anew() {
        for (pushed, firsts, before, part) in [
            (&[(0, "a", true)][..], [true, false], "", "a"),
            (&[(0, "a", true), (1, "b", true)], [true, false], "a", "b"),
            (&[(0, "a", true), (1, "b", false)], [true, true], "", "b"),
            (&[(0, "a", true), (1, "b", false), (3, "c", true)], [true, true], "b", "c"),
            (&[(0, "a", true), (1, "b", true), (3, "c", true)], [true, false], "a.b", "c"),
        ] {
            let name = name(pushed);
            assert_eq!([0, 1].map(|named| name.is_first(named)), firsts, "{pushed:?}");
            assert_eq!(parts(&name), (before.to_owned(), part.to_owned()), "{pushed:?}");
        }
    }

    #[test]
    fn a_leaf_that_lies_in_no_name_of_its_list_takes_all_of_it() {
        let mut name = name(&[(0, "abc", true), (3, "d", false)]);
        name.cut(3);
        assert!(name.is_empty());
        name.rest_is_own();
        assert!(!name.is_empty());
        assert_eq!(parts(&name), (String::new(), "abc".to_owned()));
    }

    #[test]
    fn a_name_is_never_cut_within_a_symbol() {
        for cut in [0, 1, 2, 3, 4] {
            for text in [Cow::Borrowed("a\u{20ac}"), Cow::Owned("a\u{20ac}".to_owned())] {
                let mut name = FieldName::new();
                name.push(0, text, true);
                name.cut(cut);
                let expected = ["", "a", "a\u{20ac}", "a\u{20ac}", "a\u{20ac}"][usize::from(cut)];
                assert_eq!(parts(&name).1, expected, "{cut}");
            }
        }
    }

    #[test]
    fn a_name_has_at_most_256_bytes() {
        for (first, second, len) in [(100, 155, 256), (100, 156, 256), (200, 200, 256), (255, 0, 256), (10, 20, 31)] {
            let mut name = FieldName::new();
            name.push(0, Cow::Owned("a".repeat(first)), true);
            name.push(u16::try_from(first).unwrap(), Cow::Owned("b".repeat(second)), true);
            let (before, part) = parts(&name);
            let whole = if before.is_empty() { part } else { format!("{before}.{part}") };
            assert_eq!((whole.len(), usize::from(name.len())), (len, len), "{first} {second}");
        }
    }
}
