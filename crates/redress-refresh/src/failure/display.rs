//! How a failure is shown: without the parts of its cause that may contain a secret.

use std::error::Error as StdError;
use std::fmt;

use super::detail::Detail;
use super::{Failure, Inner, Kind};

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { purpose, host, path, detail, earlier, .. } = &*self.inner;
        // The path matters where the endpoint may be a wrong one.
        let path = path.as_deref().filter(|_| detail.as_ref().is_some_and(Detail::is_not_found)).unwrap_or_default();
        // An explanation of a permanent failure is complete without a sentence before it.
        let is_alone = purpose.is_none() && self.is_permanent() && matches!(detail, Some(Detail::Explanation(_)));
        match purpose {
            _ if self.is_cleared() => return f.write_str(self.inner.kind.sentence()),
            None if is_alone => {}
            None => f.write_str(self.inner.kind.sentence())?,
            Some(purpose) if self.is_refusal() => write!(f, "the {purpose} was refused")?,
            Some(purpose) => match host {
                Some(host) => write!(f, "{purpose} at {host}{path} failed")?,
                None => write!(f, "the {purpose} failed")?,
            },
        }
        if let Some(Detail::Answer { text, .. } | Detail::Explanation(text) | Detail::Other(text)) = detail {
            write!(f, "{}{text}", if is_alone { "" } else { ": " })?;
        }
        match earlier {
            Some(earlier) => write!(f, ", after {earlier}"),
            None => Ok(()),
        }
    }
}

impl Failure {
    /// Returns `true` if the issuer has refused, as opposed to a response that is missing or unusable.
    fn is_refusal(&self) -> bool {
        let is_final = matches!(self.inner.kind, Kind::Permanent | Kind::InvalidGrant);
        is_final && matches!(self.inner.detail, None | Some(Detail::Answer { .. }))
    }
}

impl Kind {
    /// Returns the sentence for a failure whose call is unknown.
    const fn sentence(self) -> &'static str {
        match self {
            Self::Transient => "no new credentials for now",
            Self::Ambiguous => "no answer to a request for new credentials",
            Self::InvalidGrant => "the refresh token is invalid",
            Self::Permanent => "the credentials are refused",
            Self::Cleared => "the credentials were cleared",
        }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("kind", &self.inner.kind)
            .field("retry_after", &self.inner.retry_after)
            .field("purpose", &self.inner.purpose)
            .field("host", &self.inner.host)
            .field("detail", &self.inner.detail)
            .field("earlier", &self.inner.earlier)
            .field("cause", &"Redacted")
            .finish()
    }
}

/// The source is not in the chain: see [`cause`](Failure::cause).
impl StdError for Failure {}
