//! Decides whether another attempt follows a failed one, and after which wait. Pure: it is given the time and a random number.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header};
use redress_classify::{
    Class, DecidedBy, EndReason, GrpcCode, Phase, Recovery, RetryHint, Status, Verdict, WaitSource,
};
use tokio::time::Instant;

use crate::budget::Budget;
use crate::grpc::{self, RetryPolicy};
use crate::schedule::{Delay, Jitter, nth_wait};
use crate::settings::Settings;

/// The facts about a failed attempt and its call.
#[derive(Debug)]
pub(crate) struct AttemptContext<'a> {
    pub(crate) verdict: &'a Verdict,
    /// `None` without a response.
    pub(crate) head: Option<ResponseHead>,
    /// Whether there is a copy of the request that sends the whole body.
    pub(crate) is_clonable: bool,
    pub(crate) is_idempotent: bool,
    /// Whether the request carries an idempotency key. Looked up for a 409 only: no other decision here needs it.
    pub(crate) is_keyed: bool,
    /// The retry policy of the method, if it is one of gRPC and its service config has one.
    pub(crate) policy: Option<&'a RetryPolicy>,
    /// The number of attempts so far, including this one.
    pub(crate) attempts: u32,
    pub(crate) max_attempts: u32,
    /// Whether the caller forbids a retry of this request.
    pub(crate) has_opted_out: bool,
    /// The number of transient failures of all calls since the last success, including this one.
    pub(crate) shared_failures: u32,
    pub(crate) last_wait: Option<Duration>,
    /// The verdict about the other attempt of a call that is hedged, if it has failed before.
    pub(crate) lost_race: Option<&'a Verdict>,
    pub(crate) now: Instant,
    pub(crate) deadline: Option<Instant>,
    /// Whether the upstream is in an outage, and the call may be sent again at its end.
    pub(crate) is_outage: bool,
    /// Whether the upstream limits the rate of requests and does not say when to come back.
    pub(crate) is_limited: bool,
    /// Set if the route fails for all callers while others of the same host succeed.
    pub(crate) is_failing_route: bool,
    /// Uniformly distributed over all values.
    pub(crate) random: u32,
}

/// The facts of a response's head that its verdict does not have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResponseHead {
    pub(crate) status: u16,
    /// Whether there is a readable `Retry-After`, even if another hint is longer.
    pub(crate) has_retry_after: bool,
    /// The code in `grpc-status`; `None` where the status is in the trailers, which the verdict has read.
    pub(crate) grpc_code: Option<GrpcCode>,
}

impl ResponseHead {
    pub(crate) fn new(status: StatusCode, headers: &HeaderMap, now: impl FnOnce() -> SystemTime) -> Self {
        let has_retry_after = headers.contains_key(header::RETRY_AFTER) && has_retry_after(headers, now());
        Self { status: status.as_u16(), has_retry_after, grpc_code: grpc::code_in(headers) }
    }
}

/// A retry that is worthwhile, safe and in time. The budget has not been asked yet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Retry {
    pub(crate) wait: Duration,
    pub(crate) source: WaitSource,
    /// The number of tokens that it takes from the budget.
    pub(crate) cost: u32,
    /// Whether the failed attempt may have been processed.
    pub(crate) maybe_processed: bool,
}

/// Whether a failed request may be retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Retryability {
    /// Another attempt would fail in the same way.
    Never,
    /// The request was not processed: any request may be retried.
    NotProcessed(Proof),
    /// The request may have been processed: only an idempotent one may be retried.
    MaybeProcessed,
}

/// The proof that a request was not processed: the table of `docs/retries.md`, in the same order. Its last row, the resend after
/// a refresh, is not a retry and not decided here.
///
/// The class, a hint and a flag prove nothing: they say why a request failed, when to come back and whether a retry makes
/// sense, not whether the request took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    /// No byte was sent, or HTTP/2 says so: `REFUSED_STREAM`, and `GOAWAY` above the last stream (RFC 9113 section 8.7).
    NotSent,
    /// 429: RFC 6585 section 4.
    TooManyRequests,
    /// 425: RFC 8470 section 5.2.
    TooEarly,
    /// 503 with `Retry-After`: RFC 9110 section 15.6.4. A setting turns it off.
    Unavailable,
    /// 421: RFC 9110 section 15.5.20. The transport uses another connection for the next attempt.
    Misdirected,
    /// 413 with `Retry-After`: RFC 9110 section 15.5.14.
    TooLarge,
    /// The vendor's documentation, by way of its dialect.
    Documented,
}

