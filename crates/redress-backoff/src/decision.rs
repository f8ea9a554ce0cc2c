//! Whether to try again, and when: a pure function of what is known.

use std::time::Duration;

use redress_classify::{Basis, Class, Phase, Recovery, Status, Stop, Verdict, WaitSource};
use tokio::time::Instant;

use crate::budget::Budget;
use crate::schedule::{Delay, Jitter, nth_wait};
use crate::settings::Settings;

/// What is known when an attempt has failed.
#[derive(Debug)]
pub(crate) struct Situation<'a> {
    pub(crate) verdict: &'a Verdict,
    pub(crate) status: Option<u16>,
    /// Whether there is a copy that sends all of the bytes.
    pub(crate) replayable: bool,
    pub(crate) idempotent: bool,
    /// Whether the request carries an idempotency key.
    pub(crate) keyed: bool,
    /// How many attempts were made, this one included.
    pub(crate) attempts: u32,
    /// How many transient failures all callers together have seen since the last success, this one included.
    pub(crate) failures: u32,
    pub(crate) last_wait: Option<Duration>,
    pub(crate) now: Instant,
    pub(crate) deadline: Option<Instant>,
    /// Uniform over all its values.
    pub(crate) random: u32,
}

/// What to do; the budget is not yet asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Retry { wait: Duration, source: WaitSource, cost: u32 },
    Stop(Stop),
}

/// What a failure means for another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prospect {
    /// It would fail again.
    Hopeless,
    /// Nothing was processed: any request may be sent again.
    Refused,
    /// It may have been processed: only what is safe to send twice may be.
    Uncertain,
}

pub(crate) fn decide(settings: &Settings, situation: &Situation<'_>) -> Decision {
    let verdict = situation.verdict;
    match prospect(settings, situation) {
        Prospect::Hopeless => return Decision::Stop(Stop::NotRetryable),
        _ if !situation.replayable => return Decision::Stop(Stop::NotReplayable),
        Prospect::Uncertain if !situation.idempotent => return Decision::Stop(Stop::NotIdempotent),
        _ => {}
    }
    if situation.attempts >= settings.attempts.get() {
        return Decision::Stop(Stop::Attempts);
    }
    if verdict.hint_delay(situation.now).is_some_and(|hint| hint > settings.max_retry_after) {
        return Decision::Stop(Stop::HintTooLong);
    }
    let throttled = verdict.class() == Class::RateLimited;
    let cost = if throttled { Budget::THROTTLED } else { Budget::TRANSIENT };
    match wait(&delays(settings, situation, throttled), together(settings, situation), situation) {
        Some((wait, source)) => Decision::Retry { wait, source, cost },
        None => Decision::Stop(Stop::Deadline),
    }
}

/// Weighs the evidence: where nobody says more than the status, two statuses mean more than their class tells.
fn prospect(settings: &Settings, situation: &Situation<'_>) -> Prospect {
    let verdict = situation.verdict;
    match situation.status {
        // The first request with this key is still under way; draft-ietf-httpapi-idempotency-key-header section 2.7. Its
        // 422, another payload under the same key, is as final as any 422.
        Some(409) if situation.keyed && is_bare_status(settings, verdict, 409) => Prospect::Uncertain,
        // Too large for now, and refused before it was processed; RFC 9110 section 15.5.14.
        Some(413) if verdict.hint().is_some() && is_bare_status(settings, verdict, 413) => Prospect::Refused,
        _ if verdict.recovery() != Recovery::Retry => Prospect::Hopeless,
        status if was_refused(verdict, status) => Prospect::Refused,
        _ => Prospect::Uncertain,
    }
}

/// Whether neither a rule, a code or a flag nor the vendor's own table says what a status means.
fn is_bare_status(settings: &Settings, verdict: &Verdict, status: u16) -> bool {
    let says_nothing_new =
        |row: &Status| row.recovery.is_none() && row.class.is_none_or(|class| Some(class) == Class::of_status(status));
    let by_vendor = settings.dialect.status(status).is_some_and(|row| !says_nothing_new(row));
    verdict.basis() == Basis::Status && verdict.flag().is_none() && !by_vendor
}

/// Whether nothing was processed: never sent, throttled, or refused with a hint when to come back.
fn was_refused(verdict: &Verdict, status: Option<u16>) -> bool {
    verdict.phase() == Phase::NotSent
        || verdict.class() == Class::RateLimited
        || (status == Some(503) && verdict.hint().is_some())
}

/// Returns every reason to wait: the longest of them counts.
///
/// The vendor's default after throttling stands in for a hint, and so gives way to one.
fn delays(settings: &Settings, situation: &Situation<'_>, throttled: bool) -> Vec<(Delay, WaitSource)> {
    let (nth, jitter) = (situation.attempts, settings.jitter);
    let hint = situation.verdict.hint().zip(situation.verdict.hint_delay(situation.now));
    let published = match (throttled, &hint) {
        (true, Some(_)) => None,
        (true, None) => settings.throttle_wait,
        (false, _) => settings.published.map(|schedule| nth_wait(schedule, nth)),
    };
    let mut delays = Vec::with_capacity(2);
    match published {
        Some(wait) => delays.push((Delay::published(wait, jitter), WaitSource::Vendor)),
        None => {
            let scale = if throttled { settings.throttled } else { settings.transient };
            delays.push((Delay::own(scale, nth, jitter, situation.last_wait), WaitSource::Backoff));
        }
    }
    delays.extend(hint.map(|(hint, wait)| (Delay::hinted(wait, jitter), WaitSource::Hint(hint.source().clone()))));
    delays
}

/// Returns what the schedule would have a call wait that had made all of the failures since the last success by itself.
///
/// An upstream that has failed for everybody is not asked as soon as one that has failed for once.
fn together(settings: &Settings, situation: &Situation<'_>) -> Duration {
    if situation.failures <= situation.attempts || settings.jitter == Jitter::None {
        return Duration::ZERO;
    }
    nth_wait(settings.published.unwrap_or(settings.transient), situation.failures)
}

/// Draws the longest of the waits; `None` when it would not end before the deadline.
///
/// Near the deadline there is less jitter, never a lower floor, so that half of what is left remains for the attempt.
fn wait(
    delays: &[(Delay, WaitSource)],
    together: Duration,
    situation: &Situation<'_>,
) -> Option<(Duration, WaitSource)> {
    let floor = delays.iter().map(|(delay, _)| delay.floor).max()?;
    let latest = match situation.deadline {
        None => Duration::MAX,
        Some(deadline) => {
            let left = deadline.saturating_duration_since(situation.now);
            let slack = left.checked_sub(floor).filter(|slack| !slack.is_zero())?;
            floor.saturating_add(slack / 2)
        }
    };
    let draw = |(delay, source): &(Delay, WaitSource)| {
        let is_hint = matches!(source, WaitSource::Hint(_));
        let delay = if is_hint { *delay } else { delay.up_to(together.min(latest)) };
        delay.until(latest).draw(situation.random)
    };
    let longest = delays.iter().max_by_key(|delay| draw(delay))?;
    Some((draw(longest), longest.1.clone()))
}
