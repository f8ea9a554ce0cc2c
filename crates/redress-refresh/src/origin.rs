//! The origins to which credentials are sent, and which requests may carry them.

use std::error::Error as StdError;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use http::header::HOST;
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request, Uri};
use redress_classify::ForeignHost;

use crate::settings::Settings;
use crate::withheld::Reason;

/// A scheme, a host and a port to which a layer sends its credentials.
///
/// Every request is checked, redirected ones too: HTTP clients do not remove a header such as `X-Api-Key` when they follow a
/// redirect to another host.
///
/// The scheme is `https`, or `http` for this machine only: `localhost`, `127.0.0.0/8` and `[::1]`. Hosts are compared as text,
/// without regard to case; `api.example.com.` with a dot is another host.
///
/// # Examples
/// ```
/// use redress_refresh::Origin;
///
/// let origin: Origin = "https://API.example.com".parse()?;
/// assert_eq!(origin.to_string(), "https://api.example.com");
/// assert!("http://api.example.com".parse::<Origin>().is_err());
/// # Ok::<(), redress_refresh::InvalidOrigin>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    is_https: bool,
    host: String,
    port: u16,
    /// Host and port in their usual form: the port only if it is not the default.
    authority: String,
}

/// A text that is not an [`Origin`]. It does not contain the text, which may hold a password.
///
/// # Examples
/// ```
/// use redress_refresh::Origin;
///
/// let error = "https://user:s3cret@api.example.com".parse::<Origin>().unwrap_err();
/// assert_eq!(error.to_string(), "not an origin: it must not contain a user");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidOrigin {
    why: &'static str,
}

impl Origin {
    /// Returns `true` if a request to this URI goes to the origin.
    ///
    /// Its path must begin with a slash: another parser may read any other path as a part of the authority.
    fn serves(&self, uri: &Uri) -> bool {
        self.is_origin_of(uri) && uri.path_and_query().is_none_or(|path| begins_with_a_slash(path.as_str()))
    }

    /// Returns `true` if scheme and authority of the URI are the origin's.
    fn is_origin_of(&self, uri: &Uri) -> bool {
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else { return false };
        *scheme == self.scheme() && (authority.as_str() == self.authority || self.is_written_in(authority))
    }

    /// Returns `true` if a `Host` header names this origin (RFC 9110 section 7.2). A `Host` header has no user.
    fn is_named_by(&self, host: &HeaderValue) -> bool {
        host_of(host).is_some_and(|host| self.is_written_in(&host))
    }

    /// Returns `true` if a `Host` header names that authority, for the scheme of this origin.
    fn also_named_by(&self, host: &HeaderValue, allowed: &Authority) -> bool {
        host_of(host).is_some_and(|host| {
            let port = |authority| port(authority, self.is_https);
            host.host().eq_ignore_ascii_case(allowed.host())
                && port(&host).is_some_and(|host| port(allowed) == Some(host))
        })
    }

    fn scheme(&self) -> Scheme {
        if self.is_https { Scheme::HTTPS } else { Scheme::HTTP }
    }

    /// Returns `true` if an authority names this host and port in any form.
    #[cold]
    fn is_written_in(&self, authority: &Authority) -> bool {
        authority.host().eq_ignore_ascii_case(&self.host) && port(authority, self.is_https) == Some(self.port)
    }
}

impl Settings {
    /// Returns `true` if the request may carry the credentials; otherwise reports why it may not.
    #[inline]
    pub(crate) fn admits<B>(&self, request: &mut Request<B>) -> bool {
        let origin = self.origins.iter().find(|origin| origin.serves(request.uri()));
        match origin {
            // Comparing the few names takes less time than hashing one.
            Some(_) if !request.headers().keys().any(|name| name == HOST) => true,
            Some(origin) => self.admits_host(origin, request),
            None => {
                self.withheld.report(request.uri(), self.reason(request.uri()));
                false
            }
        }
    }

