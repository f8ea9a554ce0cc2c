//! Requests as they are sent, responses as they are returned, and the responses that start a refresh.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Answer, Api, Issuer, Rig, Step, Text, answer, bearer, failure, get, give, grant, layer, s, settle};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request};
use http_body_util::BodyExt;
use redress_classify::{ClassifyLayer, CloneBody, Refreshed, ResponseExt, TransportError, dialects};
use redress_refresh::{RefreshLayer, StaticHeaders, TokenSet};
use tower::{Layer, ServiceExt, service_fn};

fn post(body: &str) -> Request<String> {
    Request::post("https://api.example.com/checks").header("x-id", "7").body(body.to_owned()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_copy_is_the_same_request_with_the_new_credentials() {
    let rig = Rig::new(Issuer::new([give("t2")]).holding(grant("t1")), Api::accepting(&["t2"]));
    let answer = rig.service().oneshot(post("once")).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.extensions().get::<Refreshed>().is_none(), "it is already sent again");
    let seen = rig.api.seen();
    assert_eq!(rig.api.tokens(), ["t1", "t2"]);
    for request in &seen {
        assert_eq!(
            (&request.method, request.body.as_str(), &request.headers["x-id"]),
            (&Method::POST, "once", &"7".parse().unwrap())
        );
    }
    assert_eq!(seen[1].at - seen[0].at, s(1), "when the refresh was there");
}

#[tokio::test(start_paused = true)]
async fn a_request_is_sent_again_once() {
    let issuer = Issuer::new([give("t2"), give("t3")]).holding(grant("t1"));
    let rig = Rig::new(issuer, Api::accepting(&[]));
    assert_eq!(rig.status().await, 401);
    assert_eq!(rig.api.tokens(), ["t1", "t2"]);
    assert_eq!(rig.issuer.asked().len(), 1, "the second rejection leads to no refresh");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waited_for_the_first_login_may_still_be_refreshed_once() {
    let rig = Rig::new(Issuer::new([give("t1"), give("t2"), give("t3")]), Api::accepting(&["t2"]));
    assert_eq!(rig.status().await, 200);
    assert_eq!(rig.api.tokens(), ["t1", "t2"]);
}

#[tokio::test(start_paused = true)]
async fn with_resend_above_the_response_is_marked_and_the_request_not_sent_again() {
    let rig = Rig::new(Issuer::new([give("t2")]).holding(grant("t1")), Api::accepting(&["t2"]));
    let service = rig.layer.clone().resend_above().layer(rig.api.clone());
    let first = service.clone().oneshot(post("once")).await.unwrap();
    assert_eq!((first.status().as_u16(), first.extensions().get()), (401, Some(&Refreshed)));
    assert_eq!(first.into_body().collect().await.unwrap().to_bytes(), "body");
    assert_eq!(rig.api.tokens(), ["t1"]);
    let mut again = post("once");
    again.extensions_mut().insert(Refreshed);
    assert_eq!(service.oneshot(again).await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_late_401_is_returned_as_refreshed_without_a_refresh() {
    let rig = Rig::new(Issuer::new([]).holding(grant("t1")), Api::accepting(&[]).taking(s(5)));
    let late = tokio::spawn(rig.layer.clone().resend_above().layer(rig.api.clone()).oneshot(get()));
    settle().await;
    rig.layer.tokens().install(grant("t2"));
    assert_eq!(late.await.unwrap().unwrap().extensions().get(), Some(&Refreshed));
    assert!(rig.issuer.asked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_resend_of_a_layer_above_causes_no_second_refresh() {
    for resend_above in [true, false] {
        let rig = Rig::new(Issuer::new([give("t2")]).holding(grant("t1")), Api::accepting(&[]));
        let layer = if resend_above { rig.layer.clone().resend_above() } else { rig.layer.clone() };
        let mut again = get();
        again.extensions_mut().insert(Refreshed);
        let answer = layer.layer(rig.api.clone()).oneshot(again).await.unwrap();
        assert_eq!(answer.status(), 401);
        assert!(answer.extensions().is_empty() && rig.issuer.asked().is_empty());
        assert_eq!(rig.api.seen().len(), 1);
    }
}

/// A body that cannot be cloned.
struct Stream;

impl CloneBody for Stream {
    fn try_clone(&self) -> Option<Self> {
        None
    }
}

impl Text for Stream {
    fn text(&self) -> String {
        "stream".to_owned()
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_cannot_be_cloned_returns_its_response_at_once_and_the_next_request_has_the_new_token() {
    let rig = Rig::new(Issuer::new([give("t2")]).holding(grant("t1")), Api::accepting(&["t2"]));
    let request = Request::post("https://api.example.com/").body(Stream).unwrap();
    let start = tokio::time::Instant::now();
    let answer = rig.service().oneshot(request).await.unwrap();
    assert_eq!((answer.status().as_u16(), start.elapsed()), (401, s(0)));
    assert!(answer.extensions().is_empty());
    tokio::time::sleep(s(2)).await;
    assert_eq!((rig.generation(), rig.status().await), (2, 200));
    assert_eq!(rig.issuer.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn headers_are_attached_as_a_set() {
    let set = |key: &str, token: &str| TokenSet::bearer(token).unwrap().header("x-api-key", key).unwrap();
    let issuer = Issuer::new([Step::Give(set("k2", "t2"))]).holding(set("k1", "t1"));
    let api = Api::new(|headers| answer(if headers["x-api-key"] == "k2" { 200 } else { 401 }));
    let rig = Rig::new(issuer, api);
    let request = Request::get("https://api.example.com/").header("X-Api-Key", "mine").header(AUTHORIZATION, "mine");
    let request = request.header(AUTHORIZATION, "mine too").body(String::new()).unwrap();
    assert_eq!(rig.service().oneshot(request).await.unwrap().status(), 200);
    for (seen, (key, token)) in rig.api.seen().iter().zip([("k1", "Bearer t1"), ("k2", "Bearer t2")]) {
        let all = |name: &str| seen.headers.get_all(name).iter().cloned().collect::<Vec<_>>();
        assert_eq!(
            (all("x-api-key"), all("authorization")),
            (vec![key.parse().unwrap()], vec![token.parse().unwrap()])
        );
        assert!(seen.headers["x-api-key"].is_sensitive() && seen.headers[AUTHORIZATION].is_sensitive());
    }
}

#[tokio::test(start_paused = true)]
async fn headers_that_a_new_set_lacks_are_gone() {
    let old = TokenSet::bearer("t1").unwrap().header("x-api-key", "k1").unwrap();
    let rig = Rig::new(Issuer::new([give("t2")]).holding(old), Api::accepting(&["t2"]));
    assert_eq!(rig.status().await, 200);
    assert!(!rig.api.seen()[1].headers.contains_key("x-api-key"));
}

#[tokio::test(start_paused = true)]
async fn another_origin_gets_no_credentials_and_no_refresh() {
    let rig = Rig::new(Issuer::new([]).holding(grant("t1")), Api::accepting(&[]));
    for uri in ["https://evil.test/", "http://api.example.com/", "https://api.example.com:444/", "/checks"] {
        let request = Request::get(uri).header(AUTHORIZATION, "mine").body(String::new()).unwrap();
        let answer = rig.service().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 401);
        let request = Request::get(uri).body(String::new()).unwrap();
        rig.service().oneshot(request).await.unwrap();
    }
    for (index, seen) in rig.api.seen().iter().enumerate() {
        let own = HeaderValue::from_static("mine");
        assert_eq!(seen.headers.get(AUTHORIZATION), (index % 2 == 0).then_some(&own));
    }
    assert!(rig.issuer.asked().is_empty());
    let second = rig.layer.clone().origin("https://eu.example.com".parse().unwrap());
    let request = Request::get("https://eu.example.com/").body(String::new()).unwrap();
    tokio::spawn(second.layer(rig.api.clone()).oneshot(request));
    settle().await;
    assert_eq!(rig.api.seen().last().and_then(|seen| bearer(&seen.headers)).as_deref(), Some("t1"));
}

#[tokio::test(start_paused = true)]
async fn a_layer_without_credentials_passes_everything() {
    let layer = RefreshLayer::none().resend_above().origin("https://api.example.com".parse().unwrap());
    let api = Api::accepting(&[]);
    assert_eq!(layer.layer(api.clone()).oneshot(get()).await.unwrap().status(), 401);
    assert!(api.seen()[0].headers.is_empty());
    let tokens = layer.tokens();
    tokens.install(grant("t1"));
    tokens.clear();
    assert_eq!((tokens.generation(), tokens.refreshes(), tokens.logins()), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn static_headers_are_attached_and_never_refreshed() {
    let keys = StaticHeaders::new().header("x-api-key", "k").unwrap().header("x-api-secret", "s").unwrap();
    for resend_above in [true, false] {
        let layer = RefreshLayer::new(keys.clone(), "https://api.example.com".parse().unwrap());
        let layer = if resend_above { layer.resend_above() } else { layer };
        let api = Api::accepting(&[]);
        for _ in 0..5 {
            let answer = layer.layer(api.clone()).oneshot(get()).await.unwrap();
            assert!(answer.status() == 401 && answer.extensions().is_empty());
        }
        assert!(api.seen().len() == 5 && api.seen().iter().all(|seen| seen.headers["x-api-key"] == "k"));
        assert_eq!((layer.tokens().logins(), layer.tokens().refreshes(), layer.tokens().generation()), (0, 0, 1));
        layer.tokens().clear();
        let error = layer.layer(api.clone()).oneshot(get()).await.unwrap_err();
        assert!(failure(&error).is_permanent());
        layer.tokens().install(TokenSet::new().header("x-api-key", "k2").unwrap());
        layer.layer(api.clone()).oneshot(get()).await.unwrap();
        assert_eq!(api.seen().last().unwrap().headers["x-api-key"], "k2");
    }
}

fn told(status: u16, body: &'static str, challenge: Option<&'static str>) -> Answer {
    let mut answer = answer(status).map(|_| body.into());
    if let Some(challenge) = challenge {
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    answer
}

#[tokio::test(start_paused = true)]
async fn the_verdict_decides_what_is_refreshed() {
    let code = |code: &str| -> &'static str {
        format!(r#"{{"success":false,"error":{{"code":"{code}","message":"m"}}}}"#).leak()
    };
    let invalid = Some(r#"Bearer error="invalid_token""#);
    let scope = Some(r#"Bearer error="insufficient_scope""#);
    for (status, body, challenge, classified, bare) in [
        (401, code("TOKEN_EXPIRED"), None, true, true),
        (401, code("TOKEN_INVALID"), None, false, true),
        (401, code("INVALID_API_KEY"), None, false, true),
        (401, code("INVALID_API_KEY"), invalid, false, true),
        (401, code("BRAND_NEW"), None, true, true),
        (401, "", None, true, true),
        (401, "<html>", invalid, true, true),
        (403, "", None, false, false),
        (403, "", invalid, false, false),
        (403, "", scope, false, false),
        (200, "{}", None, false, false),
        (400, "", None, false, false),
        (407, "", None, false, false),
        (429, "", None, false, false),
        (500, "", None, false, false),
        (503, "", None, false, false),
    ] {
        for (with_verdict, expected) in [(true, classified), (false, bare)] {
            let rig = Rig::new(
                Issuer::new([give("t2")]).holding(grant("t1")),
                Api::new(move |_| told(status, body, challenge)),
            );
            let final_status = if with_verdict {
                let classify = ClassifyLayer::new(dialects::maleslab()).layer(rig.api.clone());
                let answer = rig.layer.layer(classify).oneshot(get()).await.unwrap();
                assert_eq!(answer.verdict().is_none(), status == 200);
                answer.status()
            } else {
                rig.send().await.unwrap().status()
            };
            assert_eq!(final_status, status);
            assert_eq!(rig.issuer.asked().len(), usize::from(expected), "{status} {body} {challenge:?} {with_verdict}");
            assert_eq!(rig.api.seen().len(), 1 + usize::from(expected));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_200_that_says_the_token_has_expired_is_refreshed() {
    let api = Api::new(|headers| match bearer(headers).as_deref() {
        Some("t2") => told(200, r#"{"error_code":null}"#, None),
        _ => told(200, r#"{"error_code":77}"#, None),
    });
    let expired = redress_classify::Code::new("77", redress_classify::Class::TokenExpired);
    let issuer = Arc::new(Issuer::new([give("t2")]).holding(grant("t1")));
    let classify = ClassifyLayer::new(dialects::vlens().with_code(expired)).layer(api.clone());
    let answer = layer(&issuer).layer(classify).oneshot(get()).await.unwrap();
    assert!(answer.verdict().is_none());
    assert_eq!(api.tokens(), ["t1", "t2"]);
}

/// An error of a request that may have been processed.
const BEGUN: &str = r#"{"data":null,"errors":[{"message":"x","extensions":{"code":"UNAUTHENTICATED"}}]}"#;

#[tokio::test(start_paused = true)]
async fn a_late_rejection_of_a_request_that_may_have_been_processed_is_returned() {
    for (method, expected) in [(Method::POST, 1), (Method::GET, 2)] {
        let api = Api::new(|_| told(200, BEGUN, None)).taking(s(5));
        let rig = Rig::new(Issuer::new([]).holding(grant("t1")), api.clone());
        let graphql = ClassifyLayer::new(dialects::by_name("graphql").unwrap());
        let request = Request::builder().method(method.clone()).uri("https://api.example.com/graphql");
        let late = rig.layer.layer(graphql.layer(api)).oneshot(request.body(String::new()).unwrap());
        let late = tokio::spawn(late);
        settle().await;
        rig.layer.tokens().install(grant("t2"));
        assert!(late.await.unwrap().unwrap().verdict().is_some());
        assert_eq!((rig.api.seen().len(), rig.issuer.asked().len()), (expected, 0), "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_may_have_been_processed_is_sent_again_only_if_it_is_safe_to_repeat() {
    const BEFORE: &str = r#"{"errors":[{"message":"x","extensions":{"code":"UNAUTHENTICATED"}}]}"#;
    for (name, method, is_keyed, body, is_resent) in [
        ("data that is null", Method::POST, false, BEGUN, false),
        ("no data", Method::POST, false, BEFORE, true),
        ("a GET", Method::GET, false, BEGUN, true),
        ("a key", Method::POST, true, BEGUN, true),
    ] {
        let api = Api::new(move |headers| match bearer(headers).as_deref() {
            Some("t2") => told(200, r#"{"data":{"id":1}}"#, None),
            _ => told(200, body, None),
        });
        let issuer = Arc::new(Issuer::new([give("t2")]).holding(grant("t1")));
        let graphql = dialects::by_name("graphql").unwrap();
        let service = layer(&issuer).layer(ClassifyLayer::new(graphql).layer(api.clone()));
        let request = || {
            let builder = Request::builder().method(method.clone()).uri("https://api.example.com/graphql");
            let builder = if is_keyed { builder.header("idempotency-key", "k1") } else { builder };
            builder.body(String::new()).unwrap()
        };
        let answer = service.clone().oneshot(request()).await.unwrap();
        assert_eq!((answer.verdict().is_none(), issuer.asked().len()), (is_resent, 1), "{name}");
        assert!(answer.extensions().get::<Refreshed>().is_none(), "{name}");
        let next = service.oneshot(request()).await.unwrap();
        assert!(next.verdict().is_none(), "{name}: the next call has the new token");
        let expected: &[&str] = if is_resent { &["t1", "t2", "t2"] } else { &["t1", "t2"] };
        assert_eq!(api.tokens(), expected, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn errors_from_inner_pass() {
    let issuer = Arc::new(Issuer::new([]).holding(grant("t1")));
    let failing = service_fn(|_: Request<String>| async { Err::<Answer, _>(TransportError::connect("refused")) });
    let error = layer(&issuer).layer(failing).oneshot(get()).await.unwrap_err();
    assert!(error.is_transport() && error.is_connect() && issuer.asked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_success_costs_no_extension_and_no_second_copy() {
    #[derive(Debug)]
    struct Counted(Arc<AtomicUsize>);
    impl CloneBody for Counted {
        fn try_clone(&self) -> Option<Self> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Some(Self(Arc::clone(&self.0)))
        }
    }
    impl Text for Counted {
        fn text(&self) -> String {
            String::new()
        }
    }
    let rig = Rig::new(Issuer::new([]).holding(grant("t1")), Api::accepting(&["t1"]));
    for (layer, copies) in [(rig.layer.clone(), 1), (rig.layer.clone().resend_above(), 0)] {
        let count = Arc::<AtomicUsize>::default();
        let request = Request::get("https://api.example.com/").body(Counted(Arc::clone(&count))).unwrap();
        let answer = layer.layer(rig.api.clone()).oneshot(request).await.unwrap();
        assert!(answer.extensions().is_empty());
        assert_eq!(count.load(Ordering::Relaxed), copies);
    }
}

#[tokio::test(start_paused = true)]
async fn clones_and_services_share_the_credentials() {
    let rig = Rig::new(Issuer::new([give("t1")]), Api::accepting(&["t1"]));
    let (one, other) = (rig.service(), rig.layer.clone().resend_above().layer(rig.api.clone()));
    let (a, b, c) = tokio::join!(one.clone().oneshot(get()), one.oneshot(get()), other.oneshot(get()));
    assert!([a, b, c].iter().all(|answer| answer.as_ref().is_ok_and(|answer| answer.status() == 200)));
    assert_eq!((rig.issuer.asked().len(), rig.layer.tokens().generation()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn settings_that_come_before_the_credentials_are_kept_and_an_origin_goes_with_its_credentials() {
    let origin = |text: &str| text.parse::<redress_refresh::Origin>().unwrap();
    let keys = |value: &str| redress_refresh::StaticHeaders::new().header("x-api-key", value).unwrap();
    let layer =
        RefreshLayer::none().origin(origin("https://eu.example")).credentials(keys("k"), origin("https://api.example"));
    let replaced = RefreshLayer::new(keys("other"), origin("https://other.example")).credentials_from(&layer);
    for (layer, url, expected) in [
        (&layer, "https://eu.example/", true),
        (&layer, "https://api.example/", true),
        (&replaced, "https://api.example/", true),
        (&replaced, "https://other.example/", false),
        (&replaced, "https://eu.example/", false),
    ] {
        let seen = tower::service_fn(|request: http::Request<String>| async move {
            let key = request.headers().get("x-api-key").cloned();
            let response = http::Response::new(key.map(|key| key.to_str().unwrap().to_owned()).unwrap_or_default());
            Ok::<_, std::io::Error>(response)
        });
        let request = http::Request::get(url).body(String::new()).unwrap();
        let response = tower::ServiceExt::oneshot(tower::Layer::layer(layer, seen), request).await.unwrap();
        assert_eq!(response.into_body(), if expected { "k" } else { "" }, "{url}");
    }
}
