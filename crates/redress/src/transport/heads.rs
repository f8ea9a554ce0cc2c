//! Counts response heads per authority: a connection is not closed for one silent request if its authority has answered
//! others.

use std::sync::atomic::{AtomicU64, Ordering};

use http::uri::Authority;

/// The number of slots. Two authorities that share a slot overwrite each other; then a live connection may be closed, and
/// never a dead one kept.
const SLOTS: usize = 64;

/// For each slot a tag of the authority that had the last response head (upper half), and the count of heads.
///
/// The counters order no other memory, so that all accesses are relaxed. If one of several increments at once is lost, the
/// count has changed nevertheless.
#[derive(Debug)]
pub(super) struct Heads([AtomicU64; SLOTS]);

/// The count of an authority at the time when a request was sent to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    slot: usize,
    tag: u32,
    seen: u64,
}

impl Heads {
    pub(super) fn new() -> Self {
        Self([const { AtomicU64::new(0) }; SLOTS])
    }

    /// Returns the mark for a request that is about to be sent.
    pub(super) fn mark(&self, authority: &Authority) -> Mark {
        let hash = hash(authority);
        #[expect(clippy::cast_possible_truncation, reason = "the lower bits choose the slot")]
        let slot = hash as usize % SLOTS;
        let tag = u32::try_from(hash >> 32).unwrap_or_default();
        Mark { slot, tag, seen: self.0[slot].load(Ordering::Relaxed) }
    }

    /// Counts a response head for the authority of a mark.
    pub(super) fn count(&self, mark: Mark) {
        let slot = &self.0[mark.slot];
        let count = (slot.load(Ordering::Relaxed) & u64::from(u32::MAX)).wrapping_add(1) & u64::from(u32::MAX);
        slot.store(u64::from(mark.tag) << 32 | count, Ordering::Relaxed);
    }

    /// Returns `true` if a response head came from the authority since the mark was taken.
    pub(super) fn answered_since(&self, mark: Mark) -> bool {
        let now = self.0[mark.slot].load(Ordering::Relaxed);
        now != mark.seen && now >> 32 == u64::from(mark.tag)
    }
}

/// Hashes by FNV-1a, ignoring ASCII case.
fn hash(authority: &Authority) -> u64 {
    authority.as_str().bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(text: &str) -> Authority {
        text.parse().unwrap()
    }

    #[test]
    fn only_a_head_of_the_same_authority_after_the_mark_counts() {
        let heads = Heads::new();
        let (one, other) = (authority("a.test:1"), authority("b.test:1"));
        heads.count(heads.mark(&one));
        let mark = heads.mark(&one);
        assert!(!heads.answered_since(mark), "the head came before the mark");
        heads.count(heads.mark(&other));
        assert!(!heads.answered_since(mark), "the head is another's");
        for heads_since in 1..5 {
            heads.count(heads.mark(&authority("A.test:1")));
            assert!(heads.answered_since(mark), "{heads_since}");
        }
    }

    #[test]
    fn authorities_that_share_a_slot_never_vouch_for_each_other() {
        let heads = Heads::new();
        let one = authority("a.test:1");
        let mark = heads.mark(&one);
        let sharing = (0..10_000)
            .map(|nth| authority(&format!("h{nth}.test")))
            .filter(|other| heads.mark(other).slot == mark.slot);
        let mut count = 0;
        for other in sharing {
            heads.count(heads.mark(&other));
            assert!(!heads.answered_since(mark), "{other}");
            count += 1;
        }
        assert!(count > 50, "{count} share the slot");
        heads.count(mark);
        assert!(heads.answered_since(mark));
    }
}
