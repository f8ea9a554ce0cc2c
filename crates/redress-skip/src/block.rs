//! The skip of a chunk in blocks of 64 bytes, as operations on masks: bit `i`
//! of a mask stands for byte `i`.
//!
//! For each block:
//!
//! 1. The kernel computes four masks: quotes, backslashes, opening and closing
//!    brackets.
//! 2. The masks of backslashes give the escaped bytes, by the parity of the
//!    length of each run of backslashes.
//! 3. The prefix xor of the unescaped quotes gives the bytes inside of strings.
//! 4. Brackets outside of strings are counted. Only if the container may end or
//!    nest too deep in this block, they are visited one by one.
//!
//! Step 2 assumes that each backslash is inside of a string. If one is not, the
//! block is skipped byte by byte.
//!
//! A block inside of a long string has neither quotes nor backslashes. The
//! kernel then searches for the next one, several vectors at a time.
//!
//! Everything here is inlined into each implementation, so that it is compiled
//! with the CPU features of that one.

use crate::{Skip, Skipped};

/// The number of bytes that a mask covers.
const BLOCK: usize = 64;
/// The number of bytes that the kernel turns into masks at once: one AVX2
/// register.
pub(crate) const HALF: usize = 32;

/// The odd bits.
const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;

/// The significant bytes of a block, a mask for each kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Masks {
    /// Double quotes, escaped or not.
    pub(crate) quotes: u64,
    /// Backslashes, inside and outside of strings.
    pub(crate) slashes: u64,
    /// `{` and `[`, inside and outside of strings.
    pub(crate) opens: u64,
    /// `}` and `]`, inside and outside of strings.
    pub(crate) closes: u64,
}

/// The operations that an implementation provides.
pub(crate) struct Kernel<M, P, Q, E> {
    /// Computes the masks of half a block.
    pub(crate) masks: M,
    /// Returns the prefix xor: each bit is the exclusive or of all bits up to it.
    pub(crate) prefix_xor: P,
    /// Returns a number of bytes at the start that are neither quotes nor
    /// backslashes. It may be too small, never too large.
    pub(crate) inert_prefix: Q,
    /// Returns `true` if the last open container may end at one of these brackets.
    /// The arguments are the number of open containers and the masks. A false
    /// positive costs time; a false negative is a bug.
    pub(crate) may_end: E,
}

impl<M, P, Q, E> Kernel<M, P, Q, E>
where
    M: Fn(&[u8; HALF]) -> Masks,
    P: Fn(u64) -> u64,
    Q: Fn(&[u8]) -> usize,
    E: Fn(usize, u64, u64) -> bool,
{
    /// Skips in a chunk, block by block.
    #[inline(always)]
    pub(crate) fn feed(&self, skip: &mut Skip, chunk: &[u8]) -> Skipped {
        let mut state = *skip;
        let mut skipped = Skipped::All;
        let mut rest = chunk;
        // A text with one backslash tends to have more, at unpredictable places. From the first one on, escapes are computed
        // for each block, without a branch.
        let mut slashes = 0;
        while let (Skipped::All, Some((block, after))) = (skipped, rest.split_at_checked(BLOCK)) {
            let masks = self.masks_of(block);
            slashes |= masks.slashes;
            if state.string & !(masks.quotes | masks.slashes) == u64::MAX {
                state.escape = 0;
                rest = &after[(self.inert_prefix)(after)..];
            } else {
                skipped = self.block(&mut state, block, masks, slashes != 0).behind(chunk.len() - rest.len());
                rest = after;
            }
        }
        if skipped == Skipped::All && !rest.is_empty() {
            let masks = self.masks_of_last(rest, chunk);
            skipped = self.block(&mut state, rest, masks, true).behind(chunk.len() - rest.len());
        }
        *skip = state;
        skipped
    }

    /// Skips in a block, or in the shorter last piece of a chunk, which is not
    /// empty. The masks are 0 behind its end.
    #[inline(always)]
    fn block(&self, state: &mut Skip, bytes: &[u8], masks: Masks, slashes: bool) -> Skipped {
        let before = *state;
        let escaped = if slashes { state.escaped(masks.slashes, bytes.len()) } else { state.first_escaped() };
        let strings = state.string ^ (self.prefix_xor)(masks.quotes & !escaped);
        // The computation took every backslash for an escape. It is valid if no backslash is outside of strings.
        if masks.slashes & !strings != 0 {
            let (after, skipped) = before.one_by_one(bytes);
            *state = after;
            return skipped;
        }
        state.string = if strings >> (BLOCK - 1) == 1 { u64::MAX } else { 0 };
        let (opens, closes) = (masks.opens & !strings, masks.closes & !strings);
        let (opened, closed) = (opens.count_ones() as usize, closes.count_ones() as usize);
        if state.open + opened > state.limit || (self.may_end)(state.open, opens, closes) {
            return state.walk(opens, closes);
        }
        state.open = state.open + opened - closed;
        Skipped::All
    }

    /// Returns the masks of at most a block. The two halves overlap if it is
    /// shorter.
    #[inline(always)]
    fn masks_of(&self, bytes: &[u8]) -> Masks {
        if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
            return (self.masks)(first).and((self.masks)(last), bytes.len() - HALF);
        }
        let mut half = [0; HALF];
        half[..bytes.len()].copy_from_slice(bytes);
        (self.masks)(&half)
    }

    /// Returns the masks of the last piece of a chunk. Reading some bytes before it
    /// again costs less than a copy.
    #[inline(always)]
    fn masks_of_last(&self, piece: &[u8], chunk: &[u8]) -> Masks {
        match chunk.last_chunk() {
            Some(last) if piece.len() < HALF => (self.masks)(last).without(HALF - piece.len()),
            _ => self.masks_of(piece),
        }
    }
}

