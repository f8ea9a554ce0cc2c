//! A method and a path, as vendors name the routes of their APIs.

use std::error::Error as StdError;
use std::fmt;
use std::str::FromStr;

/// A method and a path such as `GET /v1/verify/{id}`, in which a segment in braces stands for any one segment.
///
/// The path is compared segment by segment, as it is written and without its query.
///
/// # Examples
/// ```
/// use redress_envelope::Route;
///
/// let route: Route = "POST /v1/orders/{id}".parse()?;
/// assert!(route.matches("POST", "/v1/orders/17") && !route.matches("POST", "/v1/orders/17/lines"));
/// assert!("/v1/orders".parse::<Route>().is_err());
/// # Ok::<(), redress_envelope::InvalidRoute>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    method: &'static str,
    path: String,
}

/// Why a text is no [`Route`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidRoute {
    why: &'static str,
}

impl Route {
    pub(crate) const METHODS: [&'static str; 9] =
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];

    /// Whether a request goes this way. The path is compared segment by segment, without its query.
    #[must_use]
    pub fn matches(&self, method: &str, path: &str) -> bool {
        let any = |segment: &str| segment.starts_with('{') && segment.ends_with('}');
        let mut theirs = path.split('/');
        let mut ours = self.path.split('/');
        self.method == method
            && ours.all(|our| theirs.next().is_some_and(|their| our == their || (any(our) && !their.is_empty())))
            && theirs.next().is_none()
    }
}

impl FromStr for Route {
    type Err = InvalidRoute;

    /// Reads a method in capitals, a space and a path.
    ///
    /// # Errors
    /// A text of any other form, a method that is none of RFC 9110 section 9 or PATCH, a path with a query.
    fn from_str(text: &str) -> Result<Self, InvalidRoute> {
        let invalid = |why| InvalidRoute { why };
        let (method, path) = text.split_once(' ').ok_or(invalid("there is no space between a method and a path"))?;
        let method = Self::METHODS.into_iter().find(|known| *known == method);
        let method = method.ok_or(invalid("the method has to be one such as POST, in capitals"))?;
        if !path.starts_with('/') || path.contains(['?', '#', ' ']) {
            return Err(invalid("the path has to begin with a slash, and to end before the query"));
        }
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
    use super::*;

    #[test]
    fn a_route_matches_segment_by_segment() {
        let route: Route = "GET /v1/verify/{id}".parse().unwrap();
        for (method, path, matches) in [
            ("GET", "/v1/verify/vf_1", true),
            ("POST", "/v1/verify/vf_1", false),
            ("GET", "/v1/verify/", false),
            ("GET", "/v1/verify", false),
            ("GET", "/v1/verify/vf_1/more", false),
            ("GET", "/v2/verify/vf_1", false),
            ("GET", "", false),
        ] {
            assert_eq!(route.matches(method, path), matches, "{method} {path}");
        }
    }

    #[test]
    fn what_is_no_route_says_why() {
        for (text, why) in [
            ("GET", "no space"),
            ("get /a", "the method"),
            ("PSOT /a", "the method"),
            (" /a", "the method"),
            ("", "no space"),
            ("GET a", "the path"),
            ("GET /a?b=1", "the path"),
            ("GET /a ", "the path"),
        ] {
            let error = text.parse::<Route>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert_eq!("GET /a".parse::<Route>().unwrap().to_string(), "GET /a");
    }
}
