//! Scopes: the calls that share a rate limit, and the calls that a cool-down
//! holds.

use std::fmt;
use std::num::NonZeroU64;

use http::{HeaderMap, StatusCode};

use super::Dialect;
use super::condition::{Condition, Facts};
use super::route::Route;
use super::source::{Response, Source};
use super::spec::PathSpec;
use crate::cells::Cell;
use crate::head::Head;

/// The bits of a [`ScopeId`] that hold the hash of a key.
const KEY_BITS: u64 = (1 << 48) - 1;

/// Calls that share a limit: those on the same routes and, where the scope has
/// a key, with the same values in the path.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scope {
    /// The name, which a response may quote.
    pub name: String,
    /// The routes of its calls.
    pub routes: Vec<Route>,
    /// The names in braces whose values tell the calls of the scope apart; none
    /// where all of them share one limit.
    pub key: Vec<String>,
}

/// One limit of a [`Scope`]: the scope, and the values of its key.
///
/// It holds a hash of the values rather than the values, which may be secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ScopeId(
    /// The position of the scope in its dialect, counted from 1, in the upper 16
    /// bits; 48 bits of the hash below.
    NonZeroU64,
);

/// The calls that the cool-down of a throttled response holds.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CooldownScope {
    /// All calls to the upstream.
    Upstream,
    /// The calls of the scope that the answered call is in; all, if it is in none.
    #[default]
    Call,
    /// The calls of a scope that the response names.
    Named(ScopeId),
    /// The calls of the same scope as the answered one that are counted in this
    /// bucket. The name of the bucket is the server's own, and kept as a hash.
    Bucket(u64),
}

/// How the responses of an API say which calls a cool-down holds. `P` is a path
/// where a file is read, a cell once it is compiled.
#[derive(Clone, Debug)]
pub(crate) struct Cooldown<P> {
    /// Where a response names a scope, or a bucket within the scope of the call.
    pub(crate) bucket: Vec<Source<P>>,
    /// The cool-down of a response that fulfils one of these holds all calls to the
    /// upstream.
    pub(crate) global: Vec<Vec<Condition<P>>>,
}

impl Scope {
    /// Returns which limit of this scope, the `nth` of its dialect, a call is
    /// under.
    fn id(&self, nth: u16, method: &str, path: &str) -> Option<ScopeId> {
        let route = self.routes.iter().find(|route| route.matches(method, path))?;
        if self.key.is_empty() {
            return Some(ScopeId::new(nth, 0));
        }
        Some(ScopeId::new(nth, stable_hash(self.key.iter().map(|name| route.parameter(name, path)))))
    }
}

impl ScopeId {
    fn new(nth: u16, key: u64) -> Self {
        // A dialect has at most 64 scopes.
        let position = NonZeroU64::MIN.saturating_add(u64::from(nth) % 0xffff);
        Self(position.saturating_mul(NonZeroU64::MIN.saturating_add(KEY_BITS)) | (key >> 16))
    }

    /// Returns the position of the scope in its dialect.
    const fn nth(self) -> usize {
        (self.0.get() >> 48) as usize - 1
    }

    /// Returns 48 bits of the hash of the values of the key, 0 without a key.
    ///
    /// It is the same in all processes: see [`Dialect::scope_id`].
    #[must_use]
    pub const fn key_hash(self) -> u64 {
        self.0.get() & KEY_BITS
    }
}

impl<P> Default for Cooldown<P> {
    fn default() -> Self {
        Self { bucket: Vec::new(), global: Vec::new() }
    }
}

impl Cooldown<PathSpec> {
    /// Puts a cell in the place of each path.
    pub(crate) fn compile(&self, mut cell: impl FnMut(&PathSpec) -> Option<Cell>) -> Cooldown<Cell> {
        let bucket = self.bucket.iter().filter_map(|source| source.compile(&mut cell)).collect();
        let each = |when: &Vec<Condition<PathSpec>>| when.iter().map(|one| one.compile(&mut cell)).collect();
        // A condition that has no cell makes the plan too long, which is a mistake of its own.
        Cooldown { bucket, global: self.global.iter().filter_map(each).collect() }
    }
}