    /// Compares the `Host` headers of a request with the origin that its URI names.
    #[cold]
    fn admits_host<B>(&self, origin: &Origin, request: &mut Request<B>) -> bool {
        let is_foreign = |host: &&HeaderValue| !origin.is_named_by(host);
        let is_allowed = |host: &HeaderValue| self.hosts.iter().any(|allowed| origin.also_named_by(host, allowed));
        let hosts = request.headers().get_all(HOST);
        if let Some(host) = hosts.iter().filter(is_foreign).find(|host| !is_allowed(host)) {
            self.withheld.report(request.uri(), Reason::Host(host));
            return false;
        }
        if hosts.iter().any(|host| is_foreign(&host)) {
            request.extensions_mut().insert(ForeignHost);
        }
        true
    }

    fn reason(&self, uri: &Uri) -> Reason<'static> {
        if uri.scheme().is_none() || uri.authority().is_none() {
            Reason::Relative
        } else if self.origins.iter().any(|origin| origin.is_origin_of(uri)) {
            Reason::Path
        } else {
            Reason::Origin
        }
    }
}

impl FromStr for Origin {
    type Err = InvalidOrigin;

    /// Parses `scheme://host` or `scheme://host:port`; one slash may follow.
    ///
    /// # Errors
    /// Returns an error for a text of another form, with a path, a query or a user, or for plain `http` to another machine.
    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let refuse = |why| Err(InvalidOrigin { why });
        if text.contains(['#', '?']) {
            return refuse("it must not contain a query or a fragment");
        }
        let Ok(uri) = text.parse::<Uri>() else { return refuse("it is not a URI") };
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return refuse("it must begin with https://");
        };
        if authority.as_str().contains('@') {
            return refuse("it must not contain a user");
        }
        if uri.path() != "/" && !uri.path().is_empty() {
            return refuse("it must not contain a path");
        }
        let host = authority.host().to_ascii_lowercase();
        if !is_host(&host) {
            return refuse("its host is not valid");
        }
        let is_https = match scheme {
            "https" => true,
            "http" if is_loopback(&host) => false,
            "http" => return refuse("plain http is for loopback addresses only"),
            _ => return refuse("its scheme is not https"),
        };
        match port(authority, is_https) {
            None | Some(0) => refuse("its port is not valid"),
            Some(port) => {
                let usual = port == default_port(is_https);
                let authority = if usual { host.clone() } else { format!("{host}:{port}") };
                Ok(Self { is_https, host, port, authority })
            }
        }
    }
}

impl TryFrom<&str> for Origin {
    type Error = InvalidOrigin;

    fn try_from(text: &str) -> Result<Self, InvalidOrigin> {
        text.parse()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.authority)
    }
}

impl InvalidOrigin {
    /// Returns why the text is not an origin.
    ///
    /// # Examples
    /// ```
    /// use redress_refresh::Origin;
    ///
    /// let error = "http://api.example.com".parse::<Origin>().unwrap_err();
    /// assert_eq!(error.reason(), "plain http is for loopback addresses only");
    /// ```
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        self.why
    }
}

impl fmt::Display for InvalidOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not an origin: {}", self.why)
    }
}

impl StdError for InvalidOrigin {}

const fn default_port(is_https: bool) -> u16 {
    if is_https { 443 } else { 80 }
}

/// Returns `true` if a path cannot be read as a part of the authority before it. `http` refuses other paths since 1.4.1.
fn begins_with_a_slash(path: &str) -> bool {
    matches!(path.as_bytes(), [] | [b'/' | b'?', ..] | [b'*'])
}

/// Parses a `Host` header. Returns `None` if it is not a host with an optional port.
fn host_of(host: &HeaderValue) -> Option<Authority> {
    Authority::try_from(host.as_bytes()).ok().filter(|host| !host.as_str().contains('@'))
}

/// Returns the port that a client would connect to, `None` if the text is not a port.
pub(crate) fn port(authority: &Authority, is_https: bool) -> Option<u16> {
    let text = authority.as_str();
    let text = text.rsplit_once('@').map_or(text, |(_, text)| text);
    let rest = text.get(authority.host().len()..)?;
    if rest.is_empty() {
        return Some(default_port(is_https));
    }
    let digits = rest.strip_prefix(':')?;
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| all_digits)
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[') {
        return address.strip_suffix(']').is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    }
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    !host.is_empty() && !host.starts_with('.') && host.bytes().all(legal)
}

fn is_loopback(host: &str) -> bool {
    let v6 = host.trim_start_matches('[').trim_end_matches(']').parse::<Ipv6Addr>();
    host == "localhost"
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || v6.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests;
