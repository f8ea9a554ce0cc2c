//! One process that holds permits of a shared limit. Pure: it is given the time, in milliseconds of the monotonic clock.

use std::collections::VecDeque;

use super::record::{Grant, LimitRecord, Request};
use super::rule::Rule;

/// The state of one process.
#[derive(Debug)]
pub(super) struct Holder {
    id: u64,
    /// Permits that may be spent before `until`.
    in_hand: u32,
    until: u64,
    /// The permits at the last renewal, of which a quarter is the low-water mark.
    renewed: u32,
    /// The length of its leases, and its rate of requests a millisecond.
    length: u64,
    rate: f64,
    /// The requests that were sent since the last report: their slots, the time of the last one, and their number.
    sent: Vec<(u64, u64, u32)>,
    /// Former reports, by number, with the times and numbers of the requests; back to a window ago.
    reports: VecDeque<(u64, Vec<(u64, u32)>)>,
    /// The number of the last report, and of the last one that is known to be written.
    report: u64,
    written: u64,
    /// When it may ask next, and when it asked last.
    again: u64,
    asked: u64,
    /// By how much the clock of the record is ahead of its own, at least.
    ahead: Option<i128>,
    /// The last record that it knows, with the time.
    known: Option<(LimitRecord, u64)>,
    /// The number of processes that were seen last, this one included, and how many of them have a lower id.
    holders: u32,
    rank: u32,
    /// Since when the store does not answer, and the record as it would be, with the time.
    down: Option<u64>,
    supposed: Option<(LimitRecord, u64)>,
    /// The end of the last cool-down.
    slow_from: u64,
}

/// The number of processes that one supposes which has never reached the store.
const UNKNOWN_HOLDERS: u32 = 8;

/// A renewal in flight: the number of its report.
#[derive(Clone, Copy, Debug)]
pub(super) struct Renewal {
    report: u64,
}

impl Holder {
    pub(super) fn new(id: u64, rule: &Rule) -> Self {
        Self {
            id,
            in_hand: 0,
            until: 0,
            renewed: 0,
            length: rule.lease(0.0),
            rate: 0.0,
            sent: Vec::new(),
            reports: VecDeque::new(),
            report: 0,
            written: 0,
            again: 0,
            asked: 0,
            ahead: None,
            known: None,
            holders: 1,
            rank: 0,
            down: None,
            supposed: None,
            slow_from: 0,
        }
    }

    /// Returns the number of permits that can be spent now.
    pub(super) fn permits(&self, now: u64) -> u32 {
        if now < self.until { self.in_hand } else { 0 }
    }

    /// Spends a permit for a request that is sent now; returns `false` without one.
    pub(super) fn try_send(&mut self, rule: &Rule, now: u64) -> bool {
        if self.permits(now) == 0 && !self.send_without_store(rule, now) {
            return false;
        }
        self.in_hand = self.in_hand.saturating_sub(u32::from(now < self.until));
        // Most requests are in the slot of the one before. A product tells, in a tenth of the time of a quotient.
        let is_in = |slot: u64| {
            let end = slot.saturating_mul(rule.slot);
            now <= end && end < now.saturating_add(rule.slot)
        };
        match self.sent.last_mut().filter(|(slot, ..)| is_in(*slot)) {
            Some((_, at, count)) => (*at, *count) = (now, *count + 1),
            None => self.sent.push((now.div_ceil(rule.slot), now, 1)),
        }
        true
    }

    /// Returns `true` if it is time to ask for more: at a quarter of the permits or of the lease, or when permits can no longer be
    /// spent and others could have them.
    pub(super) fn is_due(&self, waiting: bool, now: u64) -> bool {
        if now < self.again {
            return false;
        }
        let is_low = self.permits(now) <= self.renewed / 4 || self.last_quarter() <= now;
        let has_unused = self.in_hand > 0 && self.until <= now;
        has_unused || (is_low && (waiting || !self.sent.is_empty()))
    }

    /// Begins slowly after a cool-down that ends then.
    pub(super) fn start_slowly(&mut self, from: u64) {
        self.slow_from = self.slow_from.max(from);
    }

    /// Returns `true` shortly after a cool-down.
    fn is_slow(&self, rule: &Rule, now: u64) -> bool {
        self.slow_from > 0 && (self.slow_from..self.slow_from.saturating_add(rule.window / 10)).contains(&now)
    }

