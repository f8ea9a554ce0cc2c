//! Readiness: which service is called, and which resources a waiting request holds.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use common::{Answer, Api, Issuer, Rig, answer, bearer, get, give, grant, layer, s};
use http::Request;
use redress_classify::{BoxError, Phase};
use redress_refresh::{Credentials, Failure, RefreshLayer, TokenSet};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::{Layer, Service, ServiceExt};

/// A service that is ready when it has one of the permits, which it hands to its response's future.
struct Limited {
    permits: Arc<Semaphore>,
    waiting: Option<Pin<Box<dyn Future<Output = OwnedSemaphorePermit> + Send>>>,
    permit: Option<OwnedSemaphorePermit>,
    api: Api,
}

impl Limited {
    fn new(permits: &Arc<Semaphore>, api: &Api) -> Self {
        Self { permits: Arc::clone(permits), waiting: None, permit: None, api: api.clone() }
    }
}

impl Clone for Limited {
    fn clone(&self) -> Self {
        Self::new(&self.permits, &self.api)
    }
}

impl Service<Request<String>> for Limited {
    type Response = Answer;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.permit.is_none() {
            let permits = Arc::clone(&self.permits);
            let waiting = self
                .waiting
                .get_or_insert_with(|| Box::pin(async move { permits.acquire_owned().await.expect("never closed") }));
            self.permit = Some(ready!(waiting.as_mut().poll(cx)));
            self.waiting = None;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<String>) -> Self::Future {
        let permit = self.permit.take().expect("ready before it is called");
        let answer = self.api.call(request);
        Box::pin(async move {
            let answer = answer.await;
            drop(permit);
            Ok(answer?)
        })
    }
}

/// Credentials that are asked for over the same limited transport.
struct Shared {
    permits: Arc<Semaphore>,
    api: Api,
    count: AtomicUsize,
}

impl Credentials for Shared {
    async fn login(&self) -> Result<TokenSet, Failure> {
        Limited::new(&self.permits, &self.api).oneshot(get()).await.map_err(Failure::transient)?;
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(TokenSet::bearer(format!("t{number}"))?)
    }
}

#[tokio::test(start_paused = true)]
async fn one_permit_shared_with_the_refresh_does_not_deadlock() {
    let permits = Arc::new(Semaphore::new(1));
    let api = Api::accepting(&["t2"]).taking(s(1));
    let limited = Limited::new(&permits, &api);
    let credentials = Shared { permits: Arc::clone(&permits), api: api.clone(), count: 0.into() };
    let layer = RefreshLayer::new(credentials, "https://api.example.com".parse().unwrap());
    let mut service = layer.layer(limited);
    for round in 0..3 {
        let call = service.ready().await.unwrap().call(get());
        let answer = tokio::time::timeout(s(20), call).await.expect("no deadlock").unwrap();
        assert_eq!((answer.status().as_u16(), permits.available_permits()), (200, 1), "{round}");
    }
    assert_eq!(api.tokens(), ["", "t1", "", "t2", "t2", "t2"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_with_fresh_credentials_uses_the_readied_service() {
    let (mock, mut handle) = tower_test::mock::pair::<Request<String>, Answer>();
    handle.allow(1);
    let issuer = Arc::new(Issuer::new([]).holding(grant("t1")));
    let mut service = layer(&issuer).layer(mock);
    // The mock panics when a service is called that was not ready.
    let call = tokio::spawn(service.ready().await.unwrap().call(get()));
    let (request, respond) = handle.next_request().await.unwrap();
    assert_eq!(bearer(request.headers()).as_deref(), Some("t1"));
    respond.send_response(answer(200));
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn the_readied_service_is_dropped_before_the_wait_and_another_gets_ready() {
    let permits = Arc::new(Semaphore::new(1));
    let rig = Rig::new(Issuer::new([give("t1")]).taking(s(5)), Api::accepting(&["t1"]));
    let mut service = rig.layer.layer(Limited::new(&permits, &rig.api));
    let call = tokio::spawn(service.ready().await.unwrap().call(get()));
    tokio::time::sleep(s(1)).await;
    assert_eq!(permits.available_permits(), 1, "not held during the wait");
    let taken = permits.clone().acquire_owned().await.unwrap();
    tokio::time::sleep(s(10)).await;
    assert!(rig.api.seen().is_empty(), "it waits for its turn");
    drop(taken);
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_to_get_ready_is_an_error_that_sent_nothing() {
    let (mock, mut handle) = tower_test::mock::pair::<Request<String>, Answer>();
    let issuer = Arc::new(Issuer::new([]).holding(grant("t1")));
    handle.send_error("closed");
    let error = layer(&issuer).layer(mock).oneshot(get()).await.unwrap_err();
    assert!(error.is_transport() && error.phase() == Phase::NotSent);
}
