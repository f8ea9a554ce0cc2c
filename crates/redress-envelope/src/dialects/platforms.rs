//! Platforms and products.

use super::Shipped;
use crate::dialect::Dialect;

/// Returns the dialect of Discord.
///
/// The signals of [`oauth2`](super::oauth2) hold.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `conflict`: `160004`, `160005`, `30031`, `40032`, `40033`, `40041`,
///   `40060`, `50083`
/// - `invalid`: `40005`, `50006`, `50035`, `50041`, `50109`
/// - `not_found`: `10062`
/// - `permission_denied`: `160002`, `20001`, `20002`, `20012`, `20018`,
///   `40002`, `50001`, `50005`, `50009`, `50013`, `50026`, `60003`
/// - `rate_limited`: `20016`, `20022`, `20028`, `20029`, `30034`, `30037`,
///   `30040`, `30042`, `30046`, `40003`, `40062`
/// - `rejected`: `200000`, `200001`, `20009`, `20024`, `20031`, `240000`,
///   `40007`, `50007`, `50095`, `90001`
/// - `token_expired`: `50025`
/// - `unauthenticated`: `40001`, `40012`, `50014`, `50027`
/// - `unavailable`: `110001`, `130000`, `40004`, `40006`
#[must_use]
pub fn discord() -> Dialect {
    DISCORD.dialect()
}

pub(super) static DISCORD: Shipped =
    Shipped::new("discord", include_str!("../../dialects/discord.toml")).extending(&super::OAUTH2);

/// Returns the dialect of Facebook Graph API.
///
/// The status signals an error.
///
/// # Codes
/// - `internal`: `1`
/// - `invalid`: `100`
/// - `permission_denied`: `10`, `3`
/// - `rate_limited`: `17`, `32`, `341`, `4`, `613`
/// - `rejected`: `1609005`, `368`, `506`
/// - `token_expired`: `102`, `190`
/// - `unavailable`: `2`
#[must_use]
pub fn facebook() -> Dialect {
    FACEBOOK.dialect()
}

pub(super) static FACEBOOK: Shipped = Shipped::new("facebook", include_str!("../../dialects/facebook.toml"));

/// Returns the dialect of GitHub.
///
/// A body or header may signal an error on a success status.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `conflict`: `already_exists`
/// - `invalid`: `MAX_NODE_LIMIT_EXCEEDED`, `UNPROCESSABLE`,
///   `argumentLiteralsIncompatible`, `incorrect_device_code`, `invalid`,
///   `missing`, `missingRequiredArguments`, `missing_field`,
///   `redirect_uri_mismatch`, `undefinedField`, `unprocessable`
/// - `not_found`: `NOT_FOUND`
/// - `permission_denied`: `FORBIDDEN`, `INSUFFICIENT_SCOPES`,
///   `application_suspended`, `device_flow_disabled`
/// - `rate_limited`: `RATE_LIMITED`
/// - `rejected`: `unverified_user_email`
/// - `unauthenticated`: `bad_refresh_token`, `bad_verification_code`,
///   `incorrect_client_credentials`, `token_expired`
#[must_use]
pub fn github() -> Dialect {
    GITHUB.dialect()
}

pub(super) static GITHUB: Shipped =
    Shipped::new("github", include_str!("../../dialects/github.toml")).extending(&super::OAUTH2);

/// Returns the dialect of GitLab.
///
/// A body or header may signal an error on a success status.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `conflict`: `conflict`, `empty`
/// - `permission_denied`: `restricted_language_server_client_error`
/// - `unauthenticated`: `dpop_error`
#[must_use]
pub fn gitlab() -> Dialect {
    GITLAB.dialect()
}

pub(super) static GITLAB: Shipped =
    Shipped::new("gitlab", include_str!("../../dialects/gitlab.toml")).extending(&super::OAUTH2);

/// Returns the dialect of Linear.
///
/// The signals of [`graphql`](super::graphql) hold.
///
/// # Codes
/// Those of [`graphql`](super::graphql), and:
///
/// - `invalid`: `INPUT_ERROR`
/// - `unauthenticated`: `AUTHENTICATION_ERROR`
#[must_use]
pub fn linear() -> Dialect {
    LINEAR.dialect()
}

