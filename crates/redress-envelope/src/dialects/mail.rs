//! Mail.

use super::Shipped;
use crate::dialect::Dialect;

/// Returns the dialect of Mailgun.
///
/// The status signals an error.
#[must_use]
pub fn mailgun() -> Dialect {
    MAILGUN.dialect()
}

pub(super) static MAILGUN: Shipped = Shipped::new("mailgun", include_str!("../../dialects/mailgun.toml"));

/// Returns the dialect of `SendGrid`.
///
/// The status signals an error.
#[must_use]
pub fn sendgrid() -> Dialect {
    SENDGRID.dialect()
}

pub(super) static SENDGRID: Shipped = Shipped::new("sendgrid", include_str!("../../dialects/sendgrid.toml"));
