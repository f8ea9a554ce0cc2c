//! The search for one form of a secret, by the algorithm of Knuth, Morris and Pratt.

use std::ops::Range;

use zeroize::Zeroizing;

use super::escapes::Decoded;
use super::{MIN_DERIVED, MIN_LENGTH};

/// One form of a secret, in lower case, with its failure table.
///
/// The search takes linear time in the text, whatever the secret is.
pub(super) struct Pattern {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// The failure table: for each prefix, the length of the longest proper prefix that is also its suffix.
    borders: Vec<usize>,
    /// Whether the beginning alone is secret. That of `Bearer token` is not: it is the scheme.
    has_secret_beginning: bool,
}

impl Pattern {
    pub(super) fn new(form: &[u8], has_secret_beginning: bool) -> Self {
        let mut bytes = Zeroizing::new(form.to_vec());
        bytes.make_ascii_lowercase();
        let mut borders = vec![0; bytes.len()];
        let mut length = 0;
        for at in 1..bytes.len() {
            length = advanced(&bytes, &borders, length, bytes[at]);
            borders[at] = length;
        }
        Self { bytes, borders, has_secret_beginning }
    }

    /// Returns the range at the start of a text that is an end of the form, and the range at its end that is a beginning
    /// of the form. A text within the form is one range.
    pub(super) fn ends_of(&self, text: &str) -> [Option<Range<usize>>; 2] {
        // For a short secret, three quarters of it are enough.
        let least = (self.bytes.len() * 3 / 4).clamp(MIN_DERIVED, MIN_LENGTH);
        if text.len() < least {
            return [None, None];
        }
        let text = Self::new(text.as_bytes(), true);
        let (mut begins, mut lies_within) = (0, false);
        for byte in self.bytes.iter() {
            begins = advanced(&text.bytes, &text.borders, begins, *byte);
            lies_within |= begins == text.bytes.len();
        }
        let mut ends = 0;
        for byte in text.bytes.iter() {
            ends = advanced(&self.bytes, &self.borders, ends, *byte);
        }
        let all = text.bytes.len();
        let begins = if lies_within { all } else { begins };
        let ends = if self.has_secret_beginning { ends } else { 0 };
        [(begins >= least).then_some(0..begins), (ends >= least).then(|| all - ends..all)]
    }

    /// Adds the ranges of all occurrences, overlapping ones included. `cut_at` is the end of a text that was cut: a
    /// beginning of the form is found there, too.
    pub(super) fn find(&self, text: &Decoded<'_>, cut_at: Option<usize>, found: &mut Vec<Range<usize>>) {
        let mut length = 0;
        for (at, byte) in text.bytes().iter().enumerate() {
            length = advanced(&self.bytes, &self.borders, length, byte.to_ascii_lowercase());
            if length == self.bytes.len() {
                found.push(text.span(at + 1 - length..at + 1));
            }
        }
        if let Some(end) = cut_at.filter(|_| self.has_secret_beginning && length > 0) {
            let all = text.bytes().len();
            found.push(text.span(all - length..all).start..end);
        }
    }
}

/// Returns the number of bytes of the form that match after this byte, given the number that matched before it.
fn advanced(form: &[u8], borders: &[usize], mut length: usize, byte: u8) -> usize {
    if length == form.len() {
        length = borders[length - 1];
    }
    while length > 0 && form[length] != byte {
        length = borders[length - 1];
    }
    if form[length] == byte { length + 1 } else { 0 }
}