impl AttemptContext<'_> {
    fn status(&self) -> Option<u16> {
        self.head.map(|head| head.status)
    }

    /// Returns `true` if the service declares that the method may be repeated after this failure.
    pub(crate) fn is_declared(&self) -> bool {
        self.policy.is_some_and(|policy| policy.retries(grpc::code_of(self.verdict, self.head)))
    }

    fn is_throttled(&self) -> bool {
        self.verdict.class() == Class::RateLimited
    }

    /// Returns the verdicts whose hints a retry waits for.
    fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        self.lost_race.into_iter().chain([self.verdict])
    }

    /// Returns the longest hint with its delay.
    fn hint(&self) -> Option<(&RetryHint, Duration)> {
        let hints = self.verdicts().filter_map(|verdict| verdict.hint().zip(verdict.hint_delay(self.now)));
        hints.max_by_key(|(_, delay)| *delay)
    }
}

/// Decides on a retry.
///
/// # Errors
/// The first reason against it, in the order of the rules in the crate's documentation.
pub(crate) fn decide(settings: &Settings, context: &AttemptContext<'_>) -> Result<Retry, EndReason> {
    decide_wait(settings, context, may_resend(settings, context)?)
}

/// Decides whether another attempt may succeed and is safe, and returns whether the failed one may have been processed.
///
/// # Errors
/// The first reason against it.
pub(crate) fn may_resend(settings: &Settings, context: &AttemptContext<'_>) -> Result<bool, EndReason> {
    let retryability = retryability(settings, context);
    match retryability {
        Retryability::Never => Err(EndReason::NotRetryable),
        _ if !context.is_clonable => Err(EndReason::NotClonable),
        Retryability::MaybeProcessed if !context.is_idempotent => Err(EndReason::NotIdempotent),
        _ if context.has_opted_out => Err(EndReason::NoRetry),
        Retryability::NotProcessed(_) | Retryability::MaybeProcessed => {
            Ok(retryability == Retryability::MaybeProcessed)
        }
    }
}

/// Returns `true` if a request that [may be sent again](may_resend) waits for the end of an outage, in the layer below that
/// holds all requests meanwhile, and not for a backoff.
///
/// A call without a deadline would wait for as long as the outage lasts; a hint says when to return; and a service config
/// limits the attempts of a gRPC method and sets the waits between them (gRFC A6).
pub(crate) fn waits_for_end_of_outage(context: &AttemptContext<'_>) -> bool {
    context.is_outage
        && context.max_attempts > 1
        && context.policy.is_none()
        && context.hint().is_none()
        && context.deadline.is_some_and(|deadline| deadline > context.now)
}

/// Decides on the wait before a retry that is worthwhile and safe.
///
/// # Errors
/// The first reason against it: the number of attempts, the route, the length of the hint, the deadline.
pub(crate) fn decide_wait(
    settings: &Settings,
    context: &AttemptContext<'_>,
    maybe_processed: bool,
) -> Result<Retry, EndReason> {
    if context.attempts >= context.max_attempts {
        return Err(EndReason::MaxAttempts);
    }
    // A hint says when to return, and a service config how often to try.
    if context.is_failing_route && context.hint().is_none() && context.policy.is_none() {
        return Err(EndReason::FailingRoute);
    }
    if context.hint().is_some_and(|(_, delay)| delay > settings.max_retry_after) {
        return Err(EndReason::HintTooLong);
    }
    let (wait, source) = wait(settings, context).ok_or(EndReason::Deadline)?;
    let is_cheap = context.is_throttled() && !context.is_limited;
    let cost = if is_cheap { Budget::THROTTLING_COST } else { Budget::TRANSIENT_COST };
    Ok(Retry { wait, source, cost, maybe_processed })
}

