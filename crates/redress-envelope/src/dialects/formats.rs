//! Formats of errors that many APIs share, and `generic`.

use super::Shipped;
use crate::dialect::Dialect;

/// Returns the dialect of Connect.
///
/// The status signals an error.
///
/// # Codes
/// - `conflict`: `aborted`, `already_exists`, `failed_precondition`
/// - `internal`: `data_loss`, `internal`
/// - `invalid`: `invalid_argument`, `out_of_range`, `unimplemented`
/// - `not_found`: `not_found`
/// - `permission_denied`: `permission_denied`
/// - `rate_limited`: `resource_exhausted`
/// - `unauthenticated`: `unauthenticated`
/// - `unavailable`: `canceled`, `deadline_exceeded`, `unavailable`
/// - `unknown`: `unknown`
#[must_use]
pub fn connect() -> Dialect {
    CONNECT.dialect()
}

pub(super) static CONNECT: Shipped = Shipped::new("connect", include_str!("../../dialects/connect.toml"));

/// Returns the dialect for an API without a dialect of its own.
///
/// The status decides. Code, message and fields are read from where most APIs
/// have them. The body of a success never makes it an error.
#[must_use]
pub fn generic() -> Dialect {
    GENERIC.dialect()
}

pub(super) static GENERIC: Shipped = Shipped::new("generic", include_str!("../../dialects/generic.toml"));

/// Returns the dialect of GraphQL.
///
/// A body or header may signal an error on a success status.
///
/// # Codes
/// - `internal`: `INTERNAL_ERROR`, `INTERNAL_SERVER_ERROR`
/// - `invalid`: `BAD_REQUEST`, `BAD_USER_INPUT`, `GRAPHQL_PARSE_FAILED`,
///   `GRAPHQL_VALIDATION_FAILED`, `OPERATION_RESOLUTION_FAILURE`,
///   `PERSISTED_QUERY_NOT_SUPPORTED`
/// - `not_found`: `NOT_FOUND`, `PERSISTED_QUERY_NOT_FOUND`
/// - `permission_denied`: `FORBIDDEN`
/// - `rate_limited`: `RATELIMITED`, `RATE_LIMITED`, `RATE_LIMIT_EXCEEDED`,
///   `THROTTLED`, `TOO_MANY_REQUESTS`
/// - `unauthenticated`: `AUTH_NOT_AUTHENTICATED`, `UNAUTHENTICATED`,
///   `UNAUTHORIZED`, `invalid-jwt`
#[must_use]
pub fn graphql() -> Dialect {
    GRAPHQL.dialect()
}

pub(super) static GRAPHQL: Shipped = Shipped::new("graphql", include_str!("../../dialects/graphql.toml"));

/// Returns the dialect of gRPC.
///
/// A header or trailer signals an error on a success status: `grpc-status`.
/// `docs/grpc.md` of the repository says what is read and retried.
///
/// # Codes
/// - `conflict`: `ABORTED`, `ALREADY_EXISTS`, `FAILED_PRECONDITION`
/// - `internal`: `DATA_LOSS`, `INTERNAL`
/// - `invalid`: `INVALID_ARGUMENT`, `OUT_OF_RANGE`, `UNIMPLEMENTED`
/// - `not_found`: `NOT_FOUND`
/// - `permission_denied`: `PERMISSION_DENIED`
/// - `rate_limited`: `RESOURCE_EXHAUSTED`
/// - `unauthenticated`: `UNAUTHENTICATED`
/// - `unavailable`: `CANCELLED`, `DEADLINE_EXCEEDED`, `UNAVAILABLE`
/// - `unknown`: `UNKNOWN`
#[must_use]
pub fn grpc() -> Dialect {
    GRPC.dialect()
}

pub(super) static GRPC: Shipped = Shipped::new("grpc", include_str!("../../dialects/grpc.toml"));

/// Returns the dialect of JSON:API.
///
/// The status signals an error.
#[must_use]
pub fn jsonapi() -> Dialect {
    JSONAPI.dialect()
}

pub(super) static JSONAPI: Shipped = Shipped::new("jsonapi", include_str!("../../dialects/jsonapi.toml"));

/// Returns the dialect of JSON-RPC.
///
/// A body or header may signal an error on a success status.
///
/// # Codes
/// - `internal`: `-32603`
/// - `invalid`: `-32600`, `-32602`, `-32700`
/// - `not_found`: `-32601`
/// - `rate_limited`: `-32005`
#[must_use]
pub fn jsonrpc() -> Dialect {
    JSONRPC.dialect()
}

pub(super) static JSONRPC: Shipped = Shipped::new("jsonrpc", include_str!("../../dialects/jsonrpc.toml"));

/// Returns the dialect of OAuth 2.0.
///
/// The status signals an error.
///
/// # Codes
/// - `conflict`: `authorization_pending`
/// - `internal`: `server_error`
/// - `invalid`: `invalid_client_metadata`, `invalid_redirect_uri`,
///   `invalid_request`, `invalid_scope`, `invalid_target`,
///   `unsupported_grant_type`, `unsupported_response_type`,
///   `unsupported_token_type`
/// - `permission_denied`: `insufficient_scope`, `unauthorized_client`
/// - `rate_limited`: `slow_down`
/// - `rejected`: `access_denied`
/// - `token_expired`: `invalid_token`
/// - `unauthenticated`: `account_selection_required`, `consent_required`,
///   `expired_token`, `insufficient_user_authentication`,
///   `interaction_required`, `invalid_client`, `invalid_dpop_proof`,
///   `invalid_grant`, `login_required`, `use_dpop_nonce`
/// - `unavailable`: `temporarily_unavailable`
#[must_use]
pub fn oauth2() -> Dialect {
    OAUTH2.dialect()
}

pub(super) static OAUTH2: Shipped = Shipped::new("oauth2", include_str!("../../dialects/oauth2.toml"));

/// Returns the dialect of `OData`.
///
/// The status signals an error.
#[must_use]
pub fn odata() -> Dialect {
    ODATA.dialect()
}

pub(super) static ODATA: Shipped = Shipped::new("odata", include_str!("../../dialects/odata.toml"));

/// Returns the dialect of Problem details (RFC 9457).
///
/// The status signals an error.
///
/// # Codes
/// - `rate_limited`:
///   `https://iana.org/assignments/http-problem-types#abnormal-usage-detected`,
///   `https://iana.org/assignments/http-problem-types#quota-exceeded`
/// - `unavailable`:
///   `https://iana.org/assignments/http-problem-types#temporary-reduced-capacity`
#[must_use]
pub fn problem() -> Dialect {
    PROBLEM.dialect()
}

pub(super) static PROBLEM: Shipped = Shipped::new("problem", include_str!("../../dialects/problem.toml"));

/// Returns the dialect of Twirp.
///
/// The status signals an error.
///
/// # Codes
/// - `conflict`: `aborted`, `already_exists`, `failed_precondition`
/// - `internal`: `data_loss`, `dataloss`, `internal`
/// - `invalid`: `bad_route`, `invalid_argument`, `malformed`, `out_of_range`,
///   `unimplemented`
/// - `not_found`: `not_found`
/// - `permission_denied`: `permission_denied`
/// - `rate_limited`: `resource_exhausted`
/// - `unauthenticated`: `unauthenticated`
/// - `unavailable`: `canceled`, `deadline_exceeded`, `unavailable`
/// - `unknown`: `unknown`
#[must_use]
pub fn twirp() -> Dialect {
    TWIRP.dialect()
}

pub(super) static TWIRP: Shipped = Shipped::new("twirp", include_str!("../../dialects/twirp.toml"));
