//! Interleavings in which a token could be used twice, an install lost, or a request sent after its deadline.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;
mod family;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use common::{Api, failure, get, grant, s, settle};
use family::{Family, process, read, wall};
use http::Request;
use redress_classify::{BoxError, Clock, Deadline, Phase};
use redress_refresh::{Credentials, Failure, MemoryStore, RefreshLayer, SecretString, Store, TokenSet};
use redress_store::{NewRecord, Record, Version, Written};
use tokio::sync::Notify;
use tower::{Layer, ServiceExt};

/// Lets time pass without letting any task run, as when the process is stopped.
fn stop_for(span: Duration) {
    let _ = pin!(tokio::time::advance(span)).poll(&mut Context::from_waker(Waker::noop()));
}

/// A store after whose next write the process is suspended for that number of seconds.
#[derive(Clone)]
struct Stopping {
    store: MemoryStore,
    seconds: Arc<AtomicU64>,
}

impl Store for Stopping {
    async fn load(&self, key: &str) -> Result<Option<Record>, BoxError> {
        Store::load(&self.store, key).await
    }

    async fn replace(&self, key: &str, seen: Option<Version>, record: &NewRecord<'_>) -> Result<Written, BoxError> {
        let done = Store::replace(&self.store, key, seen, record).await?;
        stop_for(s(self.seconds.swap(0, Ordering::SeqCst)));
        Ok(done)
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_was_stopped_until_its_lease_ended_does_not_present_the_token() {
    for (seconds, is_shown) in [(10, true), (29, true), (34, true), (35, false), (36, false), (3600, false)] {
        let family = Family::new(true);
        let store = Stopping { store: MemoryStore::new(), seconds: Arc::default() };
        let clock = Clock::anchored(wall());
        let layer = process(&family, store.clone(), clock.clone());
        let send = |layer: &RefreshLayer| layer.layer(family.api()).oneshot(get());
        assert_eq!(send(&layer).await.unwrap().status(), 200);
        tokio::time::sleep(s(60)).await;
        family.revoke_access();
        store.seconds.store(seconds, Ordering::SeqCst);
        let _ = send(&layer).await.unwrap();
        assert_eq!(!family.shown().is_empty(), is_shown, "stopped for {seconds} s");
        if is_shown {
            continue;
        }
        settle().await;
        // Another process has taken over by now, or will.
        let other = process(&family, store.clone(), clock);
        tokio::time::sleep(s(60)).await;
        assert_eq!(send(&other).await.unwrap().status(), 200);
        family.assert_whole();
    }
}

/// A store whose writes wait until they are let through.
#[derive(Clone)]
struct Gated {
    store: MemoryStore,
    is_shut: Arc<AtomicBool>,
    gate: Arc<Notify>,
}

impl Store for Gated {
    async fn load(&self, key: &str) -> Result<Option<Record>, BoxError> {
        Store::load(&self.store, key).await
    }

    async fn replace(&self, key: &str, seen: Option<Version>, record: &NewRecord<'_>) -> Result<Written, BoxError> {
        if self.is_shut.load(Ordering::SeqCst) {
            self.gate.notified().await;
        }
        Store::replace(&self.store, key, seen, record).await
    }
}

#[tokio::test(start_paused = true)]
async fn an_install_during_a_flush_reaches_the_store_too() {
    for second in [Some("second"), None] {
        let family = Family::new(true);
        let store = Gated { store: MemoryStore::new(), is_shut: Arc::new(AtomicBool::new(true)), gate: Arc::default() };
        let layer = process(&family, store.clone(), Clock::anchored(wall()));
        layer.tokens().install(grant("first"));
        settle().await;
        match second {
            Some(second) => layer.tokens().install(grant(second)),
            None => layer.tokens().clear(),
        }
        settle().await;
        store.is_shut.store(false, Ordering::SeqCst);
        store.gate.notify_waiters();
        tokio::time::sleep(s(1)).await;
        let record = read(&store.store).await.unwrap().text;
        assert_eq!(record.contains("Bearer second"), second.is_some(), "{record}");
        assert!(!record.contains("Bearer first"), "{record}");
    }
}

/// An issuer whose answer comes while the process is stopped.
struct Late {
    stopped: Duration,
    held: Option<TokenSet>,
}

impl Credentials for Late {
    async fn login(&self) -> Result<TokenSet, Failure> {
        tokio::task::yield_now().await;
        stop_for(self.stopped);
        Ok(grant("t2"))
    }

    async fn refresh(&self, _: &SecretString) -> Result<TokenSet, Failure> {
        self.login().await
    }

    fn initial(&self) -> Option<TokenSet> {
        self.held.clone()
    }
}

fn within(limit: Duration) -> Request<String> {
    let mut request = get();
    request.extensions_mut().insert(Deadline::from_now(limit));
    request
}

#[tokio::test(start_paused = true)]
async fn credentials_that_come_after_the_deadline_send_nothing() {
    for (stopped, is_sent) in [(s(2), true), (s(3), false), (s(20), false)] {
        let origin = "https://api.example.com".parse().unwrap();
        let api = Api::accepting(&["t2"]);
        let layer = RefreshLayer::new(Late { stopped, held: None }, origin);
        let result = layer.layer(api.clone()).oneshot(within(s(3))).await;
        assert_eq!(api.seen().len(), usize::from(is_sent), "{stopped:?}");
        match result {
            Ok(answer) => assert!(is_sent && answer.status() == 200),
            Err(error) => assert!(!is_sent && error.is_deadline() && error.phase() == Phase::NotSent, "{error:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_rejected_request_is_not_sent_again_after_the_deadline() {
    for (stopped, sendings, status) in [(s(2), 2, 200), (s(3), 1, 401), (s(20), 1, 401)] {
        let origin = "https://api.example.com".parse().unwrap();
        let api = Api::accepting(&["t2"]);
        let layer = RefreshLayer::new(Late { stopped, held: Some(grant("t1")) }, origin);
        tokio::time::sleep(s(600)).await;
        let answer = layer.layer(api.clone()).oneshot(within(s(3))).await.unwrap();
        assert_eq!((api.seen().len(), answer.status().as_u16()), (sendings, status), "{stopped:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_after_the_deadline_is_reported_as_the_failure() {
    struct Refuses;
    impl Credentials for Refuses {
        async fn login(&self) -> Result<TokenSet, Failure> {
            tokio::task::yield_now().await;
            stop_for(s(20));
            Err(Failure::permanent("invalid_client"))
        }
    }
    let layer = RefreshLayer::new(Refuses, "https://api.example.com".parse().unwrap());
    let error = layer.layer(Api::accepting(&[])).oneshot(within(s(3))).await.unwrap_err();
    assert!(!failure(&error).is_transient());
}