impl Masks {
    /// Joins the masks of bytes that begin at `start`.
    #[inline(always)]
    const fn and(self, other: Self, start: usize) -> Self {
        Self {
            quotes: self.quotes | other.quotes << start,
            slashes: self.slashes | other.slashes << start,
            opens: self.opens | other.opens << start,
            closes: self.closes | other.closes << start,
        }
    }

    /// Drops the masks of the first `count` bytes.
    #[inline(always)]
    const fn without(self, count: usize) -> Self {
        Self {
            quotes: self.quotes >> count,
            slashes: self.slashes >> count,
            opens: self.opens >> count,
            closes: self.closes >> count,
        }
    }
}

impl Skip {
    /// Returns the escaped bytes of a block without backslashes: the first one or
    /// none.
    #[inline(always)]
    const fn first_escaped(&mut self) -> u64 {
        std::mem::replace(&mut self.escape, 0)
    }

    /// Returns the escaped bytes: those behind a run of backslashes of odd length.
    #[inline(always)]
    const fn escaped(&mut self, slashes: u64, len: usize) -> u64 {
        // The subtraction flips the odd bits from the start of each run up to the byte behind it. The remaining bits are
        // the backslashes that escape a byte, and the escaped bytes other than backslashes.
        let unescaped = slashes & !self.escape;
        let codes = ((unescaped << 1) | ODD).wrapping_sub(unescaped) ^ ODD;
        let escaped = codes ^ (slashes | self.escape);
        self.escape = ((codes & slashes) >> (len - 1)) & 1;
        escaped
    }

    /// Visits each closing bracket: the depth has its maxima before closing
    /// brackets and at the end of the block, and its minima behind closing
    /// brackets.
    #[inline(always)]
    fn walk(&mut self, opens: u64, closes: u64) -> Skipped {
        let mut left = closes;
        let mut closed = 0;
        while left != 0 {
            let below = (left & left.wrapping_neg()) - 1;
            let open = self.open + (opens & below).count_ones() as usize - closed;
            if open > self.limit {
                return self.too_deep();
            }
            if open == 1 {
                *self = Self { open: 0, string: 0, escape: 0, ..*self };
                return Skipped::End(left.trailing_zeros() as usize + 1);
            }
            closed += 1;
            left &= left - 1;
        }
        self.open = self.open + opens.count_ones() as usize - closed;
        if self.open > self.limit { self.too_deep() } else { Skipped::All }
    }

    /// Records that containers nest too deep, which is final.
    #[inline(always)]
    const fn too_deep(&mut self) -> Skipped {
        *self = Self { open: self.limit.saturating_add(1), string: 0, escape: 0, ..*self };
        Skipped::TooDeep
    }

    /// Skips byte by byte, without masks.
    #[cold]
    fn one_by_one(mut self, bytes: &[u8]) -> (Self, Skipped) {
        for (index, byte) in bytes.iter().enumerate() {
            match byte {
                _ if self.escape != 0 => self.escape = 0,
                b'"' => self.string = !self.string,
                b'\\' => self.escape = self.string & 1,
                _ if self.string != 0 => {}
                b'{' | b'[' => self.open += 1,
                b'}' | b']' => self.open -= 1,
                _ => {}
            }
            if self.open == 0 {
                return (self, Skipped::End(index + 1));
            }
            if self.open > self.limit {
                return (self, Skipped::TooDeep);
            }
        }
        (self, Skipped::All)
    }
}

impl Skipped {
    /// Returns the same result for a chunk with `before` more bytes in front.
    #[inline(always)]
    const fn behind(self, before: usize) -> Self {
        match self {
            Self::End(end) => Self::End(before + end),
            Self::All | Self::TooDeep => self,
        }
    }
}
