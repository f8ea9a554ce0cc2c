//! Business software.

use super::Shipped;
use crate::dialect::Dialect;

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
///   `IP_RATE_LIMIT_EXCEEDED`, `maxConcurrencyExceeded`
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
/// - `conflict`: `5010`, `6210`, `6240`
/// - `internal`: `10000`
/// - `invalid`: `2010`, `2020`, `2500`, `500`
/// - `not_found`: `610`
/// - `permission_denied`: `120`, `6190`
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
///   `QueryParseException`, `UnsupportedMediaTypeException`,
///   `ValidationException`
/// - `not_found`: `ObjectNotFoundException`
/// - `unavailable`: `OrganisationOfflineException`
#[must_use]
pub fn xero() -> Dialect {
    XERO.dialect()
}

pub(super) static XERO: Shipped =
    Shipped::new("xero", include_str!("../../dialects/xero.toml")).extending(&super::OAUTH2);
