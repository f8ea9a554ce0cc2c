//! What is parked and counted together: the requests to one authority, or those of one key.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use http::{HeaderMap, Uri};
use redress_classify::Upstream;

/// Whose turn is counted: by default the host and port that a request goes to.
///
/// It is made for every request. Where the URI names the host and there is no closure of the user's, no bytes are copied.
#[derive(Clone)]
pub(crate) struct Partition {
    key: Option<Arc<str>>,
    upstream: Upstream,
}

impl Partition {
    /// Finds the partition of a request; a key takes the place of the authority.
    #[inline]
    pub(crate) fn new(uri: &Uri, headers: &HeaderMap, key: Option<String>) -> Self {
        Self { key: key.map(Arc::from), upstream: Upstream::new(uri, headers) }
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

    fn of(uri: &str) -> Partition {
        Partition::new(&uri.parse().unwrap(), &HeaderMap::new(), None)
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
