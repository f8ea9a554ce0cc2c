//! Secrets are in no `Debug` or `Display`, error chain or event.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;
mod family;

use std::error::Error as _;
use std::fmt::Write;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::{Api, Issuer, Rig, Step, answer, get, s};
use family::Pair;
use http::Request;
use redress_classify::{ClassifyLayer, Error, ResponseExt, dialects};
use redress_refresh::{Explanation, Failure, MemoryStore, StaticHeaders, Store, TokenSet};
use redress_sandbox::Recorder;
use tower::{Layer, ServiceExt};

/// One test at a time: whether an event is enabled is cached for the process, and a subscriber of another thread that begins or ends
/// meanwhile may turn it off.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

const SECRETS: [&str; 5] = ["s3cret-access", "s3cret-refresh", "s3cret-key", "s3cret-cause", "s3cret-new"];

#[track_caller]
fn assert_silent(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} shows in {text}");
    }
}

fn secret_grant() -> TokenSet {
    let grant = TokenSet::bearer("s3cret-access").and_then(|grant| grant.header("x-api-key", "s3cret-key")).unwrap();
    grant.refresh_token("s3cret-refresh").expires_in(s(3600))
}

fn chain(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut next = error.source();
    while let Some(error) = next {
        let _ = write!(text, " {error} {error:?}");
        next = error.source();
    }
    text
}

#[tokio::test(start_paused = true)]
async fn nothing_that_can_be_printed_shows_a_secret() {
    let _alone = ALONE.lock().await;
    let rig = Rig::new(Issuer::new([]).holding(secret_grant()), Api::accepting(&[]));
    let keys = StaticHeaders::new().header("x-api-key", "s3cret-key").unwrap();
    let service = rig.layer.clone();
    let (layer, tokens) = (rig.layer.clone(), rig.layer.tokens());
    let limited = tower::Layer::layer(
        &service,
        tower::service_fn(|_: http::Request<String>| async { Ok::<_, std::io::Error>(http::Response::new(())) }),
    );
    let mut inner = limited.clone();
    let future = tower::Service::call(&mut inner, get());
    assert_silent(&format!("{layer:?} {layer:#?} {tokens:?} {limited:?} {future:?} {keys:?} {:?}", secret_grant()));
    for failure in [
        Failure::transient("s3cret-cause"),
        Failure::ambiguous("s3cret-cause"),
        Failure::invalid_grant("s3cret-cause"),
        Failure::permanent("s3cret-cause"),
    ] {
        assert_silent(&format!("{failure} {failure:?} {failure:#?}"));
        assert!(failure.source().is_none());
    }
    let refused = TokenSet::bearer("s3cret-access\n").unwrap_err();
    let from = Failure::from(refused.clone());
    assert_silent(&format!("{refused} {refused:?} {from} {from:?}"));
}

