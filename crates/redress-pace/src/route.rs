//! Which requests a limit is for.

use std::error::Error as StdError;
use std::fmt;
use std::str::FromStr;

use http::Method;

/// A method and a path such as `POST /v1/verify/{id}`, in which a segment in braces stands for any one segment.
///
/// The path is compared segment by segment, as it is written and without its query.
///
/// # Examples
/// ```
/// use redress_pace::Route;
///
/// let route: Route = "POST /v1/auth/login".parse()?;
/// assert_eq!(route.to_string(), "POST /v1/auth/login");
/// assert!("/v1/auth/login".parse::<Route>().is_err());
/// # Ok::<(), redress_pace::InvalidRoute>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    method: Method,
    path: String,
}

/// Why a text is no [`Route`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidRoute {
    why: &'static str,
}

impl Route {
    pub(crate) fn matches(&self, method: &Method, path: &str) -> bool {
        if self.method != *method {
            return false;
        }
        let is_any = |segment: &str| segment.starts_with('{') && segment.ends_with('}');
        let mut theirs = path.split('/');
        let fits = |ours: &str| theirs.next().is_some_and(|their| ours == their || (is_any(ours) && !their.is_empty()));
        self.path.split('/').all(fits) && theirs.next().is_none()
    }
}

impl FromStr for Route {
    type Err = InvalidRoute;

    /// Reads a method in capitals, a space and a path.
    ///
    /// # Errors
    /// A text of any other form, or with a query.
    fn from_str(text: &str) -> Result<Self, InvalidRoute> {
        let invalid = |why| InvalidRoute { why };
        let (method, path) = text.split_once(' ').ok_or(invalid("there is no space between a method and a path"))?;
        if !path.starts_with('/') || path.contains(['?', '#', ' ']) {
            return Err(invalid("the path has to begin with a slash, and to end before the query"));
        }
        let in_capitals = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
        let method = Method::from_bytes(method.as_bytes()).ok().filter(|_| in_capitals);
        let method = method.ok_or(invalid("the method has to be a word in capitals"))?;
        Ok(Self { method, path: path.to_owned() })
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

impl fmt::Display for InvalidRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a route such as `POST /v1/orders/{{id}}`: {}", self.why)
    }
}

impl StdError for InvalidRoute {}

#[cfg(test)]
mod tests {
    use redress_classify::dialects;

    use super::*;

    #[test]
    fn a_route_matches_segment_by_segment() {
        let route: Route = "GET /v1/verify/{id}".parse().unwrap();
        for (method, path, expected) in [
            ("GET", "/v1/verify/vf_1", true),
            ("POST", "/v1/verify/vf_1", false),
            ("GET", "/v1/verify/", false),
            ("GET", "/v1/verify", false),
            ("GET", "/v1/verify/vf_1/more", false),
            ("GET", "/v2/verify/vf_1", false),
            ("GET", "", false),
        ] {
            assert_eq!(route.matches(&method.parse().unwrap(), path), expected, "{method} {path}");
        }
        for text in ["GET", "get /a", "GET a", " /a", "GET /a?b=1", "GET /a ", "G:T /a", ""] {
            assert!(text.parse::<Route>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_route_that_a_shipped_dialect_limits_is_one() {
        let mut count = 0;
        for dialect in dialects::all() {
            for route in dialect.limits().iter().filter_map(|limit| limit.route.as_ref()) {
                assert_eq!(route.to_string().parse::<Route>().unwrap().to_string(), route.to_string());
                count += 1;
            }
        }
        assert!(count >= 3, "{count}");
    }
}