    /// Returns when it may be due by the passing of time alone.
    pub(super) fn due_at(&self, now: u64) -> u64 {
        let ends = [self.again, self.last_quarter(), if self.in_hand > 0 { self.until } else { 0 }];
        ends.into_iter().filter(|at| now < *at).min().unwrap_or(u64::MAX)
    }

    /// Returns when the last quarter of the lease begins.
    fn last_quarter(&self) -> u64 {
        self.until.saturating_sub(self.length / 4)
    }

    /// Returns when a request without a permit may find one: a time after now.
    pub(super) fn expected(&self, rule: &Rule, now: u64) -> u64 {
        let answer = now + (self.length / 8).clamp(1, 50);
        if let (Some((record, at)), true) = (&self.supposed, self.goes_without(now)) {
            return answer.max(at + record.next_free(rule));
        }
        // In flight it may come at any time.
        if self.again == u64::MAX { answer } else { answer.max(self.again) }
    }

    /// Begins a renewal: what was sent so far is a report.
    pub(super) fn begin(&mut self, rule: &Rule, now: u64) -> Renewal {
        let sent: Vec<_> = self.sent.drain(..).map(|(_, at, count)| (at, count)).collect();
        let total: u32 = sent.iter().map(|(_, count)| count).sum();
        let took = now.saturating_sub(self.asked).max(1);
        self.rate = if self.asked == 0 { 0.0 } else { (self.rate + f64::from(total) / took as f64) / 2.0 };
        self.length = rule.lease(self.rate);
        // The record may count what it has as part of a shorter lease from now on.
        self.until = self.until.min(now + self.length);
        self.report += 1;
        self.reports.push_back((self.report, sent));
        let is_old = |at: u64| at + rule.window + rule.slot < now;
        while self.reports.front().is_some_and(|(_, sent)| sent.iter().all(|(at, _)| is_old(*at)))
            && self.reports.len() > 1
        {
            self.reports.pop_front();
        }
        (self.asked, self.again) = (now, u64::MAX);
        Renewal { report: self.report }
    }

    /// Returns the request of a renewal, given the record as it is now; `waiting` calls have no permit. If the record is `lost`, or
    /// lacks a report of this holder, what it had is put back first.
    pub(super) fn request(
        &mut self,
        rule: &Rule,
        renewal: Renewal,
        record: &mut LimitRecord,
        (waiting, lost): (u32, bool),
        now: u64,
    ) -> Request {
        let lost = lost || (record.report_of(self.id) < self.written && !self.is_forgotten(rule, record, now));
        if let Some((known, at)) = self.known.as_ref().filter(|_| lost) {
            let mut known = known.clone();
            known.advance(now.saturating_sub(*at));
            record.restore(rule, &known);
        }
        let stored = record.report_of(self.id);
        self.set_clock(record, lost, now);
        let went_back = lost || self.goes_without(now);
        if self.written < stored {
            // An answer was lost, and the store works.
            (self.written, self.down, self.supposed) = (stored, None, None);
        }
        let reports = self.reports.iter().filter(|(report, _)| *report > stored);
        let sent =
            reports.flat_map(|(_, sent)| sent).map(|(at, count)| (self.asked.saturating_sub(*at), *count)).collect();
        let is_idle = waiting == 0 && self.reports.back().is_none_or(|(_, sent)| sent.is_empty());
        let needed = (self.rate * self.length as f64 * 1.5) as u32;
        let target = if is_idle { 0 } else { needed.saturating_add(waiting) };
        let in_hand = self.permits(now);
        let is_slow = self.is_slow(rule, now);
        let most = if is_slow { rule.share(self.length, record.holders.len()) } else { rule.requests };
        Request {
            holder: self.id,
            report: renewal.report,
            sent,
            keep: in_hand.saturating_add(self.unreported()),
            want: target.saturating_sub(in_hand).min(most),
            length: self.length,
            went_back,
            is_slow,
        }
    }

    /// Returns the number of requests that were sent since the last report.
    fn unreported(&self) -> u32 {
        self.sent.iter().map(|(_, _, count)| count).sum()
    }

    /// Returns `true` if the record has forgotten this process, as it does two windows after its last report. That was written half a
    /// window before the last renewal at most.
    fn is_forgotten(&self, rule: &Rule, record: &LimitRecord, now: u64) -> bool {
        let is_silent = self.known.as_ref().is_some_and(|(_, at)| at + rule.window + rule.window / 2 <= now);
        is_silent && record.lease_of(self.id).is_none()
    }

