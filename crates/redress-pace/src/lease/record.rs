//! The record of a limit that processes share: who holds permits, and the requests that were sent. Pure: it does no I/O and reads no
//! clock.

use std::collections::BTreeMap;

use super::rule::Rule;

/// The permits of a limit. Its times are milliseconds of a clock of its own, which runs while the record is kept: they differ from
/// record to record, and only differences count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LimitRecord {
    pub(super) now: u64,
    /// The id of the holder that began the record: all states of one record have the same times. 0 for a record that is not written.
    pub(super) begun_by: u64,
    /// Until then no permit is granted: the store went back in time, and the holders report what they have. 0 some time later.
    pub(super) closed_until: u64,
    pub(super) holders: Vec<Lease>,
    /// The requests that were sent, by slots: slot `n` ends at `n` times the length of a slot, and counts for a window after that.
    pub(super) sent: BTreeMap<u64, u32>,
    /// The same of reports since the store went back in time. They are kept apart for a while: what is put back of the lost past
    /// has none of them.
    pub(super) since: BTreeMap<u64, u32>,
}

/// The lease of one holder, the last one that it wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    /// The random id of the holder, which is new at each start of a process.
    pub(super) holder: u64,
    /// The number of this report of the holder.
    pub(super) report: u64,
    /// The permits that it may still spend, for the length of the lease after the grant.
    pub(super) permits: u32,
    pub(super) length: u64,
    pub(super) granted: u64,
}

/// The report of a holder, and the permits that it asks for.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) holder: u64,
    pub(super) report: u64,
    /// The requests that it sent and that the record does not have: their ages and numbers.
    pub(super) sent: Vec<(u64, u32)>,
    /// The permits in its hand, which it keeps, and the requests that it sent since it began to ask, which the next report has.
    pub(super) keep: u32,
    /// The further permits that it asks for.
    pub(super) want: u32,
    pub(super) length: u64,
    /// The holder knows a later state of the record than this one.
    pub(super) went_back: bool,
    /// The holder asks for no more within this lease.
    pub(super) is_slow: bool,
}

/// The answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) permits: u32,
    /// When to ask again for more, in milliseconds from now.
    pub(super) again: u64,
    /// The number of processes that share the limit.
    pub(super) holders: u32,
    /// The record has changed for others. Where many processes wait for few permits, most renewals change nothing, and their
    /// writes would only keep each other from being written.
    pub(super) must_write: bool,
}

impl LimitRecord {
    /// Lets time pass.
    pub(super) fn advance(&mut self, millis: u64) {
        self.now = self.now.saturating_add(millis);
    }

    /// Returns the number of the last report of a holder that the record has.
    pub(super) fn report_of(&self, holder: u64) -> u64 {
        self.lease_of(holder).map_or(0, |lease| lease.report)
    }

    /// Returns the lease of a holder; `None` if it has not reported for so long that the record has forgotten it.
    pub(super) fn lease_of(&self, holder: u64) -> Option<&Lease> {
        self.holders.iter().find(|lease| lease.holder == holder)
    }

    /// Returns the number of holders with a lower id.
    pub(super) fn rank_of(&self, holder: u64) -> u32 {
        u32::try_from(self.holders.iter().filter(|lease| lease.holder < holder).count()).unwrap_or(u32::MAX)
    }

