//! Learns cool-downs and buckets from responses.

use std::time::Duration;

use http::{Response, StatusCode};
use redress_classify::{Class, CooldownScope, Error, Recovery, ResponseExt as _, SuccessHint, Verdict};
use tokio::time::Instant;

use crate::cooldown::{Cooldown, cooldown_after};
use crate::gates::CallResult;
use crate::scope::Target;
use crate::settings::Settings;
use crate::telemetry;

/// Starts the cool-down that a response asks for, and stores the bucket that it names. `verdict` is that of the response.
pub(crate) fn learn<R>(settings: &Settings, target: &Target, response: &Response<R>, verdict: Option<&Verdict>) {
    if settings.learns_buckets {
        let named = settings.dialect.bucket_for_response(response.status(), response.headers());
        settings.gates.learn_bucket(target, named);
    }
    let Some(verdict) = verdict else { return learn_from_success(settings, target, response) };
    let (now, throttle_wait) = (Instant::now(), settings.dialect.retry().throttle_wait);
    let Some(wait) = cooldown_after(verdict, response.status().as_u16(), throttle_wait, now) else { return };
    cool_down(settings, target, scope_for_request(verdict), (wait, verdict.class().as_str()), now);
}

/// Returns how a call ended that has an error, for the gates. One with a record comes from a further stack below, whose own gate
/// holds the calls until the end of an outage.
pub(crate) fn error_result(error: &Error) -> CallResult {
    // A wrong certificate, proxy or URL does not tell how the upstream does, and is not retried.
    if error.is_transport() && error.recovery() == Recovery::Retry && error.record().is_none() {
        CallResult::Failed { is_timeout: error.is_timeout() }
    } else {
        CallResult::Unknown
    }
}

/// Returns how a call ended that has a response, for the gates. `verdict` is that of the response. A failure with a record comes
/// from a further stack below, as [an error](error_result) may.
pub(crate) fn response_result<R>(response: &Response<R>, verdict: Option<&Verdict>) -> CallResult {
    let status = response.status();
    let Some(verdict) = verdict else {
        return if status.is_server_error() { CallResult::Faulty } else { CallResult::Answered };
    };
    // They concern the one request or its connection.
    let is_of_request =
        matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::MISDIRECTED_REQUEST | StatusCode::TOO_EARLY);
    match verdict.class() {
        _ if response.record().is_some() => CallResult::Unknown,
        Class::Unavailable if verdict.hint().is_none() && !is_of_request => CallResult::Failed { is_timeout: false },
        Class::RateLimited if verdict.hint().is_none() => CallResult::Throttled,
        Class::Unavailable | Class::RateLimited => CallResult::Faulty,
        _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => CallResult::Faulty,
        _ => CallResult::Answered,
    }
}

/// Starts the cool-down that a success asks for, in a dialect with hints for successes.
fn learn_from_success<R>(settings: &Settings, target: &Target, response: &Response<R>) {
    if !settings.dialect.has_success_hints() {
        return;
    }
    let attached = response.extensions().get().cloned();
    let hint = attached.or_else(|| SuccessHint::from_head(response, &settings.dialect, &settings.clock));
    let Some(hint) = hint else { return };
    let scope = settings.dialect.bucket_for_response(response.status(), response.headers());
    let now = Instant::now();
    cool_down(settings, target, scope, (hint.delay(now), "success"), now);
}

/// Starts a cool-down of the calls in a scope, which a response of this class asked for.
fn cool_down(
    settings: &Settings,
    target: &Target,
    scope: CooldownScope,
    (wait, class): (Duration, &'static str),
    now: Instant,
) {
    let Some(cooldown) = Cooldown::new(now, wait) else { return };
    let cooldown = cooldown.after(class);
    settings.gates.learn_bucket(target, scope);
    if settings.gates.cool_down(target, scope, cooldown, now) {
        if let Some(sharing) = &settings.sharing {
            sharing.publish(settings, target, scope, &cooldown);
        }
        settings.limiters.iter().for_each(|limiter| limiter.cool_down(&target.partition, cooldown.until));
        telemetry::cooldown_started(&settings.dialect, target, scope, class, wait);
    }
}

/// Returns the scope of a cool-down. An unavailable service is unavailable to all calls.
fn scope_for_request(verdict: &Verdict) -> CooldownScope {
    if verdict.class() == Class::RateLimited { verdict.cooldown_scope() } else { CooldownScope::Upstream }
}

#[cfg(test)]
mod tests {
    use redress_classify::{Clock, EndReason, Record, TransportError, dialects};

    use super::*;

    #[test]
    fn a_failure_that_a_stack_below_has_dealt_with_is_no_sign_of_an_outage() {
        let failed = CallResult::Failed { is_timeout: false };
        for (has_record, expected) in [(false, failed), (true, CallResult::Unknown)] {
            let mut response = Response::new(());
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            let mut error = Error::from_inner(TransportError::connect("refused").into());
            if has_record {
                let record = Record::new(Vec::new(), EndReason::MaxAttempts);
                response.extensions_mut().insert(record.clone());
                error = error.with_record(record);
            }
            let verdict = Verdict::for_response(&response, &dialects::generic(), &Clock::default());
            assert_eq!(response_result(&response, verdict.as_ref()), expected);
            assert_eq!(error_result(&error), expected);
        }
        let mut succeeded = Response::new(());
        succeeded.extensions_mut().insert(Record::new(Vec::new(), EndReason::Success));
        assert_eq!(response_result(&succeeded, None), CallResult::Answered);
    }

    #[test]
    fn each_response_counts_for_or_against_its_upstream() {
        let failed = CallResult::Failed { is_timeout: false };
        for (status, hint, expected) in [
            (200, None, CallResult::Answered),
            (404, None, CallResult::Answered),
            (404, Some("3"), CallResult::Answered),
            (408, None, CallResult::Faulty),
            (425, None, CallResult::Faulty),
            (429, None, CallResult::Throttled),
            (429, Some("3"), CallResult::Faulty),
            (500, None, CallResult::Faulty),
            (502, None, failed),
            (503, None, failed),
            (503, Some("3"), CallResult::Faulty),
        ] {
            let mut response = Response::builder().status(status);
            if let Some(hint) = hint {
                response = response.header("retry-after", hint);
            }
            let response = response.body(()).unwrap();
            let verdict = Verdict::for_response(&response, &dialects::generic(), &Clock::default());
            assert_eq!(response_result(&response, verdict.as_ref()), expected, "{status} {hint:?}");
        }
    }
}
