//! Identity verification.

use super::Shipped;
use crate::dialect::Dialect;

/// Returns the dialect of iDenfy.
///
/// The status signals an error.
///
/// # Codes
/// - `internal`: `INTERNAL_ERROR`
/// - `invalid`: `BAD_VALUE`, `ENCODING_ERROR`, `INVALID`, `JSON_ERROR`,
///   `METHOD_NOT_ALLOWED`, `MISSING_VALUE`, `VALIDATION_ERROR`
/// - `not_found`: `NOT_FOUND`
/// - `permission_denied`: `PARTNER_CONTRACT_ERROR`, `PERMISSIONS_ERROR`,
///   `PERMISSION_DENIED`
/// - `rate_limited`: `THROTTLED`, `TOO_MANY_REQUESTS`
/// - `rejected`: `TOKEN_NOT_VALID`
/// - `unauthenticated`: `NOT_AUTHENTICATED`, `UNAUTHORIZED`
#[must_use]
pub fn idenfy() -> Dialect {
    IDENFY.dialect()
}

pub(super) static IDENFY: Shipped = Shipped::new("idenfy", include_str!("../../dialects/idenfy.toml"));

/// Returns the dialect of Jumio.
///
/// The signals of [`oauth2`](super::oauth2) hold.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2).
#[must_use]
pub fn jumio() -> Dialect {
    JUMIO.dialect()
}

pub(super) static JUMIO: Shipped =
    Shipped::new("jumio", include_str!("../../dialects/jumio.toml")).extending(&super::OAUTH2);

/// Returns the dialect of Maleslab.
///
/// `success: false`, or the status, signals an error; the code is `error.code`.
///
/// # Codes
/// - `conflict`: `DUPLICATE_EXTERNAL_ID`
/// - `invalid`: `VALIDATION_ERROR`
/// - `not_found`: `COLLECTION_NOT_FOUND`, `FACE_NOT_FOUND`
/// - `permission_denied`: `EMAIL_NOT_VERIFIED`, `IP_NOT_ALLOWED`
/// - `quota_exhausted`: `API_KEY_LIMIT_REACHED`, `COLLECTION_LIMIT_REACHED`,
///   `FACE_LIMIT_REACHED`
/// - `rate_limited`: `RATE_LIMIT_EXCEEDED`
/// - `rejected`: `FACE_NOT_DETECTED`, `FACE_QUALITY_TOO_LOW`,
///   `LIVENESS_CHECK_FAILED`, `MULTIPLE_FACES`
/// - `token_expired`: `TOKEN_EXPIRED`
/// - `unauthenticated`: `INVALID_API_KEY`, `INVALID_CREDENTIALS`,
///   `REQUIRES_2FA`, `TOKEN_INVALID`
#[must_use]
pub fn maleslab() -> Dialect {
    MALESLAB.dialect()
}

pub(super) static MALESLAB: Shipped = Shipped::new("maleslab", include_str!("../../dialects/maleslab.toml"));

/// Returns the dialect of Onfido.
///
/// The status signals an error.
///
/// # Codes
/// - `invalid`: `validation_error`
/// - `permission_denied`: `bad_referrer`
/// - `unauthenticated`: `authorization_error`
#[must_use]
pub fn onfido() -> Dialect {
    ONFIDO.dialect()
}

pub(super) static ONFIDO: Shipped = Shipped::new("onfido", include_str!("../../dialects/onfido.toml"));

/// Returns the dialect of Persona.
///
/// The status signals an error.
#[must_use]
pub fn persona() -> Dialect {
    PERSONA.dialect()
}

pub(super) static PERSONA: Shipped = Shipped::new("persona", include_str!("../../dialects/persona.toml"));

/// Returns the dialect of Ranex.
///
/// The status alone signals an error and decides the class; the body has a
/// message only.
#[must_use]
pub fn ranex() -> Dialect {
    RANEX.dialect()
}

pub(super) static RANEX: Shipped = Shipped::new("ranex", include_str!("../../dialects/ranex.toml"));