    /// Takes a report, and grants permits.
    ///
    /// # Guarantee
    /// No window holds more requests than the limit, if each holder sends a request only with a permit in its hand, and only until
    /// the length of the lease after it sent the report. A permit counts until it can no longer be spent, and a window longer; a
    /// request that was sent counts for a window.
    pub(super) fn renew(&mut self, rule: &Rule, request: &Request) -> Grant {
        self.remove_over(rule);
        if self.begun_by == 0 {
            self.begun_by = request.holder;
        }
        // One that comes late to a loss which others have noticed closes nothing: they have reported.
        if request.went_back && self.closed_until == 0 {
            // Each holder has asked again by then.
            let longest = self.holders.iter().map(|lease| lease.length).chain([request.length]).max().unwrap_or(0);
            self.closed_until = self.now + longest + longest / 2;
            self.suppose_full_leases(rule, request.holder);
        }
        let is_known = self.is_idle(request.holder, rule.window / 2);
        self.holders.retain(|lease| lease.holder != request.holder);
        for (age, count) in &request.sent {
            let end = self.now.saturating_sub(*age).div_ceil(rule.slot);
            if rule.over_at(end) > self.now {
                let slots = if self.closed_until > 0 { &mut self.since } else { &mut self.sent };
                let slot = slots.entry(end).or_default();
                *slot = slot.saturating_add(*count);
            }
        }
        let (active, holders) = (self.active(0) + 1, self.active(rule.window) + 1);
        let free = u64::from(rule.requests).saturating_sub(self.counted() + u64::from(request.keep));
        let share = u32::try_from(free.div_ceil(u64::from(active))).unwrap_or(u32::MAX);
        let is_closed = self.now < self.closed_until;
        let permits = if is_closed { 0 } else { request.want.min(share).min(rule.largest_grant(request.length)) };
        let (holder, report, length) = (request.holder, request.report, request.length);
        let has_news = !request.sent.is_empty() || request.keep > 0 || request.went_back;
        let must_write = has_news || permits > 0 || !is_known;
        if self.holders.len() >= MAX_HOLDERS && permits == 0 && request.keep == 0 {
            return Grant { permits, again: self.again(rule, length), holders, must_write };
        }
        self.holders.push(Lease {
            holder,
            report,
            permits: request.keep.saturating_add(permits),
            length,
            granted: self.now,
        });
        Grant { permits, again: self.again(rule, length), holders, must_write }
    }

    /// Adds what a later state of the record had, which a store has lost. Both are seen from the same instant, and the times of one
    /// record are the same in all of its states. Those of another one, which was begun since, are moved.
    ///
    /// The requests of a slot are those of the state that knows more of them, never the sum: both states have the same past.
    pub(super) fn restore(&mut self, rule: &Rule, later: &Self) {
        if self.begun_by == 0 || self.begun_by == later.begun_by {
            (self.begun_by, self.now) = (later.begun_by, self.now.max(later.now));
        }
        let is_other = self.begun_by != later.begun_by;
        let moved = if is_other { i128::from(self.now) - i128::from(later.now) } else { 0 };
        let move_by = |time: u64, by: i128| u64::try_from(i128::from(time) + by).unwrap_or(0);
        // The nearest slot: a difference of a few milliseconds between the clocks must not count the past twice.
        let slot = i128::from(rule.slot);
        let slots = (moved + slot / 2).div_euclid(slot);
        for (own, later) in [(&mut self.sent, &later.sent), (&mut self.since, &later.since)] {
            for (end, count) in later {
                let known = own.entry(move_by(*end, slots)).or_default();
                *known = (*known).max(*count);
            }
        }
        for lease in &later.holders {
            if self.report_of(lease.holder) < lease.report {
                self.holders.retain(|old| old.holder != lease.holder);
                self.holders.push(Lease { granted: move_by(lease.granted, moved), ..*lease });
            }
        }
    }

    /// Counts for each other holder twice its share of the time since its last report and of a lease: the record does not know what
    /// it took since. A holder that had ended before the newest report took nothing.
    pub(super) fn suppose_full_leases(&mut self, rule: &Rule, except: u64) {
        let newest = self.holders.iter().map(|lease| lease.granted).max().unwrap_or(0);
        let is_active = |lease: &&mut Lease| lease.granted + 2 * lease.length > newest;
        let active = u32::try_from(self.holders.iter_mut().filter(is_active).count()).unwrap_or(u32::MAX).max(1);
        for lease in self.holders.iter_mut().filter(is_active).filter(|lease| lease.holder != except) {
            let silent = self.now.saturating_sub(lease.granted).min(rule.window);
            let full = rule.largest_grant(silent + lease.length).div_ceil(active);
            (lease.permits, lease.granted) = (lease.permits.max(full), self.now);
        }
    }

