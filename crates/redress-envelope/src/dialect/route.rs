//! A method and a path, as vendors name the routes of their APIs.

use std::error::Error as StdError;
use std::fmt;
use std::str::FromStr;

/// A method and a path such as `GET /v1/verify/{id}`; either may hold
/// wildcards.
///
/// The path is compared segment by segment, as it is written and without its
/// query, in linear time.
///
/// | in a route | stands for |
/// |---|---|
/// | `*` as the method | any method |
/// | `{id}` or `*` in a segment | one or more characters of that segment, at most once in each: `{id}`, `bot{token}`, `users.*` |
/// | `**` as the last segment | any number of further segments, none included |
///
/// # Examples
/// ```
/// use redress_envelope::Route;
///
/// let route: Route = "POST /v1/orders/{id}".parse()?;
/// assert!(route.matches("POST", "/v1/orders/17") && !route.matches("POST", "/v1/orders/17/lines"));
/// let below: Route = "* /v1/orders/**".parse()?;
/// assert!(below.matches("GET", "/v1/orders") && below.matches("PUT", "/v1/orders/17/lines"));
/// assert!("/v1/orders".parse::<Route>().is_err());
/// # Ok::<(), redress_envelope::InvalidRoute>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    /// `None` stands for any.
    method: Option<&'static str>,
    path: String,
    /// The length of the segments before the first one with a wildcard.
    literal: usize,
}

/// The error for a text that is not a [`Route`].
///
/// # Examples
/// ```
/// use redress_envelope::Route;
///
/// let error = "post /v1/orders".parse::<Route>().unwrap_err();
/// assert!(error.to_string().contains("in capitals"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidRoute {
    why: &'static str,
}

/// The last segment of a route that covers all paths below it.
const REST: &str = "**";

impl Route {
    pub(crate) const METHODS: [&'static str; 9] =
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];

    /// Returns `true` if a request with this method and path is on this route.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::Route;
    ///
    /// let route: Route = "GET /v1/verify/{id}".parse()?;
    /// assert!(route.matches("GET", "/v1/verify/7") && !route.matches("GET", "/v1/verify"));
    /// # Ok::<(), redress_envelope::InvalidRoute>(())
    /// ```
    #[must_use]
    pub fn matches(&self, method: &str, path: &str) -> bool {
        if self.method.is_some_and(|own| own != method) {
            return false;
        }
        let (literal, pattern) = self.path.split_at(self.literal);
        let Some(rest) = path.strip_prefix(literal) else { return false };
        match (pattern.strip_prefix('/'), rest.strip_prefix('/')) {
            (Some(own), Some(their)) => matches_segments(own, their),
            (Some(REST) | None, None) => rest.is_empty(),
            _ => false,
        }
    }

    /// Returns the part of a path, which is on this route, that stands where the
    /// route has `{name}`.
    pub(crate) fn parameter<'p>(&self, name: &str, path: &'p str) -> Option<&'p str> {
        self.path.split('/').zip(path.split('/')).find_map(|(own, their)| {
            let wildcard = Wildcard::of(own).filter(|wildcard| wildcard.name == Some(name))?;
            wildcard.value(their)
        })
    }

    /// Returns the names in braces.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.path.split('/').filter_map(|segment| Wildcard::of(segment)?.name)
    }

    /// Returns the number of literal bytes in the path: of two routes that cover
    /// one request, the higher is the more specific.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::Route;
    ///
    /// let wide: Route = "* /v1/**".parse()?;
    /// let narrow: Route = "* /v1/orders/{id}".parse()?;
    /// assert!(narrow.specificity() > wide.specificity());
    /// # Ok::<(), redress_envelope::InvalidRoute>(())
    /// ```
    #[must_use]
    pub fn specificity(&self) -> usize {
        let literal = |segment: &str| match Wildcard::of(segment) {
            _ if segment == REST => 0,
            Some(Wildcard { prefix, suffix, .. }) => prefix.len() + suffix.len(),
            None => segment.len(),
        };
        self.path.split('/').map(literal).sum()
    }
}

/// The variable part of a segment, and the literal text around it.
struct Wildcard<'r> {
    prefix: &'r str,
    /// `None` for a `*`.
    name: Option<&'r str>,
    suffix: &'r str,
}

impl<'r> Wildcard<'r> {
    /// Finds the first wildcard of a segment.
    fn of(segment: &'r str) -> Option<Self> {
        let at = segment.bytes().position(|byte| matches!(byte, b'*' | b'{'))?;
        let (prefix, rest) = segment.split_at(at);
        if let Some(suffix) = rest.strip_prefix('*') {
            return Some(Self { prefix, name: None, suffix });
        }
        let (name, suffix) = split_at_byte(&rest[1..], b'}')?;
        Some(Self { prefix, name: Some(name), suffix })
    }

