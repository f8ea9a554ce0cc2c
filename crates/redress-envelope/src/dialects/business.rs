//! Business software.

use super::Shipped;
use crate::dialect::Dialect;

/// Returns the dialect of Airtable.
///
/// The status signals an error.
///
/// # Codes
/// - `conflict`: `LIST_RECORDS_ITERATOR_NOT_AVAILABLE`
/// - `invalid`: `INVALID_FILTER_BY_FORMULA`, `INVALID_REQUEST_MISSING_FIELDS`,
///   `INVALID_REQUEST_UNKNOWN`, `INVALID_VALUE_FOR_COLUMN`,
///   `UNKNOWN_FIELD_NAME`
/// - `not_found`: `NOT_FOUND`
/// - `permission_denied`: `INVALID_PERMISSIONS`,
///   `INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND`
/// - `quota_exhausted`: `PUBLIC_API_BILLING_LIMIT_EXCEEDED`
/// - `rate_limited`: `RATE_LIMIT_REACHED`, `TOO_MANY_REQUESTS`
/// - `unauthenticated`: `AUTHENTICATION_REQUIRED`
#[must_use]
pub fn airtable() -> Dialect {
    AIRTABLE.dialect()
}

pub(super) static AIRTABLE: Shipped = Shipped::new("airtable", include_str!("../../dialects/airtable.toml"));

/// Returns the dialect of Asana.
///
/// The signals of [`oauth2`](super::oauth2) hold.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2).
#[must_use]
pub fn asana() -> Dialect {
    ASANA.dialect()
}

pub(super) static ASANA: Shipped =
    Shipped::new("asana", include_str!("../../dialects/asana.toml")).extending(&super::OAUTH2);

/// Returns the dialect of Atlassian.
///
/// A body or header may signal an error on a success status.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2).
#[must_use]
pub fn atlassian() -> Dialect {
    ATLASSIAN.dialect()
}

pub(super) static ATLASSIAN: Shipped =
    Shipped::new("atlassian", include_str!("../../dialects/atlassian.toml")).extending(&super::OAUTH2);

/// Returns the dialect of `DocuSign`.
///
/// The signals of [`oauth2`](super::oauth2) hold.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `conflict`: `RECIPIENT_NOT_IN_SEQUENCE`
/// - `invalid`: `INVALID_EMAIL_ADDRESS_FOR_RECIPIENT`, `INVALID_REQUEST_BODY`,
///   `INVALID_REQUEST_PARAMETER`
/// - `not_found`: `ENVELOPE_DOES_NOT_EXIST`, `UNKNOWN_ENVELOPE_RECIPIENT`
/// - `permission_denied`: `ACCOUNT_LACKS_PERMISSIONS`, `USER_LACKS_PERMISSIONS`
/// - `rate_limited`: `API_REQUEST_IS_THROTTLED`,
///   `BURST_APIINVOCATION_LIMIT_EXCEEDED`,
///   `HOURLY_APIINVOCATION_LIMIT_EXCEEDED`
/// - `unauthenticated`: `AUTHORIZATION_INVALID_TOKEN`,
///   `PARTNER_AUTHENTICATION_FAILED`, `USER_AUTHENTICATION_FAILED`
/// - `unknown`: `UNSPECIFIED_ERROR`
#[must_use]
pub fn docusign() -> Dialect {
    DOCUSIGN.dialect()
}

pub(super) static DOCUSIGN: Shipped =
    Shipped::new("docusign", include_str!("../../dialects/docusign.toml")).extending(&super::OAUTH2);

/// Returns the dialect of `HubSpot`.
///
/// The signals of [`oauth2`](super::oauth2) hold.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `conflict`: `CONFLICT`
/// - `invalid`: `VALIDATION_ERROR`
/// - `not_found`: `OBJECT_NOT_FOUND`
/// - `permission_denied`: `MISSING_SCOPES`
/// - `rate_limited`: `RATE_LIMITS`
/// - `token_expired`: `EXPIRED_AUTHENTICATION`
/// - `unauthenticated`: `BAD_AUTH_CODE`, `BAD_REFRESH_TOKEN`,
///   `INVALID_AUTHENTICATION`
#[must_use]
pub fn hubspot() -> Dialect {
    HUBSPOT.dialect()
}

pub(super) static HUBSPOT: Shipped =
    Shipped::new("hubspot", include_str!("../../dialects/hubspot.toml")).extending(&super::OAUTH2);

