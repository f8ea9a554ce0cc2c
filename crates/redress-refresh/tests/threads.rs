//! Concurrent calls on several threads, in real time.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{Api, answer, bearer, get};
use redress_refresh::{Credentials, Failure, RefreshLayer, TokenSet};
use tower::{Layer, ServiceExt};

/// Gives the token that the API accepts at that time.
struct Rotating(Arc<AtomicU64>);

impl Credentials for Rotating {
    async fn login(&self) -> Result<TokenSet, Failure> {
        tokio::task::yield_now().await;
        Ok(TokenSet::bearer(format!("t{}", self.0.load(Ordering::SeqCst)))?)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_revocation_causes_one_call_on_several_threads() {
    for round in 1..=200 {
        let valid = Arc::new(AtomicU64::new(0));
        let rotating = Rotating(Arc::clone(&valid));
        let layer = RefreshLayer::new(rotating, "https://api.example.com".parse().expect("an origin"));
        let accepted = Arc::clone(&valid);
        let api = Api::new(move |headers| {
            let expected = format!("t{}", accepted.load(Ordering::SeqCst));
            answer(if bearer(headers) == Some(expected) { 200 } else { 401 })
        });
        for revocations in 0..3 {
            valid.store(revocations, Ordering::SeqCst);
            let tasks: Vec<_> = (0..32).map(|_| tokio::spawn(layer.layer(api.clone()).oneshot(get()))).collect();
            for task in tasks {
                let answer = task.await.expect("no panic").expect("a response");
                assert_eq!(answer.status(), 200, "round {round}");
            }
            let calls = (layer.tokens().logins(), layer.tokens().generation());
            assert_eq!(calls, (revocations + 1, revocations + 1), "round {round}");
        }
    }
}
