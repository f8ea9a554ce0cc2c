//! Faults: kind, time, and the requests that they hit.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{InvalidScenario, ResponseSpec, duration, invalid, positive, share};
use crate::time;

/// A fault: a period in which requests fail, once or repeatedly.
///
/// # Examples
/// ```
/// use redress_lab::Scenario;
///
/// let with = |fault: &str| {
///     let head = "name = 't'\nlength = '60s'\nclients = { rate = 1.0 }\nserver = { kind = 'fifo', rate = 1.0 }";
///     format!("{head}\nfault = [{fault}]").parse::<Scenario>()
/// };
/// let flapping = with("{ kind = 'restart', from = '10s', for = '3s', every = '20s' }").unwrap();
/// assert_eq!(flapping.fault[0].share, 1.0, "the default: all requests");
///
/// let lasting = with("{ kind = 'delay', from = '10s', by = '200ms' }").unwrap();
/// assert_eq!(lasting.fault[0].length, None, "until the end of the run");
///
/// let overlapping = with("{ kind = 'drop', from = '10s', for = '3s', every = '2s' }");
/// assert!(overlapping.unwrap_err().to_string().contains("must not overlap"));
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct FaultSpec {
    /// The start of the first occurrence, from the start of the run.
    pub from: Duration,
    /// The length of an occurrence: `for` in the file. Default: until the end of the run.
    pub length: Option<Duration>,
    /// The time from the start of one occurrence to the next, until the end of the run. Default: the
    /// fault occurs once.
    pub every: Option<Duration>,
    /// The share of requests that the fault hits, at random. Default: 1.
    pub share: f64,
    /// The index of the shard that the fault hits, from 0. Default: all shards.
    pub shard: Option<u32>,
    /// The path of the route that the fault hits. Default: all routes.
    pub route: Option<String>,
    /// The effect on the requests.
    pub kind: FaultKind,
}

/// The effect of a fault on the requests that it hits.
///
/// The phase of a failure decides whether a POST may be resent, so faults differ in it:
///
/// | kind | the request | what the client sees |
/// |---|---|---|
/// | `Hold` | is served later | a late response, or its own timeout |
/// | `Drop` | is lost | its own timeout |
/// | `DropAnswers` | is served | its own timeout |
/// | `Refuse` | is not processed | a failed connection |
/// | `Restart` | is aborted if in service | a broken connection, possibly processed |
/// | `Answer` | is not processed | an error response |
/// | `Slow`, `Delay` | is served | a late response |
#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    /// Requests are held on the way and all arrive when the fault ends, as after a network outage with
    /// buffers in front.
    Hold,
    /// Requests are lost without an answer. Only a timeout ends the attempt.
    Drop,
    /// Requests are served, and their answers are lost. Only a timeout ends the attempt.
    DropAnswers,
    /// The connection is refused: the request is not processed.
    Refuse,
    /// The server restarts: requests in service are aborted, and connections are refused until the
    /// fault ends.
    Restart,
    /// The server answers with an error immediately and without work. Default: 503.
    Answer(ResponseSpec),
    /// Service times are multiplied by `factor`.
    Slow(f64),
    /// Responses are delayed by `by`; the service time stays the same.
    Delay(Duration),
}

/// The fault as its TOML table.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Written {
    kind: Kind,
    #[serde(with = "duration")]
    from: Duration,
    #[serde(with = "duration::option", rename = "for", default, skip_serializing_if = "Option::is_none")]
    length: Option<Duration>,
    #[serde(with = "duration::option", default, skip_serializing_if = "Option::is_none")]
    every: Option<Duration>,
    #[serde(default = "whole")]
    share: f64,
    shard: Option<u32>,
    route: Option<String>,
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
    DropAnswers,
    Refuse,
    Restart,
    Answer,
    Slow,
    Delay,
}

impl TryFrom<Written> for FaultSpec {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, &'static str> {
        let Written { kind, from, length, every, share, shard, route, factor, by, answer } = written;
        let kind = match (kind, factor, by, answer) {
            (Kind::Hold, None, None, None) => FaultKind::Hold,
            (Kind::Drop, None, None, None) => FaultKind::Drop,
            (Kind::DropAnswers, None, None, None) => FaultKind::DropAnswers,
            (Kind::Refuse, None, None, None) => FaultKind::Refuse,
            (Kind::Restart, None, None, None) => FaultKind::Restart,
            (Kind::Answer, None, None, answer) => FaultKind::Answer(answer.unwrap_or_default()),
            (Kind::Slow, Some(factor), None, None) => FaultKind::Slow(factor),
            (Kind::Delay, None, Some(by), None) => FaultKind::Delay(by),
            _ => {
                return Err(
                    "`slow` requires `factor` and `delay` requires `by`; only `answer` may have `answer`, and other kinds have none of the three",
                );
            }
        };
        Ok(Self { from, length, every, share, shard, route, kind })
    }
}

