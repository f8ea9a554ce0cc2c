//! APIs that run and watch software, and store its files.

use super::Shipped;
use crate::dialect::Dialect;

/// Returns the dialect of Box.
///
/// The signals of [`oauth2`](super::oauth2) hold.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `conflict`: `conflict`, `folder_not_empty`, `item_name_in_use`,
///   `name_temporarily_reserved`, `not_trashed`, `operation_blocked_temporary`,
///   `precondition_failed`, `recent_similar_comment`,
///   `sync_state_precondition_failed`, `upload_failed`,
///   `user_login_already_used`
/// - `invalid`: `bad_request`, `cyclical_folder_structure`,
///   `item_name_invalid`, `item_name_too_long`, `method_not_allowed`,
///   `request_entity_too_large`
/// - `not_found`: `not_found`, `session_expired`, `trashed`
/// - `permission_denied`: `access_denied_insufficient_permissions`,
///   `access_denied_item_locked`, `access_from_location_blocked`, `forbidden`,
///   `forbidden_by_policy`, `terms_of_service_required`,
///   `user_email_confirmation_required`
/// - `quota_exhausted`: `storage_limit_exceeded`
/// - `rejected`: `file_size_limit_exceeded`, `incorrect_shared_item_password`
/// - `unauthenticated`: `password_reset_required`, `unauthorized`
#[must_use]
pub fn box_com() -> Dialect {
    BOX_COM.dialect()
}

pub(super) static BOX_COM: Shipped =
    Shipped::new("box-com", include_str!("../../dialects/box-com.toml")).extending(&super::OAUTH2);

/// Returns the dialect of Contentful.
///
/// The signals of [`oauth2`](super::oauth2) hold.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `conflict`: `VersionMismatch`
/// - `invalid`: `BadRequest`, `InvalidQuery`, `ValidationFailed`
/// - `not_found`: `NotFound`
/// - `permission_denied`: `AccessDenied`
/// - `rate_limited`: `RateLimitExceeded`
/// - `unauthenticated`: `AccessTokenInvalid`
#[must_use]
pub fn contentful() -> Dialect {
    CONTENTFUL.dialect()
}

pub(super) static CONTENTFUL: Shipped =
    Shipped::new("contentful", include_str!("../../dialects/contentful.toml")).extending(&super::OAUTH2);

/// Returns the dialect of Datadog.
///
/// The signals of [`jsonapi`](super::jsonapi) hold.
///
/// # Codes
/// Those of [`jsonapi`](super::jsonapi).
#[must_use]
pub fn datadog() -> Dialect {
    DATADOG.dialect()
}

pub(super) static DATADOG: Shipped =
    Shipped::new("datadog", include_str!("../../dialects/datadog.toml")).extending(&super::JSONAPI);

/// Returns the dialect of `DigitalOcean`.
///
/// The signals of [`oauth2`](super::oauth2) hold.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `invalid`: `bad_request`, `unprocessable_entity`
/// - `not_found`: `not_found`
/// - `permission_denied`: `forbidden`
/// - `rate_limited`: `too_many_requests`
/// - `unauthenticated`: `unauthorized`
#[must_use]
pub fn digitalocean() -> Dialect {
    DIGITALOCEAN.dialect()
}

pub(super) static DIGITALOCEAN: Shipped =
    Shipped::new("digitalocean", include_str!("../../dialects/digitalocean.toml")).extending(&super::OAUTH2);

/// Returns the dialect of OCI registries, Docker Hub among them.
///
/// The signals of [`oauth2`](super::oauth2) hold.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `invalid`: `BLOB_UPLOAD_INVALID`, `DIGEST_INVALID`, `MANIFEST_INVALID`,
///   `MANIFEST_UNVERIFIED`, `NAME_INVALID`, `PAGINATION_NUMBER_INVALID`,
///   `RANGE_INVALID`, `SIZE_INVALID`, `TAG_INVALID`, `UNSUPPORTED`
/// - `not_found`: `BLOB_UNKNOWN`, `BLOB_UPLOAD_UNKNOWN`,
///   `MANIFEST_BLOB_UNKNOWN`, `MANIFEST_UNKNOWN`, `NAME_UNKNOWN`
/// - `permission_denied`: `DENIED`
/// - `rate_limited`: `TOOMANYREQUESTS`
/// - `unauthenticated`: `UNAUTHORIZED`
/// - `unavailable`: `UNAVAILABLE`
#[must_use]
pub fn docker_registry() -> Dialect {
    DOCKER_REGISTRY.dialect()
}

