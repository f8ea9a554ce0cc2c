//! Which gates a call has to pass: that of its upstream, and those of the limit that its route is under.

use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::num::NonZeroU64;
use std::sync::OnceLock;

use http::Request;
use redress_classify::{CooldownScope, Dialect, ScopeId};

use crate::partition::Partition;

/// Where a call goes, and the limit that it is under if its dialect has scopes.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) partition: Partition,
    /// The scope that the route of the call is in.
    scope: Option<ScopeId>,
    /// A hash of partition, method and path without ids, under which buckets are remembered.
    route: Option<NonZeroU64>,
}

/// The calls that one cool-down holds: all calls to an upstream, or a part of them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct GateKey {
    partition: Partition,
    /// `None` for all of them.
    part: Option<Part>,
}

/// Some of the calls to an upstream.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Part {
    scope: ScopeId,
    calls: Calls,
}

/// Some of the calls in a scope.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Calls {
    All,
    /// Those in this bucket.
    Bucket(u64),
    /// Those whose bucket is not known yet: it may be any that is parked.
    UnknownBucket,
}

/// The gates of a call, the narrowest first.
pub(crate) struct Gates<'t> {
    partition: &'t Partition,
    parts: [Option<Part>; 2],
}

impl Target {
    pub(crate) fn new<B>(partition: Partition, dialect: &Dialect, request: &Request<B>) -> Self {
        if dialect.scopes().is_empty() {
            return Self { partition, scope: None, route: None };
        }
        let (method, path) = (request.method().as_str(), request.uri().path());
        let scope = dialect.scope_for_request(method, path);
        let route = dialect.names_buckets().then(|| route_hash(&partition, scope, method, path));
        Self { partition, scope, route }
    }

    /// Returns the number under which the bucket of the route is remembered.
    pub(crate) const fn route_hash(&self) -> Option<NonZeroU64> {
        self.route
    }

    /// Returns the gates that the call has to pass, given the bucket that is known of its route.
    pub(crate) fn gates(&self, bucket: Option<CooldownScope>) -> Gates<'_> {
        let all = |scope| Part { scope, calls: Calls::All };
        let parts = match (bucket, self.scope) {
            (Some(CooldownScope::Named(scope)), _) => [Some(all(scope)), None],
            (Some(CooldownScope::Bucket(bucket)), Some(scope)) => {
                [Some(Part { scope, calls: Calls::Bucket(bucket) }), Some(all(scope))]
            }
            (_, Some(scope)) => [Some(Part { scope, calls: Calls::UnknownBucket }), Some(all(scope))],
            (_, None) => [None, None],
        };
        Gates { partition: &self.partition, parts }
    }

    /// Returns what a response to the call parks, given the bucket that was known of its route before.
    pub(crate) fn parked_by(&self, said: CooldownScope, bucket: Option<CooldownScope>) -> Gates<'_> {
        let said = if said == CooldownScope::Call { bucket.unwrap_or(said) } else { said };
        let part = |scope, calls| Some(Part { scope, calls });
        let parts = match (said, self.scope) {
            (CooldownScope::Named(scope), _) | (CooldownScope::Call, Some(scope)) => [part(scope, Calls::All), None],
            (CooldownScope::Bucket(bucket), Some(scope)) => {
                [part(scope, Calls::Bucket(bucket)), part(scope, Calls::UnknownBucket)]
            }
            _ => [None, None],
        };
        Gates { partition: &self.partition, parts }
    }
}

impl Gates<'_> {
    /// Returns the keys of all gates that a call has to pass.
    pub(crate) fn keys(&self) -> impl Iterator<Item = GateKey> {
        self.part_keys().chain([GateKey { partition: self.partition.clone(), part: None }])
    }

    /// Returns the keys of what a response parks: the parts, or all calls where there are none.
    pub(crate) fn parked_keys(&self) -> impl Iterator<Item = GateKey> {
        let all = self.parts == [None, None];
        self.part_keys().chain(all.then(|| GateKey { partition: self.partition.clone(), part: None }))
    }

    /// Returns the scope that a response parks; `None` if it parks all calls.
    pub(crate) fn scope(&self) -> Option<ScopeId> {
        self.parts[0].map(|part| part.scope)
    }

    fn part_keys(&self) -> impl Iterator<Item = GateKey> {
        let parts = self.parts.iter().flatten();
        parts.map(|part| GateKey { partition: self.partition.clone(), part: Some(*part) })
    }
}

impl GateKey {
    /// Returns the key of all calls to the upstream, if this is the key of a part of them.
    pub(crate) fn wider(&self) -> Option<Self> {
        self.part.map(|_| Self { partition: self.partition.clone(), part: None })
    }
}

/// Prints host and port.
impl fmt::Debug for GateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.partition, f)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.partition, f)
    }
}

