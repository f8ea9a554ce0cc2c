//! Sentences for people: classes, recoveries, schedules, routes.

use crate::time;
use http::{Method, Uri};
use redress_classify::{Class, DecidedBy, EndReason, Recovery, Schedule};
use redress_envelope::Dialect;

/// Says what an error is.
pub(crate) fn of_class(class: Class) -> &'static str {
    match class {
        Class::Unavailable => "the service cannot be reached, or is too busy for now",
        Class::Internal => "the service met an error of its own",
        Class::RateLimited => "too many requests in too short a time",
        Class::QuotaExhausted => "what was paid for is used up",
        Class::TokenExpired => "the access token has run out",
        Class::Unauthenticated => "the credentials are missing or not accepted",
        Class::PermissionDenied => "the credentials are good, but not for this",
        Class::NotFound => "what the request names does not exist",
        Class::Conflict => "the request does not fit the state that things are in",
        Class::Invalid => "the request itself is wrong",
        Class::Rejected => "the request is well formed, and what it asks for is refused",
        _ => "an error that nothing known explains",
    }
}

/// Says what to do about an error.
pub(crate) fn of_recovery(recovery: Recovery) -> &'static str {
    match recovery {
        Recovery::Retry => "send the same request again after a wait",
        Recovery::RefreshToken => "fetch a new access token, then send the same request again",
        Recovery::Reauthenticate => "log in again, or put other credentials in place",
        Recovery::FixRequest => "change the request: it is wrong as it stands",
        Recovery::NewInput => "ask the end user for something else",
        Recovery::RestartFlow => "begin the flow from its first step",
        Recovery::RaiseLimit => "top up or upgrade, and let operations know",
        Recovery::ContactSupport => "open a ticket with the vendor",
        _ => "give up: repeating the call does not help",
    }
}

/// Says what decided the class.
pub(crate) fn of_decided_by(decided_by: DecidedBy, status: u16) -> String {
    match decided_by {
        DecidedBy::Rule => "a rule of the dialect".to_owned(),
        DecidedBy::Code => "the code".to_owned(),
        DecidedBy::Header => "www-authenticate header".to_owned(),
        DecidedBy::Status => format!("status {status}"),
        DecidedBy::Signal => "the body".to_owned(),
        _ => String::new(),
    }
}

/// Says how long a vendor advises to wait.
pub(crate) fn of_schedule(schedule: &Schedule) -> String {
    let Schedule { base, factor, cap } = *schedule;
    let (base, cap) = (time::span(base), time::span(cap));
    format!("{base} after the first attempt, then {factor} times as long after each, at most {cap}")
}

/// Says why the library would not send a call again.
pub(crate) fn of_stop(stop: EndReason) -> &'static str {
    match stop {
        EndReason::HintTooLong => {
            "not waited for: longer than 2 min, the default of `max_retry_after`; the call fails at once"
        }
        _ => "not sent again: the call may have been processed, and has no idempotency key",
    }
}

/// Names a call by its method and path. Queries and credentials in the path are left out.
pub(crate) fn of_route(dialect: &Dialect, method: &Method, uri: &Uri) -> String {
    let path = dialect.masked_path(uri.path());
    let shown: Vec<_> = path.split('/').map(|part| if is_opaque(part) { "***" } else { part }).collect();
    format!("{method} {}{}", uri.host().unwrap_or_default(), shown.join("/"))
}

/// Returns whether a part of a path may be a credential: a token of some length, or a pair with a colon.
fn is_opaque(part: &str) -> bool {
    let is_uuid = part.len() == 36 && part.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let is_mixed = part.contains(|symbol: char| symbol.is_ascii_digit())
        && part.contains(|symbol: char| symbol.is_ascii_alphabetic());
    !is_uuid && is_mixed && (part.len() >= 24 || (part.len() >= 12 && part.contains([':', '='])))
}
