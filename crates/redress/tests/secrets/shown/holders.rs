//! Holders of credentials, keys and requests: layers, services, futures, stores and bodies.

use std::future::Future;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use redress::layers::{Pace, Refresh};
use redress::login::{JsonCall, JsonLogin, OAuth2};
use redress::transport::{Hyper, HyperFuture, Reqwest};
use redress::{
    Budget, Budgets, CloneBody, Failure, IdempotencyKey, Limit, MemoryStore, Origin, PaceLayer, RedressLayer,
    RefreshLayer, ReplayBody, ReplayError, SecretString, Store, StoreHandle, TokenSet,
};
use redress_store::{Entry, NewRecord, Version};
use tower::{Layer, Service, ServiceExt};

use super::{Bare, Shown, bare, dialect, grant, hinted, keys, url};
use crate::{assert_silent, both, chain, debug, request};

/// Holders of credentials.
pub(super) fn of_credentials() -> Vec<Shown> {
    let layer = RefreshLayer::new(keys(), url());
    layer.tokens().install(grant());
    let mut service: Refresh<Bare> = layer.layer(bare(200));
    let ready = service.poll_ready(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    assert!(ready.is_ready());
    let future = service.call(request("GET"));
    let failures = [
        Failure::transient("c4n4ry-cause"),
        Failure::ambiguous("c4n4ry-cause"),
        Failure::invalid_grant("c4n4ry-cause"),
        Failure::permanent("c4n4ry-cause"),
    ];
    let invalid = TokenSet::bearer("c4n4ry-token\n").unwrap_err();
    let not_an_origin = "https://user:c4n4ry-userinfo@api.example".parse::<Origin>().unwrap_err();
    assert_silent("redress-refresh::InvalidOrigin", &both(&not_an_origin));
    let all = failures.iter().map(|failure| both(failure) + &chain(failure)).collect::<String>();
    vec![
        ("redress-refresh::Failure", all + &both(&Failure::from(invalid.clone()))),
        ("redress-refresh::TokenSet", debug(&grant())),
        ("redress-refresh::InvalidHeader", both(&invalid) + &chain(&invalid)),
        ("redress-refresh::Origin", both(&url())),
        ("redress-refresh::Refresh", debug(&service)),
        ("redress-refresh::RefreshLayer", debug(&layer)),
        ("redress-refresh::ResponseFuture", debug(&future)),
        ("redress-refresh::SecretString", debug(&SecretString::from("c4n4ry-token"))),
        ("redress-refresh::StaticHeaders", debug(&keys())),
        ("redress-refresh::TokenHandle", debug(&layer.tokens())),
    ]
}

/// A login with a secret in each of its parts.
fn oauth() -> OAuth2<Bare> {
    let url = "https://id.example/c4n4ry-path?q=c4n4ry-query";
    let login = OAuth2::refresh_token(bare(200), url, "c4n4ry-client", "c4n4ry-refresh").unwrap();
    login.client_secret("c4n4ry-secret").scope("c4n4ry-scope").parameter("audience", "c4n4ry-audience")
}

fn json_call() -> JsonCall {
    let call = JsonCall::post("https://api.example/c4n4ry-path?q=c4n4ry-query").unwrap();
    let call = call.member("/user", "c4n4ry-user").unwrap().secret("/password", "c4n4ry-password").unwrap();
    call.header("x-tenant", "c4n4ry-tenant").unwrap()
}

/// Wrong settings of logins, with a secret in each of them.
fn invalid_logins() -> String {
    let errors = [
        JsonCall::post("ftp://c4n4ry.example/c4n4ry").unwrap_err(),
        JsonCall::post("c4n4ry \n").unwrap_err(),
        json_call().secret("c4n4ry", "/password").unwrap_err(),
        json_call().secret("/c4n4ry~", "c4n4ry").unwrap_err(),
        json_call().header("x-key", "c4n4ry\n").unwrap_err(),
        json_call().header("c4n4ry\n", "c4n4ry").unwrap_err(),
        json_call().header("x-tenant", "c4n4ry").unwrap_err(),
    ];
    errors.iter().map(both).collect()
}

/// The whole stack and its adapters.
pub(super) fn of_stack() -> Vec<Shown> {
    let login =
        JsonLogin::vlens(bare(200), "https://api.example/c4n4ry", "c4n4ry-key", "c4n4ry-user", "c4n4ry-password");
    let layer = RedressLayer::new(dialect()).credentials(keys(), url());
    layer.tokens().install(grant());
    let mut hyper: Hyper<_, String> = Hyper::new(Client::builder(TokioExecutor::new()).build_http());
    let mut headers = http::HeaderMap::new();
    headers.insert("x-api-key", http::HeaderValue::from_static("c4n4ry-default"));
    let mut reqwest = Reqwest::new(reqwest::Client::builder().default_headers(headers)).unwrap();
    let sending: HyperFuture = hyper.call(request("GET"));
    let asking = reqwest.call(request("GET"));
    vec![
        ("redress::Redress", debug(&layer.layer(bare(200)))),
        ("redress::RedressLayer", debug(&layer)),
        ("redress::login::InvalidLogin", invalid_logins()),
        ("redress::login::JsonCall", debug(&json_call())),
        ("redress::login::JsonLogin", debug(&login.unwrap())),
        ("redress::login::OAuth2", debug(&oauth())),
        ("redress::transport::Hyper", debug(&hyper)),
        ("redress::transport::HyperFuture", debug(&sending)),
        ("redress::transport::Reqwest", debug(&reqwest)),
        ("redress::transport::ReqwestFuture", debug(&asking)),
    ]
}

/// Types that know keys of callers and delay requests: each of them meets a cool-down, a limit and a deadline.
pub(super) async fn of_keys() -> Vec<Shown> {
    let limit = Limit::new("GET /hooks/42/{secret}".parse().unwrap(), NonZeroU32::MIN, Duration::from_secs(60));
    let layer = PaceLayer::new(dialect()).partition(|_, _, _| Some("c4n4ry-partition".to_owned())).limit(limit);
    let mut service: Pace<Bare> = layer.layer(hinted(429, "60"));
    service.ready().await.unwrap().call(request("GET")).await.unwrap();
    assert!(!layer.gate().is_open(), "somebody is parked");
    let mut waiting = Box::pin(service.ready().await.unwrap().call(request("GET")));
    assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let holding = debug(&waiting) + &debug(&service) + &debug(&layer) + &debug(&layer.gate());
    let impatient = layer.clone().deadline(Duration::from_secs(1)).layer(bare(200));
    let error = impatient.oneshot(request("GET")).await.expect_err("it cannot wait");
    assert!(error.is_paced());
    assert_silent("redress-classify::Error", &(both(&error) + &chain(&error)));
    assert_silent("what holds a request back", &holding);
    let budgets = Budgets::keyed(Budget::TRANSIENT_COST, |_, _, _| "c4n4ry-key".into());
    let owing = budgets.for_request(&request("GET")).reserve(Budget::TRANSIENT_COST).expect("the bucket is full");
    let key = IdempotencyKey::new("c4n4ry-key").unwrap();
    assert_eq!(key.as_str(), "c4n4ry-key");
    vec![
        ("redress-backoff::Budgets", debug(&budgets) + &debug(&owing)),
        ("redress-backoff::IdempotencyKey", debug(&key)),
        ("redress-backoff::InvalidIdempotencyKey", both(&IdempotencyKey::new("c4n4ry key").unwrap_err())),
        ("redress-envelope::InvalidRoute", {
            let refused = "GET c4n4ry-path".parse::<redress::Route>().unwrap_err();
            both(&refused) + &chain(&refused)
        }),
        ("redress-pace::Gate", debug(&layer.gate())),
        ("redress-pace::Pace", debug(&service)),
        ("redress-pace::PaceLayer", debug(&layer)),
        ("redress-pace::ResponseFuture", debug(&waiting)),
    ]
}

/// Credentials that several processes share.
pub(super) async fn of_store() -> Vec<Shown> {
    let value =
        br#"{"v":1,"generation":7,"access":[["authorization","Bearer c4n4ry-token"]],"refresh":"c4n4ry-refresh"}"#;
    let store = MemoryStore::new();
    let (version, other) = (Version::next(None), Version::next(None));
    let new = NewRecord::new(version, value);
    assert!(store.replace("c4n4ry-name", None, &new).await.unwrap().is_written());
    let record = store.load("c4n4ry-name").await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(record.value()).contains("c4n4ry-refresh"), "it is there");
    let refused = store.replace("c4n4ry-name", None, &NewRecord::new(other, value)).await.unwrap();
    assert!(!refused.is_written());
    let layer = RefreshLayer::new(oauth(), url()).store(store.clone(), "c4n4ry-name");
    assert_silent("a layer over a store", &(debug(&layer) + &debug(&layer.layer(bare(200))) + &debug(&layer.tokens())));
    let handle = StoreHandle::new(store.clone());
    vec![
        ("redress-store::Entry", debug(&Entry::new(handle.clone(), "portal/user-7"))),
        ("redress-store::MemoryStore", debug(&store)),
        ("redress-store::NewRecord", debug(&new)),
        ("redress-store::Record", debug(&record)),
        ("redress-store::StoreHandle", debug(&handle)),
        ("redress-store::Written", debug(&refused)),
    ]
}

