//! The queues of one limit, one for each partition. They are given the time, and so deterministic.

use std::collections::{BTreeMap, HashMap};
use std::task::Waker;

use crate::gcra::Gcra;
use crate::lease::{Permits, Rule};
use crate::partition::Partition;
use crate::waker::register;

/// The maximum number of partitions that are counted apart. All further ones share one count, so that no limit is exceeded.
const MAX_PARTITIONS: usize = 1024;

/// The queues of one limit. Times are nanoseconds since an epoch.
#[derive(Debug)]
pub(crate) struct KeyedQueues {
    gcra: Gcra,
    /// The law of a limit that processes share.
    rule: Option<Rule>,
    /// The partitions whose permits no task renews yet.
    unstarted: Vec<Partition>,
    /// The partitions that are counted apart, and where each of them is.
    queues: Vec<(Partition, Queue)>,
    index: HashMap<Partition, usize>,
    /// The one that was used last: most clients have one partition, and find it by a comparison, without a hash.
    last: usize,
    shared: Queue,
    next_id: u64,
}

/// The count and the queue of one partition, first in, first out.
#[derive(Debug, Default)]
struct Queue {
    /// The theoretical arrival time, see [`Gcra`].
    tat: u128,
    calls: BTreeMap<u64, Option<Waker>>,
    /// The permits of a limit that processes share.
    permits: Option<Permits>,
}

/// The slot of a call in a queue.
#[derive(Clone, Debug)]
pub(crate) struct QueueSlot {
    /// `None` in the shared queue.
    partition: Option<Partition>,
    id: u64,
}

/// Whether the call of a slot may be sent, with a time in nanoseconds or as an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlotState<T> {
    /// It is the first, and may be sent now.
    Ready,
    /// It is the first, and may be sent at this time.
    At(T),
    /// Others are before it. It is woken when it becomes the first.
    Behind,
}

impl<T> SlotState<T> {
    /// Returns the time, if there is one.
    pub(crate) fn time(self) -> Option<T> {
        if let Self::At(time) = self { Some(time) } else { None }
    }

    /// Converts the time.
    pub(crate) fn map<U>(self, convert: impl FnOnce(T) -> U) -> SlotState<U> {
        match self {
            Self::Ready => SlotState::Ready,
            Self::At(time) => SlotState::At(convert(time)),
            Self::Behind => SlotState::Behind,
        }
    }
}

impl KeyedQueues {
    pub(crate) fn new(gcra: Gcra, rule: Option<Rule>) -> Self {
        Self {
            gcra,
            rule,
            unstarted: Vec::new(),
            queues: Vec::new(),
            index: HashMap::new(),
            last: 0,
            shared: Queue::default(),
            next_id: 0,
        }
    }

    /// Takes the partitions whose permits no task renews yet.
    pub(crate) fn take_unstarted(&mut self) -> Vec<Partition> {
        std::mem::take(&mut self.unstarted)
    }

    /// Returns the permits of a partition, and the number of calls in its queue.
    pub(crate) fn permits(&mut self, partition: &Partition) -> Option<(&mut Permits, u32)> {
        let queue = self.known(partition)?;
        let waiting = u32::try_from(queue.calls.len()).unwrap_or(u32::MAX);
        queue.permits.as_mut().map(|permits| (permits, waiting))
    }

    /// Counts the requests of a partition in this process alone from now on.
    pub(crate) fn end_sharing(&mut self, partition: &Partition) {
        if let Some(queue) = self.known(partition) {
            queue.permits = None;
        }
    }

    /// Counts a request that is sent now; returns `false`, and counts nothing, if it must wait.
    pub(crate) fn try_send(&mut self, partition: &Partition, now: u128) -> bool {
        let gcra = self.gcra;
        let (_, queue) = self.queue(partition, now);
        queue.calls.is_empty() && queue.try_send(gcra, now)
    }

    /// Returns the earliest time for a call that would join the queue now.
    pub(crate) fn earliest(&mut self, partition: &Partition, now: u128) -> u128 {
        let gcra = self.gcra;
        let (_, queue) = self.queue(partition, now);
        let ahead = queue.calls.len() as u64;
        queue.earliest(gcra, now, ahead)
    }

    /// Adds a call at the end of the queue.
    pub(crate) fn enqueue(&mut self, partition: &Partition, now: u128) -> QueueSlot {
        let id = self.next_id;
        self.next_id += 1;
        let (is_shared, queue) = self.queue(partition, now);
        queue.calls.insert(id, None);
        QueueSlot { partition: (!is_shared).then(|| partition.clone()), id }
    }

