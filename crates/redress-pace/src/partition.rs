//! What is parked and counted together: the requests to one authority, or those of one key.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Uri, header};

/// Whose turn is counted: by default the host and port that a request goes to, which its `Host` header names when its URI
/// does not (RFC 9112 section 3.2.1).
///
/// It is made for every request. Where the URI names the host and there is no closure of the user's, no bytes are copied.
#[derive(Clone)]
pub(crate) struct Partition {
    key: Option<Arc<str>>,
    authority: Option<Authority>,
    port: Option<u16>,
}

impl Partition {
    /// Finds the partition of a request; a key takes the place of the authority.
    pub(crate) fn new(uri: &Uri, headers: &HeaderMap, key: Option<String>) -> Self {
        let authority = uri.authority().cloned().or_else(|| named(headers.get(header::HOST)?));
        let port = authority.as_ref().and_then(Authority::port_u16).or_else(|| match uri.scheme_str() {
            Some("https") => Some(443),
            Some("http") => Some(80),
            _ => None,
        });
        Self { key: key.map(Arc::from), authority, port }
    }

    /// Returns the host without the user, who may be a secret.
    fn host(&self) -> &str {
        self.authority.as_ref().map_or("", Authority::host)
    }
}

impl PartialEq for Partition {
    fn eq(&self, other: &Self) -> bool {
        match (&self.key, &other.key) {
            (None, None) => self.port == other.port && self.host().eq_ignore_ascii_case(other.host()),
            (ours, theirs) => ours == theirs,
        }
    }
}

impl Eq for Partition {}

impl Hash for Partition {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if let Some(key) = &self.key {
            return key.hash(state);
        }
        self.port.hash(state);
        self.host().bytes().for_each(|byte| state.write_u8(byte.to_ascii_lowercase()));
    }
}

/// Prints host and port: never a user, a path, a query or a key, which may be secrets.
impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.host())?;
        match self.authority.as_ref().and_then(Authority::port_u16) {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads what a `Host` header names.
fn named(host: &HeaderValue) -> Option<Authority> {
    Authority::try_from(host.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;

    fn of(uri: &str) -> Partition {
        Partition::new(&uri.parse().unwrap(), &HeaderMap::new(), None)
    }

    #[test]
    fn a_host_and_its_port_are_one_partition_however_they_are_written() {
        let hasher = std::hash::RandomState::new();
        for (one, other, same) in [
            ("https://api.example/a", "https://API.example:443/b?c", true),
            ("http://api.example", "http://api.example:80/", true),
            ("https://user:word@api.example", "https://api.example", true),
            ("https://api.example", "http://api.example", false),
            ("https://api.example", "https://eu.api.example", false),
            ("https://api.example:8443", "https://api.example", false),
            ("/a", "/b", true),
            ("/a", "https://api.example/a", false),
        ] {
            let (one, other) = (of(one), of(other));
            assert_eq!(one == other, same, "{one} {other}");
            assert_eq!(hasher.hash_one(&one) == hasher.hash_one(&other), same, "{one} {other}");
        }
    }

    #[test]
    fn a_key_takes_the_place_of_the_authority() {
        let keyed =
            |uri: &str, key: &str| Partition::new(&uri.parse().unwrap(), &HeaderMap::new(), Some(key.to_owned()));
        assert_eq!(keyed("https://a.example", "k"), keyed("https://b.example", "k"));
        assert_ne!(keyed("https://a.example", "k"), keyed("https://a.example", "l"));
        assert_ne!(keyed("https://a.example", "k"), of("https://a.example"));
    }

    #[test]
    fn neither_user_nor_path_nor_query_nor_key_is_printed() {
        let partition = Partition::new(
            &"https://canary:canary@api.example:8443/canary?canary".parse().unwrap(),
            &HeaderMap::new(),
            Some("canary".into()),
        );
        assert_eq!(
            (format!("{partition}"), format!("{partition:?}")),
            ("api.example:8443".into(), "api.example:8443".into())
        );
    }
}
