//! Model providers.

use super::Shipped;
use crate::dialect::Dialect;

/// Returns the dialect of Anthropic.
///
/// A body or header may signal an error on a success status.
///
/// # Codes
/// - `conflict`: `conflict_error`
/// - `internal`: `api_error`
/// - `invalid`: `request_too_large`
/// - `not_found`: `not_found_error`
/// - `permission_denied`: `permission_error`
/// - `quota_exhausted`: `billing_error`
/// - `rate_limited`: `rate_limit_error`
/// - `unauthenticated`: `authentication_error`
/// - `unavailable`: `overloaded_error`, `timeout_error`
#[must_use]
pub fn anthropic() -> Dialect {
    ANTHROPIC.dialect()
}

pub(super) static ANTHROPIC: Shipped = Shipped::new("anthropic", include_str!("../../dialects/anthropic.toml"));

/// Returns the dialect of Cohere.
///
/// The status signals an error.
#[must_use]
pub fn cohere() -> Dialect {
    COHERE.dialect()
}

pub(super) static COHERE: Shipped = Shipped::new("cohere", include_str!("../../dialects/cohere.toml"));

/// Returns the dialect of Gemini.
///
/// The signals of [`google`](super::google) hold.
///
/// # Codes
/// Those of [`google`](super::google), and:
///
/// - `conflict`: `failed_precondition`
/// - `not_found`: `not_found`
/// - `permission_denied`: `FAILED_PRECONDITION`
#[must_use]
pub fn gemini() -> Dialect {
    GEMINI.dialect()
}

pub(super) static GEMINI: Shipped =
    Shipped::new("gemini", include_str!("../../dialects/gemini.toml")).extending(&super::GOOGLE);

/// Returns the dialect of Hugging Face.
///
/// A body or header may signal an error on a success status.
///
/// # Codes
/// - `internal`: `generation`, `incomplete_generation`
/// - `invalid`: `missing_template_variable`, `template_error`, `tool_error`,
///   `validation`
/// - `not_found`: `EntryNotFound`, `RepoNotFound`, `RevisionNotFound`
/// - `permission_denied`: `GatedRepo`
/// - `rate_limited`: `overloaded`
#[must_use]
pub fn huggingface() -> Dialect {
    HUGGINGFACE.dialect()
}

pub(super) static HUGGINGFACE: Shipped = Shipped::new("huggingface", include_str!("../../dialects/huggingface.toml"));

/// Returns the dialect of Mistral AI.
///
/// The signals of [`openai`](super::openai) hold.
///
/// # Codes
/// Those of [`openai`](super::openai), and:
///
/// - `not_found`: `1500`, `invalid_model`, `unknown_model`
/// - `permission_denied`: `1910`, `tier_not_allowed`
/// - `rate_limited`: `1300`, `rate_limit_error`, `rate_limited`
/// - `unauthenticated`: `authentication_error`
/// - `unavailable`: `3505`
#[must_use]
pub fn mistral() -> Dialect {
    MISTRAL.dialect()
}

pub(super) static MISTRAL: Shipped =
    Shipped::new("mistral", include_str!("../../dialects/mistral.toml")).extending(&OPENAI);

/// Returns the dialect of `OpenAI`.
///
/// A body or header may signal an error on a success status.
///
/// # Codes
/// - `internal`: `server_error`
/// - `invalid`: `context_length_exceeded`
/// - `not_found`: `model_not_found`
/// - `permission_denied`: `unsupported_country_region_territory`
/// - `quota_exhausted`: `billing_hard_limit_reached`, `billing_not_active`,
///   `insufficient_quota`
/// - `rate_limited`: `rate_limit_exceeded`
/// - `rejected`: `content_filter`, `content_policy_violation`,
///   `moderation_blocked`
/// - `unauthenticated`: `account_deactivated`, `invalid_api_key`
#[must_use]
pub fn openai() -> Dialect {
    OPENAI.dialect()
}

pub(super) static OPENAI: Shipped = Shipped::new("openai", include_str!("../../dialects/openai.toml"));

/// Returns the dialect of `OpenRouter`.
///
/// A body or header may signal an error on a success status.
///
/// # Codes
/// Those of [`openai`](super::openai), and:
///
/// - `internal`: `500`
/// - `invalid`: `400`, `image_too_large`, `invalid_image`, `invalid_prompt`,
///   `invalid_request`, `max_tokens_exceeded`, `string_too_long`
/// - `not_found`: `404`
/// - `permission_denied`: `403`
/// - `quota_exhausted`: `402`, `token_limit_exceeded`
/// - `rate_limited`: `429`
/// - `unauthenticated`: `401`
/// - `unavailable`: `408`, `502`, `503`, `504`, `529`, `provider_overloaded`
#[must_use]
pub fn openrouter() -> Dialect {
    OPENROUTER.dialect()
}

pub(super) static OPENROUTER: Shipped =
    Shipped::new("openrouter", include_str!("../../dialects/openrouter.toml")).extending(&OPENAI);
