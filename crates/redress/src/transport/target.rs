//! Checks that a request goes to the target for which its credentials were added.

use std::net::Ipv6Addr;

use http::header::HOST;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderValue, Request, Uri};
use redress_classify::{ForeignHost, TransportError, escaped};

/// The longest part of a host that an error shows, in characters; a name in DNS has at most 253.
const MAX_SHOWN: usize = 255;

/// Refuses a request that cannot be sent as it was checked, and removes user and password from its URI.
///
/// # Errors
/// Returns an error for a URI without a host, with an illegal port, or with a path that another parser would read as part
/// of the host, and for credentials beside a `Host` header that names another authority.
pub(super) fn check<B>(request: &mut Request<B>) -> Result<(), TransportError> {
    let uri = request.uri();
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    let Some(authority) = uri.authority().filter(|authority| is_http && !authority.host().is_empty()) else {
        return Err(no_server());
    };
    if !uri.path_and_query().is_none_or(begins_with_a_slash) {
        return Err(TransportError::request("the path of the URI does not begin with a slash"));
    }
    if Port::of(authority) == Port::None {
        return Err(TransportError::request("the port of the URI is not a number from 0 to 65535"));
    }
    if request.headers().contains_key(HOST) {
        check_host(request, authority, uri.scheme_str() == Some("https"))?;
    }
    if authority.as_str().contains('@') {
        *request.uri_mut() = without_user(request.uri())?;
    }
    Ok(())
}

/// Returns the error of a URI without a host.
pub(super) fn no_server() -> TransportError {
    TransportError::request("the URI has no http or https scheme with a host")
}

/// Refuses a URL that goes to another place than the URI that it was made of.
///
/// # Errors
/// Returns an error if scheme, host or port differ. It names both hosts, and neither user, path nor query.
#[cfg(feature = "reqwest")]
pub(super) fn compare(uri: &Uri, url: &reqwest::Url) -> Result<(), TransportError> {
    let host = url.host_str().unwrap_or_default();
    let same = uri.scheme_str() == Some(url.scheme())
        && uri.host().is_some_and(|expected| same_host(expected, host))
        && uri.authority().map(Port::of).and_then(|port| port.number(url.scheme() == "https"))
            == url.port_or_known_default();
    if same {
        return Ok(());
    }
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let expected = uri.authority().map_or("", |authority| server(authority.as_str()));
    Err(TransportError::request(format!(
        "the client would send the request for {} to {}: write the URI in its normal form",
        shown(expected),
        shown(&format!("{host}{port}")),
    )))
}

/// The port of an authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Port {
    /// Not named: the port of the scheme.
    Default,
    Number(u16),
    /// Named, but not a number from 0 to 65535.
    None,
}

impl Port {
    fn of(authority: &Authority) -> Self {
        let server = server(authority.as_str());
        match server.get(authority.host().len()..) {
            Some("" | ":") => Self::Default,
            Some(_) => authority.port_u16().map_or(Self::None, Self::Number),
            None => Self::None,
        }
    }

    fn number(self, is_https: bool) -> Option<u16> {
        match self {
            Self::Default => Some(if is_https { 443 } else { 80 }),
            Self::Number(port) => Some(port),
            Self::None => None,
        }
    }
}

fn begins_with_a_slash(path: &PathAndQuery) -> bool {
    matches!(path.as_str().as_bytes().first(), None | Some(b'/' | b'?')) || path.as_str() == "*"
}

/// Returns an authority without its user.
fn server(authority: &str) -> &str {
    authority.rsplit_once('@').map_or(authority, |(_, server)| server)
}

fn same_host(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other) || address(one).is_some_and(|one| address(other) == Some(one))
}

