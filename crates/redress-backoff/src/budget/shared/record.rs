//! The record of one bucket for all processes, as it is kept in a store, and the settlement of a lease.
//!
//! It is text: a line with its format, a line with the tokens that are free, the number of times that the store went back in
//! time, and how long the bucket stays shut, and a line for each process: its id, the number of its last settlement, its tokens,
//! and the time since then. Times are in milliseconds, and ids hexadecimal.
//! ```text
//! redress-budget 1
//! 374 0 0
//! 00c0ffee00000007 12 84 1500
//! 00c0ffee00000009 3 42 0
//! ```
//! A later version that adds words at the end of a line keeps the number. A format that this program cannot read has a higher one.

use std::fmt::Write as _;
use std::time::Duration;

use redress_store::{Unreadable, read_lines};

use super::POCKET;

/// The first word of the first line.
const NAME: &str = "redress-budget";
/// The number of the format.
const FORMAT: u32 = 1;
/// The minimum of the tokens that a process asks for: three retries.
pub(super) const MIN_LEASE: u32 = 3 * POCKET;
/// The maximum number of processes in a record, which keeps it below 80 KiB.
pub(super) const MAX_PROCESSES: usize = 2_048;
/// A process that has not settled for this long has ended: several times the longest time between two settlements.
pub(super) const SILENCE: Duration = Duration::from_secs(180);

/// The tokens of all processes: those that are free, and those that each process holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BudgetRecord {
    pub(super) free: u32,
    /// How often the store went back in time.
    pub(super) epoch: u64,
    /// The time for which nothing is leased after that.
    shut: Duration,
    leases: Vec<Holding>,
}

/// The tokens of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holding {
    /// A random number, which a process makes for each of its buckets.
    pub(super) id: u64,
    /// The number of the last settlement.
    pub(super) settlement: u64,
    /// The tokens that the process holds at most.
    pub(super) tokens: u32,
    /// The time since the last settlement.
    silent: Duration,
}

/// A process tells how much it holds and has earned, and asks for more. It stays as it is until it has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settlement {
    /// The id of the process.
    pub(super) id: u64,
    /// The settlements of a process are numbered, so that one whose answer was lost is recognized.
    pub(super) number: u64,
    /// The tokens that the process keeps.
    pub(super) holding: u32,
    /// The tokens that it gives back, and those of successes.
    pub(super) earned: u32,
    /// The tokens that it took before its first lease.
    pub(super) owed: u32,
    pub(super) purpose: Purpose,
}

/// The tokens that a settlement asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Calls have asked for tokens: the share of a process.
    Use,
    /// No call has: the tokens of one retry.
    Rest,
    /// The process leaves: nothing.
    Leave,
}

impl Purpose {
    /// Returns the tokens to which a process with this purpose is entitled, of the capacity, among that many processes.
    pub(super) fn share(self, capacity: u32, processes: usize) -> u32 {
        let processes = u32::try_from(processes).unwrap_or(u32::MAX).max(1);
        let share = match self {
            Self::Use => (capacity / processes).max(MIN_LEASE),
            Self::Rest => POCKET,
            Self::Leave => 0,
        };
        share.min(capacity)
    }
}

impl BudgetRecord {
    /// Makes a full bucket.
    pub(super) const fn full(capacity: u32) -> Self {
        Self { free: capacity, epoch: 0, shut: Duration::ZERO, leases: Vec::new() }
    }

    /// Reads a record that was written `age` ago. Processes that have been silent for too long are left out: their tokens count
    /// as spent.
    ///
    /// # Errors
    /// Fails if it has another format.
    pub(super) fn read(bytes: &[u8], age: Duration) -> Result<Self, Unreadable> {
        let mut lines = read_lines(bytes, NAME, FORMAT)?;
        let (free, epoch, shut) = lines.next().and_then(read_head).ok_or(Unreadable::Foreign)?;
        let leases = lines.filter_map(|line| Holding::read(line, age)).take(MAX_PROCESSES).collect();
        Ok(Self { free, epoch, shut: shut.saturating_sub(age), leases })
    }

