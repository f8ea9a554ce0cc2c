//! The part of a cause that a failure shows: no text that a server or a user may have written.

use std::error::Error as StdError;
use std::io;

use redress_classify::{ApiError, Error, TransportError, escaped};

use super::Failure;
use super::mapping::BareStatus;
use crate::explanation::Explanation;
use crate::token_set::InvalidHeader;

/// The maximum length of a code in characters.
const MAX_CODE: usize = 64;
/// The codes that OAuth registers, by RFC 6749, 6750, 7009, 7591, 8628, 8707, 9449 and 9470 and by `OpenID` Connect Core
/// section 3.1.2.6. A response with one of them quotes nothing from a request.
const REGISTERED: [&str; 33] = [
    "access_denied",
    "account_selection_required",
    "authorization_pending",
    "consent_required",
    "expired_token",
    "insufficient_scope",
    "insufficient_user_authentication",
    "interaction_required",
    "invalid_client",
    "invalid_client_metadata",
    "invalid_dpop_proof",
    "invalid_grant",
    "invalid_redirect_uri",
    "invalid_request",
    "invalid_request_object",
    "invalid_request_uri",
    "invalid_scope",
    "invalid_software_statement",
    "invalid_target",
    "invalid_token",
    "login_required",
    "registration_not_supported",
    "request_not_supported",
    "request_uri_not_supported",
    "server_error",
    "slow_down",
    "temporarily_unavailable",
    "unapproved_software_statement",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
    "unsupported_token_type",
    "use_dpop_nonce",
];

/// The part of a cause that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// The issuer's answer.
    Answer { status: u16, text: String },
    /// A text of the program itself.
    Explanation(String),
    /// How the transport failed.
    Other(String),
}

impl Detail {
    /// Returns the part of a cause that no server and no user can have written. The kind of an `io::Error` is more specific
    /// than the errors around it, which are shown only without one.
    pub(super) fn of(cause: &(dyn StdError + 'static)) -> Option<Self> {
        let mut around = None;
        let mut next = Some(cause);
        while let Some(error) = next {
            if let Some(error) = error.downcast_ref::<ApiError>() {
                return Some(Self::Answer { status: error.status(), text: answer(error) });
            }
            if let Some(error) = error.downcast_ref::<BareStatus>() {
                return Some(Self::Answer { status: error.status(), text: error.to_string() });
            }
            if error.is::<Explanation>() || error.is::<InvalidHeader>() || error.is::<Failure>() {
                return Some(Self::Explanation(error.to_string()));
            }
            if let Some(kind) = error.downcast_ref::<io::Error>().and_then(kind) {
                return Some(Self::Other(kind));
            }
            if error.is::<TransportError>() || (error.is::<Error>() && around.is_none()) {
                around = Some(error.to_string());
            }
            // An `io::Error` answers `source` with the source of what it wraps.
            next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                Some(wrapped) => Some(wrapped),
                None => error.source(),
            };
        }
        around.map(Self::Other)
    }
}

impl Detail {
    /// Returns `true` for an answer that a wrong URL gets.
    pub(super) const fn is_not_found(&self) -> bool {
        matches!(self, Self::Answer { status: 404 | 405 | 410, .. })
    }

    /// Adds a code that the dialect does not list to an answer without a code.
    pub(super) fn add_unlisted_code(&mut self, code: &str) {
        if let Self::Answer { text, .. } = self
            && !text.ends_with(')')
        {
            *text = format!("{text} ({}, a code that the dialect does not list)", escaped(code, MAX_CODE));
        }
    }
}

/// Returns the kind of an error, unless it is unspecific.
fn kind(error: &io::Error) -> Option<String> {
    let kind = error.kind().to_string();
    (!matches!(kind.as_str(), "other error" | "uncategorized error")).then_some(kind)
}

/// Returns status, class and a known code of a response.
fn answer(error: &ApiError) -> String {
    let registered = error.code().and_then(|code| REGISTERED.into_iter().find(|known| *known == code));
    let code = registered.or_else(|| error.known_code()).map(|code| format!(" ({})", escaped(code, MAX_CODE)));
    format!("{} {}{}", error.status(), error.class(), code.unwrap_or_default())
}
