//! What is worth a retry, where a crate leaves that to its user.

use http::{Method, StatusCode};

/// Whether a request may be sent again after it may have been processed (RFC 9110, section 9.2.2).
pub(super) fn is_idempotent(method: &Method) -> bool {
    method.is_idempotent()
}

/// Whether the server may answer otherwise the next time.
pub(super) fn is_transient(status: StatusCode) -> bool {
    matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS) || status.is_server_error()
}