impl From<FaultSpec> for Written {
    fn from(fault: FaultSpec) -> Self {
        let FaultSpec { from, length, every, share, shard, route, kind } = fault;
        let (kind, factor, by, answer) = match kind {
            FaultKind::Hold => (Kind::Hold, None, None, None),
            FaultKind::Drop => (Kind::Drop, None, None, None),
            FaultKind::DropAnswers => (Kind::DropAnswers, None, None, None),
            FaultKind::Refuse => (Kind::Refuse, None, None, None),
            FaultKind::Restart => (Kind::Restart, None, None, None),
            FaultKind::Answer(answer) => (Kind::Answer, None, None, Some(answer)),
            FaultKind::Slow(factor) => (Kind::Slow, Some(factor), None, None),
            FaultKind::Delay(by) => (Kind::Delay, None, Some(by), None),
        };
        Self { kind, from, length, every, share, shard, route, factor, by, answer }
    }
}

const fn whole() -> f64 {
    1.0
}

impl FaultSpec {
    /// Returns the end of the occurrence that covers `at`, or `None` if no occurrence does.
    pub(crate) fn active_until(&self, at: Duration) -> Option<Duration> {
        let into = at.checked_sub(self.from)?;
        let begin = match self.every {
            None => self.from,
            Some(every) => at.saturating_sub(rest(into, every)),
        };
        let end = self.length.map_or(time::NEVER, |length| begin + length);
        (at < end).then_some(end)
    }

    /// Returns the first start of an occurrence after `at` and not after `until`.
    pub(crate) fn begins_within(&self, at: Duration, until: Duration) -> Option<Duration> {
        let next = match at.checked_sub(self.from) {
            None => self.from,
            Some(into) => at.saturating_sub(rest(into, self.every?)) + self.every?,
        };
        (next <= until).then_some(next)
    }

    /// Returns the end of the last occurrence that starts within a run of this length, or the start of a lasting change of
    /// latency.
    pub(crate) fn settles(&self, length: Duration) -> Option<Duration> {
        let into = length.checked_sub(self.from)?;
        let Some(takes) = self.length else {
            return matches!(self.kind, FaultKind::Slow(_) | FaultKind::Delay(_)).then_some(self.from);
        };
        let last = match self.every {
            None => self.from,
            Some(every) => length.saturating_sub(rest(into, every)),
        };
        Some(last + takes)
    }

    pub(crate) fn check(&self, shards: u32, paths: &[&str]) -> Result<(), InvalidScenario> {
        share("share", self.share)?;
        match (self.length, self.every) {
            (Some(Duration::ZERO), _) => return Err(invalid("`for` of a fault must be above 0")),
            (None, Some(_)) => return Err(invalid("`every` needs `for`: a fault without an end does not repeat")),
            (None, None) if matches!(self.kind, FaultKind::Hold | FaultKind::Restart) => {
                return Err(invalid("faults of kind `hold` and `restart` need `for`: they act when they end"));
            }
            (Some(length), Some(every)) if every < length => {
                return Err(invalid(
                    "occurrences of a fault must not overlap: `every` must be at least as long as `for`",
                ));
            }
            _ => {}
        }
        if let Some(route) = self.route.as_deref().filter(|route| !paths.contains(route)) {
            return Err(invalid(&format!(
                "`fault.route`: no route has the path `{route}`, expected {}",
                paths.join(", ")
            )));
        }
        if self.shard.is_some_and(|shard| shard >= shards) {
            return Err(invalid("`shard` must be below the number of shards; the first shard is 0"));
        }
        match &self.kind {
            FaultKind::Answer(answer) => answer.check(),
            FaultKind::Slow(factor) => positive("factor", *factor).map(drop),
            _ => Ok(()),
        }
    }
}

/// Returns the time since the start of the current occurrence.
fn rest(into: Duration, every: Duration) -> Duration {
    let nanos = into.as_nanos() % every.as_nanos().max(1);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_fault_is_active_in_every_occurrence() {
        let seconds = Duration::from_secs;
        let (from, length, every) = (seconds(10), Some(seconds(2)), Some(seconds(5)));
        let fault = FaultSpec { from, length, every, share: 1.0, shard: None, route: None, kind: FaultKind::Drop };
        for (at, until) in [(9, None), (10, Some(12)), (11, Some(12)), (12, None), (15, Some(17)), (21, Some(22))] {
            assert_eq!(fault.active_until(seconds(at)), until.map(seconds), "{at} s");
        }
        assert_eq!(fault.begins_within(seconds(3), seconds(10)), Some(seconds(10)));
        assert_eq!(fault.begins_within(seconds(10), seconds(14)), None);
        assert_eq!(fault.begins_within(seconds(13), seconds(20)), Some(seconds(15)));
        assert_eq!(fault.settles(seconds(21)), Some(seconds(22)));
        assert_eq!(fault.settles(seconds(9)), None);
    }

    #[test]
    fn a_fault_without_an_end_lasts_and_settles_at_once_if_it_changes_the_latency() {
        let seconds = Duration::from_secs;
        for (kind, settles) in [(FaultKind::Slow(2.0), Some(seconds(10))), (FaultKind::Drop, None)] {
            let (from, every) = (seconds(10), None);
            let fault = FaultSpec { from, length: None, every, share: 1.0, shard: None, route: None, kind };
            assert_eq!(fault.active_until(seconds(9)), None);
            assert!(fault.active_until(seconds(86_400)).is_some());
            assert_eq!(fault.settles(seconds(60)), settles);
        }
    }
}
