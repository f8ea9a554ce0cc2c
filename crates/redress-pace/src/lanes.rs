//! Who is next: for each partition a queue and what is due, given the time.

use std::collections::{BTreeMap, HashMap};
use std::task::Waker;

use crate::gcra::Gcra;
use crate::partition::Partition;
use crate::waker::note;

/// How many partitions are counted apart; all further ones share one count, so that no limit is ever exceeded.
const MAX_PARTITIONS: usize = 1024;

/// The queues of one limit. Times are nanoseconds since some beginning.
#[derive(Debug)]
pub(crate) struct Lanes {
    gcra: Gcra,
    map: HashMap<Partition, Lane>,
    shared: Lane,
    next: u64,
}

/// What one partition has sent, and who waits, first come first.
#[derive(Debug, Default)]
struct Lane {
    due: u128,
    queue: BTreeMap<u64, Option<Waker>>,
}

/// Where a call waits.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    /// `None` in the shared lane.
    partition: Option<Partition>,
    id: u64,
}

/// Whether it is a call's turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Now,
    /// It is the first, and has to wait until then.
    At(u128),
    /// Others are before it: it is woken when they are gone.
    Behind,
}

impl Lanes {
    pub(crate) fn new(gcra: Gcra) -> Self {
        Self { gcra, map: HashMap::new(), shared: Lane::default(), next: 0 }
    }

    /// Counts a request that is sent now; returns `false`, and counts nothing, when it has to wait.
    pub(crate) fn send(&mut self, partition: &Partition, now: u128) -> bool {
        let gcra = self.gcra;
        let (_, lane) = self.lane(partition, now);
        match gcra.send(lane.due, now).filter(|_| lane.queue.is_empty()) {
            Some(due) => {
                lane.due = due;
                true
            }
            None => false,
        }
    }

    /// Returns when a call's turn would come if it joined the queue now.
    pub(crate) fn turn(&mut self, partition: &Partition, now: u128) -> u128 {
        let gcra = self.gcra;
        let (_, lane) = self.lane(partition, now);
        gcra.turn(lane.due, now, lane.queue.len() as u64)
    }

    /// Joins the end of the queue.
    pub(crate) fn join(&mut self, partition: &Partition, now: u128) -> Ticket {
        let id = self.next;
        self.next += 1;
        let (is_shared, lane) = self.lane(partition, now);
        lane.queue.insert(id, None);
        Ticket { partition: (!is_shared).then(|| partition.clone()), id }
    }

    /// Returns whether it is a call's turn, and notes whom to wake; also returns a waker that is no longer needed, to be
    /// dropped outside of the lock.
    pub(crate) fn look(&mut self, ticket: &Ticket, now: u128, waker: &Waker) -> (Turn, Option<Waker>) {
        let gcra = self.gcra;
        let Some(lane) = self.of(ticket) else { return (Turn::Now, None) };
        let is_first = lane.is_first(ticket);
        let stale = lane.queue.get_mut(&ticket.id).and_then(|slot| note(slot, waker));
        let turn = match gcra.turn(lane.due, now, 0) {
            _ if !is_first => Turn::Behind,
            at if at == now => Turn::Now,
            at => Turn::At(at),
        };
        (turn, stale)
    }

    /// Returns `true` if a call is the first in its queue and may be sent now.
    pub(crate) fn is_due(&mut self, ticket: &Ticket, now: u128) -> bool {
        let gcra = self.gcra;
        let Some(lane) = self.of(ticket) else { return false };
        lane.is_first(ticket) && gcra.turn(lane.due, now, 0) == now
    }

    /// Counts the request of the first in the queue, which is sent now; `false` when it is not its turn.
    pub(crate) fn send_first(&mut self, ticket: &Ticket, now: u128) -> bool {
        let gcra = self.gcra;
        let Some(lane) = self.of(ticket) else { return false };
        let is_first = lane.is_first(ticket);
        match gcra.send(lane.due, now).filter(|_| is_first) {
            Some(due) => {
                lane.due = due;
                true
            }
            None => false,
        }
    }

    /// Leaves the queue; returns its own waker, to be dropped, and that of the call which is first from now on.
    pub(crate) fn leave(&mut self, ticket: &Ticket) -> (Option<Waker>, Option<Waker>) {
        let Some(lane) = self.of(ticket) else { return (None, None) };
        let was_first = lane.is_first(ticket);
        let own = lane.queue.remove(&ticket.id).flatten();
        (own, if was_first { lane.first() } else { None })
    }

