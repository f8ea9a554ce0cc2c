//! Classification of an error: a pure function of its head, its envelope and
//! its dialect.

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;

use crate::challenge;
use crate::class::{Class, Recovery};
use crate::dialect::{CooldownScope, Dialect, Rule};
use crate::envelope::Envelope;
use crate::head::Head;
use crate::hint::RetryHint;
use crate::json::Unreadable;
use crate::location::Location;

/// RFC 4918 section 11.3.
const LOCKED: u16 = 423;

/// The classification of an error, with its reason and the recommended
/// recovery.
///
/// # Examples
/// ```
/// use std::time::SystemTime;
/// use redress_envelope::{Class, DecidedBy, Envelope, Head, Recovery, dialects};
///
/// let headers = http::HeaderMap::new();
/// let head = Head::new(503, &headers, SystemTime::UNIX_EPOCH);
/// let ranex = dialects::ranex();
/// let meaning = ranex.meaning(&head, &Envelope::read(&ranex, &head, []));
/// assert_eq!((meaning.class, meaning.recovery), (Class::Unavailable, Recovery::Retry));
/// assert_eq!(meaning.decided_by, DecidedBy::Status);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Meaning {
    /// The kind of failure.
    pub class: Class,
    /// The recommended action.
    pub recovery: Recovery,
    /// The evidence that decided the class.
    pub decided_by: DecidedBy,
    /// Whether the server itself says to retry, or not to, by a flag that the
    /// dialect knows.
    pub should_retry: Option<bool>,
    /// When the server asks the caller to come back.
    pub hint: Option<RetryHint>,
    /// Which calls are to wait, if the response makes others wait than its own.
    pub scope: CooldownScope,
    /// Whether the vendor documents that such a request was rejected before it was
    /// processed.
    ///
    /// Never where the body says otherwise: on a success status, data beside the
    /// errors is a request that was processed in part.
    pub not_processed: bool,
    /// Whether the request may have been processed, wholly or in part, although it
    /// failed: after a 5xx, and where the body has a member `data` beside the
    /// error, is a list of results or breaks off. A 401 was rejected (RFC 9110
    /// section 15.5.2).
    ///
    /// After a refresh only a request that is safe to repeat is sent again then. In
    /// a dialect whose error rules ask for `data`, as those of GraphQL do, `null`
    /// counts: without it the request was not executed (GraphQL specification,
    /// section 7.1).
    pub maybe_processed: bool,
    /// The dialect's advice for people; empty when there is none.
    pub guidance: Arc<str>,
}

/// The evidence that decided the class.
///
/// The order of trust is that of the variants: a rule overrides a code, a code
/// overrides the status.
///
/// # Examples
/// ```
/// use redress_envelope::DecidedBy;
///
/// assert_eq!(DecidedBy::Code.as_str(), "code");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DecidedBy {
    /// A rule of the dialect.
    Rule,
    /// A code that the dialect knows.
    Code,
    /// A header, such as `WWW-Authenticate`.
    Header,
    /// The status alone.
    Status,
    /// An error rule alone: an error on a success status, with no code that the
    /// dialect knows.
    Signal,
    /// No response: a failure of the transport, of time, or of the credentials.
    Transport,
}

impl DecidedBy {
    /// Returns the name in `snake_case`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Code => "code",
            Self::Header => "header",
            Self::Status => "status",
            Self::Signal => "signal",
            Self::Transport => "transport",
        }
    }
}

impl fmt::Display for DecidedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Dialect {
    /// Says what an error means: by a rule, the code, the challenge, the status, or
    /// else by the body's bare signal.
    ///
    /// A flag of the server on whether to retry beats them all as to what to do.
    /// The end of a rate-limit window counts as a hint only where no other hint is,
    /// and where waiting for it helps, since many servers send it with every
    /// response: for a 429, an error that is rate limited or whose quota is
    /// exhausted, and for an unavailable service if the response says that nothing
    /// is left of the quota.
    ///
    /// # Examples
    /// ```
    /// use std::time::SystemTime;
    /// use redress_envelope::{Class, Envelope, Head, dialects};
    ///
    /// let headers = http::HeaderMap::new();
    /// let head = Head::new(429, &headers, SystemTime::UNIX_EPOCH);
    /// let ranex = dialects::ranex();
    /// let meaning = ranex.meaning(&head, &Envelope::read(&ranex, &head, []));
    /// assert_eq!(meaning.class, Class::RateLimited);
    /// ```
    #[must_use]
    pub fn meaning(&self, head: &Head<'_>, envelope: &Envelope<'_>) -> Meaning {
        let mut meaning = self.words(head, envelope);
        meaning.should_retry = envelope.should_retry;
        meaning.scope = envelope.scope;
        match meaning.should_retry {
            Some(true) => meaning.recovery = Recovery::Retry,
            Some(false) if meaning.recovery == Recovery::Retry => meaning.recovery = Recovery::Stop,
            _ => {}
        }
        self.add_outcome(head, envelope, &mut meaning);
        meaning.hint = envelope.hint.as_ref().or_else(|| reset(head.status, meaning.class, envelope)).cloned();
        meaning
    }

