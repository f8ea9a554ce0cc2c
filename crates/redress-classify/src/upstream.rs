//! The host and port of a request.

use std::fmt;
use std::hash::{Hash, Hasher};

use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Uri, header};

/// The host and port of a request, from its URI or else from its `Host` header (RFC 9112 section 3.2.1).
///
/// Two upstreams are equal if a client would connect to the same place: the case of the host does not matter, and a missing
/// port is the default one of the scheme. User and password do not count, and are never printed. If the URI has a host, no
/// bytes are copied.
///
/// # Examples
/// ```
/// use http::{HeaderMap, Uri};
/// use redress_classify::Upstream;
///
/// let upstream = |uri: &'static str| Upstream::new(&Uri::from_static(uri), &HeaderMap::new());
/// assert_eq!(upstream("https://API.example/a"), upstream("https://me@api.example:443/b?c"));
/// assert_ne!(upstream("https://api.example"), upstream("http://api.example"));
/// assert_eq!(upstream("https://me@api.example:8443/").to_string(), "api.example:8443");
/// ```
#[derive(Clone)]
pub struct Upstream {
    authority: Option<Authority>,
    /// The default port of the scheme.
    default_port: Option<u16>,
}

impl Upstream {
    /// Returns the upstream of a request with this URI and these headers.
    ///
    /// # Examples
    /// ```
    /// use http::{HeaderMap, HeaderValue, Uri, header};
    /// use redress_classify::Upstream;
    ///
    /// let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("api.example"))]);
    /// assert_eq!(Upstream::new(&Uri::from_static("/v1/cats"), &headers).to_string(), "api.example");
    /// ```
    #[inline]
    #[must_use]
    pub fn new(uri: &Uri, headers: &HeaderMap) -> Self {
        let host = if uri.authority().is_none() { headers.get(header::HOST) } else { None };
        Self::from_uri(uri, host)
    }

    /// Returns the upstream of a request; `host` is its `Host` header, which counts if the URI has no host.
    #[inline]
    pub(crate) fn from_uri(uri: &Uri, host: Option<&HeaderValue>) -> Self {
        let named = || Authority::try_from(host?.as_bytes()).ok();
        let authority = uri.authority().cloned().or_else(named);
        let default_port = uri.scheme().and_then(|scheme| match scheme.as_str() {
            "https" => Some(443),
            "http" => Some(80),
            _ => None,
        });
        Self { authority, default_port }
    }

    /// Returns host and port as one name, the same for all spellings of the same place: the host in lower case, and the port, the
    /// default one of the scheme if the URI has none.
    ///
    /// It is a name to share with other processes; [`Display`](fmt::Display) prints the upstream as it was written.
    ///
    /// # Examples
    /// ```
    /// use http::{HeaderMap, Uri};
    /// use redress_classify::Upstream;
    ///
    /// let name = |uri: &'static str| Upstream::new(&Uri::from_static(uri), &HeaderMap::new()).canonical_name();
    /// assert_eq!(name("https://API.example/a"), "api.example:443");
    /// assert_eq!(name("https://me@api.example:443/b?c"), "api.example:443");
    /// assert_eq!(name("/b"), "", "there is no host");
    /// ```
    #[must_use]
    pub fn canonical_name(&self) -> String {
        let (host, port) = self.host_and_port();
        let mut name = host.to_ascii_lowercase();
        if let Some(port) = port {
            name.push(':');
            name.push_str(&port.to_string());
        }
        name
    }

    /// Returns host and port as they were written, with the user information; an empty text if there is no host.
    fn text(&self) -> &str {
        self.authority.as_ref().map_or("", Authority::as_str)
    }

    /// Returns the host without the user information, which may be a secret, and the port. They are parsed on demand, since most
    /// requests never compare their upstream, and from the end, in one pass: `Authority` looks for each of them anew.
    fn host_and_port(&self) -> (&str, Option<u16>) {
        let text = self.text();
        let digits = text.bytes().rev().take_while(u8::is_ascii_digit).count();
        let (rest, port) = text.split_at(text.len() - digits);
        // Without a colon before them they are part of the host, as in 192.0.2.1.
        let (host, port) = match rest.strip_suffix(':') {
            Some(host) => (host, port.parse().ok()),
            None => (text, None),
        };
        let start = host.bytes().rposition(|byte| byte == b'@').map_or(0, |at| at + 1);
        (&host[start..], port.or(self.default_port))
    }

