//! The texts of an error, without an allocation if they are short.

use std::ops::Range;

/// The path of the request, and the texts of the response.
///
/// The words that a dialect reads are mostly parts of the body's excerpt, which is kept anyway: such a word is a range of it.
/// Two are equal if their texts are.
#[derive(Clone)]
pub(crate) struct Texts {
    /// The path, the excerpt of the body, and the words that are no part of it.
    all: Text,
    path_end: usize,
    body_end: usize,
    words: [Option<Range<usize>>; WORDS],
}

/// A text in place, or one that is longer. Most errors of APIs are short: a code, a message of a line, and an id.
#[derive(Clone)]
enum Text {
    Short { bytes: [u8; SHORT], len: usize },
    Long(String),
}

/// The length up to which a text is kept in place.
const SHORT: usize = 192;

/// A text that a dialect reads from the body or the headers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Word {
    Code,
    Reason,
    Message,
    RequestId,
    RetryAfter,
}

/// The number of words.
const WORDS: usize = Word::ALL.len();

impl Word {
    pub(crate) const ALL: [Self; 5] = [Self::Code, Self::Reason, Self::Message, Self::RequestId, Self::RetryAfter];
}

impl Texts {
    /// Copies the texts; `words` are those of [`Word::ALL`].
    pub(crate) fn new(path: &str, body: &str, words: [Option<&str>; WORDS]) -> Self {
        let (path_end, body_end) = (path.len(), path.len() + body.len());
        let mut ranges = words.map(|word| range_in(body, word?));
        let others = words.iter().zip(&ranges).filter(|(_, range)| range.is_none());
        let others: usize = others.filter_map(|(word, _)| *word).map(str::len).sum();
        let mut all = Text::with_capacity(body_end + others);
        all.push_str(path);
        all.push_str(body);
        for (word, range) in words.into_iter().zip(&mut ranges) {
            match range {
                Some(range) => *range = path_end + range.start..path_end + range.end,
                None => {
                    *range = word.map(|word| {
                        let start = all.len();
                        all.push_str(word);
                        start..all.len()
                    });
                }
            }
        }
        Self { all, path_end, body_end, words: ranges }
    }

    /// Returns all texts, one behind the other.
    pub(crate) fn all(&self) -> &str {
        self.all.get(0..self.all.len())
    }

    pub(crate) fn path(&self) -> &str {
        self.all.get(0..self.path_end)
    }

    pub(crate) fn body(&self) -> &str {
        self.all.get(self.path_end..self.body_end)
    }

    pub(crate) fn word(&self, word: Word) -> Option<&str> {
        self.words[word as usize].clone().map(|range| self.all.get(range))
    }

    /// Returns the words in the order of [`Word::ALL`].
    pub(crate) fn words(&self) -> [Option<&str>; WORDS] {
        Word::ALL.map(|word| self.word(word))
    }
}

impl Text {
    fn with_capacity(len: usize) -> Self {
        if len <= SHORT { Self::Short { bytes: [0; SHORT], len: 0 } } else { Self::Long(String::with_capacity(len)) }
    }

    /// Adds a text. There is room for it, by the capacity.
    fn push_str(&mut self, text: &str) {
        match self {
            Self::Short { bytes, len } => {
                bytes[*len..*len + text.len()].copy_from_slice(text.as_bytes());
                *len += text.len();
            }
            Self::Long(all) => all.push_str(text),
        }
    }

    const fn len(&self) -> usize {
        match self {
            Self::Short { len, .. } => *len,
            Self::Long(all) => all.len(),
        }
    }

    /// Returns a range that begins and ends between characters, as those of whole texts do.
    fn get(&self, range: Range<usize>) -> &str {
        match self {
            Self::Short { bytes, .. } => str::from_utf8(&bytes[range]).unwrap_or_default(),
            Self::Long(all) => &all[range],
        }
    }
}

impl PartialEq for Texts {
    fn eq(&self, other: &Self) -> bool {
        self.path() == other.path() && self.body() == other.body() && self.words() == other.words()
    }
}

/// Returns the range of a word that lies within the body in memory.
fn range_in(body: &str, word: &str) -> Option<Range<usize>> {
    let start = word.as_ptr().addr().checked_sub(body.as_ptr().addr())?;
    let range = start..start.checked_add(word.len())?;
    (body.get(range.clone()) == Some(word)).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"code":"E7","message":"no caf\u{e9}"}"#;

    #[test]
    fn a_word_of_the_body_is_not_copied_and_another_one_is() {
        let texts = Texts::new("/cats/7", BODY, [Some(&BODY[9..11]), None, Some("no caf\u{e9}"), Some("E7"), Some("")]);
        assert_eq!((texts.path(), texts.body()), ("/cats/7", BODY));
        assert_eq!(texts.words(), [Some("E7"), None, Some("no caf\u{e9}"), Some("E7"), Some("")]);
        assert_eq!(texts.all.len(), "/cats/7".len() + BODY.len() + "no caf\u{e9}".len() + "E7".len());
    }

    #[test]
    fn texts_of_any_length_are_kept_whole() {
        for len in (SHORT - 20..SHORT + 20).chain([0, 1, 40 * SHORT]) {
            let body = "\u{e9}".repeat(len / 2);
            let texts = Texts::new("/cats/\u{e9}", &body, [Some(&body), Some("r\u{f3}"), None, Some(""), None]);
            assert_eq!((texts.path(), texts.body()), ("/cats/\u{e9}", &*body), "{len}");
            assert_eq!(texts.words(), [Some(&*body), Some("r\u{f3}"), None, Some(""), None], "{len}");
            assert_eq!(texts.all(), format!("/cats/\u{e9}{body}r\u{f3}"), "{len}");
            match texts.all {
                Text::Short { len, .. } => assert!(len <= SHORT),
                Text::Long(all) => assert!(all.len() > SHORT && all.capacity() == all.len(), "it is allocated once"),
            }
        }
    }

    #[test]
    fn texts_are_equal_wherever_they_lie() {
        let within = Texts::new("/", BODY, [Some(&BODY[9..11]), None, None, None, None]);
        let behind = Texts::new("/", BODY, [Some("E7"), None, None, None, None]);
        assert!(within == behind && within.all() != behind.all());
        assert!(within != Texts::new("/", BODY, [None, Some("E7"), None, None, None]));
        assert!(within != Texts::new("", &format!("/{BODY}"), [Some("E7"), None, None, None, None]));
    }
}