    /// Adds whether the request was processed, in part or not at all.
    fn add_outcome(&self, head: &Head<'_>, envelope: &Envelope<'_>, meaning: &mut Meaning) {
        // On a success status the response alone says that it is an error: all of it must have been read, and hold no data.
        let is_unread = envelope.unreadable.is_some_and(|why| why != Unreadable::Empty);
        // A stream that has begun is what a processed request gives.
        let may_hold_data = envelope.has_data || head.event.is_some() || (head.status < 400 && is_unread);
        meaning.not_processed &= !may_hold_data;
        meaning.maybe_processed = match head.status {
            401 => head.event.is_some(),
            500.. => !meaning.not_processed,
            _ => may_hold_data,
        };
    }

    fn words(&self, head: &Head<'_>, envelope: &Envelope<'_>) -> Meaning {
        let rule = envelope.rule.map(|nth| self.rule(nth));
        if let Some(rule) = rule
            && let Some(class) = rule.class
        {
            return of_rule(class, rule);
        }
        let mut meaning = self.of_code(envelope).unwrap_or_else(|| self.without_code(head, envelope));
        // A rule without a class only changes what to do.
        if let Some(rule) = rule {
            meaning.recovery = rule.recovery.unwrap_or(meaning.recovery);
            meaning.not_processed |= rule.not_processed;
            if !rule.guidance.is_empty() {
                meaning.guidance.clone_from(&rule.guidance);
            }
        }
        meaning
    }

    fn of_code(&self, envelope: &Envelope<'_>) -> Option<Meaning> {
        let code = self.code(self.trusted_code(envelope)?)?;
        let reason = envelope.reason.as_deref().and_then(|reason| self.reason(reason));
        let recovery = reason.and_then(|reason| reason.recovery).unwrap_or(code.recovery);
        let finer = reason.map(|reason| &reason.guidance).filter(|guidance| !guidance.is_empty());
        let guidance = Arc::clone(finer.unwrap_or(&code.guidance));
        Some(Meaning {
            recovery,
            not_processed: code.not_processed,
            guidance,
            ..Meaning::of_class(code.class, DecidedBy::Code)
        })
    }

    /// Returns the code, unless it stood in a body that breaks off or goes wrong:
    /// the status knows more than half an answer does.
    fn trusted_code<'e>(&self, envelope: &'e Envelope<'_>) -> Option<&'e str> {
        let cut = envelope.unreadable.is_some();
        let code = envelope.code.as_deref()?;
        (!cut || !matches!(envelope.code_location(self), Some(Location::Body(_) | Location::Element(_))))
            .then_some(code)
    }

    fn without_code(&self, head: &Head<'_>, envelope: &Envelope<'_>) -> Meaning {
        if let Some(rule) = envelope.pattern.filter(|_| self.trusted_code(envelope).is_some()).map(|nth| self.rule(nth))
        {
            let class = rule.class.or_else(|| self.class_for_status(head.status)).unwrap_or(Class::Unknown);
            return of_rule(class, rule);
        }
        if head.status == 401 && says_invalid_token(head.headers) {
            return Meaning::of_class(Class::TokenExpired, DecidedBy::Header);
        }
        let Some(class) = self.class_for_status(head.status) else {
            return Meaning::of_class(Class::Unknown, DecidedBy::Signal);
        };
        let mut meaning = Meaning::of_class(class, DecidedBy::Status);
        if head.status == LOCKED && envelope.hint.is_some() {
            // A server that knows when the lock ends says that it does.
            meaning.recovery = Recovery::Retry;
        }
        if let Some(row) = self.status(head.status) {
            meaning.recovery = row.recovery.unwrap_or(meaning.recovery);
            meaning.not_processed = row.not_processed;
            meaning.guidance.clone_from(&row.guidance);
        }
        meaning
    }
}

impl Meaning {
    fn of_class(class: Class, decided_by: DecidedBy) -> Self {
        let (recovery, guidance) = (class.default_recovery(), Arc::default());
        let (not_processed, maybe_processed, scope) = (false, false, CooldownScope::Call);
        Self {
            class,
            recovery,
            decided_by,
            should_retry: None,
            hint: None,
            scope,
            not_processed,
            maybe_processed,
            guidance,
        }
    }
}

/// Returns the end of the rate-limit window where to wait for it helps: where
/// the caller is limited, or where the service is unavailable and has no quota
/// left for the caller either.
///
/// With quota left the window ends sometime, and a request before then is as
/// good as one after it.
fn reset<'e>(status: u16, class: Class, envelope: &'e Envelope<'_>) -> Option<&'e RetryHint> {
    match class {
        Class::RateLimited | Class::QuotaExhausted => envelope.reset.as_ref(),
        _ if status == 429 => envelope.reset.as_ref(),
        Class::Unavailable => envelope.used_up(),
        _ => None,
    }
}

fn of_rule(class: Class, rule: &Rule) -> Meaning {
    // The class of a rule that names none is that of the status.
    let default = if rule.class.is_some() { class.recovery_of_code() } else { class.default_recovery() };
    let recovery = rule.recovery.unwrap_or(default);
    let (not_processed, guidance) = (rule.not_processed, Arc::clone(&rule.guidance));
    Meaning { recovery, not_processed, guidance, ..Meaning::of_class(class, DecidedBy::Rule) }
}

/// Returns `true` if a challenge says that the token is expired, revoked or
/// malformed (RFC 6750 section 3.1).
fn says_invalid_token(headers: &HeaderMap) -> bool {
    challenge::parameters(headers, "error").any(|error| error == "invalid_token")
}

#[cfg(test)]
mod tests;