    /// Returns the part of a segment that the wildcard stands for, which is not
    /// empty.
    fn value<'p>(&self, segment: &'p str) -> Option<&'p str> {
        let value = segment.strip_prefix(self.prefix)?.strip_suffix(self.suffix)?;
        (!value.is_empty()).then_some(value)
    }
}

/// Compares the segments from the first one with a wildcard on.
fn matches_segments(mut ours: &str, mut theirs: &str) -> bool {
    loop {
        let (own, more) = first_segment(ours);
        let (their, rest) = first_segment(theirs);
        if own == REST {
            return true;
        }
        if !matches_segment(own, their) {
            return false;
        }
        match (more, rest) {
            (Some(more), Some(rest)) => (ours, theirs) = (more, rest),
            (more, None) => return more.is_none_or(|more| more == REST),
            (None, Some(_)) => return false,
        }
    }
}

/// Splits the first segment off a path; the rest is `None` after the last one.
fn first_segment(path: &str) -> (&str, Option<&str>) {
    split_at_byte(path, b'/').map_or((path, None), |(segment, rest)| (segment, Some(rest)))
}

/// As `str::split_once`, by a loop: what is split here is short, and `str` searches by `memchr`, which pays off later.
fn split_at_byte(text: &str, byte: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|other| other == byte)?;
    Some((&text[..at], &text[at + 1..]))
}

fn matches_segment(own: &str, their: &str) -> bool {
    own == their || Wildcard::of(own).is_some_and(|wildcard| wildcard.value(their).is_some())
}

/// Returns why a segment is not one of a route.
fn check(segment: &str, is_last: bool) -> Result<(), &'static str> {
    if segment == REST {
        return if is_last { Ok(()) } else { Err("`**` must be the last segment") };
    }
    let rest = match Wildcard::of(segment) {
        Some(Wildcard { name: Some(name), .. }) if name.contains(['{', '*']) => segment,
        Some(wildcard) => wildcard.suffix,
        None => segment,
    };
    if rest.contains(['*', '{', '}']) || segment.split('{').next().is_some_and(|prefix| prefix.contains('}')) {
        return Err("a segment must have at most one `*` or one name in braces");
    }
    Ok(())
}

impl FromStr for Route {
    type Err = InvalidRoute;

    /// Reads a method in capitals, or `*`, a space and a path.
    ///
    /// # Errors
    /// A text of any other form, a method that is none of RFC 9110 section 9 or
    /// PATCH, a path with a query, a segment with more than one wildcard, a `**`
    /// that is not the last segment.
    fn from_str(text: &str) -> Result<Self, InvalidRoute> {
        let invalid = |why| InvalidRoute { why };
        let (method, path) = text.split_once(' ').ok_or(invalid("missing space between a method and a path"))?;
        let known = Self::METHODS.into_iter().find(|known| *known == method);
        if known.is_none() && method != "*" {
            return Err(invalid("the method must be one such as POST, in capitals, or `*`"));
        }
        if !path.starts_with('/') || path.contains(['?', '#', ' ']) {
            return Err(invalid("the path must begin with a slash and end before the query"));
        }
        let mut segments = path.split('/').peekable();
        while let Some(segment) = segments.next() {
            check(segment, segments.peek().is_none()).map_err(invalid)?;
        }
        let wildcard = path.find(['*', '{']).and_then(|at| path[..at].rfind('/'));
        Ok(Self { method: known, path: path.to_owned(), literal: wildcard.unwrap_or(path.len()) })
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method.unwrap_or("*"), self.path)
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
    use proptest::prelude::*;

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
    fn wildcards_stand_for_any_method_one_segment_or_the_rest() {
        for (route, method, path, matches) in [
            ("* /v1/things", "GET", "/v1/things", true),
            ("* /v1/things", "PURGE", "/v1/things", true),
            ("* /v1/things", "GET", "/v1/thing", false),
            ("* /v1/**", "DELETE", "/v1/a/b/c", true),
            ("* /v1/**", "GET", "/v1", true),
            ("* /v1/**", "GET", "/v1/", true),
            ("* /v1/**", "GET", "/v10/a", false),
            ("* /v1/**", "GET", "/v2/v1/a", false),
            ("GET /search/**", "POST", "/search/code", false),
            ("* /**", "GET", "/", true),
            ("* /**", "GET", "", true),
            ("GET /v1/*/lines", "GET", "/v1/7/lines", true),
            ("GET /v1/*/lines", "GET", "/v1/7/8/lines", false),
            ("GET /v1/*/lines", "GET", "/v1//lines", false),
            ("POST /bot{token}/{method}", "POST", "/bot1:a/sendMessage", true),
            ("POST /bot{token}/{method}", "POST", "/bot/sendMessage", false),
            ("POST /api/users.*", "POST", "/api/users.list", true),
            ("POST /api/users.*", "POST", "/api/users.", false),
            ("POST /api/*.list", "POST", "/api/users.list", true),
            ("POST /v1/{name}:run", "POST", "/v1/job:run", true),
            ("POST /v1/a*a", "POST", "/v1/a", false),
            ("POST /v1/{name}:run", "POST", "/v1/job:stop", false),
            ("GET /channels/{channel}/**", "GET", "/channels/7/messages/8", true),
        ] {
            assert_eq!(route.parse::<Route>().unwrap().matches(method, path), matches, "{route} {method} {path}");
        }
    }