/// Returns the dialect of Shufti.
///
/// The status signals an error.
///
/// # Codes
/// - `invalid`: `request.invalid`
/// - `unauthenticated`: `request.unauthorized`
#[must_use]
pub fn shufti() -> Dialect {
    SHUFTI.dialect()
}

pub(super) static SHUFTI: Shipped = Shipped::new("shufti", include_str!("../../dialects/shufti.toml"));

/// Returns the dialect of Sumsub.
///
/// The status signals an error.
///
/// # Codes
/// - `conflict`: `1000`, `1006`, `1008`
/// - `invalid`: `1003`
/// - `rejected`: `1001`, `1002`, `1004`, `1005`, `1007`, `1009`, `1010`, `1011`
/// - `unauthenticated`: `4003`
#[must_use]
pub fn sumsub() -> Dialect {
    SUMSUB.dialect()
}

pub(super) static SUMSUB: Shipped = Shipped::new("sumsub", include_str!("../../dialects/sumsub.toml"));

/// Returns the dialect of Trulioo.
///
/// The signals of [`oauth2`](super::oauth2) hold.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2).
#[must_use]
pub fn trulioo() -> Dialect {
    TRULIOO.dialect()
}

pub(super) static TRULIOO: Shipped =
    Shipped::new("trulioo", include_str!("../../dialects/trulioo.toml")).extending(&super::OAUTH2);

/// Returns the dialect of Veridia.
///
/// The status signals an error; the string `error` decides the class, on any
/// error status.
///
/// # Codes
/// - `internal`: `internal`
/// - `invalid`: `invalid_body`
/// - `not_found`: `not_found`, `verification_not_found`
/// - `permission_denied`: `origin_not_allowed`, `wrong_environment`
/// - `quota_exhausted`: `insufficient_credits`
/// - `rate_limited`: `rate_limited`
/// - `unauthenticated`: `invalid_key`, `unauthorized`
#[must_use]
pub fn veridia() -> Dialect {
    VERIDIA.dialect()
}

pub(super) static VERIDIA: Shipped = Shipped::new("veridia", include_str!("../../dialects/veridia.toml"));

/// Returns the dialect of Veriff.
///
/// The status signals an error.
///
/// # Codes
/// - `conflict`: `1003`, `1304`
/// - `invalid`: `1001`, `1002`, `1102`, `1104`, `1201`, `1202`, `1203`, `1301`,
///   `1302`, `1303`, `1308`, `1309`, `1310`, `1400`, `1401`, `1402`, `1403`,
///   `1500`, `1501`
/// - `unauthenticated`: `1801`, `1802`, `1803`, `1804`, `1812`, `1813`, `1814`,
///   `1818`, `1819`
#[must_use]
pub fn veriff() -> Dialect {
    VERIFF.dialect()
}

pub(super) static VERIFF: Shipped = Shipped::new("veriff", include_str!("../../dialects/veriff.toml"));

/// Returns the dialect of Verilock.
///
/// The status decides; a wait may be in the body, as `details.retry_after`.
///
/// # Codes
/// - `invalid`: `validation_error`
/// - `rate_limited`: `rate_limit_exceeded`
#[must_use]
pub fn verilock() -> Dialect {
    VERILOCK.dialect()
}

pub(super) static VERILOCK: Shipped = Shipped::new("verilock", include_str!("../../dialects/verilock.toml"));

/// Returns the dialect of Vlens.
///
/// An `error_code` other than `null` signals an error, on a 200 too. Vlens
/// publishes two of its codes. Add the codes of your tenant, first of all the
/// one for an expired token, by [`Dialect::with_code`] or [`Dialect::extend`].
/// Until then a 401 starts a refresh.
///
/// # Examples
/// ```
/// use redress_envelope::{Class, Code, dialects};
///
/// let vlens = dialects::vlens().with_code(Code::new("4011", Class::TokenExpired));
/// assert_eq!(vlens.code("4011").map(|code| code.class), Some(Class::TokenExpired));
/// ```
///
/// # Codes
/// - `invalid`: `400`
/// - `rejected`: `1050`
#[must_use]
pub fn vlens() -> Dialect {
    VLENS.dialect()
}

pub(super) static VLENS: Shipped = Shipped::new("vlens", include_str!("../../dialects/vlens.toml"));
