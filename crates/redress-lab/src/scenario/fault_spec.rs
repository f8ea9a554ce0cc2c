//! What fails, and when.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{InvalidScenario, ResponseSpec, duration, invalid, positive, share};

/// Something that goes wrong for a while, once or again and again.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct FaultSpec {
    /// When it begins.
    pub from: Duration,
    /// How long it takes: `for` in the file.
    pub length: Duration,
    /// It comes again so long after its begin, until the end of the run. Once unless told.
    pub every: Option<Duration>,
    /// The share of requests that it hits. All of them unless told.
    pub share: f64,
    /// The shard that it hits, from 0. All of them unless told.
    pub shard: Option<u32>,
    /// What happens.
    pub kind: FaultKind,
}

/// What happens to a request that is hit.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    /// Requests are held on the way, and all arrive when it ends: a hard outage in front of which requests pile up.
    Hold,
    /// Requests vanish, and nobody answers.
    Drop,
    /// No connection is made.
    Refuse,
    /// The server goes away: what it works on breaks off, and no connection is made until it is back.
    Restart,
    /// The server answers at once with an error, without doing any work: a 503 unless `answer` says otherwise.
    Answer(ResponseSpec),
    /// Work takes `factor` times as long.
    Slow(f64),
    /// Answers come later, `by` so much; the work takes no longer.
    Delay(Duration),
}

/// A fault as it is written.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Written {
    kind: Kind,
    #[serde(with = "duration")]
    from: Duration,
    #[serde(with = "duration", rename = "for")]
    length: Duration,
    #[serde(with = "duration::option", default, skip_serializing_if = "Option::is_none")]
    every: Option<Duration>,
    #[serde(default = "whole")]
    share: f64,
    shard: Option<u32>,
    factor: Option<f64>,
    #[serde(with = "duration::option", default, skip_serializing_if = "Option::is_none")]
    by: Option<Duration>,
    answer: Option<ResponseSpec>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Hold,
    Drop,
    Refuse,
    Restart,
    Answer,
    Slow,
    Delay,
}

impl TryFrom<Written> for FaultSpec {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, &'static str> {
        let Written { kind, from, length, every, share, shard, factor, by, answer } = written;
        let kind = match (kind, factor, by, answer) {
            (Kind::Hold, None, None, None) => FaultKind::Hold,
            (Kind::Drop, None, None, None) => FaultKind::Drop,
            (Kind::Refuse, None, None, None) => FaultKind::Refuse,
            (Kind::Restart, None, None, None) => FaultKind::Restart,
            (Kind::Answer, None, None, answer) => FaultKind::Answer(answer.unwrap_or_default()),
            (Kind::Slow, Some(factor), None, None) => FaultKind::Slow(factor),
            (Kind::Delay, None, Some(by), None) => FaultKind::Delay(by),
            _ => {
                return Err(
                    "`slow` takes a `factor`, `delay` a `by`, `answer` an `answer`, and no other kind any of them",
                );
            }
        };
        Ok(Self { from, length, every, share, shard, kind })
    }
}

impl From<FaultSpec> for Written {
    fn from(fault: FaultSpec) -> Self {
        let FaultSpec { from, length, every, share, shard, kind } = fault;
        let (kind, factor, by, answer) = match kind {
            FaultKind::Hold => (Kind::Hold, None, None, None),
            FaultKind::Drop => (Kind::Drop, None, None, None),
            FaultKind::Refuse => (Kind::Refuse, None, None, None),
            FaultKind::Restart => (Kind::Restart, None, None, None),
            FaultKind::Answer(answer) => (Kind::Answer, None, None, Some(answer)),
            FaultKind::Slow(factor) => (Kind::Slow, Some(factor), None, None),
            FaultKind::Delay(by) => (Kind::Delay, None, Some(by), None),
        };
        Self { kind, from, length, every, share, shard, factor, by, answer }
    }
}

const fn whole() -> f64 {
    1.0
}

impl FaultSpec {
    /// Returns when the occurrence that holds `at` ends, if there is one.
    pub(crate) fn active_until(&self, at: Duration) -> Option<Duration> {
        let into = at.checked_sub(self.from)?;
        let begin = match self.every {
            None => self.from,
            Some(every) => at.saturating_sub(rest(into, every)),
        };
        let end = begin + self.length;
        (at < end).then_some(end)
    }

    /// Returns the first begin of an occurrence that lies after `at` and not after `until`.
    pub(crate) fn begins_within(&self, at: Duration, until: Duration) -> Option<Duration> {
        let next = match at.checked_sub(self.from) {
            None => self.from,
            Some(into) => at.saturating_sub(rest(into, self.every?)) + self.every?,
        };
        (next <= until).then_some(next)
    }

    /// Returns when its last occurrence in a run of so long ends.
    pub(crate) fn ends(&self, length: Duration) -> Option<Duration> {
        let into = length.checked_sub(self.from)?;
        let last = match self.every {
            None => self.from,
            Some(every) => length.saturating_sub(rest(into, every)),
        };
        Some(last + self.length)
    }

    pub(crate) fn check(&self, shards: u32) -> Result<(), InvalidScenario> {
        share("share", self.share)?;
        if self.length.is_zero() {
            return Err(invalid("a fault takes more than no time"));
        }
        if self.every.is_some_and(|every| every < self.length) {
            return Err(invalid("a fault that comes again is over by then: `every` is at least as long as `for`"));
        }
        if self.shard.is_some_and(|shard| shard >= shards) {
            return Err(invalid("`shard` counts from 0 to one less than there are"));
        }
        match &self.kind {
            FaultKind::Answer(answer) => answer.check(),
            FaultKind::Slow(factor) => positive("factor", *factor).map(drop),
            _ => Ok(()),
        }
    }
}

/// Returns how far into an occurrence a time is.
fn rest(into: Duration, every: Duration) -> Duration {
    let nanos = into.as_nanos() % every.as_nanos().max(1);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_that_comes_again_is_found_in_every_occurrence() {
        let seconds = Duration::from_secs;
        let (from, length) = (seconds(10), seconds(2));
        let fault = FaultSpec { from, length, every: Some(seconds(5)), share: 1.0, shard: None, kind: FaultKind::Drop };
        for (at, until) in [(9, None), (10, Some(12)), (11, Some(12)), (12, None), (15, Some(17)), (21, Some(22))] {
            assert_eq!(fault.active_until(seconds(at)), until.map(seconds), "{at} s");
        }
        assert_eq!(fault.begins_within(seconds(3), seconds(10)), Some(seconds(10)));
        assert_eq!(fault.begins_within(seconds(10), seconds(14)), None);
        assert_eq!(fault.begins_within(seconds(13), seconds(20)), Some(seconds(15)));
        assert_eq!(fault.ends(seconds(21)), Some(seconds(22)));
        assert_eq!(fault.ends(seconds(9)), None);
    }
}
