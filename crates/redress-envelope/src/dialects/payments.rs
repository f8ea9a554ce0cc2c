//! Payments and banking.

use super::Shipped;
use crate::dialect::Dialect;

/// Returns the dialect of Adyen.
///
/// The status signals an error.
///
/// # Codes
/// - `conflict`: `704`
/// - `invalid`: `100`, `104`
/// - `permission_denied`: `010`, `107`
/// - `rejected`: `101`, `102`, `103`, `905`
#[must_use]
pub fn adyen() -> Dialect {
    ADYEN.dialect()
}

pub(super) static ADYEN: Shipped = Shipped::new("adyen", include_str!("../../dialects/adyen.toml"));

/// Returns the dialect of Amazon's Selling Partner API.
///
/// The signals of [`oauth2`](super::oauth2) hold.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `internal`: `InternalFailure`
/// - `invalid`: `InvalidInput`
/// - `not_found`: `NotFound`
/// - `permission_denied`: `Unauthorized`
/// - `rate_limited`: `QuotaExceeded`
#[must_use]
pub fn amazon_sp() -> Dialect {
    AMAZON_SP.dialect()
}

pub(super) static AMAZON_SP: Shipped =
    Shipped::new("amazon-sp", include_str!("../../dialects/amazon-sp.toml")).extending(&super::OAUTH2);

/// Returns the dialect of `GoCardless`.
///
/// The signals of [`oauth2`](super::oauth2) hold.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `conflict`: `idempotent_creation_conflict`, `invalid_state`
/// - `internal`: `gocardless`
/// - `invalid`: `validation_failed`
#[must_use]
pub fn gocardless() -> Dialect {
    GOCARDLESS.dialect()
}

pub(super) static GOCARDLESS: Shipped =
    Shipped::new("gocardless", include_str!("../../dialects/gocardless.toml")).extending(&super::OAUTH2);

/// Returns the dialect of `PayPal`.
///
/// The status signals an error.
///
/// # Codes
/// - `conflict`: `DUPLICATE_REQUEST_ID`, `RESOURCE_CONFLICT`
/// - `internal`: `INTERNAL_SERVER_ERROR`, `INTERNAL_SERVICE_ERROR`
/// - `invalid`: `INVALID_REQUEST`, `MEDIA_TYPE_NOT_ACCEPTABLE`,
///   `METHOD_NOT_SUPPORTED`, `RESULTSET_TOO_LARGE`, `VALIDATION_ERROR`
/// - `not_found`: `INVALID_RESOURCE_ID`, `RESOURCE_NOT_FOUND`
/// - `permission_denied`: `NOT_AUTHORIZED`
/// - `rate_limited`: `RATE_LIMIT_REACHED`
/// - `rejected`: `UNPROCESSABLE_ENTITY`
/// - `token_expired`: `invalid_token`
/// - `unauthenticated`: `AUTHENTICATION_FAILURE`, `invalid_client`
/// - `unavailable`: `SERVICE_UNAVAILABLE`
#[must_use]
pub fn paypal() -> Dialect {
    PAYPAL.dialect()
}

pub(super) static PAYPAL: Shipped = Shipped::new("paypal", include_str!("../../dialects/paypal.toml"));

/// Returns the dialect of Plaid.
///
/// The status signals an error.
///
/// # Codes
/// - `conflict`: `TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION`
/// - `internal`: `INTERNAL_SERVER_ERROR`
/// - `invalid`: `INVALID_BODY`, `INVALID_FIELD`, `MISSING_FIELDS`,
///   `UNKNOWN_FIELDS`
/// - `not_found`: `ITEM_NOT_FOUND`, `NOT_FOUND`
/// - `permission_denied`: `ACCESS_NOT_GRANTED`, `PRODUCT_NOT_ENABLED`,
///   `UNAUTHORIZED_ENVIRONMENT`
/// - `rejected`: `INSTITUTION_NO_LONGER_SUPPORTED`, `INVALID_CREDENTIALS`,
///   `INVALID_MFA`, `ITEM_LOCKED`, `ITEM_NOT_SUPPORTED`, `NO_ACCOUNTS`,
///   `PRODUCTS_NOT_SUPPORTED`, `USER_SETUP_REQUIRED`
/// - `unauthenticated`: `INVALID_ACCESS_TOKEN`, `INVALID_API_KEYS`,
///   `INVALID_PUBLIC_TOKEN`, `ITEM_LOGIN_REQUIRED`
/// - `unavailable`: `INSTITUTION_DOWN`, `INSTITUTION_NOT_AVAILABLE`,
///   `INSTITUTION_NOT_RESPONDING`, `PLANNED_MAINTENANCE`, `PRODUCT_NOT_READY`
#[must_use]
pub fn plaid() -> Dialect {
    PLAID.dialect()
}

