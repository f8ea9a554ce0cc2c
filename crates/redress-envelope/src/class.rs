//! The kinds of failures ([`Class`]) and the ways to handle them
//! ([`Recovery`]).

use std::fmt;
use std::str::FromStr;

/// The kind of failure that a response or a transport error is.
///
/// Every vendor's codes map to one of these. Outputs spell them in
/// `snake_case`, as do [`Display`](fmt::Display), [`FromStr`] and serde.
///
/// # Examples
/// ```
/// use redress_envelope::{Class, Recovery};
///
/// let class: Class = "rate_limited".parse()?;
/// assert_eq!((class, class.default_recovery()), (Class::RateLimited, Recovery::Retry));
/// assert_eq!(class.to_string(), "rate_limited");
/// # Ok::<(), redress_envelope::UnknownWord>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Class {
    /// The service is unreachable or overloaded: a connection failure, 502, 503,
    /// 504.
    Unavailable,
    /// The service failed internally: 500.
    Internal,
    /// Too many requests in a time span; a wait helps.
    RateLimited,
    /// The paid quota is used up; waiting does not restore it.
    QuotaExhausted,
    /// The access token has expired; a refresh helps.
    TokenExpired,
    /// The credentials are missing or rejected. It is unknown whether a new token
    /// would be accepted.
    Unauthenticated,
    /// The credentials are valid but lack the permission.
    PermissionDenied,
    /// The resource that the request names does not exist.
    NotFound,
    /// The request conflicts with the current state of the resource.
    Conflict,
    /// The request is malformed: a field is missing or has a wrong type.
    Invalid,
    /// The request is well-formed but refused by a business rule: the picture is
    /// too dark, the person too young.
    Rejected,
    /// An error without a known meaning.
    Unknown,
}

/// The action that the caller should take on an error.
///
/// # Examples
/// ```
/// use redress_envelope::Recovery;
///
/// assert_eq!(Recovery::RefreshToken.to_string(), "refresh_token");
/// assert_eq!("new_input".parse(), Ok(Recovery::NewInput));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Recovery {
    /// Send the same request again after a delay.
    Retry,
    /// Fetch a new access token, then send the same request again.
    RefreshToken,
    /// Log in again, or replace the credentials.
    Reauthenticate,
    /// Change the request; it fails unchanged.
    FixRequest,
    /// Ask the end user for other input: another picture, another code.
    NewInput,
    /// Restart the flow that the request is part of.
    RestartFlow,
    /// Top up or upgrade the account; alert an operator.
    RaiseLimit,
    /// Open a ticket with the vendor.
    ContactSupport,
    /// Give up; a repetition fails too.
    Stop,
}

/// The error for a name that is neither a [`Class`] nor a [`Recovery`].
///
/// # Examples
/// ```
/// use redress_envelope::Recovery;
///
/// let error = "pray".parse::<Recovery>().unwrap_err();
/// assert!(error.to_string().starts_with("`pray` is none of retry, refresh_token, "));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownWord {
    word: String,
    expected: String,
}

impl Class {
    /// Every class, in the order of their declaration.
    pub const ALL: [Self; 12] = [
        Self::Unavailable,
        Self::Internal,
        Self::RateLimited,
        Self::QuotaExhausted,
        Self::TokenExpired,
        Self::Unauthenticated,
        Self::PermissionDenied,
        Self::NotFound,
        Self::Conflict,
        Self::Invalid,
        Self::Rejected,
        Self::Unknown,
    ];

