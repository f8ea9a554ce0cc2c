//! Skips JSON by its structure, many bytes at a time.
//!
//! Whoever wants two fields of a large document has to get past the rest. [`Skip`] gets past a whole object or array, in
//! chunks as they arrive: it follows strings, escapes and depth, and checks nothing else. [`plain_run`] gets past the
//! part of a string that needs no second look, and [`plain_text`] takes a whole one that needs none. Nothing is allocated, nothing is kept.
//!
//! # What is not noticed
//! Skipped bytes need not be JSON. Both kinds of brackets count alike, so `[}` is an array. Outside of strings all but
//! quotes and brackets is ignored: a backslash there escapes nothing. Inside of strings any byte goes, control bytes too.
//!
//! # Implementations
//! There are two, and no input tells them apart: one for x86-64 with AVX2, found at run time, and a portable one. The
//! environment variable `REDRESS_SIMD=off`, read once, selects the portable one; [`implementation`] says which one runs.
//! The first bytes of a text are looked at with what every processor of its kind has, whatever the variable says.
//!
//! # Examples
//! ```
//! use redress_skip::{Skip, Skipped, plain_run};
//!
//! // Behind the bracket of "data", in two chunks cut anywhere, up to 126 further levels deep.
//! let mut data = Skip::new(126);
//! assert_eq!(data.feed(br#"{"note": "a \"}"#), Skipped::All);
//! assert_eq!(data.feed(br#" in it"}], "code": 7}"#), Skipped::End(9));
//!
//! assert_eq!(plain_run(br#"bad request", "#), 11);
//! ```

#![deny(unsafe_code)]

#[allow(unsafe_code, reason = "calls text what it has just found to be ASCII")]
mod ascii;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "loads vectors, and calls what only some processors can run")]
mod avx2;
mod block;
mod implementation;
#[cfg_attr(target_arch = "x86_64", allow(unsafe_code, reason = "loads a vector"))]
mod near;
mod portable;
#[cfg(test)]
mod tests;

use implementation::Implementation;

/// How many words [`plain_run`] reads before it calls for more.
const NEAR: usize = 4;

/// Skips the rest of a container, chunk by chunk: strings, escapes and depth are followed, nothing else is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skip {
    /// How many containers are open: 0 when all is over, more than `limit` when they nest too deep.
    open: usize,
    limit: usize,
    /// All bits inside a string, none outside.
    string: u64,
    /// 1 if the next byte is escaped, else 0.
    escape: u64,
}

/// What became of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skipped {
    /// All of the chunk lies inside.
    All,
    /// The container ended just before this index.
    End(usize),
    /// Containers nest deeper than allowed.
    TooDeep,
}

impl Skip {
    /// Begins behind an opening bracket. So many further levels may open inside.
    #[must_use]
    pub const fn new(room: usize) -> Self {
        Self { open: 1, limit: room.saturating_add(1), string: 0, escape: 0 }
    }

    /// Skips in the next chunk.
    ///
    /// How the bytes are cut into chunks changes nothing. What is over stays over: after [`Skipped::End`] comes `End(0)`,
    /// after [`Skipped::TooDeep`] the same again.
    #[must_use]
    pub fn feed(&mut self, chunk: &[u8]) -> Skipped {
        self.feed_to(Implementation::get(), chunk)
    }

    /// Skips in the next chunk on the portable twin, for whoever holds the two against each other.
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

/// Returns the same as [`plain_run`], found by the portable twin.
#[must_use]
pub fn plain_run_portable(text: &[u8]) -> usize {
    Implementation::Portable.plain_run(text)
}

/// Returns how many bytes at the start of `text` are plain inside a JSON string: the index of the first `"`, `\` or byte
/// below 0x20, or the length.
#[inline]
#[must_use]
pub fn plain_run(text: &[u8]) -> usize {
    let (words, tail) = text.as_chunks();
    for (index, word) in words.iter().take(NEAR).enumerate() {
        let stops = portable::stops_in_word(u64::from_le_bytes(*word));
        if stops != 0 {
            return index * size_of::<u64>() + stops.trailing_zeros() as usize / 8;
        }
    }
    if words.len() > NEAR {
        let near = NEAR * size_of::<u64>();
        return near + long_run(&text[near..]);
    }
    text.len() - tail.len() + portable::plain_in_tail(tail)
}

/// Returns bytes as text if they are ASCII, at a fraction of what a check for UTF-8 costs; others need that.
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

/// Returns the text before the first `"`, if there is one and all before it is plain ASCII; others need a second look.
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

#[inline(never)]
fn long_run(text: &[u8]) -> usize {
    Implementation::get().plain_run(text)
}

/// Returns which implementation runs: "avx2" or "portable".
#[must_use]
pub fn implementation() -> &'static str {
    Implementation::get().name()
}

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