    /// Returns the state of a slot, and registers the waker of its call. The second value is the waker that it replaces, to
    /// be dropped outside the lock.
    pub(crate) fn poll_slot(&mut self, slot: &QueueSlot, now: u128, waker: &Waker) -> (SlotState<u128>, Option<Waker>) {
        let gcra = self.gcra;
        let Some(queue) = self.queue_of(slot) else { return (SlotState::Ready, None) };
        let is_first = queue.is_first(slot);
        let replaced = queue.calls.get_mut(&slot.id).and_then(|registered| register(registered, waker));
        let state = match queue.earliest(gcra, now, 0) {
            _ if !is_first => SlotState::Behind,
            at if at == now => SlotState::Ready,
            at => SlotState::At(at),
        };
        (state, replaced)
    }

    /// Returns `true` if a call is the first in its queue and may be sent now.
    pub(crate) fn is_ready(&mut self, slot: &QueueSlot, now: u128) -> bool {
        let gcra = self.gcra;
        let Some(queue) = self.queue_of(slot) else { return false };
        queue.is_first(slot) && queue.earliest(gcra, now, 0) == now
    }

    /// Counts the request of the first call in its queue, which is sent now; returns `false`, and counts nothing, if it must
    /// wait.
    pub(crate) fn try_send_first(&mut self, slot: &QueueSlot, now: u128) -> bool {
        let gcra = self.gcra;
        let Some(queue) = self.queue_of(slot) else { return false };
        queue.is_first(slot) && queue.try_send(gcra, now)
    }

    /// Removes a call from its queue. Returns its waker, to be dropped, and that of the call which becomes the first.
    pub(crate) fn remove(&mut self, slot: &QueueSlot) -> (Option<Waker>, Option<Waker>) {
        let Some(queue) = self.queue_of(slot) else { return (None, None) };
        let was_first = queue.is_first(slot);
        let own = queue.calls.remove(&slot.id).flatten();
        (own, if was_first { queue.first_waker() } else { None })
    }

    /// Returns the waker of the first call in the queue of a partition.
    pub(crate) fn first_waker(&self, partition: &Partition) -> Option<Waker> {
        let queue = self.index.get(partition).map_or(&self.shared, |at| &self.queues[*at].1);
        queue.first_waker()
    }

    /// Returns the queue of a slot.
    fn queue_of(&mut self, slot: &QueueSlot) -> Option<&mut Queue> {
        match &slot.partition {
            None => Some(&mut self.shared),
            Some(partition) => self.known(partition),
        }
    }

    /// Returns the queue of a partition, which is created if there is room; `true` for the shared one.
    fn queue(&mut self, partition: &Partition, now: u128) -> (bool, &mut Queue) {
        let Some(at) = self.position(partition).or_else(|| self.insert(partition, now)) else {
            return (true, &mut self.shared);
        };
        (false, &mut self.queues[at].1)
    }

    /// Returns the queue of a partition that is counted apart.
    fn known(&mut self, partition: &Partition) -> Option<&mut Queue> {
        let at = self.position(partition)?;
        Some(&mut self.queues[at].1)
    }

    /// Returns where the queue of a partition is.
    fn position(&mut self, partition: &Partition) -> Option<usize> {
        if !self.queues.get(self.last).is_some_and(|(last, _)| last == partition) {
            self.last = *self.index.get(partition)?;
        }
        Some(self.last)
    }

    /// Creates the queue of a partition if there is room, and returns where it is.
    fn insert(&mut self, partition: &Partition, now: u128) -> Option<usize> {
        if self.queues.len() >= MAX_PARTITIONS {
            self.queues.retain(|(_, queue)| queue.tat > now || !queue.calls.is_empty());
            self.index = self.queues.iter().enumerate().map(|(at, (partition, _))| (partition.clone(), at)).collect();
        }
        if self.queues.len() >= MAX_PARTITIONS {
            return None;
        }
        // The requests that the partition sent while there was no room for it were counted in the shared queue.
        let permits = self.rule.map(Permits::new);
        self.unstarted.extend(permits.as_ref().map(|_| partition.clone()));
        self.last = self.queues.len();
        self.queues.push((partition.clone(), Queue { tat: self.shared.tat, calls: BTreeMap::new(), permits }));
        self.index.insert(partition.clone(), self.last);
        Some(self.last)
    }
}

/// Returns whole milliseconds, which count permits. Divided in 64 bits it is a multiplication, in 128 bits a call.
pub(crate) fn millis(nanos: u128) -> u64 {
    u64::try_from(nanos).map_or(u64::MAX, |nanos| nanos / 1_000_000)
}