    /// Advances the clock of a record to what it is at least. It loses the time between the read and the write of each renewal, and
    /// would keep what was sent for too long: by an eighth of the window if eight processes renew a limit for 3 s in 1 ms.
    ///
    /// The read was after `asked` and before `now`, so the clock is never ahead of the time that has passed.
    fn set_clock(&mut self, record: &mut LimitRecord, lost: bool, now: u64) {
        // Without a report of this process it may be another record, with another clock.
        if lost || record.report_of(self.id) == 0 {
            self.ahead = None;
        }
        if let Some(ahead) = self.ahead {
            record.now = record.now.max(u64::try_from(i128::from(self.asked) + ahead).unwrap_or(0));
        }
        self.ahead = self.ahead.max(Some(i128::from(record.now) - i128::from(now)));
    }

    /// Takes the answer to a renewal whose request was made at `requested`, when it kept so many permits: the record is written,
    /// unless it need not be.
    /// The jitter is uniform over all of `u32`: processes do not ask together.
    pub(super) fn granted(
        &mut self,
        request: &Request,
        (grant, record): (Grant, LimitRecord),
        requested: u64,
        jitter: u32,
    ) {
        self.in_hand = request.keep.saturating_add(grant.permits).saturating_sub(self.unreported());
        self.until = self.asked + request.length;
        self.renewed = self.in_hand;
        if grant.must_write {
            // A full record does not keep the report of a process that has nothing.
            self.written = record.report_of(self.id);
        }
        self.holders = grant.holders;
        self.rank = record.rank_of(self.id);
        let pause = match grant.permits {
            permits if permits == request.want && !request.is_slow => request.length / 8,
            // Others know by the end of the lease what it has sent, also if the store goes back in time meanwhile.
            1.. => grant.again.min(request.length),
            0 => grant.again,
        };
        let jitter = (u64::from(jitter) * (request.length / 4)) >> 32;
        self.again = requested + pause + jitter;
        (self.known, self.down, self.supposed) = (Some((record, requested)), None, None);
    }

    /// Records that other processes wrote each time. It asks again after a pause.
    pub(super) fn crowded(&mut self, now: u64) {
        self.again = now + (self.length / 2).max(1);
    }

    /// Records that the store did not answer, or not in time. It asks again after a pause.
    pub(super) fn failed(&mut self, rule: &Rule, now: u64) {
        self.crowded(now);
        if self.down.is_some() {
            return;
        }
        if self.known.is_none() {
            self.holders = UNKNOWN_HOLDERS;
        }
        let (mut record, at) = self.known.clone().unwrap_or((LimitRecord::default(), now));
        if at < now {
            record.suppose_use(rule, now - at, self.length);
        }
        (self.down, self.supposed) = (Some(now), Some((record, now)));
    }

    /// Returns `true` if a request that is sent now has a permit, or can go without the store.
    pub(super) fn can_send(&mut self, rule: &Rule, now: u64) -> bool {
        self.permits(now) > 0
            || self.supposed(rule, now).is_some_and(|(record, holders)| record.has_free(rule, holders))
    }

    /// Counts a request while the store is down, as if each of the processes that were seen last sent one now.
    fn send_without_store(&mut self, rule: &Rule, now: u64) -> bool {
        self.supposed(rule, now).is_some_and(|(record, holders)| record.send_for_all(rule, holders))
    }

    /// Returns the record as it would be now, and the number of processes that send by it, if the store is down.
    fn supposed(&mut self, rule: &Rule, now: u64) -> Option<(&mut LimitRecord, u32)> {
        // With more processes than permits, the first ones by their ids have one each.
        let (holders, is_left_out) = (self.holders.min(rule.requests), self.rank >= rule.requests);
        if !self.goes_without(now) || is_left_out {
            return None;
        }
        let (record, at) = self.supposed.as_mut()?;
        record.advance(now.saturating_sub(*at));
        *at = now;
        Some((record, holders))
    }