    /// Lets that much time pass, in which other processes took what became free, twice as much as they did before, and a grant.
    pub(super) fn suppose_use(&mut self, rule: &Rule, millis: u64, length: u64) {
        let before = self.counted();
        self.advance(millis);
        self.remove_over(rule);
        let after = self.counted();
        let usual = before.saturating_mul(2).saturating_mul(millis.min(rule.window)).div_ceil(rule.window);
        let taken = before.saturating_sub(after) + usual + u64::from(rule.largest_grant(length));
        let taken = taken.min(u64::from(rule.requests).saturating_sub(after));
        let slot = self.sent.entry(self.now.div_ceil(rule.slot)).or_default();
        *slot = slot.saturating_add(u32::try_from(taken).unwrap_or(u32::MAX));
    }

    /// Counts a request of each process, as all of them do while the store is down. Returns `false`, and counts nothing, if that
    /// would exceed the limit.
    pub(super) fn send_for_all(&mut self, rule: &Rule, holders: u32) -> bool {
        let is_free = self.has_free(rule, holders);
        if is_free {
            *self.sent.entry(self.now.div_ceil(rule.slot)).or_default() += holders;
        }
        is_free
    }

    /// Returns `true` if that many permits are free.
    pub(super) fn has_free(&mut self, rule: &Rule, permits: u32) -> bool {
        self.remove_over(rule);
        self.counted() + u64::from(permits) <= u64::from(rule.requests)
    }

    /// Returns the time in milliseconds until the first permit is free that now counts.
    pub(super) fn next_free(&self, rule: &Rule) -> u64 {
        let sent = [&self.sent, &self.since].into_iter().filter_map(|slots| slots.keys().next());
        let sent = sent.map(|end| rule.over_at(*end));
        let leases = self.holders.iter().filter(|lease| lease.permits > 0);
        let leases = leases.map(|lease| lease.granted + lease.length + rule.window).min();
        sent.chain(leases).min().map_or(0, |at| at.saturating_sub(self.now))
    }

    /// Returns the number of permits that are held or spent.
    pub(super) fn counted(&self) -> u64 {
        let sent: u64 = self.sent.values().chain(self.since.values()).map(|count| u64::from(*count)).sum();
        let held: u64 = self.holders.iter().map(|lease| u64::from(lease.permits)).sum();
        sent + held
    }

    /// Returns `true` if a holder has asked within a time, and holds nothing.
    fn is_idle(&self, holder: u64, within: u64) -> bool {
        self.lease_of(holder).is_some_and(|lease| lease.permits == 0 && lease.granted + within > self.now)
    }

    /// Returns the number of holders that asked within twice the length of their lease and a further time.
    fn active(&self, further: u64) -> u32 {
        let is_active = |lease: &&Lease| lease.granted + 2 * lease.length + further > self.now;
        u32::try_from(self.holders.iter().filter(is_active).count()).unwrap_or(u32::MAX)
    }

    /// Returns when to ask again: once something is free, but not twice within a lease, unless the record is closed for less.
    fn again(&self, rule: &Rule, length: u64) -> u64 {
        let closed = self.closed_until.saturating_sub(self.now);
        if closed > 0 {
            return closed;
        }
        let is_full = self.counted() >= u64::from(rule.requests);
        length.max(1).max(if is_full { self.next_free(rule) } else { 0 })
    }

    /// Ends a closing: the reports since the store went back count like those before.
    pub(super) fn open(&mut self) {
        self.closed_until = 0;
        for (end, count) in std::mem::take(&mut self.since) {
            let slot = self.sent.entry(end).or_default();
            *slot = slot.saturating_add(count);
        }
    }

    /// Removes what no longer counts.
    fn remove_over(&mut self, rule: &Rule) {
        let now = self.now;
        if self.closed_until + rule.window / 10 <= now {
            self.open();
        }
        self.sent.retain(|end, _| rule.over_at(*end) > now);
        self.since.retain(|end, _| rule.over_at(*end) > now);
        for lease in &mut self.holders {
            if lease.granted + lease.length + rule.window <= now {
                lease.permits = 0;
            }
        }
        // Its last report is needed for as long as one before it could still be written.
        self.holders.retain(|lease| lease.granted + lease.length + 2 * rule.window > now);
    }
}

/// The maximum number of processes that hold permits of one limit.
const MAX_HOLDERS: usize = 4096;
