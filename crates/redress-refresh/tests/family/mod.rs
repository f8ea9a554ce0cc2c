//! An issuer that revokes the session when a refresh token is presented twice, and processes with a store that may fail.
#![allow(dead_code, reason = "not every test uses all of it")]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use redress_classify::{BoxError, Clock, Error};
use redress_refresh::{Credentials, Failure, MemoryStore, RefreshLayer, SecretString, Store, TokenSet};
use redress_store::{NewRecord, Record, Version, Written};
use secrecy::ExposeSecret;
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

use crate::common::{Answer, Api, answer, bearer, get, s};

pub(crate) const KEY: &str = "portal/user-7";

/// An action of an issuer on one call, other than a response.
pub(crate) enum Twist {
    /// It does its work, and its answer is lost.
    Lose,
    /// It does nothing and says so.
    Refuse,
    /// It says that the refresh token is invalid.
    Dead,
    /// It gives the same access token and a new refresh token.
    SameAccess,
    /// It answers so much later.
    Late(Duration),
}

/// An issuer whose refresh tokens are good for one use: a second one revokes the family.
pub(crate) struct Family {
    pub(crate) rotates: bool,
    pub(crate) delay: Duration,
    pub(crate) inner: Mutex<Inner>,
}

#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) number: u64,
    /// The refresh token that is good.
    pub(crate) good: String,
    /// The access token that is good.
    pub(crate) access: String,
    pub(crate) shown: Vec<String>,
    pub(crate) logins: usize,
    pub(crate) revoked: bool,
    pub(crate) twists: VecDeque<Twist>,
    /// How long a spent refresh token is accepted again, for the same pair.
    pub(crate) grace: Duration,
    /// The last token that was spent, when, and the pair that it was spent for.
    pub(crate) spent: Option<(String, Instant, TokenSet)>,
}

impl Family {
    pub(crate) fn new(rotates: bool) -> Arc<Self> {
        Arc::new(Self { rotates, delay: s(1), inner: Mutex::default() })
    }

    pub(crate) fn twist(&self, twist: Twist) {
        self.inner.lock().unwrap().twists.push_back(twist);
    }

    /// Takes the access token back, as a server does that has restarted.
    pub(crate) fn revoke_access(&self) {
        self.inner.lock().unwrap().access.clear();
    }

    pub(crate) fn shown(&self) -> Vec<String> {
        self.inner.lock().unwrap().shown.clone()
    }

    pub(crate) fn logins(&self) -> usize {
        self.inner.lock().unwrap().logins
    }

    #[track_caller]
    pub(crate) fn assert_whole(&self) {
        let inner = self.inner.lock().unwrap();
        assert!(!inner.revoked, "a refresh token was shown twice: {:?}", inner.shown);
    }

    pub(crate) fn api(self: &Arc<Self>) -> Api {
        let family = Arc::clone(self);
        Api::new(move |headers| {
            let good = family.inner.lock().unwrap().access.clone();
            answer(if bearer(headers).is_some_and(|token| token == good) { 200 } else { 401 })
        })
    }

    pub(crate) fn give(&self, inner: &mut Inner) -> TokenSet {
        inner.number += 1;
        (inner.access, inner.good) = (format!("t{}", inner.number), format!("r{}", inner.number));
        if !self.rotates {
            inner.good = "r".to_owned();
        }
        let grant = TokenSet::bearer(inner.access.as_str()).unwrap().refresh_token(inner.good.as_str());
        grant.expires_in(s(3600))
    }

    pub(crate) async fn answer(&self, shown: Option<&str>) -> Result<TokenSet, Failure> {
        let (result, late) = self.judge(shown);
        tokio::time::sleep(self.delay + late).await;
        match result {
            Ok(None) => std::future::pending().await,
            Ok(Some(grant)) => Ok(grant),
            Err(failure) => Err(failure),
        }
    }

    pub(crate) fn judge(&self, shown: Option<&str>) -> (Result<Option<TokenSet>, Failure>, Duration) {
        let mut inner = self.inner.lock().unwrap();
        match shown {
            Some(token) => inner.shown.push(token.to_owned()),
            None => inner.logins += 1,
        }
        let twist = inner.twists.pop_front();
        match twist {
            Some(Twist::Refuse) => return (Err(Failure::transient("503")), Duration::ZERO),
            Some(Twist::Dead) => return (Err(Failure::invalid_grant("invalid_grant")), Duration::ZERO),
            _ => {}
        }
        if let (Some(token), Some((spent, at, pair))) = (shown, &inner.spent)
            && token == spent
            && at.elapsed() <= inner.grace
        {
            return (Ok((!matches!(twist, Some(Twist::Lose))).then(|| pair.clone())), Duration::ZERO);
        }
        if shown.is_some_and(|token| token != inner.good) {
            inner.revoked = true;
            inner.access.clear();
            return (Err(Failure::invalid_grant("invalid_grant")), Duration::ZERO);
        }
        let before = format!("t{}", inner.number);
        let grant = self.give(&mut inner);
        inner.spent = shown.map(|token| (token.to_owned(), Instant::now(), grant.clone()));
        match twist {
            Some(Twist::Lose) => (Ok(None), Duration::ZERO),
            Some(Twist::Late(late)) => (Ok(Some(grant)), late),
            Some(Twist::SameAccess) => {
                inner.access.clear();
                let good = inner.good.clone();
                (Ok(Some(TokenSet::bearer(before).unwrap().refresh_token(good))), Duration::ZERO)
            }
            _ => (Ok(Some(grant)), Duration::ZERO),
        }
    }
}

