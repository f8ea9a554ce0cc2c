//! The single words of a dialect's file, each read from a text; the error says
//! what was expected.

use std::fmt::Display;
use std::str::FromStr;

use http::{HeaderName, Method};

use super::super::route::Route;
use super::super::secret_path::SecretPath;
use crate::hint::Unit;
use crate::path::Path;
use crate::pattern::Glob;

pub(super) fn path(text: &str) -> Result<Path, String> {
    Path::parse(text).map_err(str::to_owned)
}

/// Reads the name of an element at any depth.
pub(super) fn element(text: &str) -> Result<Path, String> {
    path(&format!("//{text}"))
}

/// Reads a path from an XML element on.
pub(super) fn path_below_element(text: &str) -> Result<Path, String> {
    Path::parse_below_element(text).map_err(str::to_owned)
}

pub(super) fn header(text: &str) -> Result<HeaderName, String> {
    HeaderName::from_bytes(text.as_bytes()).map_err(|_| "the name of a header".to_owned())
}

pub(super) fn method(text: &str) -> Result<Method, String> {
    let known = || Route::METHODS.join(", ");
    let method = Route::METHODS.contains(&text).then(|| text.parse().ok()).flatten();
    method.ok_or_else(|| format!("one of {}", known()))
}

pub(super) fn route(text: &str) -> Result<Route, String> {
    text.parse().map_err(|_| "a method and a path such as `POST /v1/things/{id}` or `* /v1/**`".to_owned())
}

pub(super) fn secret_path(text: &str) -> Result<SecretPath, String> {
    let query = if text.contains('?') { ", which ends before a query" } else { "" };
    SecretPath::parse(text).ok_or_else(|| format!("{}{query}", SecretPath::EXPECTED))
}

pub(super) fn unit(text: &str) -> Result<Unit, String> {
    let known = || Unit::ALL.map(Unit::as_str).join(", ");
    Unit::ALL.into_iter().find(|unit| unit.as_str() == text).ok_or_else(|| format!("one of {}", known()))
}

pub(super) fn glob(text: &str) -> Result<Glob, String> {
    if text.is_empty() { Err("a text in which `*` stands for anything".to_owned()) } else { Ok(Glob::new(text)) }
}

/// Reads any text but the empty one.
pub(super) fn text(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("a text that is not empty".to_owned()) } else { Ok(text.to_owned()) }
}

/// Reads the name of one of a few things.
pub(super) fn one_of<T: Copy>(all: &'static [(&'static str, T)]) -> impl Fn(&str) -> Result<T, String> {
    move |text| {
        let known = || all.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        all.iter().find(|(name, _)| *name == text).map(|(_, thing)| *thing).ok_or_else(|| format!("one of {}", known()))
    }
}

pub(super) fn word<T: FromStr + Display>(text: &str, all: &[T]) -> Result<T, String> {
    let known = || all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    text.parse().map_err(|_| format!("one of {}", known()))
}
