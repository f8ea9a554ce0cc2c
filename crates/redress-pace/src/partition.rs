//! The partition of a request: those of one host and port, or of one key, are limited together.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use http::{HeaderMap, Uri};
use redress_classify::Upstream;
use redress_store::stable_hash;

/// The host and port of a request, or a key that replaces them.
///
/// It is made for every request. If the URI has a host and there is no key, no bytes are copied.
#[derive(Clone)]
pub(crate) struct Partition {
    key: Option<Arc<str>>,
    upstream: Upstream,
}

impl Partition {
    /// Returns the partition of a request. A key replaces its host and port.
    #[inline]
    pub(crate) fn new(uri: &Uri, headers: &HeaderMap, key: Option<String>) -> Self {
        Self { key: key.map(Arc::from), upstream: Upstream::new(uri, headers) }
    }

    /// Returns the partition of an upstream.
    pub(crate) const fn unkeyed(upstream: Upstream) -> Self {
        Self { key: None, upstream }
    }

    /// Returns the name of the partition in the keys of a store, the same in all processes: host and port, or a hash of the key,
    /// which may be a secret.
    pub(crate) fn record_name(&self) -> String {
        let Some(key) = &self.key else { return self.upstream.canonical_name() };
        format!("key-{:016x}", stable_hash(key))
    }

    /// Returns the host and port of the request, also if a key replaces them.
    pub(crate) const fn upstream(&self) -> &Upstream {
        &self.upstream
    }
}

impl PartialEq for Partition {
    fn eq(&self, other: &Self) -> bool {
        match (&self.key, &other.key) {
            (None, None) => self.upstream == other.upstream,
            (ours, theirs) => ours == theirs,
        }
    }
}

impl Eq for Partition {}

impl Hash for Partition {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.key {
            Some(key) => key.hash(state),
            None => self.upstream.hash(state),
        }
    }
}

/// Prints host and port: never a key, which may be a secret.
impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.upstream, f)
    }
}

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unkeyed(uri: &str) -> Partition {
        Partition::new(&uri.parse().unwrap(), &HeaderMap::new(), None)
    }

    #[test]
    fn a_key_replaces_host_and_port() {
        let keyed =
            |uri: &str, key: &str| Partition::new(&uri.parse().unwrap(), &HeaderMap::new(), Some(key.to_owned()));
        assert_eq!(keyed("https://a.example", "k"), keyed("https://b.example", "k"));
        assert_ne!(keyed("https://a.example", "k"), keyed("https://a.example", "l"));
        assert_ne!(keyed("https://a.example", "k"), unkeyed("https://a.example"));
    }

    #[test]
    fn the_name_in_a_store_is_that_of_the_place_or_a_hash_of_the_key() {
        let keyed = |key: &str| {
            let uri = "https://a.example".parse().unwrap();
            Partition::new(&uri, &HeaderMap::new(), Some(key.to_owned())).record_name()
        };
        assert_eq!(unkeyed("https://me@API.example/v1?q").record_name(), "api.example:443");
        assert_eq!(keyed("canary"), "key-35e7dbaa40d511d9", "the published constants of FNV-1a");
        assert_ne!(keyed("canary"), keyed("canarz"));
    }

    #[test]
    fn display_and_debug_show_neither_user_path_query_nor_key() {
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
