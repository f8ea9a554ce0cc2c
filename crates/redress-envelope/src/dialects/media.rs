//! Social networks and media.

use super::Shipped;
use crate::dialect::Dialect;

/// Returns the dialect of Reddit.
///
/// A body or header may signal an error on a success status.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `conflict`: `ALREADY_MODERATOR`, `ALREADY_SUB`, `DELETED_COMMENT`,
///   `DELETED_LINK`, `DELETED_THING`, `MULTI_EXISTS`, `SUBREDDIT_EXISTS`
/// - `invalid`: `BAD_NUMBER`, `BAD_SR_NAME`, `BAD_STRING`, `BAD_URL`,
///   `BAD_USERNAME`, `INVALID_OPTION`, `INVALID_PERMISSIONS`, `JSON_INVALID`,
///   `JSON_MISSING_KEY`, `JSON_PARSE_ERROR`, `NO_SUBJECT`, `NO_TEXT`,
///   `NO_THING_ID`, `NO_URL`, `NO_USER`, `SUBREDDIT_REQUIRED`, `TOO_LONG`,
///   `TOO_MANY_THING_IDS`
/// - `not_found`: `MULTI_NOT_FOUND`, `NO_INVITE_FOUND`, `SUBREDDIT_NOEXIST`,
///   `USER_DOESNT_EXIST`, `banned`
/// - `permission_denied`: `MULTI_CANNOT_EDIT`, `MUTED_FROM_SUBREDDIT`,
///   `NOT_AUTHOR`, `SUBREDDIT_NOTALLOWED`, `USER_BLOCKED`, `USER_MUTED`,
///   `VERIFIED_USER_REQUIRED`, `gated`, `private`, `quarantined`
/// - `rate_limited`: `QUOTA_FILLED`, `RATELIMIT`, `SUBREDDIT_RATELIMIT`
/// - `rejected`: `BAD_CAPTCHA`, `DOMAIN_BANNED`, `NOT_SUPPORTED`, `NO_API`,
///   `NO_LINKS`, `NO_SELFS`, `THREAD_LOCKED`, `TOO_OLD`
/// - `unauthenticated`: `USER_REQUIRED`, `WRONG_PASSWORD`
#[must_use]
pub fn reddit() -> Dialect {
    REDDIT.dialect()
}

pub(super) static REDDIT: Shipped =
    Shipped::new("reddit", include_str!("../../dialects/reddit.toml")).extending(&super::OAUTH2);

/// Returns the dialect of Spotify.
///
/// The signals of [`oauth2`](super::oauth2) hold.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `conflict`: `ALREADY_PAUSED`, `ALREADY_PLAYING`, `NOT_PAUSED`,
///   `NOT_PLAYING_CONTEXT`, `NOT_PLAYING_LOCALLY`, `NOT_PLAYING_TRACK`,
///   `NO_ACTIVE_DEVICE`, `NO_NEXT_TRACK`, `NO_PREV_TRACK`
/// - `invalid`: `NO_SPECIFIC_TRACK`
/// - `permission_denied`: `PREMIUM_REQUIRED`
/// - `quota_exhausted`: `QUOTA_EXCEEDED`
/// - `rate_limited`: `RATE_LIMITED`
/// - `rejected`: `CONTEXT_DISALLOW`, `DEVICE_NOT_CONTROLLABLE`,
///   `ENDLESS_CONTEXT`, `REMOTE_CONTROL_DISALLOW`, `VOLUME_CONTROL_DISALLOW`
#[must_use]
pub fn spotify() -> Dialect {
    SPOTIFY.dialect()
}

pub(super) static SPOTIFY: Shipped =
    Shipped::new("spotify", include_str!("../../dialects/spotify.toml")).extending(&super::OAUTH2);

/// Returns the dialect of Twitch.
///
/// The signals of [`oauth2`](super::oauth2) hold.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2).
#[must_use]
pub fn twitch() -> Dialect {
    TWITCH.dialect()
}

pub(super) static TWITCH: Shipped =
    Shipped::new("twitch", include_str!("../../dialects/twitch.toml")).extending(&super::OAUTH2);

/// Returns the dialect of X.
///
/// A body or header may signal an error on a success status.
///
/// # Codes
/// Those of [`oauth2`](super::oauth2), and:
///
/// - `conflict`: `139`, `160`, `187`, `327`, `conflict`, `duplicate-rules`
/// - `internal`: `131`
/// - `invalid`: `invalid-request`, `invalid-rules`
/// - `not_found`: `144`, `17`, `34`, `385`, `421`, `50`, `resource-not-found`,
///   `resource-unavailable`
/// - `permission_denied`: `179`, `261`, `326`, `416`, `433`, `63`, `64`, `93`,
///   `client-forbidden`, `not-authorized-for-field`,
///   `not-authorized-for-resource`, `oauth1-permissions`,
///   `unsupported-authentication`
/// - `quota_exhausted`: `185`, `credits-depleted`, `rule-cap`, `usage-capped`
/// - `rate_limited`: `88`, `streaming-connection`
/// - `rejected`: `186`, `226`, `disallowed-resource`
/// - `unauthenticated`: `135`, `215`, `32`, `89`, `99`
/// - `unavailable`: `130`, `client-disconnected`, `operational-disconnect`
#[must_use]
pub fn x() -> Dialect {
    X.dialect()
}

pub(super) static X: Shipped = Shipped::new("x", include_str!("../../dialects/x.toml")).extending(&super::OAUTH2);
