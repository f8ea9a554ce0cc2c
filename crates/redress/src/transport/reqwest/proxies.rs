//! The proxies of the environment and of the system, without requests to this machine.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use reqwest::{Proxy, Url};

/// Returns the proxies of the environment and the system, for all hosts but those of this machine.
pub(super) fn of_system_but_for_loopback() -> Proxy {
    let system = Matcher::from_system();
    Proxy::custom(move |url| {
        if url.host_str().is_some_and(is_loopback) {
            return None;
        }
        let target: Uri = url.as_str().parse().ok()?;
        with_user(&system.intercept(&target)?)
    })
}

/// Returns `true` if a proxy of the environment or the system would receive plain-http requests to this machine.
pub(super) fn catch_loopback() -> bool {
    let system = Matcher::from_system();
    ["http://localhost/", "http://127.0.0.1/", "http://[::1]/"]
        .into_iter()
        .any(|target| system.intercept(&Uri::from_static(target)).is_some())
}

/// Returns `true` for a host that is this machine: `localhost` and the names below it (RFC 6761 section 6.3), `127.0.0.0/8`, `[::1]`.
fn is_loopback(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    let is_name = |name: &str| name.eq_ignore_ascii_case("localhost");
    if let Some(address) = name.strip_prefix('[').and_then(|address| address.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok_and(|address| address.to_canonical().is_loopback());
    }
    name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || is_name(name)
        || name.rsplit_once('.').is_some_and(|(_, last)| is_name(last))
}

/// Writes a proxy with its user and password as one URL, the form that reqwest takes.
fn with_user(proxy: &Intercept) -> Option<Url> {
    let mut url: Url = proxy.uri().to_string().parse().ok()?;
    let basic = proxy.basic_auth().and_then(|value| decoded(value.as_bytes()));
    let raw = proxy.raw_auth().map(|(user, password)| (user.to_owned(), password.to_owned()));
    if let Some((user, password)) = basic.or(raw) {
        url.set_username(&user).ok()?;
        url.set_password(Some(&password)).ok()?;
    }
    Some(url)
}

/// Reads user and password from a `Basic` value.
fn decoded(value: &[u8]) -> Option<(String, String)> {
    use base64::Engine as _;
    let pair = base64::engine::general_purpose::STANDARD.decode(value.strip_prefix(b"Basic ")?).ok()?;
    let pair = String::from_utf8(pair).ok()?;
    let (user, password) = pair.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_this_machine_are_told_from_others() {
        for (host, expected) in [
            ("localhost", true),
            ("LOCALHOST.", true),
            ("a.localhost", true),
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("[::1]", true),
            ("[::ffff:127.0.0.1]", true),
            ("localhost.test", false),
            ("notlocalhost", false),
            ("127.0.0.1.test", false),
            ("128.0.0.1", false),
            ("[::2]", false),
            ("", false),
        ] {
            assert_eq!(is_loopback(host), expected, "{host}");
        }
    }

    #[test]
    fn a_proxys_user_is_kept() {
        for (proxy, expected) in [
            ("http://user:p%40ss@proxy.test:3128", "http://user:p%40ss@proxy.test:3128/"),
            ("http://proxy.test:3128", "http://proxy.test:3128/"),
        ] {
            let matcher = Matcher::builder().all(proxy).build();
            let intercept = matcher.intercept(&Uri::from_static("http://api.test/")).unwrap();
            assert_eq!(with_user(&intercept).unwrap().as_str(), expected);
        }
    }
}