pub(super) static LINEAR: Shipped =
    Shipped::new("linear", include_str!("../../dialects/linear.toml")).extending(&super::GRAPHQL);

/// Returns the dialect of Notion.
///
/// The signals of [`oauth2`](super::oauth2) hold.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `conflict`: `conflict_error`
/// - `internal`: `internal_server_error`
/// - `invalid`: `invalid_json`, `invalid_request_url`, `missing_version`,
///   `validation_error`
/// - `not_found`: `object_not_found`
/// - `permission_denied`: `restricted_resource`
/// - `rate_limited`: `rate_limited`
/// - `unauthenticated`: `unauthorized`
/// - `unavailable`: `bad_gateway`, `database_connection_unavailable`,
///   `gateway_timeout`, `service_overload`, `service_unavailable`
#[must_use]
pub fn notion() -> Dialect {
    NOTION.dialect()
}

pub(super) static NOTION: Shipped =
    Shipped::new("notion", include_str!("../../dialects/notion.toml")).extending(&super::OAUTH2);

/// Returns the dialect of Salesforce.
///
/// The status signals an error.
///
/// # Codes
/// - `conflict`: `DELETE_FAILED`, `DUPLICATES_DETECTED`, `DUPLICATE_VALUE`,
///   `UNABLE_TO_LOCK_ROW`
/// - `internal`: `UNKNOWN_EXCEPTION`
/// - `invalid`: `INVALID_FIELD`, `INVALID_TYPE`, `JSON_PARSER_ERROR`,
///   `MALFORMED_ID`, `MALFORMED_QUERY`, `METHOD_NOT_ALLOWED`,
///   `REQUIRED_FIELD_MISSING`
/// - `not_found`: `ENTITY_IS_DELETED`, `NOT_FOUND`
/// - `permission_denied`: `API_CURRENTLY_DISABLED`, `API_DISABLED_FOR_ORG`,
///   `INSUFFICIENT_ACCESS`, `INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY`,
///   `INSUFFICIENT_ACCESS_OR_READONLY`
/// - `quota_exhausted`: `REQUEST_LIMIT_EXCEEDED`
/// - `rejected`: `CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY`,
///   `FIELD_CUSTOM_VALIDATION_EXCEPTION`, `QUERY_TIMEOUT`
/// - `token_expired`: `INVALID_SESSION_ID`
/// - `unauthenticated`: `INVALID_AUTH_HEADER`, `INVALID_LOGIN`,
///   `invalid_client`, `invalid_grant`
/// - `unavailable`: `SERVER_UNAVAILABLE`
#[must_use]
pub fn salesforce() -> Dialect {
    SALESFORCE.dialect()
}

pub(super) static SALESFORCE: Shipped = Shipped::new("salesforce", include_str!("../../dialects/salesforce.toml"));

/// Returns the dialect of Shopify.
///
/// A body or header may signal an error on a success status.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `internal`: `INTERNAL_SERVER_ERROR`
/// - `invalid`: `MAX_COST_EXCEEDED`, `argumentLiteralsIncompatible`,
///   `missingRequiredArguments`, `undefinedField`
/// - `permission_denied`: `ACCESS_DENIED`, `SHOP_INACTIVE`
/// - `rate_limited`: `THROTTLED`
#[must_use]
pub fn shopify() -> Dialect {
    SHOPIFY.dialect()
}

pub(super) static SHOPIFY: Shipped =
    Shipped::new("shopify", include_str!("../../dialects/shopify.toml")).extending(&super::OAUTH2);

