//! Access and refresh tokens with generations.
//!
//! Access tokens live for an hour, and `Sandbox::expire_tokens` expires them early. A refresh token is
//! valid once, as OAuth 2.0 Security (RFC 9700, section 4.14.2) recommends: a client that presents it
//! twice, for example from two processes, must log in again. With the detection of reuse, the second use
//! also revokes the family: all tokens since the same login.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use http::{HeaderMap, header};

use crate::ids::Ids;
use crate::shared::Shared;

/// The lifetime of an access token, as announced by the login response.
pub(crate) const ACCESS_TOKEN_LIFE: Duration = Duration::from_secs(3600);

/// The tokens issued by one server. Each access token has a generation, one higher than the token
/// before.
#[derive(Debug)]
pub(crate) struct Tokens {
    shape: fn(&Ids) -> String,
    ids: Ids,
    state: Shared<State>,
}

/// An access token and the single-use refresh token that replaces it.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// The status of an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenStatus {
    Live(u64),
    Expired(u64),
    Unknown,
}

#[derive(Debug, Default)]
struct State {
    generation: u64,
    logins: u64,
    access: HashMap<String, Access>,
    refresh: HashMap<String, Refresh>,
    /// How long a used refresh token may be used again; `None` without the detection of reuse.
    grace: Option<Duration>,
    reused: u64,
}

#[derive(Debug)]
struct Access {
    generation: u64,
    family: u64,
    /// `None` after an early expiry.
    issued: Option<Instant>,
}

#[derive(Debug)]
struct Refresh {
    /// The number of the login.
    family: u64,
    /// The time of its first use.
    used: Option<Instant>,
}

impl Tokens {
    /// Creates an empty table. `shape` generates the text of a token.
    pub(crate) fn new(shape: fn(&Ids) -> String) -> Self {
        Self { shape, ids: Ids::default(), state: Shared::default() }
    }

    /// Starts a family with its first pair, as a login does.
    pub(crate) fn issue(&self) -> Pair {
        let pair = self.pair();
        let mut state = self.state.lock();
        state.logins += 1;
        let family = state.logins;
        state.add(&pair, family);
        pair
    }

    /// Exchanges a refresh token for a new pair of its family and invalidates it; `None` if it is not valid.
    pub(crate) fn exchange(&self, refresh: &str) -> Option<Pair> {
        let pair = self.pair();
        let mut state = self.state.lock();
        let family = state.spend(refresh, Instant::now())?;
        state.add(&pair, family);
        Some(pair)
    }

    pub(crate) fn detect_reuse(&self, grace: Duration) {
        self.state.lock().grace = Some(grace);
    }

    /// Returns how often a refresh token was used again, outside the grace.
    pub(crate) fn reused(&self) -> u64 {
        self.state.lock().reused
    }

    pub(crate) fn logins(&self) -> u64 {
        self.state.lock().logins
    }

    pub(crate) fn status(&self, access: &str) -> TokenStatus {
        let state = self.state.lock();
        match state.access.get(access) {
            None => TokenStatus::Unknown,
            Some(token) if token.is_live() => TokenStatus::Live(token.generation),
            Some(token) => TokenStatus::Expired(token.generation),
        }
    }

    pub(crate) fn expire(&self) {
        let mut state = self.state.lock();
        state.access.values_mut().for_each(|token| token.issued = None);
    }

    pub(crate) fn revoke_refresh_tokens(&self) {
        self.state.lock().refresh.clear();
    }

    /// Returns the generation of the newest access token, 0 before the first.
    pub(crate) fn generation(&self) -> u64 {
        self.state.lock().generation
    }

    fn pair(&self) -> Pair {
        Pair { access: (self.shape)(&self.ids), refresh: (self.shape)(&self.ids) }
    }
}

impl TokenStatus {
    pub(crate) fn generation(self) -> Option<u64> {
        match self {
            Self::Live(generation) | Self::Expired(generation) => Some(generation),
            Self::Unknown => None,
        }
    }
}

