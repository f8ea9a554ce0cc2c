//! The end of a short text, found with the baseline of the target.
//!
//! Most names and values of an error end within [`STEPS`] steps of 16 bytes.
//! They never reach the detected implementation, whose call costs more than the
//! scan.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
};

use crate::long_run;
#[cfg(any(test, not(target_arch = "x86_64")))]
use crate::portable;

/// The number of bytes in a step: one SSE2 register.
const STEP: usize = 16;
/// The number of steps before the detected implementation is called.
const STEPS: usize = 4;

/// The bytes of a step that end it: bit `i` stands for byte `i`.
///
/// `quotes` marks quotes; `others` marks backslashes, control characters and
/// bytes beyond ASCII.
struct Marks {
    /// Double quotes.
    quotes: u32,
    /// Backslashes, control characters and bytes beyond ASCII.
    others: u32,
}

/// The result of a step.
enum Step {
    /// The text ends before the quote at this index.
    End(usize),
    /// The text continues.
    Continue,
    /// The text has a backslash, a control character or a byte beyond ASCII.
    Other,
}

/// Returns the index of the first quote if only plain ASCII precedes it.
#[inline]
pub(crate) fn plain_end(bytes: &[u8]) -> Option<usize> {
    let (steps, tail) = bytes.as_chunks();
    for (nth, bytes) in steps.iter().take(STEPS).enumerate() {
        match marks(bytes).step() {
            Step::End(at) => return Some(nth * STEP + at),
            Step::Continue => {}
            Step::Other => return None,
        }
    }
    if steps.len() > STEPS {
        return long_end(bytes);
    }
    // The tail is read in a step that ends with the text and overlaps the one before, if the text has 16 bytes.
    let left = bytes.len() - tail.len();
    match bytes.last_chunk() {
        Some(last) => match marks(last).behind(STEP - tail.len()).step() {
            Step::End(at) => Some(left + at),
            Step::Continue | Step::Other => None,
        },
        None => short_end(bytes),
    }
}

/// Continues with the detected implementation. Out of line, so that short texts
/// need no stack frame.
#[inline(never)]
fn long_end(bytes: &[u8]) -> Option<usize> {
    let (read, rest) = bytes.split_at(STEPS * STEP);
    let run = long_run(rest);
    (rest.get(run) == Some(&b'"') && rest[..run].is_ascii()).then_some(read.len() + run)
}

/// Handles a text of less than one step, byte by byte.
fn short_end(bytes: &[u8]) -> Option<usize> {
    let end = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20 | 0x80..))?;
    (bytes[end] == b'"').then_some(end)
}

impl Marks {
    /// Evaluates the marks: the first of either kind decides.
    #[inline(always)]
    const fn step(self) -> Step {
        let up_to_the_quote = self.quotes ^ self.quotes.wrapping_sub(1);
        if self.others & up_to_the_quote != 0 {
            Step::Other
        } else if self.quotes == 0 {
            Step::Continue
        } else {
            Step::End(self.quotes.trailing_zeros() as usize)
        }
    }

    /// Drops the marks of the first `bytes` bytes.
    #[inline(always)]
    const fn behind(self, bytes: usize) -> Self {
        Self { quotes: self.quotes >> bytes, others: self.others >> bytes }
    }
}

/// Returns the marks of a step, by SSE2.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn marks(bytes: &[u8; STEP]) -> Marks {
    // SAFETY: SSE2 is part of x86-64.
    unsafe { marks_by_sse2(bytes) }
}

/// Compares 16 bytes with the quote, the backslash and the bounds of ASCII.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "sse2")]
fn marks_by_sse2(bytes: &[u8; STEP]) -> Marks {
    // SAFETY: the array has the vector's 16 bytes, and this load asks for no alignment.
    let bytes = unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
    let quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"'.cast_signed()));
    let slashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\'.cast_signed()));
    let controls = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    // Only the highest bit of each byte counts. It is set in bytes beyond ASCII.
    let others = _mm_or_si128(bytes, _mm_or_si128(controls, slashes));
    let mask = |marks| _mm_movemask_epi8(marks).cast_unsigned();
    Marks { quotes: mask(quotes), others: mask(others) }
}

/// Returns the marks of a step, by words.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn marks(bytes: &[u8; STEP]) -> Marks {
    marks_by_words(bytes)
}

/// Computes the marks of two words and joins them.
#[cfg(any(test, not(target_arch = "x86_64")))]
#[inline]
fn marks_by_words(bytes: &[u8; STEP]) -> Marks {
    let (words, _) = bytes.as_chunks();
    let marks = words.iter().rev().map(|word| portable::text_marks(u64::from_le_bytes(*word)));
    marks.fold(Marks { quotes: 0, others: 0 }, |all, (quotes, others)| Marks {
        quotes: all.quotes << 8 | quotes,
        others: all.others << 8 | others,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_vectors_see_the_same_ends() {
        let bytes = br#"a""#.iter().chain(b"\x00\x1f\x20\x7f\x80\xff").copied();
        for (first, second) in bytes.clone().flat_map(|first| bytes.clone().map(move |second| (first, second))) {
            for at in 0..STEP - 1 {
                let mut step = [b'a'; STEP];
                (step[at], step[at + 1]) = (first, second);
                let ends = [marks(&step), marks_by_words(&step)].map(|marks| match marks.step() {
                    Step::End(at) => Ok(at),
                    Step::Continue => Err(true),
                    Step::Other => Err(false),
                });
                assert_eq!(ends[0], ends[1], "{}", step.escape_ascii());
            }
        }
    }
}
