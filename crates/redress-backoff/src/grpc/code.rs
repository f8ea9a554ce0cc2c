//! The code of a failed attempt.

use http::{HeaderMap, HeaderName};
use redress_classify::{Class, GrpcCode, Verdict};

use crate::decision::ResponseHead;

const STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Returns the code in the head of a response.
pub(crate) fn code_in(headers: &HeaderMap) -> Option<GrpcCode> {
    let number = headers.get(&STATUS)?.to_str().ok()?;
    Some(number.parse().ok().and_then(GrpcCode::from_number).unwrap_or(GrpcCode::Unknown))
}

/// Returns the code that a gRPC client reports for a failed attempt: that of the server, else the one of the HTTP status
/// (grpc/grpc, doc/http-grpc-status-mapping.md) or of the transport (doc/PROTOCOL-HTTP2.md, "Errors").
pub(crate) fn code_of(verdict: &Verdict, head: Option<ResponseHead>) -> GrpcCode {
    let Some(head) = head else {
        let is_limited = verdict.class() == Class::RateLimited;
        return if is_limited { GrpcCode::ResourceExhausted } else { GrpcCode::Unavailable };
    };
    let read = verdict.api_error().and_then(|error| GrpcCode::from_name(error.code()?));
    read.or(head.grpc_code).unwrap_or(match head.status {
        400 => GrpcCode::Internal,
        401 => GrpcCode::Unauthenticated,
        403 => GrpcCode::PermissionDenied,
        404 => GrpcCode::Unimplemented,
        429 | 502..=504 => GrpcCode::Unavailable,
        _ => GrpcCode::Unknown,
    })
}
