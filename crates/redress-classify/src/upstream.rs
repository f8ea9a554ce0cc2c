//! Where a request goes.

use std::fmt;
use std::hash::{Hash, Hasher};

use http::uri::Authority;
use http::{HeaderMap, Uri, header};

/// The host and port that a request goes to, which its `Host` header names when its URI does not (RFC 9112 section 3.2.1).
///
/// Two of them are equal when a client would connect to the same place: hosts whatever their case, a port that is written or
/// is the usual one of the scheme. Users and passwords do not count, and are never printed. Where the URI names the host, no
/// bytes are copied.
///
/// # Examples
/// ```
/// use http::{HeaderMap, Uri};
/// use redress_classify::Upstream;
///
/// let of = |uri: &'static str| Upstream::new(&Uri::from_static(uri), &HeaderMap::new());
/// assert_eq!(of("https://API.example/a"), of("https://me@api.example:443/b?c"));
/// assert_ne!(of("https://api.example"), of("http://api.example"));
/// assert_eq!(of("https://me@api.example:8443/").to_string(), "api.example:8443");
/// ```
#[derive(Clone)]
pub struct Upstream {
    authority: Option<Authority>,
    /// What stands for a port that the authority does not name.
    usual_port: Option<u16>,
}

impl Upstream {
    /// Finds where a request with this URI and these headers goes.
    #[inline]
    #[must_use]
    pub fn new(uri: &Uri, headers: &HeaderMap) -> Self {
        let named = || Authority::try_from(headers.get(header::HOST)?.as_bytes()).ok();
        let authority = uri.authority().cloned().or_else(named);
        let usual_port = uri.scheme().and_then(|scheme| match scheme.as_str() {
            "https" => Some(443),
            "http" => Some(80),
            _ => None,
        });
        Self { authority, usual_port }
    }

    /// Returns the port. It is read when it is asked for, which a request that nothing is known against never does.
    fn port(&self) -> Option<u16> {
        self.authority.as_ref().and_then(Authority::port_u16).or(self.usual_port)
    }

    /// Returns the host without the user, who may be a secret.
    fn host(&self) -> &str {
        self.authority.as_ref().map_or("", Authority::host)
    }
}

impl PartialEq for Upstream {
    fn eq(&self, other: &Self) -> bool {
        self.port() == other.port() && self.host().eq_ignore_ascii_case(other.host())
    }
}

impl Eq for Upstream {}

impl Hash for Upstream {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.port().hash(state);
        self.host().bytes().for_each(|byte| state.write_u8(byte.to_ascii_lowercase()));
    }
}

/// Prints host and port, the port as it was written: never a user, a path or a query.
impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.host())?;
        match self.authority.as_ref().and_then(Authority::port_u16) {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};

    use super::*;

    /// Of an absolute URI, or of a path and a `Host` header with a blank between them.
    fn of(text: &str) -> Upstream {
        let (uri, host) = text.split_once(' ').unwrap_or((text, ""));
        let mut headers = HeaderMap::new();
        if !host.is_empty() {
            headers.insert(header::HOST, host.parse().unwrap());
        }
        Upstream::new(&uri.parse().unwrap(), &headers)
    }

    #[test]
    fn a_host_and_its_port_are_one_upstream_however_they_are_written() {
        let hasher = RandomState::new();
        for (one, other, same) in [
            ("https://api.example/a", "https://API.example:443/b?c", true),
            ("http://api.example", "http://api.example:80/", true),
            ("https://user:word@api.example", "https://api.example", true),
            ("https://api.example", "http://api.example", false),
            ("https://api.example", "https://eu.api.example", false),
            ("https://api.example:8443", "https://api.example", false),
            ("/a", "/b", true),
            ("/a", "https://api.example/a", false),
            ("/a api.example", "/b API.example", true),
            ("/a api.example", "/a eu.api.example", false),
            ("/a api.example:8443", "https://api.example:8443", true),
            ("https://api.example eu.api.example", "https://api.example", true),
        ] {
            let (one, other) = (of(one), of(other));
            assert_eq!(one == other, same, "{one} {other}");
            assert_eq!(hasher.hash_one(&one) == hasher.hash_one(&other), same, "{one} {other}");
        }
    }

    #[test]
    fn neither_user_nor_path_nor_query_is_printed() {
        for (upstream, expected) in [
            ("https://canary:canary@api.example:8443/canary?canary", "api.example:8443"),
            ("/canary canary@api.example", "api.example"),
            ("https://api.example/", "api.example"),
            ("/canary", ""),
        ] {
            let upstream = of(upstream);
            assert_eq!((upstream.to_string(), format!("{upstream:?}")), (expected.to_owned(), expected.to_owned()));
        }
    }
}