/// A body of one frame that breaks off behind it.
struct Broken(bool);

impl Body for Broken {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        let begins = !std::mem::replace(&mut self.0, true);
        let frame = Frame::data(Bytes::from_static(b"c4n4ry-body"));
        Poll::Ready(Some(if begins { Ok(frame) } else { Err(std::io::ErrorKind::BrokenPipe.into()) }))
    }
}

/// Bodies that are kept for a second send, and what becomes of their copies.
pub(super) async fn of_bodies() -> Vec<Shown> {
    let body = ReplayBody::new(Broken(false));
    let copy = body.try_clone().unwrap();
    let mut errors = vec![body.collect().await.expect_err("it breaks off")];
    let text = debug(&copy);
    assert!(text.contains("held_bytes: 11"), "the secret is there: {text}");
    errors.push(copy.collect().await.expect_err("the other copy has met it"));
    let body = ReplayBody::with_limit(Broken(false), 1);
    let copy = body.try_clone().unwrap();
    assert!(body.collect().await.is_err(), "it breaks off");
    errors.push(copy.collect().await.expect_err("too late"));
    assert!(errors[2].is_discarded() && !errors[1].is_discarded());
    let errors = errors.iter().map(|error: &ReplayError| both(error) + &chain(error)).collect();
    vec![("redress-classify::ReplayBody", text), ("redress-classify::ReplayError", errors)]
}