fn retryability(settings: &Settings, context: &AttemptContext<'_>) -> Retryability {
    let by_hook = settings.hooks.retry_if(context.verdict, context.attempts);
    let is_forbidden = || context.lost_race.is_some_and(|lost| lost.should_retry() == Some(false));
    let is_worthwhile = by_hook.unwrap_or_else(|| is_worthwhile(settings, context) && !is_forbidden());
    match proof(settings, context) {
        _ if !is_worthwhile => Retryability::Never,
        Some(proof) => Retryability::NotProcessed(proof),
        None => Retryability::MaybeProcessed,
    }
}

/// Returns `true` if another attempt may succeed: if the verdict's recovery is to retry. Where nothing but the status is known,
/// two statuses mean more than their class says.
fn is_worthwhile(settings: &Settings, context: &AttemptContext<'_>) -> bool {
    let verdict = context.verdict;
    if context.policy.is_some() {
        return context.is_declared() && verdict.should_retry() != Some(false);
    }
    match context.status() {
        // The first request with this key is still being processed: draft-ietf-httpapi-idempotency-key-header section 2.7.
        // A 422, for another payload with the same key, is final.
        Some(409) if context.is_keyed && is_bare_status(settings, verdict, 409) => true,
        // Too large at the moment: RFC 9110 section 15.5.14.
        Some(413) if verdict.hint().is_some() && is_bare_status(settings, verdict, 413) => true,
        _ => verdict.recovery() == Recovery::Retry,
    }
}

/// Returns `true` for a failure that takes a token of gRPC's retry throttling: a retryable one, and one whose server forbids
/// to retry (gRFC A6, "Throttling Retry Attempts and Hedged RPCs").
pub(crate) fn is_throttling_failure(settings: &Settings, context: &AttemptContext<'_>) -> bool {
    context.verdict.should_retry() == Some(false) || is_worthwhile(settings, context)
}

/// Returns `true` for a failure after which a gRPC call would be retried, had the server not forbidden it: another attempt that
/// is in flight goes on (gRFC A6, "Pushback").
pub(crate) fn is_pushed_back(settings: &Settings, context: &AttemptContext<'_>) -> bool {
    let is_forbidden = context.verdict.should_retry() == Some(false);
    let is_retryable = || grpc::code_of(context.verdict, context.head) == GrpcCode::Unavailable;
    is_forbidden && settings.dialect.is_grpc() && is_retryable()
}

/// Returns the proof that the request was not processed, if there is one.
fn proof(settings: &Settings, context: &AttemptContext<'_>) -> Option<Proof> {
    let has_retry_after = context.head.is_some_and(|head| head.has_retry_after);
    match context.status() {
        _ if context.verdict.phase() == Phase::NotSent => Some(Proof::NotSent),
        Some(429) => Some(Proof::TooManyRequests),
        Some(425) => Some(Proof::TooEarly),
        Some(503) if has_retry_after && settings.trusts_503 => Some(Proof::Unavailable),
        Some(421) => Some(Proof::Misdirected),
        Some(413) if has_retry_after => Some(Proof::TooLarge),
        _ if context.verdict.is_not_processed() => Some(Proof::Documented),
        _ => None,
    }
}

/// Returns `true` if the headers have a readable `Retry-After`, in seconds or as a date.
///
/// Beside a 503, [`BackoffLayer`](crate::BackoffLayer) takes it for proof that the request was not processed (RFC 9110
/// section 15.6.4). Other hints prove nothing: neither the end of a rate-limit window nor a vendor's header in milliseconds.
///
/// # Examples
/// ```
/// use std::time::SystemTime;
/// use http::{HeaderMap, HeaderValue, header::RETRY_AFTER};
/// use redress_backoff::has_retry_after;
///
/// let headers = |value| HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]);
/// assert!(has_retry_after(&headers("120"), SystemTime::UNIX_EPOCH));
/// assert!(!has_retry_after(&headers("soon"), SystemTime::UNIX_EPOCH));
/// assert!(!has_retry_after(&HeaderMap::new(), SystemTime::UNIX_EPOCH));
/// ```
#[must_use]
pub fn has_retry_after(headers: &HeaderMap, now: SystemTime) -> bool {
    let mut values = headers.get_all(header::RETRY_AFTER).iter();
    values.any(|value| RetryHint::retry_after(value.as_bytes(), now).is_some())
}