    /// Returns the class in `snake_case`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
            Self::RateLimited => "rate_limited",
            Self::QuotaExhausted => "quota_exhausted",
            Self::TokenExpired => "token_expired",
            Self::Unauthenticated => "unauthenticated",
            Self::PermissionDenied => "permission_denied",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Invalid => "invalid",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
        }
    }

    /// Returns the class of an HTTP status by itself; `None` below 400.
    ///
    /// A status above 599 is not defined by any standard and counts as a failure of
    /// the server.
    ///
    /// It holds where neither the dialect nor the body says more:
    /// [`Dialect::class_for_status`](crate::Dialect::class_for_status) asks the
    /// vendor's table first.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::Class;
    ///
    /// assert_eq!(Class::from_status(503), Some(Class::Unavailable));
    /// assert_eq!(Class::from_status(418), Some(Class::Invalid));
    /// assert_eq!(Class::from_status(204), None);
    /// ```
    #[must_use]
    pub const fn from_status(status: u16) -> Option<Self> {
        Some(match status {
            0..=399 => return None,
            401 => Self::Unauthenticated,
            402 => Self::QuotaExhausted,
            403 => Self::PermissionDenied,
            404 | 410 => Self::NotFound,
            // A misdirected request is not at fault: another connection takes it (RFC 9110 section 15.5.20).
            408 | 421 | 425 => Self::Unavailable,
            // A locked resource (RFC 4918 section 11.3).
            409 | 412 | 423 => Self::Conflict,
            // 420 is what some servers sent before there was 429.
            420 | 429 => Self::RateLimited,
            400..=499 => Self::Invalid,
            // Cloudflare's, of an origin that it cannot reach or that answers nothing it understands.
            502..=504 | 520..=527 | 529 | 530 => Self::Unavailable,
            _ => Self::Internal,
        })
    }

    /// Returns what to do about an error of this class when its vendor says nothing
    /// else.
    ///
    /// An unknown error and a rejection need a person: only the vendor's own
    /// documentation can promise that other input helps.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::{Class, Recovery};
    ///
    /// assert_eq!(Class::Unavailable.default_recovery(), Recovery::Retry);
    /// assert_eq!(Class::Invalid.default_recovery(), Recovery::FixRequest);
    /// ```
    #[must_use]
    pub const fn default_recovery(self) -> Recovery {
        match self {
            Self::Unavailable | Self::Internal | Self::RateLimited => Recovery::Retry,
            Self::QuotaExhausted => Recovery::RaiseLimit,
            Self::TokenExpired => Recovery::RefreshToken,
            Self::Unauthenticated => Recovery::Reauthenticate,
            Self::NotFound | Self::Invalid => Recovery::FixRequest,
            Self::PermissionDenied | Self::Conflict | Self::Rejected => Recovery::Stop,
            Self::Unknown => Recovery::ContactSupport,
        }
    }
}

impl Class {
    /// Returns what to do about an error that a vendor's own code or rule puts into
    /// this class without saying more.
    ///
    /// A code that stands for credentials that are not accepted seldom tells an
    /// expired token from a dead one, so that one refresh is worth while. A dialect
    /// states `reauthenticate` where the vendor documents that none helps.
    pub(crate) const fn recovery_of_code(self) -> Recovery {
        match self {
            Self::Unauthenticated => Recovery::RefreshToken,
            class => class.default_recovery(),
        }
    }
}

impl Recovery {
    /// Every recovery, in the order of their declaration.
    pub const ALL: [Self; 9] = [
        Self::Retry,
        Self::RefreshToken,
        Self::Reauthenticate,
        Self::FixRequest,
        Self::NewInput,
        Self::RestartFlow,
        Self::RaiseLimit,
        Self::ContactSupport,
        Self::Stop,
    ];

    /// Returns the recovery in `snake_case`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::RefreshToken => "refresh_token",
            Self::Reauthenticate => "reauthenticate",
            Self::FixRequest => "fix_request",
            Self::NewInput => "new_input",
            Self::RestartFlow => "restart_flow",
            Self::RaiseLimit => "raise_limit",
            Self::ContactSupport => "contact_support",
            Self::Stop => "stop",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Class {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        find(word, &Self::ALL, Self::as_str)
    }
}

impl FromStr for Recovery {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        find(word, &Self::ALL, Self::as_str)
    }
}

impl fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is none of {}", self.word, self.expected)
    }
}

impl std::error::Error for UnknownWord {}

fn find<T: Copy>(word: &str, all: &[T], name: fn(T) -> &'static str) -> Result<T, UnknownWord> {
    all.iter().copied().find(|item| name(*item) == word).ok_or_else(|| UnknownWord {
        word: word.to_owned(),
        expected: all.iter().map(|item| name(*item)).collect::<Vec<_>>().join(", "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back_as_itself() {
        for class in Class::ALL {
            assert_eq!(class.to_string().parse(), Ok(class));
        }
        for recovery in Recovery::ALL {
            assert_eq!(recovery.to_string().parse(), Ok(recovery));
        }
        let error = "rate-limited".parse::<Class>().unwrap_err();
        assert!(error.to_string().starts_with("`rate-limited` is none of unavailable, internal, rate_limited"));
    }

    #[test]
    fn statuses_without_a_code_have_the_documented_class() {
        let table: [(&[u16], Class); 9] = [
            (&[400, 405, 406, 411, 413, 414, 415, 418, 419, 422, 428, 431, 499], Class::Invalid),
            (&[401], Class::Unauthenticated),
            (&[402], Class::QuotaExhausted),
            (&[403], Class::PermissionDenied),
            (&[404, 410], Class::NotFound),
            (&[408, 421, 425, 502, 503, 504, 520, 523, 524, 525, 526, 527, 529, 530], Class::Unavailable),
            (&[409, 412, 423], Class::Conflict),
            (&[420, 429], Class::RateLimited),
            (&[500, 501, 505, 507, 511, 528, 531, 599, 600, 999], Class::Internal),
        ];
        for (statuses, class) in table {
            for status in statuses {
                assert_eq!(Class::from_status(*status), Some(class), "{status}");
            }
        }
        for status in 0..400 {
            assert_eq!(Class::from_status(status), None, "{status}");
        }
    }
}