/// Hashes what tells one route from another: the path without its ids.
fn route_hash(partition: &Partition, scope: Option<ScopeId>, method: &str, path: &str) -> NonZeroU64 {
    static KEY: OnceLock<RandomState> = OnceLock::new();
    let mut hasher = KEY.get_or_init(RandomState::new).build_hasher();
    (partition, scope, method).hash(&mut hasher);
    path.split('/').for_each(|segment| if is_id(segment) { "{id}" } else { segment }.hash(&mut hasher));
    NonZeroU64::MIN.saturating_add(hasher.finish())
}

/// Returns `true` if a segment of a path is an id rather than a name: a number, or a long word with digits in it, such as a UUID, a
/// hash or a token.
fn is_id(segment: &str) -> bool {
    let has_digit = segment.bytes().any(|byte| byte.is_ascii_digit());
    has_digit && (segment.len() >= 16 || segment.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// All calls of a partition with this key.
    pub(crate) fn key(name: &str) -> GateKey {
        GateKey { partition: target(name).partition, part: None }
    }

    /// A call in a dialect without scopes.
    pub(crate) fn target(name: &str) -> Target {
        let partition = Partition::new(&http::Uri::default(), &http::HeaderMap::new(), Some(name.to_owned()));
        Target { partition, scope: None, route: None }
    }

    fn dialect() -> Dialect {
        let text = "name = \"d\"\n[[scopes]]\nname = \"room\"\nroutes = \"* /rooms/{room}/**\"\nkey = \"room\"\n\
            [[scopes]]\nname = \"other\"\nroutes = \"GET /**\"\n[cooldown]\nbucket = { header = \"x-bucket\" }\n";
        Dialect::from_toml("d.toml", text).unwrap()
    }

    pub(crate) fn scoped(method: &str, path: &str) -> Target {
        let request = Request::builder().method(method).uri(format!("https://api.example{path}")).body(()).unwrap();
        Target::new(Partition::new(request.uri(), request.headers(), None), &dialect(), &request)
    }

    #[test]
    fn routes_are_the_same_whatever_ids_they_have_beside_the_key() {
        let hash = |method, path| scoped(method, path).route_hash();
        let one = hash("GET", "/rooms/1/lamps/20");
        for same in ["/rooms/1/lamps/3", "/rooms/1/lamps/8b1f0e52-3c55-4b5e-9d0a-1f2e3d4c5b6a"] {
            assert_eq!(hash("GET", same), one, "{same}");
        }
        for other in ["/rooms/2/lamps/20", "/rooms/1/lamps/a", "/rooms/1/lamps", "/rooms/1/fans/20"] {
            assert_ne!(hash("GET", other), one, "{other}");
        }
        assert_ne!(hash("PUT", "/rooms/1/lamps/20"), one);
        assert_eq!(target("a").route_hash(), None, "without scopes there is nothing to remember");
    }

    #[test]
    fn whatever_a_response_parks_holds_the_calls_it_concerns_and_no_others() {
        let (first, second, unscoped) = (scoped("GET", "/rooms/1/a"), scoped("GET", "/rooms/2/a"), scoped("PUT", "/b"));
        let other = scoped("GET", "/b");
        let bucket = |number| Some(CooldownScope::Bucket(number));
        let named = other.scope.map(CooldownScope::Named);
        // The call that was answered, what its response said, the bucket that was known; a call, its bucket, is it held?
        for (answered, said, before, call, known, held) in [
            (&first, CooldownScope::Call, None, &first, None, true),
            (&first, CooldownScope::Call, None, &first, bucket(1), true),
            (&first, CooldownScope::Call, None, &second, None, false),
            (&first, CooldownScope::Call, None, &unscoped, None, false),
            (&first, CooldownScope::Bucket(1), None, &first, bucket(1), true),
            (&first, CooldownScope::Bucket(1), None, &first, None, true),
            (&first, CooldownScope::Bucket(1), None, &first, bucket(2), false),
            (&first, CooldownScope::Bucket(1), None, &second, bucket(1), false),
            (&first, CooldownScope::Call, bucket(1), &first, bucket(2), false),
            (&first, CooldownScope::Call, bucket(1), &first, bucket(1), true),
            (&first, named.unwrap(), None, &other, None, true),
            (&first, named.unwrap(), None, &first, None, false),
            (&first, named.unwrap(), None, &first, named, true),
            (&first, CooldownScope::Upstream, bucket(1), &second, bucket(2), true),
            (&first, CooldownScope::Upstream, None, &unscoped, None, true),
            (&unscoped, CooldownScope::Call, None, &first, None, true),
            (&unscoped, CooldownScope::Bucket(1), None, &first, None, true),
        ] {
            let parked: Vec<_> = answered.parked_by(said, before).parked_keys().collect();
            let is_held = call.gates(known).keys().any(|key| parked.contains(&key));
            assert_eq!(is_held, held, "{said:?} {before:?} {known:?}");
        }
    }
}
