//! Whether to try again, and when: a pure function of what is known.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, header};
use redress_classify::{Basis, Class, EndReason, Phase, Recovery, RetryHint, Status, Verdict, WaitSource};
use tokio::time::Instant;

use crate::budget::Budget;
use crate::schedule::{Delay, Jitter, nth_wait};
use crate::settings::Settings;

/// What is known when an attempt has failed.
#[derive(Debug)]
pub(crate) struct Situation<'a> {
    pub(crate) verdict: &'a Verdict,
    pub(crate) status: Option<u16>,
    /// Whether the response has a `Retry-After` that can be read, be it the longest of its hints or not.
    pub(crate) has_retry_after: bool,
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
    Retry {
        wait: Duration,
        source: WaitSource,
        cost: u32,
        /// Whether the attempt that failed may have been processed.
        is_uncertain: bool,
    },
    Stop(EndReason),
}

/// What a failure means for another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prospect {
    /// It would fail again.
    Hopeless,
    /// Nothing was processed: any request may be sent again.
    Refused(Proof),
    /// It may have been processed: only what is safe to send twice may be.
    Uncertain,
}

/// What proves that nothing of a request was processed: the table of `docs/retries.md`, in its order. Its last row, the
/// one resend after a refresh, is no retry and not decided here.
///
/// The class proves nothing, nor does a hint or a flag: they say what failed, when to come back and that it makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    /// No byte of it was sent, or HTTP/2 says so: `REFUSED_STREAM`, and `GOAWAY` above the last stream (RFC 9113 section 8.7).
    NotSent,
    /// 429: RFC 6585 section 4.
    TooManyRequests,
    /// 425: RFC 8470 section 5.2.
    TooEarly,
    /// 503 with `Retry-After`: RFC 9110 section 15.6.4. A setting turns it off.
    Unavailable,
    /// 421: RFC 9110 section 15.5.20. The transport sees to it that another connection is used.
    Misdirected,
    /// 413 with `Retry-After`: RFC 9110 section 15.5.14.
    TooLarge,
    /// What the vendor documents, as its dialect says.
    Documented,
}

pub(crate) fn decide(settings: &Settings, situation: &Situation<'_>) -> Decision {
    let verdict = situation.verdict;
    let prospect = prospect(settings, situation);
    match prospect {
        Prospect::Hopeless => return Decision::Stop(EndReason::NotRetryable),
        _ if !situation.replayable => return Decision::Stop(EndReason::NotClonable),
        Prospect::Uncertain if !situation.idempotent => return Decision::Stop(EndReason::NotIdempotent),
        _ => {}
    }
    if situation.attempts >= settings.attempts.get() {
        return Decision::Stop(EndReason::MaxAttempts);
    }
    if verdict.hint_delay(situation.now).is_some_and(|hint| hint > settings.max_retry_after) {
        return Decision::Stop(EndReason::HintTooLong);
    }
    let throttled = verdict.class() == Class::RateLimited;
    let cost = if throttled { Budget::THROTTLING_COST } else { Budget::TRANSIENT_COST };
    match wait(&delays(settings, situation, throttled), together(settings, situation), situation) {
        Some((wait, source)) => Decision::Retry { wait, source, cost, is_uncertain: prospect == Prospect::Uncertain },
        None => Decision::Stop(EndReason::Deadline),
    }
}

/// Weighs the evidence: where nobody says more than the status, two statuses mean more than their class tells.
fn prospect(settings: &Settings, situation: &Situation<'_>) -> Prospect {
    let verdict = situation.verdict;
    let is_worth_while = match situation.status {
        // The first request with this key is still under way; draft-ietf-httpapi-idempotency-key-header section 2.7. Its
        // 422, another payload under the same key, is as final as any 422.
        Some(409) if situation.keyed && is_bare_status(settings, verdict, 409) => true,
        // Too large for now; RFC 9110 section 15.5.14.
        Some(413) if verdict.hint().is_some() && is_bare_status(settings, verdict, 413) => true,
        _ => verdict.recovery() == Recovery::Retry,
    };
    match proof(settings, situation) {
        _ if !is_worth_while => Prospect::Hopeless,
        Some(proof) => Prospect::Refused(proof),
        None => Prospect::Uncertain,
    }
}

/// Looks up the table.
fn proof(settings: &Settings, situation: &Situation<'_>) -> Option<Proof> {
    let has_retry_after = situation.has_retry_after;
    match situation.status {
        _ if situation.verdict.phase() == Phase::NotSent => Some(Proof::NotSent),
        Some(429) => Some(Proof::TooManyRequests),
        Some(425) => Some(Proof::TooEarly),
        Some(503) if has_retry_after && settings.trusts_503 => Some(Proof::Unavailable),
        Some(421) => Some(Proof::Misdirected),
        Some(413) if has_retry_after => Some(Proof::TooLarge),
        _ if situation.verdict.is_not_processed() => Some(Proof::Documented),
        _ => None,
    }
}

/// Returns whether there is a `Retry-After` that can be read, in seconds or as a date.
///
/// Beside a 503 it is what [`BackoffLayer`](crate::BackoffLayer) takes for proof that the request was not processed (RFC 9110
/// section 15.6.4). Other hints prove nothing: neither the end of a rate-limit window, nor a vendor's header in milliseconds.
#[must_use]
pub fn has_retry_after(headers: &HeaderMap, now: SystemTime) -> bool {
    let mut values = headers.get_all(header::RETRY_AFTER).iter();
    values.any(|value| RetryHint::retry_after(value.as_bytes(), now).is_some())
}

/// Whether neither a rule, a code or a flag nor the vendor's own table says what a status means.
fn is_bare_status(settings: &Settings, verdict: &Verdict, status: u16) -> bool {
    let says_nothing_new =
        |row: &Status| row.recovery.is_none() && row.class.is_none_or(|class| Some(class) == Class::of_status(status));
    let by_vendor = settings.dialect.status(status).is_some_and(|row| !says_nothing_new(row));
    verdict.basis() == Basis::Status && verdict.should_retry().is_none() && !by_vendor
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
