//! The gates of a call: that of its upstream, and those of the scope that its route is in.

use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::num::NonZeroU64;
use std::sync::OnceLock;

use http::{Method, Uri};
use redress_classify::{CooldownScope, Dialect, ScopeId};

use crate::partition::Partition;

/// The text of the gate of all calls, in a record that processes share.
pub(crate) const ALL: &str = "all";

/// The partition of a call, and its scope if the dialect has scopes.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) partition: Partition,
    /// The scope that the route of the call is in.
    scope: Option<ScopeId>,
    /// A hash of partition, method and path without ids, the key of the bucket of its route.
    route: Option<NonZeroU64>,
}

/// A gate, which all calls to a partition pass, or a part of them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct GateKey {
    partition: Partition,
    /// `None` for all calls.
    part: Option<Part>,
}

/// A part of the calls to a partition.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Part {
    scope: ScopeId,
    calls: Calls,
}

/// The calls of a scope, or a part of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Calls {
    All,
    /// The calls in this bucket.
    Bucket(u64),
    /// The calls whose bucket is not known yet, which may be any bucket.
    UnknownBucket,
}

/// The keys of some gates of a partition, the narrowest first.
pub(crate) struct GateKeys<'t> {
    partition: &'t Partition,
    parts: [Option<Part>; 2],
}

impl Target {
    pub(crate) fn new(partition: Partition, dialect: &Dialect, method: &Method, uri: &Uri) -> Self {
        if dialect.scopes().is_empty() {
            return Self { partition, scope: None, route: None };
        }
        let (method, path) = (method.as_str(), uri.path());
        let scope = dialect.scope_for_request(method, path);
        let route = dialect.names_buckets().then(|| route_hash(&partition, scope, method, path));
        Self { partition, scope, route }
    }

    /// Returns the gate of all calls to the upstream.
    pub(crate) fn upstream_key(&self) -> GateKey {
        GateKey { partition: self.partition.clone(), part: None }
    }

    /// Returns the key of the bucket of the route.
    pub(crate) const fn route_hash(&self) -> Option<NonZeroU64> {
        self.route
    }

    /// Returns the gates that the call passes, given the known bucket of its route.
    pub(crate) fn gate_keys(&self, bucket: Option<CooldownScope>) -> GateKeys<'_> {
        let all = |scope| Part { scope, calls: Calls::All };
        let parts = match (bucket, self.scope) {
            (Some(CooldownScope::Named(scope)), _) => [Some(all(scope)), None],
            (Some(CooldownScope::Bucket(bucket)), Some(scope)) => {
                [Some(Part { scope, calls: Calls::Bucket(bucket) }), Some(all(scope))]
            }
            (_, Some(scope)) => [Some(Part { scope, calls: Calls::UnknownBucket }), Some(all(scope))],
            (_, None) => [None, None],
        };
        GateKeys { partition: &self.partition, parts }
    }

    /// Returns the gates that a response to the call closes, given the scope that it names and the known bucket of its
    /// route.
    pub(crate) fn cooled_by(&self, named: CooldownScope, bucket: Option<CooldownScope>) -> GateKeys<'_> {
        let named = if named == CooldownScope::Call { bucket.unwrap_or(named) } else { named };
        let part = |scope, calls| Some(Part { scope, calls });
        let parts = match (named, self.scope) {
            (CooldownScope::Named(scope), _) | (CooldownScope::Call, Some(scope)) => [part(scope, Calls::All), None],
            (CooldownScope::Bucket(bucket), Some(scope)) => {
                [part(scope, Calls::Bucket(bucket)), part(scope, Calls::UnknownBucket)]
            }
            _ => [None, None],
        };
        GateKeys { partition: &self.partition, parts }
    }
}

impl GateKeys<'_> {
    /// Returns the keys of the gates that a call passes.
    pub(crate) fn keys(&self) -> impl Iterator<Item = GateKey> {
        self.part_keys().chain([GateKey { partition: self.partition.clone(), part: None }])
    }

    /// Returns the keys of the gates that a response closes: those of the parts, or else that of all calls.
    pub(crate) fn cooled_keys(&self) -> impl Iterator<Item = GateKey> {
        let all = self.parts == [None, None];
        self.part_keys().chain(all.then(|| GateKey { partition: self.partition.clone(), part: None }))
    }

    /// Returns the scope whose gates a response closes; `None` for the gate of all calls.
    pub(crate) fn scope(&self) -> Option<ScopeId> {
        self.parts[0].map(|part| part.scope)
    }

    fn part_keys(&self) -> impl Iterator<Item = GateKey> {
        let parts = self.parts.iter().flatten();
        parts.map(|part| GateKey { partition: self.partition.clone(), part: Some(*part) })
    }
}