/// Returns `true` if the status alone decided the verdict: no rule, code or flag did, nor the vendor's own table of statuses.
fn is_bare_status(settings: &Settings, verdict: &Verdict, status: u16) -> bool {
    let says_nothing_new = |row: &Status| {
        row.recovery.is_none() && row.class.is_none_or(|class| Some(class) == Class::from_status(status))
    };
    let by_vendor = settings.dialect.status(status).is_some_and(|row| !says_nothing_new(row));
    verdict.decided_by() == DecidedBy::Status && verdict.should_retry().is_none() && !by_vendor
}

/// Draws the wait before the retry; `None` if it would not end before the deadline.
///
/// Near the deadline the jitter shrinks and the floor stays, so that half of the remaining time is left for the attempt.
fn wait(settings: &Settings, context: &AttemptContext<'_>) -> Option<(Duration, WaitSource)> {
    let delays = delays(settings, context);
    let floor = delays.iter().flatten().map(|(delay, _)| delay.floor).max()?;
    let latest = match context.deadline {
        None => Duration::MAX,
        Some(deadline) => {
            let left = deadline.saturating_duration_since(context.now);
            let slack = left.checked_sub(floor).filter(|slack| !slack.is_zero())?;
            floor.saturating_add(slack / 2)
        }
    };
    let shared = shared_failure_backoff(settings, context).min(latest);
    let draw = |(delay, source): &(Delay, WaitSource)| {
        let is_hint = matches!(source, WaitSource::Hint(_));
        let delay = if is_hint { *delay } else { delay.up_to(shared) };
        delay.until(latest).draw(context.random)
    };
    delays.into_iter().flatten().map(|delay| (draw(&delay), delay.1)).max_by_key(|(wait, _)| *wait)
}

/// Returns all delays that apply; the longest of them counts.
///
/// The vendor's default wait after throttling stands in for a hint, so it does not apply beside one.
fn delays(settings: &Settings, context: &AttemptContext<'_>) -> [Option<(Delay, WaitSource)>; 2] {
    let (nth, jitter, throttled) = (context.attempts, settings.jitter, context.is_throttled());
    let hint = context.hint();
    let declared = context.policy.map(|policy| policy.wait(nth));
    let published = match (throttled, &hint) {
        _ if declared.is_some() => None,
        (true, Some(_)) => None,
        (true, None) => settings.default_throttle_wait,
        (false, _) => settings.published_backoff.map(|schedule| nth_wait(schedule, nth)),
    };
    let delay = match declared.or(published) {
        Some(wait) if declared.is_some() => (Delay::grpc(wait, jitter), WaitSource::Vendor),
        Some(wait) => (Delay::published(wait, jitter), WaitSource::Vendor),
        None => {
            let schedule = if throttled { settings.throttling_backoff } else { settings.transient_backoff };
            (Delay::own(schedule, nth, jitter, context.last_wait), WaitSource::Backoff)
        }
    };
    let hinted = hint.map(|(hint, wait)| (Delay::hinted(wait, jitter), WaitSource::Hint(hint.source().clone())));
    [Some(delay), hinted]
}

/// Returns the backoff for the shared run of failures, as if this call had seen all of them.
///
/// An upstream that fails for all callers needs longer to recover than one that has failed once.
fn shared_failure_backoff(settings: &Settings, context: &AttemptContext<'_>) -> Duration {
    if context.shared_failures <= context.attempts || settings.jitter == Jitter::None {
        return Duration::ZERO;
    }
    nth_wait(settings.published_backoff.unwrap_or(settings.transient_backoff), context.shared_failures)
}
