//! The usual advice on what to retry, for crates that leave it to their users.

use http::{Method, StatusCode};

/// Returns `true` if a request may be repeated after it may have been processed (RFC 9110, section
/// 9.2.2).
pub(super) fn is_idempotent(method: &Method) -> bool {
    method.is_idempotent()
}

/// Returns `true` if a later attempt may succeed.
pub(super) fn is_transient(status: StatusCode) -> bool {
    matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS) || status.is_server_error()
}