/// Returns the dialect of Slack.
///
/// A body or header may signal an error on a success status.
///
/// # Codes
/// - `conflict`: `already_in_channel`, `already_reacted`,
///   `exchanged_trigger_id`, `hash_conflict`, `is_archived`, `name_taken`
/// - `internal`: `fatal_error`, `internal_error`
/// - `invalid`: `bad_redirect_uri`, `deprecated_endpoint`, `invalid_arg_name`,
///   `invalid_arguments`, `invalid_array_arg`, `invalid_blocks`,
///   `invalid_charset`, `invalid_form_data`, `invalid_json`,
///   `invalid_post_type`, `json_not_object`, `method_deprecated`,
///   `missing_post_type`, `msg_too_long`, `no_text`, `unknown_method`
/// - `not_found`: `channel_not_found`, `file_not_found`, `message_not_found`,
///   `team_not_found`, `user_not_found`, `users_not_found`
/// - `permission_denied`: `access_denied`, `accesslimited`,
///   `cant_delete_message`, `cant_update_message`, `ekm_access_denied`,
///   `enterprise_is_restricted`, `missing_scope`, `no_permission`,
///   `not_allowed_token_type`, `not_in_channel`, `restricted_action`,
///   `team_access_not_granted`, `two_factor_setup_required`
/// - `rate_limited`: `rate_limited`, `ratelimited`
/// - `rejected`: `edit_window_closed`, `expired_trigger_id`
/// - `token_expired`: `token_expired`
/// - `unauthenticated`: `account_inactive`, `bad_client_secret`,
///   `code_already_used`, `invalid_auth`, `invalid_client_id`, `invalid_code`,
///   `invalid_refresh_token`, `not_authed`, `token_revoked`
/// - `unavailable`: `org_login_required`, `request_timeout`,
///   `service_unavailable`, `team_added_to_org`
#[must_use]
pub fn slack() -> Dialect {
    SLACK.dialect()
}

pub(super) static SLACK: Shipped = Shipped::new("slack", include_str!("../../dialects/slack.toml"));

/// Returns the dialect of Stack Exchange.
///
/// A body or header may signal an error on a success status.
///
/// # Codes
/// - `conflict`: `duplicate_request`
/// - `internal`: `internal_error`
/// - `invalid`: `bad_parameter`, `key_required`
/// - `not_found`: `no_method`
/// - `permission_denied`: `access_denied`
/// - `rate_limited`: `throttle_violation`
/// - `rejected`: `write_failed`
/// - `unauthenticated`: `access_token_compromised`, `access_token_required`,
///   `invalid_access_token`
/// - `unavailable`: `temporarily_unavailable`
#[must_use]
pub fn stackexchange() -> Dialect {
    STACKEXCHANGE.dialect()
}

pub(super) static STACKEXCHANGE: Shipped =
    Shipped::new("stackexchange", include_str!("../../dialects/stackexchange.toml"));

/// Returns the dialect of Telegram.
///
/// A body or header may signal an error on a success status.
///
/// # Codes
/// - `conflict`: `409`
/// - `internal`: `500`
/// - `invalid`: `400`
/// - `not_found`: `404`
/// - `permission_denied`: `403`
/// - `rate_limited`: `429`
/// - `unauthenticated`: `401`
/// - `unavailable`: `502`
#[must_use]
pub fn telegram() -> Dialect {
    TELEGRAM.dialect()
}

pub(super) static TELEGRAM: Shipped = Shipped::new("telegram", include_str!("../../dialects/telegram.toml"));

/// Returns the dialect of Twilio.
///
/// The status signals an error.
///
/// # Codes
/// - `invalid`: `21211`, `21212`, `21606`, `21617`, `60200`
/// - `not_found`: `20404`
/// - `permission_denied`: `21408`, `21608`
/// - `quota_exhausted`: `20005`, `63038`
/// - `rate_limited`: `20429`, `21611`, `60203`, `60212`, `60728`, `63017`
/// - `rejected`: `21610`, `21612`, `21614`, `60202`, `60205`, `60410`, `60605`
/// - `unauthenticated`: `20003`
#[must_use]
pub fn twilio() -> Dialect {
    TWILIO.dialect()
}

pub(super) static TWILIO: Shipped = Shipped::new("twilio", include_str!("../../dialects/twilio.toml"));

/// Returns the dialect of Zendesk.
///
/// The signals of [`oauth2`](super::oauth2) hold.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `conflict`: `IdempotentRequestError`
/// - `invalid`: `InvalidEndpoint`, `RecordInvalid`
/// - `not_found`: `RecordNotFound`
#[must_use]
pub fn zendesk() -> Dialect {
    ZENDESK.dialect()
}

pub(super) static ZENDESK: Shipped =
    Shipped::new("zendesk", include_str!("../../dialects/zendesk.toml")).extending(&super::OAUTH2);