impl State {
    fn add(&mut self, pair: &Pair, family: u64) {
        self.generation += 1;
        let access = Access { generation: self.generation, family, issued: Some(Instant::now()) };
        self.access.insert(pair.access.clone(), access);
        self.refresh.insert(pair.refresh.clone(), Refresh { family, used: None });
    }

    /// Uses a refresh token and returns its family; `None` if it is unknown or was used before.
    fn spend(&mut self, refresh: &str, now: Instant) -> Option<u64> {
        let token = self.refresh.get_mut(refresh)?;
        let family = token.family;
        let Some(used) = token.used else {
            token.used = Some(now);
            return Some(family);
        };
        if self.grace.is_some_and(|grace| now.saturating_duration_since(used) < grace) {
            return Some(family);
        }
        self.reused += 1;
        if self.grace.is_some() {
            self.refresh.retain(|_, token| token.family != family);
            self.access.retain(|_, token| token.family != family);
        }
        None
    }
}

impl Access {
    fn is_live(&self) -> bool {
        self.issued.is_some_and(|issued| issued.elapsed() < ACCESS_TOKEN_LIFE)
    }
}

/// Returns the token of an `Authorization: Bearer` header. The scheme is case-insensitive (RFC 9110,
/// section 11.1).
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        Tokens::new(|ids| ids.alphanumeric(8))
    }

    #[test]
    fn each_access_token_is_one_generation_on() {
        let tokens = tokens();
        assert_eq!(tokens.generation(), 0);
        let first = tokens.issue();
        let second = tokens.exchange(&first.refresh).unwrap();
        assert_eq!(tokens.status(&first.access), TokenStatus::Live(1));
        assert_eq!(tokens.status(&second.access), TokenStatus::Live(2));
        assert_eq!(tokens.generation(), 2);
    }

    #[test]
    fn a_refresh_token_works_once() {
        let tokens = tokens();
        let pair = tokens.issue();
        assert!(tokens.exchange(&pair.refresh).is_some());
        assert!(tokens.exchange(&pair.refresh).is_none());
        assert_eq!(tokens.generation(), 2);
    }

    #[test]
    fn a_second_use_revokes_the_family_if_that_is_detected() {
        for (grace, is_new, is_revoked) in
            [(None, false, false), (Some(Duration::ZERO), false, true), (Some(Duration::from_secs(60)), true, false)]
        {
            let tokens = tokens();
            if let Some(grace) = grace {
                tokens.detect_reuse(grace);
            }
            let (first, other) = (tokens.issue(), tokens.issue());
            let second = tokens.exchange(&first.refresh).unwrap();
            assert_eq!(tokens.exchange(&first.refresh).is_some(), is_new, "{grace:?}");
            assert_eq!(tokens.reused(), u64::from(!is_new), "{grace:?}");
            assert_eq!(tokens.exchange(&second.refresh).is_none(), is_revoked, "{grace:?}");
            assert_eq!(tokens.status(&second.access).generation().is_none(), is_revoked, "{grace:?}");
            assert!(tokens.exchange(&other.refresh).is_some(), "another family stays");
            assert_eq!(tokens.logins(), 2);
        }
    }

    #[test]
    fn an_expired_token_keeps_its_generation() {
        let tokens = tokens();
        let old = tokens.issue();
        tokens.expire();
        let new = tokens.issue();
        assert_eq!(tokens.status(&old.access), TokenStatus::Expired(1));
        assert_eq!(tokens.status(&new.access), TokenStatus::Live(2));
        assert_eq!(tokens.status("unheard of").generation(), None);
    }

    #[test]
    fn a_revoked_refresh_token_is_dead() {
        let tokens = tokens();
        let pair = tokens.issue();
        tokens.revoke_refresh_tokens();
        assert!(tokens.exchange(&pair.refresh).is_none());
    }

    #[test]
    fn a_bearer_token_needs_its_scheme() {
        let cases = [
            ("Bearer abc", Some("abc"), "as documented"),
            ("bearer abc", Some("abc"), "in lower case"),
            ("Basic abc", None, "another scheme"),
            ("abc", None, "no scheme"),
            ("Bearer ", None, "no token"),
        ];
        for (value, expected, name) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            assert_eq!(bearer(&headers), expected, "{name}");
        }
    }
}
