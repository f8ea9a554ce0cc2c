//! What a skip does with the bytes of a chunk once they are masks: bit `i` of a mask stands for byte `i`.
//!
//! All of it is inlined into each implementation, so that its instructions count the bits.

use crate::{Skip, Skipped};

/// How many bytes a mask covers.
const BLOCK: usize = 64;
/// How many bytes are made masks of at once.
pub(crate) const HALF: usize = 32;

const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;

/// Which bytes of a block are what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Masks {
    pub(crate) quotes: u64,
    pub(crate) slashes: u64,
    pub(crate) opens: u64,
    pub(crate) closes: u64,
}

/// What an implementation has to offer.
pub(crate) struct Tools<M, P, Q, E> {
    /// Reads half a block.
    pub(crate) masks: M,
    /// Sets each bit to the exclusive or of all bits up to it.
    pub(crate) prefix_xor: P,
    /// Returns how many bytes at the start are surely neither quotes nor backslashes.
    pub(crate) quiet: Q,
    /// Tells whether these opening and closing brackets may end the last of so many open containers. A wrong yes costs
    /// time, a wrong no is a mistake.
    pub(crate) may_end: E,
}

impl<M, P, Q, E> Tools<M, P, Q, E>
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
        // Where there is one backslash, more come in no order a processor foresees: from then on none is looked for.
        let mut slashes = 0;
        while let (Skipped::All, Some((block, after))) = (skipped, rest.split_at_checked(BLOCK)) {
            let masks = self.masks_of(block);
            slashes |= masks.slashes;
            if state.string & !(masks.quotes | masks.slashes) == u64::MAX {
                state.escape = 0;
                rest = &after[(self.quiet)(after)..];
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

    /// Skips in a block, or in the shorter last piece of a chunk, whose masks are 0 behind its end. It is not empty.
    #[inline(always)]
    fn block(&self, state: &mut Skip, bytes: &[u8], masks: Masks, slashes: bool) -> Skipped {
        let before = *state;
        let escaped = if slashes { state.escaped(masks.slashes, bytes.len()) } else { state.first_escaped() };
        let strings = state.string ^ (self.prefix_xor)(masks.quotes & !escaped);
        // So far every backslash escapes. That is right up to the first one outside of strings, thus right if none is.
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

    /// Reads up to a block: its first and its last bytes, which may overlap.
    #[inline(always)]
    fn masks_of(&self, bytes: &[u8]) -> Masks {
        if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
            return (self.masks)(first).and((self.masks)(last), bytes.len() - HALF);
        }
        let mut half = [0; HALF];
        half[..bytes.len()].copy_from_slice(bytes);
        (self.masks)(&half)
    }

    /// Reads the last piece of a chunk. To copy it costs more than to read some bytes before it again.
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

    /// Drops so many bytes at the start.
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
    /// Returns which bytes of a block without backslashes are escaped: the first or none.
    #[inline(always)]
    const fn first_escaped(&mut self) -> u64 {
        std::mem::replace(&mut self.escape, 0)
    }

    /// Returns which bytes are escaped, by the odd or even length of the runs of backslashes before them.
    #[inline(always)]
    const fn escaped(&mut self, slashes: u64, len: usize) -> u64 {
        // The subtraction flips, from the start of each run on, the odd bits up to the byte behind it. What is left are
        // the backslashes that escape, and the bytes that are escaped and no backslashes.
        let unescaped = slashes & !self.escape;
        let codes = ((unescaped << 1) | ODD).wrapping_sub(unescaped) ^ ODD;
        let escaped = codes ^ (slashes | self.escape);
        self.escape = ((codes & slashes) >> (len - 1)) & 1;
        escaped
    }

    /// Walks from closing bracket to closing bracket: the depth is greatest before one, or at the end, and least after
    /// one.
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

    #[inline(always)]
    const fn too_deep(&mut self) -> Skipped {
        *self = Self { open: self.limit.saturating_add(1), string: 0, escape: 0, ..*self };
        Skipped::TooDeep
    }

    /// Skips in any bytes, without masks.
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
    /// Tells the same of a chunk in which so many bytes come first.
    #[inline(always)]
    const fn behind(self, before: usize) -> Self {
        match self {
            Self::End(end) => Self::End(before + end),
            Self::All | Self::TooDeep => self,
        }
    }
}