#[tokio::test(start_paused = true)]
async fn no_event_and_no_error_shows_a_secret() {
    let _alone = ALONE.lock().await;
    let recorder = Recorder::new();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let steps = [
        Step::Give(TokenSet::bearer("s3cret-new").unwrap().refresh_token("s3cret-refresh")),
        Step::Fail(Failure::invalid_grant("s3cret-cause")),
        Step::Fail(Failure::transient("s3cret-cause").retry_after(s(5))),
        Step::Panic,
        Step::Hang,
        Step::Fail(Failure::permanent("s3cret-cause")),
    ];
    let rig = Rig::new(Issuer::new(steps).holding(secret_grant()), Api::accepting(&["s3cret-new"]));
    assert_eq!(rig.status().await, 200);
    let refused = Rig { api: Api::accepting(&[]), ..rig };
    for _ in 0..6 {
        if let Err(error) = refused.send().await {
            assert_silent(&chain(&error));
        }
        tokio::time::sleep(s(120)).await;
    }
    let caller = refused.spawn();
    refused.layer.tokens().install(secret_grant());
    refused.layer.tokens().clear();
    let _ = caller.await;
    let lines = recorder.lines();
    for line in &lines {
        assert_silent(line);
    }
    let count = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    for (text, times) in [
        ("refresh started", 2),
        ("login started", 5),
        ("succeeded", 1),
        ("refresh token invalid: logging in", 1),
        ("message=failed", 5),
        ("kind=\"permanent\"", 5),
        ("installed", 1),
        ("cleared", 1),
    ] {
        assert_eq!(count(text), times, "{text}: {lines:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_its_records_and_its_events_show_no_secret() {
    let _alone = ALONE.lock().await;
    let recorder = Recorder::new();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let steps = [
        Step::Give(TokenSet::bearer("s3cret-new").unwrap().refresh_token("s3cret-refresh")),
        Step::Fail(Failure::ambiguous("s3cret-cause")),
        Step::Fail(Failure::transient("s3cret-cause")),
    ];
    let store = MemoryStore::new();
    let mut rig = Rig::new(Issuer::new(steps).holding(secret_grant()), Api::accepting(&["s3cret-new"]));
    rig.layer = rig.layer.store(store.clone(), "key");
    assert_eq!(rig.status().await, 200);
    let refused = Rig { api: Api::accepting(&[]), ..rig };
    for _ in 0..3 {
        let _ = refused.send().await;
        tokio::time::sleep(s(120)).await;
        let record = store.load("key").await.unwrap().unwrap();
        assert_silent(&format!("{store:?} {record:?} {record:#?} {:?} {:?}", record.version(), refused.layer));
    }
    refused.layer.tokens().install(secret_grant());
    common::settle().await;
    let record = store.load("key").await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(record.value()).contains("s3cret-key"), "only when it is asked to");
    assert_silent(&format!("{record:?}"));
    let lines = recorder.lines();
    assert!(lines.iter().any(|line| line.contains("written to the store")), "{lines:#?}");
    for line in lines {
        assert_silent(&line);
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_that_fails_after_a_refused_refresh_reports_both() {
    let _alone = ALONE.lock().await;
    for is_shared in [false, true] {
        let steps = [
            Step::Fail(Failure::invalid_grant(Explanation::new("revoked"))),
            Step::Fail(Failure::permanent("s3cret-cause")),
        ];
        let grant = TokenSet::new().refresh_token("s3cret-refresh");
        let mut rig = Rig::new(Issuer::new(steps).holding(grant), Api::accepting(&[]));
        if is_shared {
            rig.layer = rig.layer.store(MemoryStore::new(), "key");
        }
        let error = rig.send().await.unwrap_err();
        assert_silent(&chain(&error));
        let expected = "could not obtain credentials: the login was refused, after the refresh failed: revoked";
        assert_eq!(error.to_string(), expected, "{is_shared}");
    }
}

#[test]
fn the_recorder_would_see_a_secret() {
    let _alone = ALONE.blocking_lock();
    let recorder = Recorder::new();
    tracing::subscriber::with_default(recorder.clone(), || {
        tracing::trace!(target: "redress::refresh", token = "s3cret-access", "oops");
    });
    assert!(recorder.lines()[0].contains("s3cret-access"));
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_was_sent_is_marked_sensitive() {
    let _alone = ALONE.lock().await;
    let rig = Rig::new(Issuer::new([]).holding(secret_grant()), Api::accepting(&["s3cret-access"]));
    rig.service().oneshot(get()).await.unwrap();
    assert_silent(&format!("{:?}", rig.api.seen()));
}

#[tokio::test(start_paused = true)]
async fn what_a_server_quotes_of_the_credentials_is_masked_also_of_the_set_before() {
    let _alone = ALONE.lock().await;
    const QUOTE: &str = r#"{"error":{"code":"E1","message":"no s3cret-key, no s3cret-access, nor s3cret-new"}}"#;
    for resend_above in [false, true] {
        let api = Api::new(|_| answer(400).map(|_| QUOTE.into()));
        let rig = Rig::new(Issuer::new([]).holding(TokenSet::bearer("s3cret-new").unwrap()), api.clone());
        rig.layer.tokens().install(secret_grant());
        let layer = if resend_above { rig.layer.clone().resend_above() } else { rig.layer.clone() };
        let answer = layer.layer(ClassifyLayer::new(dialects::generic()).layer(api)).oneshot(get()).await.unwrap();
        let error = answer.verdict().and_then(|verdict| verdict.api_error()).unwrap();
        assert_eq!(error.message(), Some("no ***, no ***, nor ***"));
        assert_silent(&format!("{error} {error:?} {:?}", answer.verdict()));
        let secrets = rig.layer.tokens().secrets();
        assert_eq!(secrets.mask("s3cret-key, s3cret-access and s3cret-new"), "***, *** and ***");
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_that_the_store_does_not_take_is_reported_once() {
    let _alone = ALONE.lock().await;
    let pair = Pair::started(true).await;
    pair.family.revoke_access();
    let recorder = Recorder::new();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let call = tokio::spawn(pair.one.layer(pair.api.clone()).oneshot(get()));
    tokio::time::sleep(Duration::from_millis(500)).await;
    pair.store.down.store(true, Ordering::SeqCst);
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
    tokio::time::sleep(s(60)).await;
    let lines = recorder.lines();
    let count = lines.iter().filter(|line| line.contains("the result is kept and offered again")).count();
    assert_eq!(count, 1, "{lines:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_not_sent_again_because_it_may_have_been_processed_is_reported() {
    let _alone = ALONE.lock().await;
    const BEGUN: &str = r#"{"data":null,"errors":[{"message":"x","extensions":{"code":"UNAUTHENTICATED"}}]}"#;
    const BEFORE: &str = r#"{"errors":[{"message":"x","extensions":{"code":"UNAUTHENTICATED"}}]}"#;
    for (name, body, resend_above, expected) in
        [("in part", BEGUN, false, 1), ("not at all", BEFORE, false, 0), ("resent above", BEGUN, true, 0)]
    {
        let recorder = Recorder::new();
        let _guard = tracing::subscriber::set_default(recorder.clone());
        let api = Api::new(move |_| answer(200).map(|_| body.into()));
        let rig = Rig::new(Issuer::new([]).holding(secret_grant()), api.clone());
        let layer = if resend_above { rig.layer.resend_above() } else { rig.layer };
        let request = Request::post("https://api.example.com/graphql").body(String::new()).unwrap();
        let graphql = ClassifyLayer::new(dialects::by_name("graphql").unwrap());
        layer.layer(graphql.layer(api)).oneshot(request).await.unwrap();
        let lines = recorder.lines();
        let count = lines.iter().filter(|line| line.contains("the request may have been processed")).count();
        assert_eq!(count, expected, "{name}: {lines:#?}");
    }
}