impl Cooldown<Cell> {
    pub(crate) fn is_silent(&self) -> bool {
        self.bucket.is_empty() && self.global.is_empty()
    }

    /// Returns the scope or bucket that a response names. Of a body that is cut
    /// nothing decides.
    pub(crate) fn named(&self, scopes: &[Scope], response: &Response<'_, '_>, is_cut: bool) -> CooldownScope {
        let mut sources = self.bucket.iter().filter(|source| !is_cut || source.is_header());
        sources.find_map(|source| source.read(response)).map_or(CooldownScope::Call, |name| named(scopes, &name))
    }

    /// Returns `true` if the cool-down of a response holds all calls to the
    /// upstream. Of a body that is cut nothing decides.
    pub(crate) fn is_global(&self, facts: &Facts<'_, '_>, is_cut: bool) -> bool {
        let by_head = |when: &[Condition<Cell>]| when.iter().all(|one| one.of_head(facts.head).is_some());
        self.global.iter().any(|when| facts.fulfil(when) && (!is_cut || by_head(when)))
    }

    /// Reads which scope or bucket the headers of a response name.
    fn of_headers(&self, scopes: &[Scope], head: &Head<'_>) -> CooldownScope {
        let name = self.bucket.iter().find_map(|source| source.read_header(head));
        name.map_or(CooldownScope::Call, |name| named(scopes, &name))
    }
}

/// Hashes texts alike in all processes, whatever they were built with: FNV-1a
/// of 64 bits, mixed so that each bit of the texts reaches the upper bits.
fn stable_hash<'t>(texts: impl Iterator<Item = Option<&'t str>>) -> u64 {
    // Neither byte occurs in UTF-8.
    let bytes = texts.flat_map(|text| {
        let end = if text.is_some() { 0xff } else { 0xfe };
        text.unwrap_or_default().bytes().chain([end])
    });
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let hash = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^ (hash >> 32)
}

/// Finds the scope of this name; else it is that of a bucket.
fn named(scopes: &[Scope], name: &str) -> CooldownScope {
    let found = scopes.iter().zip(0..).find(|(scope, _)| scope.name == name);
    let Some((scope, nth)) = found else {
        return CooldownScope::Bucket(stable_hash([Some(name)].into_iter()));
    };
    // Which of the limits of a scope with a key is meant, the route of the call says.
    if scope.key.is_empty() { CooldownScope::Named(ScopeId::new(nth, 0)) } else { CooldownScope::Call }
}

impl Dialect {
    /// Returns the scopes: which calls share a limit.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::dialects;
    ///
    /// assert!(dialects::github().scopes().iter().any(|scope| scope.name == "search"));
    /// ```
    #[must_use]
    pub fn scopes(&self) -> &[Scope] {
        &self.compiled().spec.scopes
    }

    /// Returns the limit that a call is under by its route: that of the first scope
    /// with such a route.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::dialects;
    ///
    /// let github = dialects::by_name("github").expect("it is shipped");
    /// let search = github.scope_for_request("GET", "/search/issues").expect("it is in a scope");
    /// assert_eq!(github.scope(search).map(|scope| scope.name.as_str()), Some("search"));
    /// assert_ne!(Some(search), github.scope_for_request("GET", "/user"));
    /// ```
    #[must_use]
    pub fn scope_for_request(&self, method: &str, path: &str) -> Option<ScopeId> {
        self.scopes().iter().zip(0..).find_map(|(scope, nth)| scope.id(nth, method, path))
    }

