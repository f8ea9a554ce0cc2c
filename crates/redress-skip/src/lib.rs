//! Skips JSON values by their structure, with SIMD where the processor has it.
//!
//! A reader that needs two members of a large document must find the end of all
//! the others. This crate does that part:
//!
//! - [`Skip`] finds the end of an object or array, in chunks as they arrive. It
//!   tracks strings, escapes and nesting.
//! - [`plain_run`] returns the length of the part of a string without quotes,
//!   backslashes and control characters.
//! - [`plain_text`] returns a whole string that is ASCII without escapes.
//!
//! Nothing is allocated, and a [`Skip`] is 32 bytes of state.
//!
//! # When to use it
//! Skipping pays where most of a document is irrelevant: a success of a megabyte
//! whose last member may signal an error, or an error that repeats the request.
//! `docs/performance.md` of the repository compares the time with that of
//! parsers. For short texts, and for documents that are read in full, a parser
//! such as `serde_json` is the better choice.
//!
//! # Cost
//! The time is linear in the number of bytes. The state is copied by value; a
//! [`Skip`] may be dropped, cloned or kept between chunks at no cost.
//!
//! # Grammar
//! Skipped bytes are not validated. Both kinds of brackets are equivalent, so
//! `[}` is an array. Outside of strings every byte other than a quote or a
//! bracket is ignored, a backslash too. Inside of strings every byte is
//! allowed, control characters too. A caller that needs the grammar of RFC 8259
//! enforced must parse.
//!
//! # Implementations
//! There are two implementations with equal results: one for x86-64 with AVX2,
//! detected at run time, and a portable one. The environment variable
//! `REDRESS_SIMD=off`, read once, selects the portable one; [`implementation`]
//! returns the name of the active one. The first 64 bytes of a text are scanned
//! with the baseline of the target (SSE2 on x86-64) in either case, because a
//! call through the detection costs more than most texts take.
//!
//! The algorithms for strings and escapes are those of simdjson (G. Langdale
//! and D. Lemire, "Parsing Gigabytes of JSON per Second", VLDB Journal 28,
//! 2019, sections 3.1.1 and 3.1.2).
//!
//! # Examples
//! ```
//! use redress_skip::{Skip, Skipped, plain_run};
//!
//! // The input begins behind the bracket of "data" and may be cut anywhere. At most 126 further levels may nest.
//! let mut data = Skip::new(126);
//! assert_eq!(data.feed(br#"{"note": "a \"}"#), Skipped::All);
//! assert_eq!(data.feed(br#" in it"}], "code": 7}"#), Skipped::End(9));
//!
//! assert_eq!(plain_run(br#"bad request", "#), 11);
//! ```

#![deny(unsafe_code)]

#[allow(unsafe_code, reason = "converts bytes that it has found to be ASCII")]
mod ascii;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "loads vectors, and calls functions that need CPU features")]
mod avx2;
mod block;
mod implementation;
mod portable;
#[cfg_attr(target_arch = "x86_64", allow(unsafe_code, reason = "loads a vector"))]
mod short_text;
#[cfg(test)]
mod tests;

use implementation::Implementation;

/// The number of words that [`plain_run`] reads before it calls the detected
/// implementation.
const INLINE_WORDS: usize = 4;

/// Skips the rest of a JSON container, chunk by chunk.
///
/// It tracks strings, escapes and nesting and checks nothing else: see
/// [Grammar](crate#grammar).
///
/// # Examples
/// ```
/// use redress_skip::{Skip, Skipped};
///
/// // `{` was read; the rest arrives in two chunks. A bracket in a string does not count.
/// let mut skip = Skip::new(8);
/// assert_eq!(skip.feed(br#""a": ["}", "#), Skipped::All);
/// assert_eq!(skip.feed(b"1], \"b\": {}}, 2"), Skipped::End(12));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skip {
    /// The number of open containers: 0 after the end, more than `limit` after
    /// [`Skipped::TooDeep`].
    open: usize,
    /// The number of containers that may be open, the first one included.
    limit: usize,
    /// All bits inside a string, none outside.
    string: u64,
    /// 1 if the next byte is escaped, else 0.
    escape: u64,
}

/// The result of one chunk.
///
/// It is exhaustive on purpose: a caller must handle each case, and no further
/// case can arise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skipped {
    /// The container continues behind the chunk.
    All,
    /// The container ended; the index of the first byte behind it.
    End(usize),
    /// Containers nest deeper than the limit.
    TooDeep,
}