    /// Returns the bytes to write.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut text = format!("{NAME} {FORMAT}\n{} {} {}\n", self.free, self.epoch, self.shut.as_millis());
        for Holding { id, settlement, tokens, silent } in &self.leases {
            // It cannot fail: a `String` takes any text.
            let _ = writeln!(text, "{id:016x} {settlement} {tokens} {}", silent.as_millis());
        }
        text.into_bytes()
    }

    /// Returns the number of processes.
    pub(super) const fn processes(&self) -> usize {
        self.leases.len()
    }

    /// Returns the lease of a process.
    pub(super) fn holding(&self, id: u64) -> Option<&Holding> {
        self.leases.iter().find(|lease| lease.id == id)
    }

    /// Forgets a process, as after its silence.
    #[cfg(test)]
    pub(super) fn without(mut self, id: u64) -> Self {
        self.leases.retain(|held| held.id != id);
        self
    }

    /// Empties the bucket, because the store went back in time: its tokens may have been leased and spent since. Leases stay, and
    /// those that are lacking come back with the next settlements of their processes; until then nothing is leased.
    pub(super) fn shut(&mut self, epoch: u64, shut: Duration) {
        (self.free, self.epoch, self.shut) = (0, epoch, shut);
    }

    /// Settles with a process, and returns the tokens that it holds from now on: at least those that it keeps. `None` if there
    /// are too many processes.
    pub(super) fn settle(&mut self, capacity: u32, settlement: &Settlement) -> Option<u32> {
        let Settlement { id, number, holding, earned, owed, purpose } = *settlement;
        let own = self.leases.iter().position(|lease| lease.id == id);
        if own.is_none() && self.leases.len() >= MAX_PROCESSES {
            return None;
        }
        let processes = self.leases.len() + usize::from(own.is_none());
        let others = self.leases.iter().filter(|lease| lease.id != id);
        let held = others.fold(holding, |sum, lease| sum.saturating_add(lease.tokens));
        let free = self.free.saturating_add(earned).saturating_sub(owed).min(capacity.saturating_sub(held));
        let wanted = purpose.share(capacity, processes).saturating_sub(holding);
        // Half of what is free is left to the others, unless it is too little to divide.
        let offered = if self.shut.is_zero() { free.div_ceil(2).max(free.min(MIN_LEASE)) } else { 0 };
        let granted = wanted.min(offered);
        self.free = free - granted;
        let tokens = holding + granted;
        let held_now = Holding { id, settlement: number, tokens, silent: Duration::ZERO };
        match own {
            Some(own) => self.leases[own] = held_now,
            None => self.leases.push(held_now),
        }
        Some(tokens)
    }
}

impl Holding {
    /// Reads a line of a record; `None` if it is malformed, or the process has been silent for too long.
    fn read(line: &str, age: Duration) -> Option<Self> {
        let mut words = line.split(' ');
        let id = u64::from_str_radix(words.next()?, 16).ok()?;
        let (settlement, tokens) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let silent = Duration::from_millis(words.next()?.parse().ok()?).saturating_add(age);
        (silent < SILENCE).then_some(Self { id, settlement, tokens, silent })
    }
}

