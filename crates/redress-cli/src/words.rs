//! What classes and recoveries mean, in a sentence.

use redress_classify::{Basis, Class, Recovery, Schedule};

use crate::time;

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
pub(crate) fn of_basis(basis: Basis, status: u16) -> String {
    match basis {
        Basis::Rule => "a rule of the dialect".to_owned(),
        Basis::Code => "the code".to_owned(),
        Basis::Header => "www-authenticate header".to_owned(),
        Basis::Status => format!("status {status}"),
        Basis::Signal => "the body".to_owned(),
        _ => String::new(),
    }
}

/// Says how long a vendor advises to wait.
pub(crate) fn of_schedule(schedule: &Schedule) -> String {
    let Schedule { base, factor, cap } = *schedule;
    let (base, cap) = (time::span(base), time::span(cap));
    format!("{base} after the first attempt, then {factor} times as long after each, at most {cap}")
}
