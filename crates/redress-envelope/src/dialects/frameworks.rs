//! Web frameworks.

use super::Shipped;
use crate::dialect::Dialect;

/// Returns the dialect of Django REST framework.
///
/// The status signals an error.
///
/// # Codes
/// - `unauthenticated`: `bad_authorization_header`, `no_active_account`,
///   `token_not_valid`, `user_inactive`, `user_not_found`
#[must_use]
pub fn drf() -> Dialect {
    DRF.dialect()
}

pub(super) static DRF: Shipped = Shipped::new("drf", include_str!("../../dialects/drf.toml"));

/// Returns the dialect of `FastAPI`.
///
/// The status signals an error.
#[must_use]
pub fn fastapi() -> Dialect {
    FASTAPI.dialect()
}

pub(super) static FASTAPI: Shipped = Shipped::new("fastapi", include_str!("../../dialects/fastapi.toml"));

/// Returns the dialect of Laravel.
///
/// The status signals an error.
#[must_use]
pub fn laravel() -> Dialect {
    LARAVEL.dialect()
}

pub(super) static LARAVEL: Shipped = Shipped::new("laravel", include_str!("../../dialects/laravel.toml"));

/// Returns the dialect of Spring Boot.
///
/// The status signals an error.
#[must_use]
pub fn spring() -> Dialect {
    SPRING.dialect()
}

pub(super) static SPRING: Shipped = Shipped::new("spring", include_str!("../../dialects/spring.toml"));