impl Skip {
    /// Creates the state behind an opening bracket.
    ///
    /// `room` is the number of levels that may nest inside the container. The next
    /// level gives [`Skipped::TooDeep`], so that a caller can keep one bound for
    /// parsed and skipped data.
    ///
    /// # Examples
    /// ```
    /// use redress_skip::{Skip, Skipped};
    ///
    /// assert_eq!(Skip::new(1).feed(b"[]]"), Skipped::End(3));
    /// assert_eq!(Skip::new(1).feed(b"[[]]]"), Skipped::TooDeep);
    /// ```
    #[must_use]
    pub const fn new(room: usize) -> Self {
        Self { open: 1, limit: room.saturating_add(1), string: 0, escape: 0 }
    }

    /// Skips in the next chunk.
    ///
    /// The result does not depend on the boundaries of chunks. It is final: after
    /// [`Skipped::End`] each further call returns `End(0)`, after
    /// [`Skipped::TooDeep`] it returns `TooDeep`.
    ///
    /// # Examples
    /// ```
    /// use redress_skip::{Skip, Skipped};
    ///
    /// let mut skip = Skip::new(0);
    /// assert_eq!(skip.feed(b"1, 2]"), Skipped::End(5));
    /// assert_eq!(skip.feed(b"]"), Skipped::End(0));
    /// ```
    #[must_use]
    pub fn feed(&mut self, chunk: &[u8]) -> Skipped {
        self.feed_to(Implementation::get(), chunk)
    }

    /// Skips in the next chunk with the portable implementation, for tests that
    /// compare the two.
    #[must_use]
    pub fn feed_portable(&mut self, chunk: &[u8]) -> Skipped {
        self.feed_to(Implementation::Portable, chunk)
    }

    #[inline]
    fn feed_to(&mut self, implementation: Implementation, chunk: &[u8]) -> Skipped {
        if self.open == 0 {
            return Skipped::End(0);
        }
        if self.open > self.limit {
            return Skipped::TooDeep;
        }
        implementation.feed(self, chunk)
    }
}

/// Returns the result of [`plain_run`], computed by the portable
/// implementation, for tests that compare the two.
#[must_use]
pub fn plain_run_portable(text: &[u8]) -> usize {
    Implementation::Portable.plain_run(text)
}

/// Returns the number of bytes at the start of `text` that are plain inside a
/// JSON string.
///
/// That is the index of the first quote, backslash or control character (a byte
/// below 0x20), or the length of `text`. Bytes beyond ASCII are plain.
///
/// # Examples
/// ```
/// use redress_skip::plain_run;
///
/// assert_eq!(plain_run(br#"bad request", "#), 11);
/// assert_eq!(plain_run("Zoë\n".as_bytes()), 4);
/// assert_eq!(plain_run(b"no end"), 6);
/// ```
#[inline]
#[must_use]
pub fn plain_run(text: &[u8]) -> usize {
    let (words, tail) = text.as_chunks();
    for (index, word) in words.iter().take(INLINE_WORDS).enumerate() {
        let stops = portable::stops_in_word(u64::from_le_bytes(*word));
        if stops != 0 {
            return index * size_of::<u64>() + stops.trailing_zeros() as usize / 8;
        }
    }
    if words.len() > INLINE_WORDS {
        let read = INLINE_WORDS * size_of::<u64>();
        return read + long_run(&text[read..]);
    }
    text.len() - tail.len() + portable::plain_in_tail(tail)
}

/// Returns bytes as text if they are ASCII; `None` for other text, which needs
/// a check for UTF-8.
///
/// The check for ASCII is several times as fast as one for UTF-8, and most
/// names and values are ASCII.
///
/// # Examples
/// ```
/// assert_eq!(redress_skip::ascii(b"bad request"), Some("bad request"));
/// assert_eq!(redress_skip::ascii("Zoë".as_bytes()), None);
/// ```
#[inline]
#[must_use]
pub fn ascii(bytes: &[u8]) -> Option<&str> {
    ascii::text(bytes)
}

/// Returns the text before the first quote if it is ASCII without backslashes
/// and control characters.
///
/// `None` means that the text has an escape, is not ASCII, or does not end in
/// `bytes`; the caller then reads it by [`plain_run`].
///
/// # Examples
/// ```
/// assert_eq!(redress_skip::plain_text(br#"bad request", "#), Some("bad request"));
/// assert_eq!(redress_skip::plain_text(br#"a \"bad\" request""#), None);
/// assert_eq!(redress_skip::plain_text(b"bad requ"), None);
/// ```
#[must_use]
pub fn plain_text(bytes: &[u8]) -> Option<&str> {
    ascii::before_quote(bytes)
}

/// Calls the detected implementation. Out of line, so that short texts need no
/// stack frame.
#[inline(never)]
fn long_run(text: &[u8]) -> usize {
    Implementation::get().plain_run(text)
}

/// Returns the name of the active implementation: `avx2` or `portable`.
///
/// # Examples
/// ```
/// assert!(["avx2", "portable"].contains(&redress_skip::implementation()));
/// ```
#[must_use]
pub fn implementation() -> &'static str {
    Implementation::get().name()
}

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