pub(super) static DOCKER_REGISTRY: Shipped =
    Shipped::new("docker-registry", include_str!("../../dialects/docker-registry.toml")).extending(&super::OAUTH2);

/// Returns the dialect of Dropbox.
///
/// The signals of [`oauth2`](super::oauth2) hold.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `conflict`: `incorrect_offset`, `reset`
/// - `invalid`: `disallowed_name`, `invalid_select_admin`,
///   `invalid_select_user`, `malformed_path`
/// - `not_found`: `not_found`
/// - `permission_denied`: `invalid_account_type`, `missing_scope`,
///   `no_permission`, `no_write_permission`, `paper_access_denied`,
///   `restricted_content`, `route_access_denied`
/// - `quota_exhausted`: `insufficient_quota`, `insufficient_space`
/// - `rate_limited`: `too_many_requests`, `too_many_write_operations`
/// - `token_expired`: `expired_access_token`
/// - `unauthenticated`: `invalid_access_token`, `user_suspended`
#[must_use]
pub fn dropbox() -> Dialect {
    DROPBOX.dialect()
}

pub(super) static DROPBOX: Shipped =
    Shipped::new("dropbox", include_str!("../../dialects/dropbox.toml")).extending(&super::OAUTH2);

/// Returns the dialect of Figma.
///
/// The signals of [`oauth2`](super::oauth2) hold.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2).
#[must_use]
pub fn figma() -> Dialect {
    FIGMA.dialect()
}

pub(super) static FIGMA: Shipped =
    Shipped::new("figma", include_str!("../../dialects/figma.toml")).extending(&super::OAUTH2);

/// Returns the dialect of Heroku.
///
/// The signals of [`oauth2`](super::oauth2) hold.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `conflict`: `conflict`
/// - `invalid`: `bad_request`, `invalid_params`, `not_acceptable`,
///   `requested_range_not_satisfiable`
/// - `not_found`: `gone`, `not_found`
/// - `permission_denied`: `delinquent`, `forbidden`, `suspended`,
///   `verification_needed`
/// - `rate_limited`: `rate_limit`
/// - `unauthenticated`: `two_factor`, `unauthorized`
#[must_use]
pub fn heroku() -> Dialect {
    HEROKU.dialect()
}

pub(super) static HEROKU: Shipped =
    Shipped::new("heroku", include_str!("../../dialects/heroku.toml")).extending(&super::OAUTH2);

/// Returns the dialect of `PagerDuty`.
///
/// The signals of [`oauth2`](super::oauth2) hold.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `internal`: `2000`
/// - `invalid`: `2001`, `2002`, `2003`, `2004`, `2005`, `2009`, `2011`, `2015`
/// - `not_found`: `2013`, `2100`
/// - `permission_denied`: `2008`, `2010`, `2012`, `2014`, `2018`
/// - `rate_limited`: `2020`
/// - `unauthenticated`: `2006`
/// - `unavailable`: `2016`
#[must_use]
pub fn pagerduty() -> Dialect {
    PAGERDUTY.dialect()
}

pub(super) static PAGERDUTY: Shipped =
    Shipped::new("pagerduty", include_str!("../../dialects/pagerduty.toml")).extending(&super::OAUTH2);

/// Returns the dialect of Sentry.
///
/// The signals of [`drf`](super::drf) hold.
///
/// # Codes
/// Those of [`drf`](super::drf), and:
///
/// - `permission_denied`: `2fa-required`, `superuser-required`
/// - `unauthenticated`: `sso-required`, `sudo-required`
#[must_use]
pub fn sentry() -> Dialect {
    SENTRY.dialect()
}

pub(super) static SENTRY: Shipped =
    Shipped::new("sentry", include_str!("../../dialects/sentry.toml")).extending(&super::DRF);

/// Returns the dialect of Vercel.
///
/// The signals of [`oauth2`](super::oauth2) hold.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `internal`: `internal_server_error`
/// - `invalid`: `bad_request`, `method_unknown`
/// - `not_found`: `not_found`
/// - `permission_denied`: `forbidden`
/// - `rate_limited`: `rate_limited`, `too_many_requests`
#[must_use]
pub fn vercel() -> Dialect {
    VERCEL.dialect()
}

pub(super) static VERCEL: Shipped =
    Shipped::new("vercel", include_str!("../../dialects/vercel.toml")).extending(&super::OAUTH2);
