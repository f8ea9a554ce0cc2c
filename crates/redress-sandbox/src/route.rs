//! Patterns of requests that a fault applies to.

use std::fmt;
use std::str::FromStr;

use http::Method;
use serde::Deserialize;

/// A pattern: `*`, or a method and a path whose `{name}` segments match any text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Route {
    /// Every request.
    Any,
    /// Requests with this method and a path of these segments.
    Path { method: Method, segments: Vec<Segment> },
}

/// A segment of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    Literal(String),
    /// `{name}`: any non-empty text.
    Any,
}

/// A route pattern that cannot be parsed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RouteError(String);

impl Route {
    pub(crate) fn matches(&self, method: &Method, path: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Path { method: wanted, segments } => wanted == method && match_path(segments, path),
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Path { method, segments } = self else { return f.write_str("*") };
        write!(f, "{method} ")?;
        segments.iter().try_for_each(|segment| match segment {
            Segment::Literal(text) => write!(f, "/{text}"),
            Segment::Any => f.write_str("/{}"),
        })
    }
}

impl FromStr for Route {
    type Err = RouteError;

    fn from_str(text: &str) -> Result<Self, RouteError> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let error = || RouteError(text.to_owned());
        let (method, path) = text.split_once(' ').ok_or_else(error)?;
        if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(error());
        }
        let path = path.strip_prefix('/').ok_or_else(error)?;
        if path.contains([' ', '?']) {
            return Err(error());
        }
        Ok(Self::Path {
            method: Method::from_bytes(method.as_bytes()).map_err(|_| error())?,
            segments: path.split('/').map(segment).collect(),
        })
    }
}

impl TryFrom<String> for Route {
    type Error = RouteError;

    fn try_from(text: String) -> Result<Self, RouteError> {
        text.parse()
    }
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "invalid route `{}`, expected `*` or a method and a path without a query, such as `GET /v1/applicants/{{id}}`",
            self.0
        )
    }
}

impl std::error::Error for RouteError {}

fn segment(text: &str) -> Segment {
    if text.len() > 2 && text.starts_with('{') && text.ends_with('}') {
        Segment::Any
    } else {
        Segment::Literal(text.to_owned())
    }
}

fn match_path(segments: &[Segment], path: &str) -> bool {
    let mut parts = path.strip_prefix('/').unwrap_or(path).split('/');
    let all = segments.iter().all(|segment| match (segment, parts.next()) {
        (Segment::Literal(literal), Some(part)) => literal == part,
        (Segment::Any, Some(part)) => !part.is_empty(),
        (_, None) => false,
    });
    all && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_its_method_and_its_segments() {
        let cases = [
            ("*", "GET", "/anything", true, "the star"),
            ("GET /v1/a", "GET", "/v1/a", true, "literal"),
            ("GET /v1/a", "POST", "/v1/a", false, "another method"),
            ("GET /v1/{id}", "GET", "/v1/7", true, "a named segment"),
            ("GET /v1/{id}", "GET", "/v1/", false, "an empty segment"),
            ("GET /v1/{id}", "GET", "/v1/7/b", false, "a longer path"),
            ("GET /v1/{id}/b", "GET", "/v1/7", false, "a shorter path"),
            ("GET /", "GET", "/", true, "the root"),
        ];
        for (pattern, method, path, expected, name) in cases {
            let route: Route = pattern.parse().unwrap();
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert_eq!(route.matches(&method, path), expected, "{name}");
        }
    }

    #[test]
    fn a_pattern_that_is_no_route_is_refused() {
        for text in ["", "/v1/a", "GET", "GET v1", "get /v1", "GET /a?b=1", "GET  /a", " /a"] {
            let error = text.parse::<Route>().unwrap_err();
            assert!(error.to_string().contains("expected `*` or a method"), "{text}");
        }
    }
}
