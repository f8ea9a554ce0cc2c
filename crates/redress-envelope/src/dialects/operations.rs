//! What runs and watches software, and stores its files.

use super::Shipped;
use crate::dialect::Dialect;

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
