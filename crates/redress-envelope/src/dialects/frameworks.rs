//! Web frameworks.

use super::Shipped;
use crate::dialect::Dialect;

/// Returns the dialect of ASP.NET Core.
///
/// The signals of [`problem`](super::problem) hold.
///
/// # Codes
/// Those of [`problem`](super::problem).
#[must_use]
pub fn aspnet() -> Dialect {
    ASPNET.dialect()
}

pub(super) static ASPNET: Shipped =
    Shipped::new("aspnet", include_str!("../../dialects/aspnet.toml")).extending(&super::PROBLEM);

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

/// Returns the dialect of hapi.
///
/// The status signals an error.
#[must_use]
pub fn hapi() -> Dialect {
    HAPI.dialect()
}

pub(super) static HAPI: Shipped = Shipped::new("hapi", include_str!("../../dialects/hapi.toml"));

/// Returns the dialect of Laravel.
///
/// The status signals an error.
#[must_use]
pub fn laravel() -> Dialect {
    LARAVEL.dialect()
}

pub(super) static LARAVEL: Shipped = Shipped::new("laravel", include_str!("../../dialects/laravel.toml"));

/// Returns the dialect of `NestJS`.
///
/// The status signals an error.
#[must_use]
pub fn nest() -> Dialect {
    NEST.dialect()
}

pub(super) static NEST: Shipped = Shipped::new("nest", include_str!("../../dialects/nest.toml"));

/// Returns the dialect of `PostgREST`.
///
/// The status signals an error.
///
/// # Codes
/// - `conflict`: `23503`, `23505`
/// - `internal`: `PGRST111`, `PGRST112`, `PGRST121`, `PGRST300`
/// - `invalid`: `23502`, `23514`, `25006`, `PGRST100`, `PGRST101`, `PGRST102`,
///   `PGRST103`, `PGRST105`, `PGRST106`, `PGRST107`, `PGRST108`, `PGRST114`,
///   `PGRST115`, `PGRST117`, `PGRST118`, `PGRST119`, `PGRST120`, `PGRST122`,
///   `PGRST123`, `PGRST124`, `PGRST125`, `PGRST126`, `PGRST127`, `PGRST128`,
///   `PGRST200`, `PGRST201`, `PGRST202`, `PGRST203`, `PGRST204`, `PGRST205`
/// - `not_found`: `PGRST116`
/// - `permission_denied`: `42501`
/// - `rejected`: `57014`, `P0001`
/// - `unavailable`: `PGRST000`, `PGRST001`, `PGRST002`, `PGRST003`
#[must_use]
pub fn postgrest() -> Dialect {
    POSTGREST.dialect()
}

pub(super) static POSTGREST: Shipped = Shipped::new("postgrest", include_str!("../../dialects/postgrest.toml"));

/// Returns the dialect of Ruby on Rails.
///
/// The status signals an error.
#[must_use]
pub fn rails() -> Dialect {
    RAILS.dialect()
}

pub(super) static RAILS: Shipped = Shipped::new("rails", include_str!("../../dialects/rails.toml"));

/// Returns the dialect of Spring Boot.
///
/// The status signals an error.
#[must_use]
pub fn spring() -> Dialect {
    SPRING.dialect()
}

pub(super) static SPRING: Shipped = Shipped::new("spring", include_str!("../../dialects/spring.toml"));