/// Parses an IPv6 address in brackets, which has several spellings.
fn address(host: &str) -> Option<Ipv6Addr> {
    host.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

/// Refuses credentials beside a `Host` header that names another authority: behind a shared front that header decides which
/// server receives them.
fn check_host<B>(request: &Request<B>, authority: &Authority, is_https: bool) -> Result<(), TransportError> {
    let names_authority = |host: &HeaderValue| {
        let Ok(host) = Authority::try_from(host.as_bytes()) else { return false };
        let port = Port::of(&host).number(is_https);
        !host.as_str().contains('@')
            && same_host(host.host(), authority.host())
            && port.is_some()
            && port == Port::of(authority).number(is_https)
    };
    let mut hosts = request.headers().get_all(HOST).iter();
    let Some(foreign) = hosts.find(|host| !names_authority(host)) else { return Ok(()) };
    let is_secret = |value: &HeaderValue| value.is_sensitive();
    if !request.headers().values().any(is_secret) || request.extensions().get::<ForeignHost>().is_some() {
        return Ok(());
    }
    let foreign = String::from_utf8_lossy(foreign.as_bytes());
    Err(TransportError::request(format!(
        "the request carries credentials for {}, but its Host header names {}: remove one of the two",
        shown(server(authority.as_str())),
        shown(server(&foreign)),
    )))
}

fn shown(host: &str) -> String {
    escaped(host, MAX_SHOWN)
}

fn without_user(uri: &Uri) -> Result<Uri, TransportError> {
    let mut parts = uri.clone().into_parts();
    let authority = parts.authority.as_ref().map_or("", |authority| server(authority.as_str()));
    parts.authority = Some(authority.parse().map_err(TransportError::request)?);
    Uri::from_parts(parts).map_err(TransportError::request)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(uri: &str) -> Request<()> {
        Request::get(uri).body(()).unwrap()
    }

    #[test]
    fn a_path_begins_with_a_slash_or_is_an_asterisk() {
        for path in ["/x", "/", "?q", "*"] {
            assert!(begins_with_a_slash(&PathAndQuery::from_static(path)), "{path}");
        }
    }

    #[test]
    fn a_uri_without_a_server_is_refused() {
        for (uri, allowed) in [
            ("http://a/b", true),
            ("https://a", true),
            ("http://a:", true),
            ("http://a:0", true),
            ("http://[::1]:65535?q", true),
            ("http://a:65536/", false),
            ("http://a:99999999999/", false),
            ("ftp://a/b", false),
            ("/b", false),
            ("a:80", false),
            ("*", false),
        ] {
            assert_eq!(check(&mut to(uri)).is_ok(), allowed, "{uri}");
        }
    }

    #[test]
    fn a_user_is_taken_off_and_nothing_else_changes() {
        for (uri, expected) in [
            ("http://user:pass@a:8080/b?c=d@e", "http://a:8080/b?c=d@e"),
            ("https://user@[::1]/@", "https://[::1]/@"),
            ("http://a/user@b", "http://a/user@b"),
        ] {
            let mut request = to(uri);
            check(&mut request).unwrap();
            assert_eq!(request.uri().to_string(), expected);
        }
    }

    #[test]
    fn only_the_hosts_of_the_authority_are_its_own() {
        for (host, uri, own) in [
            ("a.test", "https://a.test/", true),
            ("A.TEST:443", "https://a.test/", true),
            ("a.test", "https://a.test:443/", true),
            ("a.test:", "https://a.test/", true),
            ("[0:0::1]:80", "http://[::1]/", true),
            ("a.test:80", "https://a.test/", false),
            ("a.test.", "https://a.test/", false),
            ("a.test:8443", "https://a.test/", false),
            ("b.test", "https://a.test/", false),
            ("a.test,b.test", "https://a.test/", false),
            ("a.test b.test", "https://a.test/", false),
            ("a.test/", "https://a.test/", false),
            ("user@a.test", "https://a.test/", false),
            ("", "https://a.test/", false),
        ] {
            let mut request = to(uri);
            request.headers_mut().insert(HOST, host.parse().unwrap());
            assert!(check(&mut request).is_ok(), "{host}: without credentials");
            let mut secret = HeaderValue::from_static("s3cret");
            secret.set_sensitive(true);
            request.headers_mut().insert("x-api-key", secret);
            assert_eq!(check(&mut request).is_ok(), own, "{host}");
        }
    }
}

#[cfg(all(test, feature = "reqwest"))]
mod hostile {
    use proptest::prelude::*;
    use reqwest::Url;

    use super::*;

    #[test]
    fn a_url_that_goes_elsewhere_is_refused_and_both_hosts_are_named() {
        for (uri, url, same) in [
            ("http://a.test/x", "http://a.test/x", true),
            ("http://A.Test/", "http://a.test/", true),
            ("http://a.test:80/", "http://a.test/", true),
            ("https://a.test:/", "https://a.test:443/", true),
            ("http://[0:0:0:0:0:0:0:1]:8/", "http://[::1]:8/", true),
            ("https://xn--bcher-kva.test/", "https://bücher.test/", true),
            ("http://a.test/", "https://a.test/", false),
            ("http://a.test/", "http://b.test/", false),
            ("http://a.test:80/", "http://a.test:81/", false),
            ("http://a.test/", "http://a.test.evil.test/", false),
            ("http://a.test/", "http://a.test:80@evil.test/steal", false),
            ("http://localhost:1/", "http://localhost:1@127.0.0.1:2/steal", false),
            ("http://a.test/", "http://a.test./", false),
            ("http://127.1/", "http://127.1/", false),
            ("http://[::1]/", "http://[::2]/", false),
        ] {
            let (uri, url): (Uri, Url) = (uri.parse().unwrap(), url.parse().unwrap());
            let result = compare(&uri, &url);
            assert_eq!(result.is_ok(), same, "{uri} {url}");
            if let Err(error) = result {
                let text = std::error::Error::source(&error).unwrap().to_string();
                let hosts = [uri.host().unwrap(), url.host_str().unwrap()];
                assert!(hosts.iter().all(|host| text.contains(host)) && !text.contains("steal"), "{text}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn whatever_is_sent_goes_to_the_host_of_the_uri(
            authority in "(user:pw@|@|)([a-zA-Z0-9.%_~-]{1,12}|127\\.1|0x7f[.]1|\\[[:0-9a-f]{2,9}\\]|xn--[a-z0-9-]{1,8})(:[0-9]{0,6}|)",
            path in "(/|@|\\*|:80@|\\?|)[a-z@:/?#%\\\\.]{0,16}",
        ) {
            let Ok(uri) = format!("http://{authority}{path}").parse::<Uri>() else { return Ok(()) };
            let mut request = Request::get(uri.clone()).body(String::new()).unwrap();
            if check(&mut request).is_err() {
                return Ok(());
            }
            let Ok(sent) = reqwest::Request::try_from(request) else { return Ok(()) };
            // Another reader's view: the host that was meant, up to case and the form of an IPv6 address.
            let meant = uri.authority().unwrap().as_str().rsplit('@').next().unwrap().to_ascii_lowercase();
            let goes = sent.url().host_str().unwrap();
            let (host, _) = meant.rsplit_once(':').filter(|(_, port)| !port.contains(']')).unwrap_or((&meant, ""));
            let is_meant = host == goes || address(host).is_some_and(|meant| Some(meant) == address(goes));
            if compare(&uri, sent.url()).is_ok() {
                prop_assert!(is_meant, "{uri} {}", sent.url());
                prop_assert!(sent.url().username().is_empty() && sent.url().password().is_none());
            } else {
                prop_assert!(!is_meant, "{uri} {}", sent.url());
            }
        }
    }
}