    fn host(&self) -> &str {
        self.host_and_port().0
    }
}

impl PartialEq for Upstream {
    fn eq(&self, other: &Self) -> bool {
        if self.default_port == other.default_port && self.text() == other.text() {
            return true;
        }
        let ((host, port), (other, other_port)) = (self.host_and_port(), other.host_and_port());
        port == other_port && host.eq_ignore_ascii_case(other)
    }
}

impl Eq for Upstream {}

impl Hash for Upstream {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (host, port) = self.host_and_port();
        state.write_u32(port.map_or(u32::MAX, u32::from));
        // A hasher takes a chunk in much less time than its bytes one by one.
        for chunk in host.as_bytes().chunks(32) {
            let mut lower = [0; 32];
            for (lower, byte) in lower.iter_mut().zip(chunk) {
                *lower = byte.to_ascii_lowercase();
            }
            state.write(&lower[..chunk.len()]);
        }
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

    use proptest::prelude::*;

    use super::*;

    /// Few hosts, among them an address and one of more than 32 bytes, and ports with and without leading zeros.
    const URI: &str = "(https|http|ftp)://(me@|a:1@|)(a|A|b|192[.]0[.]2[.]1|\\[::1\\]|\
        [aA]pi-of-the-longest-of-names[.]example-one)(:|:0|:80|:0080|:443|:8443|)/|\
        /c (a|A|b|A:80|b:443)";

    /// Returns the upstream of an absolute URI, or of a path and a `Host` header separated by a space.
    fn upstream(text: &str) -> Upstream {
        let (uri, host) = text.split_once(' ').unwrap_or((text, ""));
        let mut headers = HeaderMap::new();
        if !host.is_empty() {
            headers.insert(header::HOST, host.parse().unwrap());
        }
        Upstream::new(&uri.parse().unwrap(), &headers)
    }

    #[test]
    fn spellings_of_the_same_host_and_port_are_equal() {
        let hasher = RandomState::new();
        for (one, other, same) in [
            ("https://api.example/a", "https://API.example:443/b?c", true),
            ("http://api.example", "http://api.example:80/", true),
            ("https://user:word@api.example", "https://api.example", true),
            ("https://api.example", "http://api.example", false),
            ("https://api.example", "https://eu.api.example", false),
            ("https://api.example:8443", "https://api.example", false),
            ("https://192.0.2.1", "https://192.0.2.1:443", true),
            ("https://192.0.2.1", "https://192.0.2.12", false),
            ("https://a:1@192.0.2.1:80", "https://192.0.2.1:80", true),
            ("https://[2001:db8::1]:443/", "https://[2001:DB8::1]", true),
            ("https://[2001:db8::1]", "https://[2001:db8::1]:1", false),
            ("/a", "/b", true),
            ("/a", "https://api.example/a", false),
            ("/a api.example", "/b API.example", true),
            ("/a api.example", "/a eu.api.example", false),
            ("/a api.example:8443", "https://api.example:8443", true),
            ("https://api.example eu.api.example", "https://api.example", true),
        ] {
            let (one, other) = (upstream(one), upstream(other));
            assert_eq!(one == other, same, "{one} {other}");
            assert_eq!(hasher.hash_one(&one) == hasher.hash_one(&other), same, "{one} {other}");
        }
    }

    proptest! {
        #[test]
        fn upstreams_are_equal_if_their_canonical_names_are_and_equal_ones_have_the_same_hash(
            one in URI,
            other in URI,
        ) {
            let (one, other) = (upstream(&one), upstream(&other));
            let same = one.canonical_name() == other.canonical_name();
            prop_assert_eq!(one == other, same, "{} {}", one, other);
            let hasher = RandomState::new();
            prop_assert_eq!(hasher.hash_one(&one) == hasher.hash_one(&other), same, "{} {}", one, other);
        }
    }

    #[test]
    fn display_and_debug_show_host_and_port_only() {
        for (upstream, expected) in [
            ("https://canary:canary@api.example:8443/canary?canary", "api.example:8443"),
            ("/canary canary@api.example", "api.example"),
            ("https://api.example/", "api.example"),
            ("/canary", ""),
        ] {
            let upstream = self::upstream(upstream);
            assert_eq!((upstream.to_string(), format!("{upstream:?}")), (expected.to_owned(), expected.to_owned()));
        }
    }
}