    /// Returns the scope of a limit; `None` for a limit of another dialect.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::dialects;
    ///
    /// let github = dialects::github();
    /// let id = github.scope_for_request("POST", "/graphql").expect("the route is in a scope");
    /// assert_eq!(github.scope(id).map(|scope| &*scope.name), Some("graphql"));
    /// ```
    #[must_use]
    pub fn scope(&self, id: ScopeId) -> Option<&Scope> {
        self.scopes().get(id.nth())
    }

    /// Returns the limit of the scope with this name and this
    /// [hash of the values of its key](ScopeId::key_hash); `None` if the dialect
    /// has no such scope.
    ///
    /// For processes that tell each other of a limit: the position in a
    /// [`ScopeId`] depends on the version of the dialect, name and hash do not.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::dialects;
    ///
    /// let discord = dialects::discord();
    /// let id = discord.scope_for_request("GET", "/channels/7/messages").expect("it is in a scope");
    /// let name = &discord.scope(id).expect("it is of this dialect").name;
    /// assert_eq!(discord.scope_id(name, id.key_hash()), Some(id));
    /// assert_eq!(discord.scope_id("unknown", 0), None);
    /// ```
    #[must_use]
    pub fn scope_id(&self, name: &str, key_hash: u64) -> Option<ScopeId> {
        let nth = (0_u16..).zip(self.scopes()).find_map(|(nth, scope)| (scope.name == name).then_some(nth))?;
        Some(ScopeId::new(nth, key_hash << 16))
    }

    /// Returns `true` if responses may name the scope or bucket of their call.
    ///
    /// # Examples
    /// ```
    /// use redress_envelope::dialects;
    ///
    /// assert!(dialects::github().names_buckets() && !dialects::vlens().names_buckets());
    /// ```
    #[must_use]
    pub fn names_buckets(&self) -> bool {
        !self.compiled().cooldown.bucket.is_empty()
    }

    /// Returns the scope or bucket that the headers of a response name;
    /// [`CooldownScope::Call`] if they name none.
    ///
    /// The meaning of an error knows more: what its body says.
    ///
    /// # Examples
    /// ```
    /// use http::{HeaderMap, HeaderValue, StatusCode};
    /// use redress_envelope::{CooldownScope, dialects};
    ///
    /// let github = dialects::github();
    /// let mut headers = HeaderMap::new();
    /// headers.insert("x-ratelimit-resource", HeaderValue::from_static("search"));
    /// let search = github.scope_for_request("GET", "/search/code2").map(CooldownScope::Named);
    /// assert_eq!(Some(github.bucket_for_response(StatusCode::OK, &headers)), search);
    /// ```
    #[must_use]
    pub fn bucket_for_response(&self, status: StatusCode, headers: &HeaderMap) -> CooldownScope {
        let head = Head::new(status.as_u16(), headers, std::time::SystemTime::UNIX_EPOCH);
        self.compiled().cooldown.of_headers(self.scopes(), &head)
    }
}

/// Shows the position of the scope in its dialect, not the values of its key.
impl fmt::Debug for ScopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ScopeId").field(&self.nth()).finish()
    }
}

/// Shows no bucket, whose name is the server's.
impl fmt::Debug for CooldownScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upstream => f.write_str("Upstream"),
            Self::Call => f.write_str("Call"),
            Self::Named(id) => f.debug_tuple("Named").field(id).finish(),
            Self::Bucket(_) => f.write_str("Bucket"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_key_is_the_same_in_each_build() {
        let hash = |texts: &[Option<&'static str>]| stable_hash(texts.iter().copied());
        let hashes = [
            hash(&[]),
            hash(&[None]),
            hash(&[Some("")]),
            hash(&[Some("7")]),
            hash(&[Some("7"), Some("8")]),
            hash(&[Some("78")]),
            hash(&[Some("8"), Some("7")]),
        ];
        for (nth, one) in hashes.iter().enumerate() {
            assert!(!hashes[nth + 1..].contains(one), "{nth}");
        }
        assert_eq!(hash(&[Some("7")]), 0xafcb_9b25_95f6_1f21);
    }
}