    /// Returns `true` if the store has not answered for two leases. A single lost answer is no outage.
    pub(super) fn goes_without(&self, now: u64) -> bool {
        self.down.is_some_and(|since| since + 2 * self.length <= now)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use super::*;

    /// A limit for a second: its window has 1,020 ms, its slots 3 ms, its leases 25 ms to 51 ms.
    fn rule() -> Rule {
        Rule::new(NonZeroU32::MIN, Duration::from_secs(1))
    }

    fn holder() -> Holder {
        Holder::new(7, &rule())
    }

    #[test]
    fn permits_can_be_spent_before_their_lease_ends() {
        let holder = Holder { in_hand: 3, until: 100, ..holder() };
        assert_eq!([99, 100, 101].map(|now| holder.permits(now)), [3, 0, 0]);
    }

    #[test]
    fn requests_are_counted_by_their_slots() {
        let rule = rule();
        let mut holder = Holder { in_hand: 10, until: 1_000, ..holder() };
        for now in [1, 3, 4, 6, 7, 7, 9, 10] {
            assert!(holder.try_send(&rule, now));
        }
        assert_eq!(holder.sent, [(1, 3, 2), (2, 6, 2), (3, 9, 3), (4, 10, 1)], "with the time of the last one");
        // A clock that is read out of order.
        assert!(holder.try_send(&rule, 9));
        assert_eq!(holder.sent.last(), Some(&(3, 9, 1)));
        assert_eq!(holder.in_hand, 1);
    }

    #[test]
    fn more_is_asked_for_when_few_permits_or_little_time_is_left() {
        let now = 100;
        for (name, again, in_hand, until, is_waiting, has_sent, is_due) in [
            ("none for a call that waits", 0, 0, 0, true, false, true),
            ("none, and no call waits", 0, 0, 0, false, false, false),
            ("it asked just before", 101, 0, 0, true, false, false),
            ("it may ask again now", 100, 0, 0, true, false, true),
            ("a quarter and a call that waits", 0, 2, 1_000, true, false, true),
            ("a quarter and requests to report", 0, 2, 1_000, false, true, true),
            ("a quarter and nothing to do", 0, 2, 1_000, false, false, false),
            ("more than a quarter", 0, 3, 1_000, true, true, false),
            ("the last quarter of the lease", 0, 8, 112, true, false, true),
            ("before it", 0, 8, 113, true, false, false),
            ("permits that can no longer be spent", 0, 1, 100, false, false, true),
            ("none of them", 0, 0, 100, false, false, false),
        ] {
            let sent = if has_sent { vec![(1, 1, 1)] } else { Vec::new() };
            let holder = Holder { again, in_hand, until, sent, renewed: 8, ..holder() };
            assert_eq!(holder.is_due(is_waiting, now), is_due, "{name}");
        }
    }

    #[test]
    fn the_next_change_by_time_alone_is_the_earliest_to_come() {
        for (again, in_hand, until, now, due_at) in [
            (150, 0, 200, 100, 150),
            (150, 0, 200, 149, 150),
            (150, 0, 200, 150, 188),
            (0, 3, 200, 188, 200),
            (0, 0, 200, 188, u64::MAX),
            (0, 3, 200, 200, u64::MAX),
        ] {
            let holder = Holder { again, in_hand, until, ..holder() };
            assert_eq!(holder.due_at(now), due_at, "{again} {in_hand} {until} {now}");
        }
    }

    #[test]
    fn a_permit_is_expected_after_an_eighth_of_the_lease_and_not_before_the_next_renewal() {
        for (again, length, expected) in
            [(0, 51, 106), (150, 51, 150), (u64::MAX, 51, 106), (0, 7, 101), (0, 25, 103), (0, 4_000, 150)]
        {
            assert_eq!(Holder { again, length, ..holder() }.expected(&rule(), 100), expected, "{again} {length}");
        }
    }

    #[test]
    fn a_renewal_measures_the_rate_and_shortens_the_lease_in_hand() {
        let sent = vec![(1, 1_500, 300), (2, 1_900, 200)];
        let mut holder = Holder { asked: 1_000, until: 10_000, sent, ..holder() };
        holder.begin(&rule(), 2_000);
        assert!((holder.rate - 0.25).abs() < 1e-9, "half a request a millisecond after none: {}", holder.rate);
        assert_eq!((holder.length, holder.until, holder.asked, holder.again), (32, 2_032, 2_000, u64::MAX));
        assert_eq!(holder.reports, [(1, vec![(1_500, 300), (1_900, 200)])]);
        let mut first = Holder { sent: vec![(1, 1, 9)], ..self::holder() };
        first.begin(&rule(), 2_000);
        assert_eq!((first.rate, first.until), (0.0, 0), "the time before the first renewal is not known");
    }

    #[test]
    fn reports_are_kept_until_their_requests_count_no_longer() {
        for (at, kept) in [(2_000 - 1_023, 2), (2_000 - 1_024, 1)] {
            let mut holder = Holder { reports: VecDeque::from([(1, vec![(at, 1)])]), report: 1, ..holder() };
            holder.begin(&rule(), 2_000);
            assert_eq!(holder.reports.len(), kept, "{at}");
            assert_eq!(holder.report, 2);
        }
    }
}
