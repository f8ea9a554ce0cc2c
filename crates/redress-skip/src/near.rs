//! The first bytes of a text, which are all of most texts: looked at with what every processor of its kind has.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
};

use crate::long_run;
#[cfg(any(test, not(target_arch = "x86_64")))]
use crate::portable;

/// How many bytes a step takes.
const STEP: usize = 16;
/// How many steps are taken before the processor's best is called for.
const STEPS: usize = 4;

/// Where in a step there are quotes, and where what is neither one nor plain ASCII: a bit for each byte, the lowest for
/// the first one.
struct Marks {
    quotes: u32,
    others: u32,
}

/// What a text does in a step.
enum Near {
    /// It ends before the quote at this index.
    Ends(usize),
    GoesOn,
    /// There is something in it that is not plain ASCII.
    Other,
}

/// Returns where a text ends at a quote, if it does and all before it is plain ASCII.
#[inline]
pub(crate) fn plain_end(bytes: &[u8]) -> Option<usize> {
    let (steps, tail) = bytes.as_chunks();
    for (nth, bytes) in steps.iter().take(STEPS).enumerate() {
        match marks(bytes).near() {
            Near::Ends(at) => return Some(nth * STEP + at),
            Near::GoesOn => {}
            Near::Other => return None,
        }
    }
    if steps.len() > STEPS {
        return far_end(bytes);
    }
    // What is left is looked at in a step that begins before it, where there is room for one.
    let left = bytes.len() - tail.len();
    match bytes.last_chunk() {
        Some(last) => match marks(last).behind(STEP - tail.len()).near() {
            Near::Ends(at) => Some(left + at),
            Near::GoesOn | Near::Other => None,
        },
        None => short_end(bytes),
    }
}

/// Calls for the processor's best. Out of line, so that short texts need no stack.
#[inline(never)]
fn far_end(bytes: &[u8]) -> Option<usize> {
    let (near, far) = bytes.split_at(STEPS * STEP);
    let run = long_run(far);
    (far.get(run) == Some(&b'"') && far[..run].is_ascii()).then_some(near.len() + run)
}

fn short_end(bytes: &[u8]) -> Option<usize> {
    let end = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20 | 0x80..))?;
    (bytes[end] == b'"').then_some(end)
}

impl Marks {
    #[inline(always)]
    const fn near(self) -> Near {
        let up_to_the_quote = self.quotes ^ self.quotes.wrapping_sub(1);
        if self.others & up_to_the_quote != 0 {
            Near::Other
        } else if self.quotes == 0 {
            Near::GoesOn
        } else {
            Near::Ends(self.quotes.trailing_zeros() as usize)
        }
    }

    /// Leaves out so many bytes.
    #[inline(always)]
    const fn behind(self, bytes: usize) -> Self {
        Self { quotes: self.quotes >> bytes, others: self.others >> bytes }
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn marks(bytes: &[u8; STEP]) -> Marks {
    // SAFETY: SSE2 is part of x86-64.
    unsafe { marks_by_sse2(bytes) }
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "sse2")]
fn marks_by_sse2(bytes: &[u8; STEP]) -> Marks {
    // SAFETY: the array has the vector's 16 bytes, and this load asks for no alignment.
    let bytes = unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
    let quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"'.cast_signed()));
    let slashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\'.cast_signed()));
    let controls = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    // The highest bit of a byte is the one that counts, and is set in what is not ASCII.
    let others = _mm_or_si128(bytes, _mm_or_si128(controls, slashes));
    let mask = |marks| _mm_movemask_epi8(marks).cast_unsigned();
    Marks { quotes: mask(quotes), others: mask(others) }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn marks(bytes: &[u8; STEP]) -> Marks {
    marks_by_words(bytes)
}

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
                let ends = [marks(&step), marks_by_words(&step)].map(|marks| match marks.near() {
                    Near::Ends(at) => Ok(at),
                    Near::GoesOn => Err(true),
                    Near::Other => Err(false),
                });
                assert_eq!(ends[0], ends[1], "{}", step.escape_ascii());
            }
        }
    }
}