impl GateKey {
    /// Returns the partition if this is the key of all calls to it.
    pub(crate) fn into_upstream(self) -> Option<Partition> {
        self.part.is_none().then_some(self.partition)
    }

    /// Returns the key of all calls to the partition, if this is the key of a part of them.
    pub(crate) fn wider(&self) -> Option<Self> {
        self.part.map(|_| Self { partition: self.partition.clone(), part: None })
    }
}

/// The text of a gate in a record that processes share: `all`, or a kind of calls, the hash of the scope's key, and its name.
impl GateKey {
    /// Writes the gate; `None` if its scope is of another dialect.
    pub(crate) fn to_text(&self, dialect: &Dialect) -> Option<String> {
        let Some(Part { scope, calls }) = self.part else { return Some(ALL.to_owned()) };
        let (name, key) = (&dialect.scope(scope)?.name, scope.key_hash());
        Some(match calls {
            Calls::All => format!("calls {key:012x} {name}"),
            Calls::Bucket(bucket) => format!("bucket-{bucket:016x} {key:012x} {name}"),
            Calls::UnknownBucket => format!("unknown-bucket {key:012x} {name}"),
        })
    }

    /// Reads the gate of a partition; `None` if the text is none, or names a scope that the dialect does not have.
    pub(crate) fn from_text(partition: &Partition, dialect: &Dialect, text: &str) -> Option<Self> {
        let partition = partition.clone();
        if text == ALL {
            return Some(Self { partition, part: None });
        }
        let mut words = text.splitn(3, ' ');
        let (kind, key, name) = (words.next()?, words.next()?, words.next()?);
        let calls = match kind {
            "calls" => Calls::All,
            "unknown-bucket" => Calls::UnknownBucket,
            kind => Calls::Bucket(u64::from_str_radix(kind.strip_prefix("bucket-")?, 16).ok()?),
        };
        let scope = dialect.scope_id(name, u64::from_str_radix(key, 16).ok()?)?;
        Some(Self { partition, part: Some(Part { scope, calls }) })
    }

    /// Returns the scope; `None` for all calls.
    pub(crate) fn scope(&self) -> Option<ScopeId> {
        self.part.map(|part| part.scope)
    }

