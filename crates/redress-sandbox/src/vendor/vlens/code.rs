//! The numbers in vlens' `error_code`.
//!
//! The vendor publishes two: [`VALIDATION`] and [`IMAGE_QUALITY`]. The numbers of the other causes are
//! the sandbox's own choice, so a client must read them from its configuration.

/// A request field is missing or wrong; `error_descriptions` names it. Published.
pub const VALIDATION: i64 = 400;
/// The `ApiKey` header is missing or wrong.
pub const API_KEY_INVALID: i64 = 4010;
/// The access token has expired: refresh it.
pub const ACCESS_TOKEN_EXPIRED: i64 = 4011;
/// The refresh token has expired, was revoked, or was used before: log in again.
pub const REFRESH_TOKEN_EXPIRED: i64 = 4012;
/// A protected route was called without a bearer token.
pub const AUTHORIZATION_MISSING: i64 = 4013;
/// The access token was not issued by this tenant.
pub const TOKEN_FOREIGN: i64 = 4014;
/// The access token does not permit this route. By script only.
pub const TOKEN_FORBIDDEN: i64 = 4015;
/// The user name or the password is wrong.
pub const CREDENTIALS_INVALID: i64 = 4016;
/// The phone number or the email address is registered already.
pub const ALREADY_REGISTERED: i64 = 1010;
/// The one-time password of the registration is wrong.
pub const OTP_INVALID: i64 = 1020;
/// The one-time password of the registration has expired.
pub const OTP_EXPIRED: i64 = 1021;
/// The image is too blurry, dark or distant. Published.
pub const IMAGE_QUALITY: i64 = 1050;
/// The document is a photocopy or a screen capture.
pub const DOCUMENT_FAKE: i64 = 1051;
/// The face frames are not of a live person.
pub const LIVENESS_FAILED: i64 = 1052;
/// Two face frames are the same.
pub const FACES_IDENTICAL: i64 = 1053;
/// The transaction does not exist.
pub const TRANSACTION_NOT_FOUND: i64 = 1054;
/// The national registers do not confirm the document.
pub const AUTHORITY_CHECK_FAILED: i64 = 1055;
/// The user is not eligible for the business request.
pub const NOT_ELIGIBLE: i64 = 1060;
/// The business request's status does not allow the operation.
pub const WRONG_REQUEST_STATUS: i64 = 1061;
/// The location changed, and liveness must be shown again.
pub const LOCATION_CHANGED: i64 = 1062;
/// The one-time password of a signature is wrong.
pub const SIGNING_OTP_INVALID: i64 = 1063;
/// A field of the business request's form is missing. By script only.
pub const FORM_FIELD_MISSING: i64 = 1064;
/// The business request does not exist.
pub const REQUEST_NOT_FOUND: i64 = 1065;
