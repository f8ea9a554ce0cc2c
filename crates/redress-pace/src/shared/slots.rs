//! The partitions that are watched, as a call sees them: without a lock.

use std::hash::Hasher;
use std::sync::atomic::{AtomicU64, Ordering};

/// A partition is used since the last check.
const USED: u64 = 1;
/// The first load of its record is over.
const LOADED: u64 = 2;
const FLAGS: u64 = USED | LOADED;
/// Twice the maximum number of partitions, so that a search ends soon.
const SLOTS: usize = 2048;
/// The number of slots in which a partition may be.
const WINDOW: usize = 8;

/// Hashes a partition for each call: eight bytes take one multiplication. Two partitions with the same hash count as one: the record
/// of the second is not loaded before its first call. The seed is random, so that a hash cannot be computed from a name alone.
pub(super) struct SlotHasher(u64);

impl SlotHasher {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    const fn mix(&mut self, word: u64) {
        // 2^64 / the golden ratio, rounded to an odd number. Both halves of the product count.
        let product = (self.0 ^ word) as u128 * 0x9e37_79b9_7f4a_7c15;
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }
}

impl Hasher for SlotHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.mix(u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        // The length tells apart what ends in zeros.
        self.mix(u64::from_le_bytes(last) ^ ((bytes.len() as u64) << 56));
    }

    #[inline]
    fn write_u32(&mut self, word: u32) {
        self.mix(word.into());
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

/// A table of hashes of partitions, each with its flags.
///
/// The flags guard no memory. A call that reads them too early looks into the table behind the lock once more.
#[derive(Debug)]
pub(super) struct Slots(Box<[AtomicU64]>);

impl Default for Slots {
    fn default() -> Self {
        Self((0..SLOTS).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Slots {
    /// Returns `true` if a partition is watched and its record was loaded, and marks it as used.
    #[inline]
    pub(super) fn touch(&self, hash: u64) -> bool {
        let Some((slot, value)) = self.find(hash) else { return false };
        // A write only where there is none yet: threads do not contend for the line.
        let is_marked = value & USED != 0
            || slot.compare_exchange(value, value | USED, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        is_marked && value & LOADED != 0
    }

    /// Adds a partition. Returns `false` if its window is full. It is called under the lock.
    pub(super) fn add(&self, hash: u64) -> bool {
        let new = key(hash) | USED;
        let is_free = |slot: &AtomicU64| slot.compare_exchange(0, new, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        self.find(hash).is_some() || self.window(hash).any(is_free)
    }

    /// Records that the first load of a partition is over.
    pub(super) fn set_loaded(&self, hash: u64) {
        if let Some((slot, _)) = self.find(hash) {
            slot.fetch_or(LOADED, Ordering::Relaxed);
        }
    }

    /// Removes a partition that was not used since the last check. Returns `false`, and begins the next check, if it was.
    pub(super) fn remove_unused(&self, hash: u64) -> bool {
        let Some((slot, value)) = self.find(hash) else { return true };
        if value & USED == 0 {
            return slot.compare_exchange(value, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        }
        slot.fetch_and(!USED, Ordering::Relaxed);
        false
    }

    fn find(&self, hash: u64) -> Option<(&AtomicU64, u64)> {
        let values = self.window(hash).map(|slot| (slot, slot.load(Ordering::Relaxed)));
        values.into_iter().find(|(_, value)| value & !FLAGS == key(hash))
    }

    fn window(&self, hash: u64) -> impl Iterator<Item = &AtomicU64> {
        let start = (hash >> 32) as usize % SLOTS;
        (0..WINDOW).map(move |nth| &self.0[(start + nth) % SLOTS])
    }
}

/// Returns the part of a slot that names its partition. It is never 0.
const fn key(hash: u64) -> u64 {
    (hash & !FLAGS) | (FLAGS + 1)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn partitions_that_differ_a_little_have_other_hashes() {
        let hash = |seed: u64, text: &[u8]| {
            let mut hasher = SlotHasher::new(seed);
            hasher.write(text);
            hasher.finish()
        };
        let texts: Vec<_> = (0..10_000).map(|nth| format!("tenant-{nth}.api.example")).collect();
        for seed in [0, 1, 0x5eed, u64::MAX] {
            let hashes: HashSet<_> = texts.iter().map(|text| hash(seed, text.as_bytes())).collect();
            assert_eq!(hashes.len(), texts.len(), "seed {seed}");
            let starts: HashSet<_> = hashes.iter().map(|hash| (hash >> 32) as usize % SLOTS).collect();
            assert!(starts.len() > SLOTS * 9 / 10, "seed {seed}: {} of {SLOTS} slots", starts.len());
        }
        assert_ne!(hash(7, b"a"), hash(7, b"a\0"));
        assert_ne!(hash(7, b"a"), hash(8, b"a"));
    }

    #[test]
    fn a_partition_is_ready_once_it_is_added_and_loaded() {
        let (slots, hash) = (Slots::default(), 0xdead_beef_0123_4560);
        assert!(!slots.touch(hash) && slots.add(hash) && !slots.touch(hash));
        slots.set_loaded(hash);
        assert!(slots.touch(hash) && slots.add(hash) && !slots.touch(hash ^ (1 << 40)));
    }

    #[test]
    fn a_partition_is_removed_at_the_check_after_its_last_use() {
        let (slots, hash) = (Slots::default(), 5);
        slots.add(hash);
        slots.set_loaded(hash);
        for _ in 0..3 {
            assert!(slots.touch(hash) && !slots.remove_unused(hash), "it is in use");
        }
        assert!(slots.remove_unused(hash) && !slots.touch(hash) && slots.remove_unused(hash));
    }

    #[test]
    fn a_full_window_takes_no_other_partition() {
        let slots = Slots::default();
        let hash = |nth: u64| (2_047 << 32) | (nth << 3);
        assert!((1..=WINDOW as u64).all(|nth| slots.add(hash(nth))));
        assert!(!slots.add(hash(99)) && slots.add(hash(1)), "what is there stays");
        assert!(!slots.remove_unused(hash(1)) && slots.remove_unused(hash(1)) && slots.add(hash(99)));
    }
}