    /// Cuts both paths into lists, and compares these.
    fn reference(route: &Route, method: &str, path: &str) -> bool {
        let (own, their): (Vec<_>, Vec<_>) = (route.path.split('/').collect(), path.split('/').collect());
        let (own, is_length_right) = match own.split_last() {
            Some((&REST, own)) => (own, their.len() >= own.len()),
            _ => (&own[..], own.len() == their.len()),
        };
        let is_segment = |(own, their): (&&str, &&str)| match own.split_once('*').or_else(|| braces(own)) {
            Some((prefix, suffix)) => {
                own == their
                    || their.len() > prefix.len() + suffix.len() && their.starts_with(prefix) && their.ends_with(suffix)
            }
            None => own == their,
        };
        route.method.is_none_or(|own| own == method) && is_length_right && own.iter().zip(&their).all(is_segment)
    }

    fn braces(segment: &str) -> Option<(&str, &str)> {
        let (prefix, rest) = segment.split_once('{')?;
        Some((prefix, rest.split_once('}')?.1))
    }

    proptest! {
        #[test]
        fn a_route_matches_as_by_lists_of_segments(
            (method, path) in ("GET|POST|[*]", "(/(a|b|ab|é|[{]n[}]|a[{]n[}]b|[*]|a[*]|)){1,4}(/[*][*])?"),
            (their_method, their_path) in ("GET|POST|PURGE", "(/(a|b|ab|aab|é|éb|[{]n[}]|[*]|[*][*]|)){0,5}"),
        ) {
            let route: Route = format!("{method} {path}").parse().unwrap();
            let expected = reference(&route, &their_method, &their_path);
            prop_assert_eq!(route.matches(&their_method, &their_path), expected, "{} {} {}", route, their_method, their_path);
        }
    }

    #[test]
    fn a_parameter_is_the_text_in_place_of_its_name() {
        let route: Route = "* /channels/{channel}/x{id}y/**".parse().unwrap();
        let path = "/channels/7/x12y/more";
        let found: Vec<_> = ["channel", "id", "guild"].map(|name| route.parameter(name, path)).into();
        assert_eq!(found, [Some("7"), Some("12"), None]);
        assert_eq!(route.names().collect::<Vec<_>>(), ["channel", "id"]);
    }

    #[test]
    fn a_route_is_the_more_specific_the_more_of_it_is_literal() {
        let specificity = |text: &str| text.parse::<Route>().unwrap().specificity();
        for (text, bytes) in [
            ("* /**", 0),
            ("* /v1/**", 2),
            ("GET /v1/{id}", 2),
            ("* /v1/{id}", 2),
            ("GET /v1/a{id}", 3),
            ("GET /v1/abc", 5),
            ("* /v1/{id}:go", 5),
            ("* /v1/re_{id}:go", 8),
            ("* /v1/orders/{id}", 8),
            ("* /v1/orders/latest", 14),
        ] {
            assert_eq!(specificity(text), bytes, "{text}");
        }
    }

    #[test]
    fn an_invalid_route_names_the_reason() {
        for (text, why) in [
            ("GET", "missing space"),
            ("get /a", "the method"),
            ("PSOT /a", "the method"),
            (" /a", "the method"),
            ("", "missing space"),
            ("GET a", "the path"),
            ("GET /a?b=1", "the path"),
            ("GET /a ", "the path"),
            ("** /a", "the method"),
            ("GET /**/a", "the last segment"),
            ("GET /a**", "at most one"),
            ("GET /*a*", "at most one"),
            ("GET /{a}{b}", "at most one"),
            ("GET /{a}*", "at most one"),
            ("GET /{a", "at most one"),
            ("GET /a}", "at most one"),
            ("GET /{{a}}", "at most one"),
            ("GET /{*}", "at most one"),
        ] {
            let error = text.parse::<Route>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
        for text in ["GET /a", "* /a/{b}/**"] {
            assert_eq!(text.parse::<Route>().unwrap().to_string(), text);
        }
    }
}