    /// Returns the waker of the first who waits in a partition.
    pub(crate) fn first(&self, partition: &Partition) -> Option<Waker> {
        self.map.get(partition).unwrap_or(&self.shared).first()
    }

    fn of(&mut self, ticket: &Ticket) -> Option<&mut Lane> {
        match &ticket.partition {
            None => Some(&mut self.shared),
            Some(partition) => self.map.get_mut(partition),
        }
    }

    /// Finds the lane of a partition, or makes one; `true` when it is the shared one.
    fn lane(&mut self, partition: &Partition, now: u128) -> (bool, &mut Lane) {
        if !self.map.contains_key(partition) {
            if self.map.len() >= MAX_PARTITIONS {
                self.map.retain(|_, lane| lane.due > now || !lane.queue.is_empty());
            }
            if self.map.len() >= MAX_PARTITIONS {
                return (true, &mut self.shared);
            }
            // What it sent while there was no room for it was counted there.
            let lane = Lane { due: self.shared.due, queue: BTreeMap::new() };
            self.map.insert(partition.clone(), lane);
        }
        (false, self.map.get_mut(partition).unwrap_or(&mut self.shared))
    }
}

impl Lane {
    fn is_first(&self, ticket: &Ticket) -> bool {
        self.queue.first_key_value().is_some_and(|(id, _)| *id == ticket.id)
    }

    fn first(&self) -> Option<Waker> {
        self.queue.first_key_value().and_then(|(_, waker)| waker.clone())
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
    fn lanes() -> Lanes {
        Lanes::new(Gcra::of(NonZeroU32::new(2).unwrap(), Duration::from_nanos(10), NonZeroU32::MIN))
    }

    fn look(lanes: &mut Lanes, ticket: &Ticket, now: u128) -> Turn {
        lanes.look(ticket, now, Waker::noop()).0
    }

    #[test]
    fn those_who_came_first_go_first_and_nobody_overtakes() {
        let (mut lanes, a) = (lanes(), partition("a"));
        assert!(lanes.send(&a, 0));
        let tickets: Vec<_> = (0..3).map(|_| lanes.join(&a, 1)).collect();
        assert_eq!(lanes.turn(&a, 1), 20, "three are before the next one");
        assert_eq!(look(&mut lanes, &tickets[0], 4), Turn::At(5));
        assert_eq!(look(&mut lanes, &tickets[0], 5), Turn::Now, "no timer is needed for a turn that has come");
        assert_eq!(look(&mut lanes, &tickets[1], 100), Turn::Behind, "however late it is");
        assert!(!lanes.send(&a, 100), "nobody overtakes those who wait");
        assert!(!lanes.send_first(&tickets[1], 100));
        assert!(!lanes.send_first(&tickets[0], 4), "too early");
        assert!(lanes.send_first(&tickets[0], 5));
        lanes.leave(&tickets[0]);
        assert_eq!(look(&mut lanes, &tickets[1], 6), Turn::At(10));
    }

    #[test]
    fn who_leaves_gives_the_place_to_the_next_and_uses_up_nothing() {
        let (mut lanes, a) = (lanes(), partition("a"));
        assert!(lanes.send(&a, 0));
        let tickets: Vec<_> = (0..3).map(|_| lanes.join(&a, 1)).collect();
        for ticket in &tickets {
            look(&mut lanes, ticket, 1);
        }
        assert!(lanes.leave(&tickets[1]).1.is_none(), "nobody became the first");
        assert!(lanes.leave(&tickets[0]).1.is_some(), "the next one is woken");
        assert_eq!(look(&mut lanes, &tickets[2], 1), Turn::At(5), "the slot is its own now");
        lanes.leave(&tickets[2]);
        assert_eq!(lanes.turn(&a, 1), 5);
        assert!(lanes.send(&a, 5));
    }

    #[test]
    fn partitions_are_counted_apart_while_there_is_room_and_never_too_leniently() {
        let mut lanes = lanes();
        for n in 0..MAX_PARTITIONS {
            assert!(lanes.send(&partition(&n.to_string()), 0));
        }
        assert!(lanes.send(&partition("one too many"), 0));
        assert!(!lanes.send(&partition("another"), 4), "they share a count");
        assert_eq!(lanes.map.len(), MAX_PARTITIONS);
        assert!(lanes.send(&partition("another"), 5), "there is room, and what was shared is over");
        assert_eq!(lanes.map.len(), 1);
        assert!(!lanes.send(&partition("another"), 9));
    }
}
