//! The portable implementation: SIMD within a register, eight bytes in a `u64`.
//!
//! The tests for single bytes are those of "Bit Twiddling Hacks" (S. E.
//! Anderson, "Determine if a word has a zero byte" and "Determine if a word has
//! a byte less than n").

use crate::block::{HALF, Kernel, Masks};
use crate::{Skip, Skipped};

/// The number of bytes in a word.
const WORD: usize = size_of::<u64>();
/// The lowest bit of each byte.
const LOW: u64 = 0x0101_0101_0101_0101;
/// The highest bit of each byte.
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Skips in a chunk.
pub(crate) fn feed(skip: &mut Skip, chunk: &[u8]) -> Skipped {
    Kernel { masks, prefix_xor, inert_prefix, may_end }.feed(skip, chunk)
}

/// Returns the length of the plain run, a word at a time.
pub(crate) fn plain_run(text: &[u8]) -> usize {
    let (words, tail) = text.as_chunks();
    for (index, word) in words.iter().enumerate() {
        let stops = stops_in_word(u64::from_le_bytes(*word));
        if stops != 0 {
            return index * WORD + stops.trailing_zeros() as usize / 8;
        }
    }
    text.len() - tail.len() + plain_in_tail(tail)
}

/// Returns the length of the plain run in less than a word.
#[inline]
pub(crate) fn plain_in_tail(tail: &[u8]) -> usize {
    tail.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(tail.len())
}

/// Marks the bytes that are not plain by their highest bits. Only the first
/// mark is exact.
#[inline]
pub(crate) const fn stops_in_word(word: u64) -> u64 {
    let control = word.wrapping_sub(LOW * 0x20) & !word & HIGH;
    control | quotes_and_slashes(word)
}

/// Returns the marks of quotes, and those of other bytes that are not plain
/// ASCII, a bit for each byte. Only the first mark of each is exact.
#[cfg(any(test, not(target_arch = "x86_64")))]
#[inline]
pub(crate) const fn text_marks(word: u64) -> (u32, u32) {
    let quotes = (word ^ (LOW * b'"' as u64)).wrapping_sub(LOW) & !word;
    let slashes = (word ^ (LOW * b'\\' as u64)).wrapping_sub(LOW) & !word;
    let controls = word.wrapping_sub(LOW * 0x20) & !word;
    (gather(quotes >> 7) as u32, gather((controls | slashes | word) >> 7) as u32)
}

/// Marks quotes and backslashes by their highest bits. A borrow may also mark
/// bytes behind the first one.
#[inline]
const fn quotes_and_slashes(word: u64) -> u64 {
    let quotes = (word ^ (LOW * b'"' as u64)).wrapping_sub(LOW);
    let slashes = (word ^ (LOW * b'\\' as u64)).wrapping_sub(LOW);
    (quotes | slashes) & !word & HIGH
}

/// Returns the length of the words at the start without quotes and backslashes.
#[inline]
fn inert_prefix(bytes: &[u8]) -> usize {
    let words = bytes.as_chunks().0.iter();
    WORD * words.take_while(|word| quotes_and_slashes(u64::from_le_bytes(**word)) == 0).count()
}

/// Computes the masks of 32 bytes.
///
/// The bytes are classified first, a bit for each kind, in a loop that compilers
/// vectorize; the bits are then gathered, eight bytes at a time.
#[inline]
fn masks(half: &[u8; HALF]) -> Masks {
    // A bit for each kind, in a form that compilers vectorize.
    let mut marks = [0_u8; HALF];
    for (mark, byte) in marks.iter_mut().zip(half) {
        let folded = byte | 0x20;
        *mark = u8::from(*byte == b'"')
            | u8::from(*byte == b'\\') << 1
            | u8::from(folded == b'{') << 2
            | u8::from(folded == b'}') << 3;
    }
    let mut masks = Masks { quotes: 0, slashes: 0, opens: 0, closes: 0 };
    for word in marks.as_chunks().0.iter().rev() {
        let word = u64::from_le_bytes(*word);
        masks.quotes = masks.quotes << WORD | gather(word);
        masks.slashes = masks.slashes << WORD | gather(word >> 1);
        masks.opens = masks.opens << WORD | gather(word >> 2);
        masks.closes = masks.closes << WORD | gather(word >> 3);
    }
    masks
}

/// Returns the lowest bits of eight bytes.
#[inline]
const fn gather(word: u64) -> u64 {
    // Each factor moves one bit into the highest byte, where none meets another.
    (word & LOW).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// Computes the prefix xor by doubling the distance six times.
#[inline]
const fn prefix_xor(mut bits: u64) -> u64 {
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^ bits << 32
}

/// Returns `true` if the depth may reach 0. Within each byte of the masks,
/// closing brackets are counted before the opening ones, which overestimates
/// the fall.
#[inline]
fn may_end(open: usize, opens: u64, closes: u64) -> bool {
    // Byte `i` becomes 0x7f plus the depth behind the closing brackets of the bytes up to `i`. No byte overflows.
    let changes = (ones(opens) << WORD).wrapping_sub(ones(closes));
    let depths = changes.wrapping_add(0x7f + open.min(64) as u64).wrapping_mul(LOW);
    !depths & HIGH != 0
}

/// Counts the ones in each byte.
#[inline]
const fn ones(bits: u64) -> u64 {
    let pairs = bits - ((bits >> 1) & 0x5555_5555_5555_5555);
    let fours = (pairs & 0x3333_3333_3333_3333) + ((pairs >> 2) & 0x3333_3333_3333_3333);
    (fours + (fours >> 4)) & 0x0f0f_0f0f_0f0f_0f0f
}