/// Reads the line of the bucket: its free tokens, the epoch, and the time for which it is shut.
fn read_head(line: &str) -> Option<(u32, u64, Duration)> {
    let mut words = line.split(' ');
    let (free, epoch) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some((free, epoch, Duration::from_millis(words.next()?.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn settlement(id: u64, holding: u32, earned: u32) -> Settlement {
        Settlement { id, number: 1, holding, earned, owed: 0, purpose: Purpose::Use }
    }

    #[test]
    fn a_record_is_read_as_it_was_written_less_its_age() {
        let mut record = BudgetRecord::full(500);
        assert_eq!(record.settle(500, &settlement(7, 0, 0)), Some(250), "half is left to the others");
        record.shut(1, 4 * S);
        let bytes = record.write();
        assert_eq!(std::str::from_utf8(&bytes), Ok("redress-budget 1\n0 1 4000\n0000000000000007 1 250 0\n"));
        assert_eq!(BudgetRecord::read(&bytes, Duration::ZERO), Ok(record));
        let late = BudgetRecord::read(&bytes, 3 * S).unwrap();
        assert_eq!((late.shut, late.leases[0].silent), (S, 3 * S));
    }

    #[test]
    fn a_silent_process_is_forgotten_and_its_tokens_are_spent() {
        let mut record = BudgetRecord::full(500);
        record.settle(500, &settlement(7, 0, 0));
        assert_eq!(BudgetRecord::read(&record.write(), SILENCE - S).unwrap().processes(), 1);
        let late = BudgetRecord::read(&record.write(), SILENCE).unwrap();
        assert_eq!((late.processes(), late.free), (0, 250));
    }

    #[test]
    fn a_later_format_is_told_from_other_bytes() {
        let read = |text: &str| BudgetRecord::read(text.as_bytes(), S);
        assert_eq!(read("redress-budget 2\nanything"), Err(Unreadable::Newer));
        for text in ["", "{}", "redress-budget", "redress-budget 0\n1 0 0", "redress-budget 1", "redress-budget 1\n1 0"]
        {
            assert_eq!(read(text), Err(Unreadable::Foreign), "{text}");
        }
        assert_eq!(BudgetRecord::read(&[0xff], S), Err(Unreadable::Foreign));
        let odd = read("redress-budget 1\n9 0 0 more\nx\n1 2\n5 1 14 0 more\n6 1 -1 0\n").unwrap();
        assert_eq!((odd.free, odd.processes(), odd.holding(5).map(|held| held.tokens)), (9, 1, Some(14)));
    }

    #[test]
    fn a_thousand_processes_hold_no_more_than_one() {
        let mut record = BudgetRecord::full(500);
        for id in 0..1_000 {
            record.settle(500, &settlement(id, 0, 0));
        }
        assert_eq!(record.leases.iter().map(|lease| lease.tokens).sum::<u32>() + record.free, 500);
        // One that has spent all of its tokens gets those of the successes that the others report.
        assert_eq!(record.settle(500, &settlement(999, 0, 0)), Some(0));
        record.settle(500, &settlement(0, 0, 0));
        record.settle(500, &settlement(1, 0, 20));
        assert_eq!(record.settle(500, &settlement(999, 0, 0)), Some(0), "the one who reports them is served first");
    }

    #[test]
    fn successes_fill_the_bucket_up_to_its_capacity() {
        let mut record = BudgetRecord::full(500);
        record.settle(500, &settlement(1, 0, 0));
        let rest = Settlement { number: 2, purpose: Purpose::Rest, ..settlement(1, 100, u32::MAX) };
        assert_eq!(record.settle(500, &rest), Some(100), "it keeps what it holds");
        assert_eq!(record.free, 400);
    }

    #[test]
    fn the_share_of_a_process_is_an_equal_part_but_enough_for_three_retries() {
        for (capacity, processes, use_share, rest_share) in
            [(500, 0, 500, 14), (500, 1, 500, 14), (500, 5, 100, 14), (500, 100, 42, 14), (10, 1, 10, 10)]
        {
            let shares =
                [Purpose::Use, Purpose::Rest, Purpose::Leave].map(|purpose| purpose.share(capacity, processes));
            assert_eq!(shares, [use_share, rest_share, 0], "{capacity} {processes}");
        }
    }

    #[test]
    fn a_process_that_settles_again_gets_its_share_and_no_more() {
        let mut record = BudgetRecord::full(500);
        for (id, holding, earned, tokens) in [(1, 0, 0, 250), (2, 0, 0, 125), (1, 0, 250, 188), (1, 188, 0, 250)] {
            assert_eq!(record.settle(500, &settlement(id, holding, earned)), Some(tokens), "{id} {holding} {earned}");
        }
    }

    #[test]
    fn a_full_record_takes_no_further_process() {
        let mut record = BudgetRecord::full(0);
        for id in 0..MAX_PROCESSES as u64 {
            assert_eq!(record.settle(0, &settlement(id, 0, 0)), Some(0));
        }
        assert_eq!(record.settle(0, &settlement(u64::MAX, 0, 0)), None);
        assert_eq!(record.settle(0, &settlement(0, 0, 0)), Some(0));
        assert!(record.write().len() < 80 * 1024);
    }
}