/// One process's way to the issuer.
pub(crate) struct Client(pub(crate) Arc<Family>);

impl Credentials for Client {
    async fn login(&self) -> Result<TokenSet, Failure> {
        self.0.answer(None).await
    }

    async fn refresh(&self, refresh_token: &SecretString) -> Result<TokenSet, Failure> {
        self.0.answer(Some(refresh_token.expose_secret())).await
    }

    fn rotates(&self) -> bool {
        self.0.rotates
    }
}

/// A store that can be taken down, or hang.
#[derive(Clone)]
pub(crate) struct Frail {
    pub(crate) store: MemoryStore,
    pub(crate) down: Arc<AtomicBool>,
    pub(crate) hangs: Arc<AtomicBool>,
}

impl Frail {
    pub(crate) fn new() -> Self {
        Self { store: MemoryStore::new(), down: Arc::default(), hangs: Arc::default() }
    }

    pub(crate) async fn gate(&self) -> Result<(), BoxError> {
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.down.load(Ordering::SeqCst) { Err("down".into()) } else { Ok(()) }
    }
}

impl Store for Frail {
    async fn load(&self, key: &str) -> Result<Option<Record>, BoxError> {
        self.gate().await?;
        self.store.load(key).await
    }

    async fn replace(&self, key: &str, seen: Option<Version>, record: &NewRecord<'_>) -> Result<Written, BoxError> {
        self.gate().await?;
        self.store.replace(key, seen, record).await
    }
}

/// A record as it is stored.
pub(crate) struct Read {
    pub(crate) version: Version,
    pub(crate) text: String,
}

impl Read {
    /// A member that is a number, `None` if it is null.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        let json: serde_json::Value = serde_json::from_str(&self.text).unwrap();
        json[name].as_u64()
    }

    pub(crate) fn generation(&self) -> u64 {
        self.number("generation").unwrap()
    }

    /// The length of its lease in milliseconds.
    pub(crate) fn lease(&self) -> Option<u64> {
        self.number("lease_ms")
    }
}

/// Reads the record of a store.
pub(crate) async fn read(store: &impl Store) -> Option<Read> {
    let record = store.load(KEY).await.unwrap()?;
    Some(Read { version: record.version(), text: String::from_utf8(record.value().to_vec()).unwrap() })
}

/// Writes a record over whatever is stored.
pub(crate) async fn write(store: &impl Store, text: &str) -> Version {
    let seen = store.load(KEY).await.unwrap().map(|record| record.version());
    let version = Version::next(seen);
    assert!(store.replace(KEY, seen, &NewRecord::new(version, text.as_bytes())).await.unwrap().is_written());
    version
}

pub(crate) fn wall() -> SystemTime {
    SystemTime::UNIX_EPOCH + s(1_700_000_000)
}

pub(crate) fn process(family: &Arc<Family>, store: impl Store, clock: Clock) -> RefreshLayer {
    let layer = RefreshLayer::new(Client(Arc::clone(family)), "https://api.example.com".parse().unwrap());
    layer.clock(clock).store(store, KEY)
}

/// Two processes that share a store.
pub(crate) struct Pair {
    pub(crate) family: Arc<Family>,
    pub(crate) api: Api,
    pub(crate) store: Frail,
    pub(crate) one: RefreshLayer,
    pub(crate) other: RefreshLayer,
}

impl Pair {
    pub(crate) fn new(rotates: bool) -> Self {
        let (family, store, clock) = (Family::new(rotates), Frail::new(), Clock::anchored(wall()));
        let (one, other) = (process(&family, store.clone(), clock.clone()), process(&family, store.clone(), clock));
        Self { api: family.api(), family, store, one, other }
    }

    /// A pair of which both hold the first set.
    pub(crate) async fn started(rotates: bool) -> Self {
        let pair = Self::new(rotates);
        assert_eq!((pair.send(&pair.one).await, pair.send(&pair.other).await), (200, 200));
        assert_eq!((pair.family.logins(), pair.family.shown().len()), (1, 0));
        pair
    }

    pub(crate) async fn call(&self, layer: &RefreshLayer) -> Result<Answer, Error> {
        layer.layer(self.api.clone()).oneshot(get()).await
    }

    pub(crate) async fn send(&self, layer: &RefreshLayer) -> u16 {
        self.call(layer).await.map_or(0, |answer| answer.status().as_u16())
    }

    pub(crate) async fn both(&self) -> [u16; 2] {
        let (one, other) = tokio::join!(self.send(&self.one), self.send(&self.other));
        [one, other]
    }

    pub(crate) async fn stored(&self) -> Read {
        read(&self.store.store).await.unwrap()
    }
}