impl Queue {
    /// Counts a request that is sent now; returns `false`, and counts nothing, if it must wait.
    fn try_send(&mut self, gcra: Gcra, now: u128) -> bool {
        let Some(tat) = gcra.try_send(self.tat, now) else { return false };
        if self.permits.as_mut().is_some_and(|permits| !permits.try_send(millis(now))) {
            return false;
        }
        self.tat = tat;
        true
    }

    /// Returns the earliest time for a call with so many others ahead; without permits of a shared limit, when to look again.
    fn earliest(&mut self, gcra: Gcra, now: u128, ahead: u64) -> u128 {
        let at = gcra.earliest(self.tat, now, ahead);
        let Some(permits) = &mut self.permits else { return at };
        let now = millis(now);
        let permitted = permits.earliest(ahead, now);
        if permitted <= now { at } else { at.max(u128::from(permitted) * 1_000_000) }
    }

    fn is_first(&self, slot: &QueueSlot) -> bool {
        self.calls.first_key_value().is_some_and(|(id, _)| *id == slot.id)
    }

    fn first_waker(&self) -> Option<Waker> {
        self.calls.first_key_value().and_then(|(_, waker)| waker.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use super::*;

    fn partition(name: &str) -> Partition {
        Partition::new(&http::Uri::default(), &http::HeaderMap::new(), Some(name.to_owned()))
    }

    /// Two requests in 10 ns, one at a time: 5 ns apart.
    fn queues() -> KeyedQueues {
        KeyedQueues::new(Gcra::new(NonZeroU32::new(2).unwrap(), Duration::from_nanos(10), NonZeroU32::MIN), None)
    }

    fn poll(queues: &mut KeyedQueues, slot: &QueueSlot, now: u128) -> SlotState<u128> {
        queues.poll_slot(slot, now, Waker::noop()).0
    }

    #[test]
    fn calls_are_sent_in_the_order_of_arrival() {
        let (mut queues, a) = (queues(), partition("a"));
        assert!(queues.try_send(&a, 0));
        let slots: Vec<_> = (0..3).map(|_| queues.enqueue(&a, 1)).collect();
        assert_eq!(queues.earliest(&a, 1), 20, "three are before the next one");
        assert_eq!(poll(&mut queues, &slots[0], 4), SlotState::At(5));
        assert_eq!(poll(&mut queues, &slots[0], 5), SlotState::Ready, "a time that has come needs no timer");
        assert_eq!(poll(&mut queues, &slots[1], 100), SlotState::Behind, "however late it is");
        assert!(!queues.try_send(&a, 100), "a new call does not overtake the queue");
        assert!(!queues.try_send_first(&slots[1], 100));
        assert!(!queues.try_send_first(&slots[0], 4), "too early");
        assert!(queues.try_send_first(&slots[0], 5));
        queues.remove(&slots[0]);
        assert_eq!(poll(&mut queues, &slots[1], 6), SlotState::At(10));
    }

    #[test]
    fn a_removed_call_counts_nothing_and_leaves_its_time_to_the_next() {
        let (mut queues, a) = (queues(), partition("a"));
        assert!(queues.try_send(&a, 0));
        let slots: Vec<_> = (0..3).map(|_| queues.enqueue(&a, 1)).collect();
        for slot in &slots {
            poll(&mut queues, slot, 1);
        }
        assert!(queues.remove(&slots[1]).1.is_none(), "the first is the same as before");
        assert!(queues.remove(&slots[0]).1.is_some(), "the next one is woken");
        assert_eq!(poll(&mut queues, &slots[2], 1), SlotState::At(5), "it has the next time");
        queues.remove(&slots[2]);
        assert_eq!(queues.earliest(&a, 1), 5);
        assert!(queues.try_send(&a, 5));
    }

    #[test]
    fn partitions_beyond_the_maximum_share_one_count() {
        let mut queues = queues();
        for n in 0..MAX_PARTITIONS {
            assert!(queues.try_send(&partition(&n.to_string()), 0));
        }
        assert!(queues.try_send(&partition("one too many"), 0));
        assert!(!queues.try_send(&partition("another"), 4), "they share a count");
        assert_eq!(queues.queues.len(), MAX_PARTITIONS);
        assert!(queues.try_send(&partition("another"), 5), "there is room, and the shared count is over");
        assert_eq!(queues.queues.len(), 1);
        assert!(!queues.try_send(&partition("another"), 9));
    }
}
