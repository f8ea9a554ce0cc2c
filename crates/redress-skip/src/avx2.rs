//! The implementation for x86-64 processors with AVX2: 32 bytes at a time, in a
//! vector.

use std::arch::x86_64::{
    __m256i, _mm_clmulepi64_si128, _mm_cvtsi64_si128, _mm_cvtsi128_si64, _mm_set1_epi8, _mm256_cmpeq_epi8,
    _mm256_loadu_si256, _mm256_min_epu8, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8, _mm256_setzero_si256,
    _pext_u64,
};

use crate::block::{HALF, Kernel, Masks};
use crate::{Skip, Skipped, portable};

/// The number of vectors that are tested at once inside of a string.
const STRIDE: usize = 4;

/// A token that proves that the processor has the features that this module
/// enables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// Returns the token if the processor has all features.
    pub(crate) fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("pclmulqdq")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("lzcnt");
        found.then_some(Self(()))
    }

    /// Skips in a chunk.
    #[inline]
    pub(crate) fn feed(self, skip: &mut Skip, chunk: &[u8]) -> Skipped {
        // SAFETY: only `detect` makes an `Avx2`, and it has found all features that the function enables.
        unsafe { feed(skip, chunk) }
    }

    /// Returns the length of the plain run, a vector at a time.
    #[inline]
    pub(crate) fn plain_run(self, text: &[u8]) -> usize {
        // SAFETY: only `detect` makes an `Avx2`, and it has found all features that the function enables.
        unsafe { plain_run(text) }
    }
}

/// Compiles the block algorithm with all features enabled, so that the kernel and
/// the bit counts are inlined into it.
#[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,popcnt,lzcnt")]
fn feed(skip: &mut Skip, chunk: &[u8]) -> Skipped {
    let kernel = Kernel {
        masks: |half: &_| masks(half),
        prefix_xor: |bits| prefix_xor(bits),
        inert_prefix: |bytes: &_| inert_prefix(bytes),
        may_end: |open, opens, closes| ends(open, opens, closes),
    };
    kernel.feed(skip, chunk)
}

/// Compares each vector with the bounds of plain bytes. The minimum with 0x1f is
/// the byte itself exactly for control characters.
#[target_feature(enable = "avx2,bmi1")]
fn plain_run(text: &[u8]) -> usize {
    let (halves, tail) = text.as_chunks();
    for (index, half) in halves.iter().enumerate() {
        let bytes = load(half);
        let controls = _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, _mm256_set1_epi8(0x1f)), bytes);
        let stops = mask(_mm256_or_si256(controls, quotes_and_slashes(bytes)));
        if stops != 0 {
            return index * HALF + stops.trailing_zeros() as usize;
        }
    }
    text.len() - tail.len() + portable::plain_run(tail)
}

/// Computes the masks of 32 bytes by four comparisons.
#[inline]
#[target_feature(enable = "avx2")]
fn masks(half: &[u8; HALF]) -> Masks {
    let bytes = load(half);
    // `[` and `{` differ in this bit only, `]` and `}` too. No other byte becomes one of them.
    let folded = _mm256_or_si256(bytes, _mm256_set1_epi8(0x20));
    Masks {
        quotes: mask(equal(bytes, b'"')),
        slashes: mask(equal(bytes, b'\\')),
        opens: mask(equal(folded, b'{')),
        closes: mask(equal(folded, b'}')),
    }
}

/// Returns the length of the strides at the start without quotes and
/// backslashes.
#[inline]
#[target_feature(enable = "avx2")]
fn inert_prefix(bytes: &[u8]) -> usize {
    let (halves, _) = bytes.as_chunks();
    let (strides, _) = halves.as_chunks::<STRIDE>();
    let first = strides.iter().position(|stride| {
        let none = _mm256_setzero_si256();
        mask(stride.iter().fold(none, |found, half| _mm256_or_si256(found, quotes_and_slashes(load(half))))) != 0
    });
    first.unwrap_or(strides.len()) * STRIDE * HALF
}

/// Marks quotes and backslashes.
#[inline]
#[target_feature(enable = "avx2")]
fn quotes_and_slashes(bytes: __m256i) -> __m256i {
    _mm256_or_si256(equal(bytes, b'"'), equal(bytes, b'\\'))
}

/// Compares each byte with one value: all ones where they are equal.
#[inline]
#[target_feature(enable = "avx2")]
fn equal(bytes: __m256i, byte: u8) -> __m256i {
    _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(byte.cast_signed()))
}

#[inline]
#[target_feature(enable = "avx2")]
fn mask(marks: __m256i) -> u64 {
    u64::from(_mm256_movemask_epi8(marks).cast_unsigned())
}

/// Loads 32 bytes, aligned or not.
#[inline]
#[target_feature(enable = "avx2")]
fn load(half: &[u8; HALF]) -> __m256i {
    // SAFETY: the array has the vector's 32 bytes, and this load asks for no alignment.
    unsafe { _mm256_loadu_si256(half.as_ptr().cast()) }
}

/// Computes the prefix xor by a carry-less multiplication with all ones, which
/// is the exclusive or of all shifts.
#[inline]
#[target_feature(enable = "pclmulqdq")]
fn prefix_xor(bits: u64) -> u64 {
    let product = _mm_clmulepi64_si128::<0>(_mm_cvtsi64_si128(bits.cast_signed()), _mm_set1_epi8(-1));
    _mm_cvtsi128_si64(product).cast_unsigned()
}

/// Returns `true` if the last of `open` containers ends at one of these
/// brackets.
#[inline]
#[target_feature(enable = "bmi2,popcnt")]
fn ends(mut open: usize, opens: u64, closes: u64) -> bool {
    // The brackets in order: a one closes, a zero opens. Zeros behind the last bracket have no effect.
    let mut order = _pext_u64(closes, opens | closes);
    loop {
        let [eight, ..] = order.to_le_bytes();
        if usize::from(FALLS[usize::from(eight)]) >= open {
            return true;
        }
        order >>= u8::BITS;
        if order == 0 {
            return false;
        }
        open = open + 8 - 2 * eight.count_ones() as usize;
    }
}

/// The maximum fall of the depth in eight brackets, lowest bit first: a one
/// closes, a zero opens.
static FALLS: [u8; 256] = {
    let mut falls = [0_u8; 256];
    let mut eight = 0;
    while eight < falls.len() {
        let (mut fall, mut bit) = (0_i8, 0);
        while bit < u8::BITS {
            fall += if eight >> bit & 1 == 1 { 1 } else { -1 };
            if fall > falls[eight].cast_signed() {
                falls[eight] = fall.cast_unsigned();
            }
            bit += 1;
        }
        eight += 1;
    }
    falls
};