pub(super) static PLAID: Shipped = Shipped::new("plaid", include_str!("../../dialects/plaid.toml"));

/// Returns the dialect of Square.
///
/// The signals of [`oauth2`](super::oauth2) hold.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `conflict`: `CARD_TOKEN_USED`, `CONFLICT`, `IDEMPOTENCY_KEY_REUSED`,
///   `REFUND_ALREADY_PENDING`
/// - `internal`: `INTERNAL_SERVER_ERROR`, `TEMPORARY_ERROR`
/// - `invalid`: `BAD_REQUEST`, `CONFLICTING_PARAMETERS`, `INCORRECT_TYPE`,
///   `INVALID_VALUE`, `METHOD_NOT_ALLOWED`, `MISSING_REQUIRED_PARAMETER`,
///   `NOT_IMPLEMENTED`
/// - `not_found`: `GONE`, `NOT_FOUND`
/// - `permission_denied`: `APPLICATION_DISABLED`,
///   `CARD_PROCESSING_NOT_ENABLED`, `FORBIDDEN`, `INSUFFICIENT_SCOPES`
/// - `rate_limited`: `RATE_LIMITED`
/// - `rejected`: `CARD_DECLINED`, `CARD_EXPIRED`, `CARD_TOKEN_EXPIRED`,
///   `CVV_FAILURE`, `GENERIC_DECLINE`, `INSUFFICIENT_FUNDS`,
///   `TRANSACTION_LIMIT`
/// - `token_expired`: `ACCESS_TOKEN_EXPIRED`
/// - `unauthenticated`: `ACCESS_TOKEN_REVOKED`, `CLIENT_DISABLED`,
///   `UNAUTHORIZED`
/// - `unavailable`: `GATEWAY_TIMEOUT`, `SERVICE_UNAVAILABLE`
#[must_use]
pub fn square() -> Dialect {
    SQUARE.dialect()
}

pub(super) static SQUARE: Shipped =
    Shipped::new("square", include_str!("../../dialects/square.toml")).extending(&super::OAUTH2);

/// Returns the dialect of Stripe.
///
/// The signals of [`oauth2`](super::oauth2) hold.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `conflict`: `charge_already_captured`, `charge_already_refunded`,
///   `charge_disputed`, `charge_expired_for_capture`, `idempotency_error`,
///   `idempotency_key_in_use`, `lock_timeout`,
///   `payment_intent_unexpected_state`, `resource_already_exists`,
///   `setup_intent_unexpected_state`, `token_already_used`
/// - `internal`: `api_error`
/// - `invalid`: `amount_too_large`, `amount_too_small`, `email_invalid`,
///   `parameter_missing`, `parameter_unknown`, `postal_code_invalid`,
///   `routing_number_invalid`, `tax_id_invalid`, `tls_version_unsupported`,
///   `url_invalid`
/// - `not_found`: `resource_missing`
/// - `permission_denied`: `account_invalid`, `livemode_mismatch`
/// - `rate_limited`: `rate_limit`, `rate_limit_error`
/// - `rejected`: `account_closed`, `authentication_required`,
///   `balance_insufficient`, `bank_account_declined`, `bank_account_unusable`,
///   `card_decline_rate_limit_exceeded`, `card_declined`, `card_error`,
///   `country_unsupported`, `coupon_expired`, `expired_card`, `incorrect_cvc`,
///   `incorrect_number`, `incorrect_zip`, `insufficient_funds`, `invalid_cvc`,
///   `invalid_expiry_month`, `invalid_expiry_year`, `invalid_number`,
///   `payment_intent_authentication_failure`, `processing_error`,
///   `setup_intent_authentication_failure`
/// - `unauthenticated`: `api_key_expired`, `authentication_error`,
///   `platform_api_key_expired`, `secret_key_required`
#[must_use]
pub fn stripe() -> Dialect {
    STRIPE.dialect()
}

pub(super) static STRIPE: Shipped =
    Shipped::new("stripe", include_str!("../../dialects/stripe.toml")).extending(&super::OAUTH2);