    /// Returns `true` if it is a gate of this partition.
    pub(crate) fn is_of(&self, partition: &Partition) -> bool {
        self.partition == *partition
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

/// Hashes a route: partition, scope, method, and path without ids.
fn route_hash(partition: &Partition, scope: Option<ScopeId>, method: &str, path: &str) -> NonZeroU64 {
    static KEY: OnceLock<RandomState> = OnceLock::new();
    let mut hasher = KEY.get_or_init(RandomState::new).build_hasher();
    (partition, scope, method).hash(&mut hasher);
    path.split('/').for_each(|segment| if is_id(segment) { "{id}" } else { segment }.hash(&mut hasher));
    NonZeroU64::MIN.saturating_add(hasher.finish())
}

/// Returns `true` if a path segment is an id: a number, or a long segment with digits, such as a UUID, a hash or a token.
fn is_id(segment: &str) -> bool {
    let has_digit = segment.bytes().any(|byte| byte.is_ascii_digit());
    has_digit && (segment.len() >= 16 || segment.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
pub(crate) mod tests {
    use http::Request;

    use super::*;

    /// Returns the gate of all calls with this partition key.
    pub(crate) fn key(name: &str) -> GateKey {
        GateKey { partition: target(name).partition, part: None }
    }

    /// Returns the target of a call in a dialect without scopes.
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
        Target::new(Partition::new(request.uri(), request.headers(), None), &dialect(), request.method(), request.uri())
    }

    #[test]
    fn the_route_hash_ignores_ids_other_than_the_key() {
        let hash = |method, path| scoped(method, path).route_hash();
        let one = hash("GET", "/rooms/1/lamps/20");
        for same in ["/rooms/1/lamps/3", "/rooms/1/lamps/8b1f0e52-3c55-4b5e-9d0a-1f2e3d4c5b6a"] {
            assert_eq!(hash("GET", same), one, "{same}");
        }
        for other in ["/rooms/2/lamps/20", "/rooms/1/lamps/a", "/rooms/1/lamps", "/rooms/1/fans/20"] {
            assert_ne!(hash("GET", other), one, "{other}");
        }
        assert_ne!(hash("PUT", "/rooms/1/lamps/20"), one);
        assert_eq!(target("a").route_hash(), None, "a dialect without scopes has no buckets");
    }

    #[test]
    fn the_gate_of_all_calls_is_that_of_an_upstream_and_wider_than_that_of_a_part() {
        let room = scoped("GET", "/rooms/1");
        let keys: Vec<_> = room.gate_keys(None).keys().collect();
        let (all, parts) = keys.split_last().unwrap();
        assert_eq!(parts.len(), 2, "a bucket that is not known yet, and its scope");
        for part in parts {
            assert_eq!((part.wider().as_ref(), part.clone().into_upstream()), (Some(all), None));
        }
        assert_eq!((all.wider(), all.clone().into_upstream()), (None, Some(room.partition)));
    }

    #[test]
    fn a_gate_is_read_as_it_was_written() {
        use CooldownScope::{Bucket, Call, Named, Upstream};
        let (dialect, room, other) = (dialect(), scoped("GET", "/rooms/1"), scoped("GET", "/b"));
        let named = other.scope.map(Named).unwrap();
        let mut texts = Vec::new();
        for (target, scope) in [(&room, Call), (&room, Bucket(7)), (&room, Upstream), (&room, named), (&other, Call)] {
            for key in target.cooled_by(scope, None).cooled_keys() {
                let text = key.to_text(&dialect).unwrap();
                assert!(GateKey::from_text(&target.partition, &dialect, &text) == Some(key), "{text}");
                texts.push(text);
            }
        }
        let hash = room.scope.unwrap().key_hash();
        let expected = [
            format!("calls {hash:012x} room"),
            format!("bucket-0000000000000007 {hash:012x} room"),
            format!("unknown-bucket {hash:012x} room"),
            "all".to_owned(),
            "calls 000000000000 other".to_owned(),
            "calls 000000000000 other".to_owned(),
        ];
        assert_eq!(texts, expected);
        let unknown = ["", "al", "calls", "calls 0", "calls x room", "calls 0 moon", "bucket-x 0 room", "moon 0 room"];
        assert!(unknown.iter().all(|text| GateKey::from_text(&room.partition, &dialect, text).is_none()));
    }

    #[test]
    fn a_closed_gate_holds_the_calls_of_its_scope_and_no_others() {
        let (first, second, unscoped) = (scoped("GET", "/rooms/1/a"), scoped("GET", "/rooms/2/a"), scoped("PUT", "/b"));
        let other = scoped("GET", "/b");
        let bucket = |number| Some(CooldownScope::Bucket(number));
        let named = other.scope.map(CooldownScope::Named);
        // The answered call, the scope that its response names, the known bucket; a call, its bucket, whether it is held.
        for (answered, named_scope, before, call, known, held) in [
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
            let cooled: Vec<_> = answered.cooled_by(named_scope, before).cooled_keys().collect();
            let is_held = call.gate_keys(known).keys().any(|key| cooled.contains(&key));
            assert_eq!(is_held, held, "{named_scope:?} {before:?} {known:?}");
        }
    }

    #[test]
    fn a_segment_is_an_id_if_it_is_a_number_or_long_and_has_digits() {
        for (segment, expected) in [
            ("7", true),
            ("20240101", true),
            ("8b1f0e523c554b5e", true),
            ("", false),
            ("v2", false),
            ("8b1f0e523c554b5", false),
            ("notification-settings", false),
        ] {
            assert_eq!(is_id(segment), expected, "{segment}");
        }
    }

    #[test]
    fn a_gate_has_the_scope_and_the_partition_of_its_calls() {
        let room = scoped("GET", "/rooms/1");
        let keys: Vec<_> = room.cooled_by(CooldownScope::Call, None).cooled_keys().collect();
        assert!(keys.iter().all(|key| key.scope() == room.scope && key.is_of(&room.partition)));
        assert_eq!(key("a").scope(), None, "all calls");
        assert!(key("a").is_of(&target("a").partition) && !key("a").is_of(&target("b").partition));
    }
}
