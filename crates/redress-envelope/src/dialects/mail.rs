//! Mail.

use super::Shipped;
use crate::dialect::Dialect;

/// Returns the dialect of Klaviyo.
///
/// The signals of [`jsonapi`](super::jsonapi) hold.
///
/// # Codes
/// - `conflict`: `duplicate_profile`
#[must_use]
pub fn klaviyo() -> Dialect {
    KLAVIYO.dialect()
}

pub(super) static KLAVIYO: Shipped =
    Shipped::new("klaviyo", include_str!("../../dialects/klaviyo.toml")).extending(&super::JSONAPI);

/// Returns the dialect of Mailchimp.
///
/// The signals of [`problem`](super::problem) hold.
///
/// # Codes
/// Those of [`problem`](super::problem).
#[must_use]
pub fn mailchimp() -> Dialect {
    MAILCHIMP.dialect()
}

pub(super) static MAILCHIMP: Shipped =
    Shipped::new("mailchimp", include_str!("../../dialects/mailchimp.toml")).extending(&super::PROBLEM);

/// Returns the dialect of Mailgun.
///
/// The status signals an error.
#[must_use]
pub fn mailgun() -> Dialect {
    MAILGUN.dialect()
}

pub(super) static MAILGUN: Shipped = Shipped::new("mailgun", include_str!("../../dialects/mailgun.toml"));

/// Returns the dialect of Postmark.
///
/// The status signals an error.
///
/// # Codes
/// - `rejected`: `406`
#[must_use]
pub fn postmark() -> Dialect {
    POSTMARK.dialect()
}

pub(super) static POSTMARK: Shipped = Shipped::new("postmark", include_str!("../../dialects/postmark.toml"));

/// Returns the dialect of Resend.
///
/// The status signals an error.
///
/// # Codes
/// - `conflict`: `concurrent_idempotent_requests`, `invalid_idempotent_request`
/// - `internal`: `application_error`, `internal_server_error`
/// - `invalid`: `invalid_from_address`, `invalid_idempotency_key`,
///   `invalid_parameter`, `invalid_region`, `method_not_allowed`,
///   `missing_required_field`, `validation_error`
/// - `not_found`: `not_found`
/// - `permission_denied`: `invalid_access`, `restricted_api_key`
/// - `quota_exhausted`: `daily_quota_exceeded`, `monthly_quota_exceeded`
/// - `rate_limited`: `rate_limit_exceeded`
/// - `unauthenticated`: `invalid_api_Key`, `invalid_api_key`, `missing_api_key`
#[must_use]
pub fn resend() -> Dialect {
    RESEND.dialect()
}

pub(super) static RESEND: Shipped = Shipped::new("resend", include_str!("../../dialects/resend.toml"));

/// Returns the dialect of `SendGrid`.
///
/// The status signals an error.
#[must_use]
pub fn sendgrid() -> Dialect {
    SENDGRID.dialect()
}

pub(super) static SENDGRID: Shipped = Shipped::new("sendgrid", include_str!("../../dialects/sendgrid.toml"));
