//! The sentences of the program about classes, recoveries, waits and calls.
//!
//! They are for a reader who is woken by an alert: each says what happened or what to do, and none needs the documentation.
//!
//! Programs read the JSON, which has the words of the library; these sentences may change in any version.

use http::{Method, Uri};
use redress_classify::{Class, DecidedBy, Recovery, Schedule};
use redress_envelope::Dialect;

use crate::cooldown::{Cooldown, ScopeSource};
use crate::exchange::NoRetry;
use crate::time;

/// The most routes of a scope that are listed.
const MAX_ROUTES: usize = 3;

/// Describes a class of errors: what has happened, without a guess at the cause.
pub(crate) const fn of_class(class: Class) -> &'static str {
    match class {
        Class::Unavailable => "the service is unreachable or overloaded",
        Class::Internal => "the service failed with an internal error",
        Class::RateLimited => "too many requests in too short a time",
        Class::QuotaExhausted => "the quota or the credit of the account is used up",
        Class::TokenExpired => "the access token has expired",
        Class::Unauthenticated => "the credentials are missing or not accepted",
        Class::PermissionDenied => "the credentials are valid but do not permit this",
        Class::NotFound => "the requested resource does not exist",
        Class::Conflict => "the request conflicts with the current state of the resource",
        Class::Invalid => "the request is malformed or has invalid values",
        Class::Rejected => "the request is valid, and the service refuses it",
        _ => "an error of unknown kind",
    }
}

/// Describes a recovery as an instruction to the reader.
///
/// The word of the library stands before it, so that the reader finds the `match` arm in the code.
pub(crate) const fn of_recovery(recovery: Recovery) -> &'static str {
    match recovery {
        Recovery::Retry => "send the same request again after a wait",
        Recovery::RefreshToken => "get a new access token, then send the same request again",
        Recovery::Reauthenticate => "log in again, or use other credentials",
        Recovery::FixRequest => "change the request before sending it again",
        Recovery::NewInput => "ask the end user for new input",
        Recovery::RestartFlow => "start the flow again from its first step",
        Recovery::RaiseLimit => "raise the limit: top up or upgrade, and alert operations",
        Recovery::ContactSupport => "open a ticket with the vendor",
        _ => "give up: sending the request again does not help",
    }
}

/// Names the part of a response, or of an event, that decided the class.
pub(crate) fn of_decided_by(decided_by: DecidedBy, status: u16, is_event: bool) -> String {
    match decided_by {
        DecidedBy::Rule => "a rule of the dialect".to_owned(),
        DecidedBy::Code => "the code".to_owned(),
        DecidedBy::Header => "www-authenticate header".to_owned(),
        DecidedBy::Signal | DecidedBy::Status if is_event => "the event".to_owned(),
        DecidedBy::Status => format!("status {status}"),
        DecidedBy::Signal => "the body".to_owned(),
        _ => String::new(),
    }
}

/// Describes the waits that a vendor advises: first wait, factor, longest wait.
///
/// ```text
/// 500 ms after the first attempt, then 2 times as long after each, at most 8 s
/// ```
pub(crate) fn of_schedule(schedule: &Schedule) -> String {
    let Schedule { base, factor, cap } = *schedule;
    let (base, cap) = (time::span(base), time::span(cap));
    format!("{base} after the first attempt, then {factor} times as long after each, at most {cap}")
}

/// Explains why the library, with its default settings, does not send a call again.
pub(crate) const fn of_no_retry(why: NoRetry) -> &'static str {
    match why {
        NoRetry::HintTooLong => {
            "the wait is longer than 2 min, the default of `max_retry_after`: the call fails at once"
        }
        NoRetry::NotIdempotent => "the call may have been processed, and has no idempotency key",
        NoRetry::StreamHasBegun => "the response has begun as a success: a retry is up to the caller",
    }
}

/// Describes the calls that a cool-down holds back: ``calls in the scope `search` wait: * /search/**``.
///
/// At most three routes are listed; a scope of a dialect may have 64.
pub(crate) fn of_cooldown(cooldown: &Cooldown) -> String {
    let Cooldown { by, scope, routes, key } = cooldown;
    match (by, scope) {
        (ScopeSource::Host, _) => "all calls to the host wait".to_owned(),
        (_, None) => "calls in the same rate-limit bucket wait".to_owned(),
        (_, Some(name)) => {
            let shown = routes.iter().take(MAX_ROUTES).map(String::as_str).collect::<Vec<_>>().join(", ");
            let more = routes.len().saturating_sub(MAX_ROUTES);
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            let key = if key.is_empty() { String::new() } else { format!(" with the same {}", key.join(" and ")) };
            format!("calls in the scope `{name}`{key} wait: {shown}{more}")
        }
    }
}

/// Names a call by method, host and path: `GET api.example.com/v1/x`.
///
/// The query is left out, and a segment of the path that the dialect declares secret, or that looks like a credential, is
/// shown as `***`: some APIs carry a token in the path, such as `/bot123:ABC/getMe`.
pub(crate) fn of_route(dialect: &Dialect, method: &Method, uri: &Uri) -> String {
    let path = dialect.masked_path(uri.path());
    let shown: Vec<_> = path.split('/').map(|part| if is_opaque(part) { "***" } else { part }).collect();
    format!("{method} {}{}", uri.host().unwrap_or_default(), shown.join("/"))
}

/// Returns `true` if a segment of a path may be a credential: a mix of letters and digits of 24 and more symbols, or of 12
/// and more with `:` or `=`. A UUID is an id.
///
/// | segment | shown |
/// |---|---|
/// | `orders`, `7`, `550e8400-e29b-41d4-a716-446655440000` | as it is |
/// | `bot123456:ABC-DEF1234ghIkl` | `***` |
/// | `xoxb4f9a8b7c6d5e4f3a2b1c0d9` | `***` |
fn is_opaque(part: &str) -> bool {
    let is_uuid = part.len() == 36 && part.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let is_mixed = part.contains(|symbol: char| symbol.is_ascii_digit())
        && part.contains(|symbol: char| symbol.is_ascii_alphabetic());
    !is_uuid && is_mixed && (part.len() >= 24 || (part.len() >= 12 && part.contains([':', '='])))
}