/// Returns the dialect of Intercom.
///
/// The signals of [`oauth2`](super::oauth2) hold.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `conflict`: `conflict`, `job_closed`, `not_restorable`,
///   `resource_conflict`, `scroll_exists`, `unique_user_constraint`
/// - `invalid`: `bad_request`, `client_error`, `data_invalid`,
///   `intercom_version_invalid`, `missing_parameter`, `parameter_invalid`,
///   `parameter_missing`, `parameter_not_found`, `team_unavailable`,
///   `type_mismatch`, `unprocessable_entity`, `unsupported`
/// - `not_found`: `admin_not_found`, `company_not_found`, `not_found`,
///   `team_not_found`
/// - `permission_denied`: `action_forbidden`, `api_plan_restricted`,
///   `forbidden`
/// - `rate_limited`: `rate_limit_exceeded`, `retry_after`, `too_many_requests`
/// - `token_expired`: `token_expired`
/// - `unauthenticated`: `missing_authorization`, `token_blocked`,
///   `token_not_found`, `token_revoked`, `token_suspended`,
///   `token_unauthorized`, `unauthorized`
/// - `unavailable`: `request_timeout`, `service_unavailable`
#[must_use]
pub fn intercom() -> Dialect {
    INTERCOM.dialect()
}

pub(super) static INTERCOM: Shipped =
    Shipped::new("intercom", include_str!("../../dialects/intercom.toml")).extending(&super::OAUTH2);

/// Returns the dialect of monday.com.
///
/// A body or header may signal an error on a success status.
///
/// # Codes
/// Those of [`graphql`](super::graphql), and:
///
/// - `conflict`: `DeleteLastGroupException`, `IDEMPOTENCY_CONFLICT`
/// - `invalid`: `ColumnValueException`, `CorrectedValueException`,
///   `CreateBoardException`, `InvalidArgumentException`,
///   `InvalidBoardIdException`, `InvalidColumnIdException`,
///   `InvalidUserIdException`, `InvalidVersionException`,
///   `ItemNameTooLongException`, `JsonParseException`
/// - `not_found`: `ResourceNotFoundException`
/// - `permission_denied`: `USER_ACCESS_DENIED`, `UserUnauthorizedException`,
///   `missingRequiredPermissions`
/// - `quota_exhausted`: `DAILY_LIMIT_EXCEEDED`
/// - `rate_limited`: `COMPLEXITY_BUDGET_EXHAUSTED`, `ComplexityException`,
///   `FIELD_LIMIT_EXCEEDED`, `IP_RATE_LIMIT_EXCEEDED`, `maxConcurrencyExceeded`
/// - `rejected`: `ItemsLimitationException`, `RecordInvalidException`
/// - `unavailable`: `API_TEMPORARILY_BLOCKED`
#[must_use]
pub fn monday() -> Dialect {
    MONDAY.dialect()
}

pub(super) static MONDAY: Shipped =
    Shipped::new("monday", include_str!("../../dialects/monday.toml")).extending(&super::GRAPHQL);

/// Returns the dialect of `QuickBooks` Online.
///
/// A body or header may signal an error on a success status.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `conflict`: `5010`, `6140`, `6240`
/// - `internal`: `10000`
/// - `invalid`: `2010`, `2020`, `2500`, `500`
/// - `not_found`: `610`
/// - `permission_denied`: `120`, `6190`
/// - `rejected`: `6200`, `6210`
#[must_use]
pub fn quickbooks() -> Dialect {
    QUICKBOOKS.dialect()
}

pub(super) static QUICKBOOKS: Shipped =
    Shipped::new("quickbooks", include_str!("../../dialects/quickbooks.toml")).extending(&super::OAUTH2);

/// Returns the dialect of Xero.
///
/// The signals of [`oauth2`](super::oauth2) hold.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `invalid`: `NoDataProcessedException`, `PostDataInvalidException`,
///   `QueryParseException`, `ValidationException`
#[must_use]
pub fn xero() -> Dialect {
    XERO.dialect()
}

pub(super) static XERO: Shipped =
    Shipped::new("xero", include_str!("../../dialects/xero.toml")).extending(&super::OAUTH2);

/// Returns the dialect of Zoom.
///
/// The signals of [`oauth2`](super::oauth2) hold.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `invalid`: `300`
/// - `not_found`: `1001`, `1010`, `3001`
/// - `permission_denied`: `200`, `4711`
/// - `unauthenticated`: `124`
#[must_use]
pub fn zoom() -> Dialect {
    ZOOM.dialect()
}

pub(super) static ZOOM: Shipped =
    Shipped::new("zoom", include_str!("../../dialects/zoom.toml")).extending(&super::OAUTH2);
