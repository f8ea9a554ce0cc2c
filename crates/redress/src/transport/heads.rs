//! Which authorities have answered lately: a connection to one that has is not given up for one request.

use std::sync::atomic::{AtomicU64, Ordering};

use http::uri::Authority;

/// How many authorities are told apart at a time. Two that share a slot overwrite each other; then a connection may be
/// given up that was alive, and never the reverse.
const SLOTS: usize = 64;

/// A count of response heads for each slot: which authority had the last one (upper half), and how many there were.
///
/// The counters order nothing else, so that all accesses are relaxed. A lost increment among several at once leaves the
/// count changed all the same.
#[derive(Debug)]
pub(super) struct Heads([AtomicU64; SLOTS]);

/// What was counted for an authority when a request was sent to it.
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

    /// Takes the mark of a request that is about to be sent.
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

    /// Whether a response head came from the authority since the mark was taken.
    pub(super) fn answered_since(&self, mark: Mark) -> bool {
        let now = self.0[mark.slot].load(Ordering::Relaxed);
        now != mark.seen && now >> 32 == u64::from(mark.tag)
    }
}

/// FNV-1a, without regard to the case.
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
        heads.count(heads.mark(&authority("A.test:1")));
        assert!(heads.answered_since(mark));
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
