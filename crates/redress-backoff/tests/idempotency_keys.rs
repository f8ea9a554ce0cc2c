//! Idempotency keys: one per call.
#![allow(clippy::type_complexity, clippy::unwrap_used, reason = "what helps a test is a test")]

mod common;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use common::*;
use http::{HeaderName, HeaderValue, Method, Request, Response};
use redress_backoff::{BackoffLayer, IdempotencyKey, Idempotent, Jitter, RequestExt};
use redress_classify::{EndReason, IdempotencyHeader, KeyFormat, Refreshed, TransportError, dialects};
use tower::{Layer, ServiceExt};

const KEYED: &str = "[idempotency]\nheader = \"Idempotency-Key\"\n";

fn keyed() -> BackoffLayer {
    BackoffLayer::new(dialect(KEYED)).jitter(Jitter::None)
}

/// Sends a call and returns the value of a header in each of its requests.
async fn sent(
    layer: &BackoffLayer,
    request: Request<String>,
    answers: Vec<Answer<Response<String>>>,
    header: &str,
) -> Vec<Option<String>> {
    let (mock, handle) = mock(answers);
    let _ = layer.layer(mock).oneshot(request).await;
    let value = |request: &Request<String>| request.headers().get(header).cloned();
    let text = |value: HeaderValue| value.to_str().expect("visible ASCII").to_owned();
    handle.take().iter().map(|got| value(&got.request).map(text)).collect()
}

fn rejected() -> Answer<Response<String>> {
    let mut response = Response::builder().status(401).body(String::new()).expect("a status");
    response.extensions_mut().insert(Refreshed);
    Answer::ok(response)
}

#[tokio::test(start_paused = true)]
async fn one_key_is_generated_per_call_and_kept_by_retries_and_resends() {
    let layer = keyed().max_attempts(count(4));
    let mut seen = HashSet::new();
    for _ in 0..3 {
        let answers = vec![answer(500), rejected(), Answer::error(TransportError::body("reset")), answer(200)];
        let keys = sent(&layer, request("POST"), answers, "idempotency-key").await;
        let key = keys[0].clone().expect("the first request has one");
        assert_eq!(keys, [Some(key.clone()), Some(key.clone()), Some(key.clone()), Some(key.clone())]);
        let bare = key.strip_prefix('"').and_then(|key| key.strip_suffix('"')).expect("a quoted string");
        assert_eq!((bare.len(), bare.split('-').count()), (36, 5));
        assert!(seen.insert(key), "another call, another key");
    }
}

#[tokio::test(start_paused = true)]
async fn requests_get_a_key_if_their_api_takes_one() {
    let raw = IdempotencyHeader::new(HeaderName::from_static("x-once")).format(KeyFormat::Raw).methods([Method::PUT]);
    let shipped = |name: &str| BackoffLayer::new(dialects::by_name(name).expect("it is shipped"));
    for (name, layer, method, header, has_one) in [
        ("declared", keyed(), "POST", "idempotency-key", true),
        ("declared", keyed(), "PATCH", "idempotency-key", true),
        ("declared", keyed(), "GET", "idempotency-key", false),
        ("declared", keyed(), "DELETE", "idempotency-key", false),
        ("switched off", keyed().without_idempotency_key(), "POST", "idempotency-key", false),
        ("silent", layer(), "POST", "idempotency-key", false),
        ("set", layer().idempotency_key(raw.clone()), "PUT", "x-once", true),
        ("set", layer().idempotency_key(raw.clone()), "POST", "x-once", false),
        ("set in place of the declared", keyed().idempotency_key(raw), "POST", "idempotency-key", false),
        ("stripe", shipped("stripe"), "POST", "idempotency-key", true),
        ("stripe", shipped("stripe"), "DELETE", "idempotency-key", false),
        ("adyen", shipped("adyen"), "POST", "idempotency-key", true),
        ("paypal, which takes one on some routes", shipped("paypal"), "POST", "paypal-request-id", false),
        ("vlens", BackoffLayer::new(dialects::vlens()), "POST", "idempotency-key", false),
    ] {
        let keys = sent(&layer, request(method), vec![answer(200)], header).await;
        assert_eq!(keys[0].is_some(), has_one, "{name}: {method}");
        assert!(keys[0].as_ref().is_none_or(|key| key.starts_with('"') == name.starts_with("declared")), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_key_of_the_caller_has_precedence() {
    let chosen = || IdempotencyKey::new("order-7").expect("visible ASCII");
    let with_key = |method: &str| {
        let mut request = request(method);
        request.extensions_mut().insert(chosen());
        request
    };
    let paypal = BackoffLayer::new(dialects::by_name("paypal").expect("it is shipped"));
    for (name, layer, request, header, expected) in [
        ("chosen, quoted", keyed(), with_key("POST"), "idempotency-key", "\"order-7\""),
        ("chosen for a method that takes none", keyed(), with_key("PUT"), "idempotency-key", "\"order-7\""),
        ("chosen where none is declared", layer(), with_key("POST"), "idempotency-key", "\"order-7\""),
        ("chosen, minting off", keyed().without_idempotency_key(), with_key("POST"), "idempotency-key", "\"order-7\""),
        ("chosen, raw", paypal, with_key("POST"), "paypal-request-id", "order-7"),
    ] {
        let keys = sent(&layer, request, vec![answer(500), answer(200)], header).await;
        assert_eq!(keys, [Some(expected.to_owned()), Some(expected.to_owned())], "{name}: it may be sent again");
    }
    let mut own = with_key("POST");
    own.headers_mut().insert("idempotency-key", HeaderValue::from_static("mine"));
    let keys = sent(&keyed(), own, vec![answer(500), answer(200)], "idempotency-key").await;
    assert_eq!(keys, [Some("mine".to_owned()), Some("mine".to_owned())], "a header that is there stays");
}

#[tokio::test(start_paused = true)]
async fn what_carries_a_key_may_be_sent_again_and_what_does_not_may_not() {
    let failures = || [answer(500), answer(503), Answer::error(TransportError::body("reset"))];
    for (layer, sends) in [(keyed(), 2), (keyed().without_idempotency_key(), 1), (layer(), 1)] {
        for failure in failures() {
            let (_, times) =
                run(&layer, request("POST"), [failure, answer(200)].into_iter().take(sends).collect()).await;
            assert_eq!(times.len(), sends);
        }
    }
    let mut said = request("POST");
    said.extensions_mut().insert(Idempotent(false));
    let (outcome, times) = run(&keyed(), said, vec![answer(500)]).await;
    assert_eq!((times.len(), stop(&outcome)), (1, Some(EndReason::NotIdempotent)), "the caller's word comes first");
    let mut stray = request("POST");
    stray.headers_mut().insert("idempotency-key", HeaderValue::from_static("k"));
    let paypal = BackoffLayer::new(dialects::by_name("paypal").expect("it is shipped"));
    let (_, times) = run(&paypal, stray, vec![answer(500)]).await;
    assert_eq!(times.len(), 1, "a header that the vendor does not read is not a key");
}

#[tokio::test(start_paused = true)]
async fn with_a_key_a_409_is_retried_and_a_422_is_final() {
    let flags = "[retry]\nflags = [{ header = \"x-should-retry\" }]\n";
    let own = "[status.409]\nrecovery = \"stop\"\n[codes.E_TAKEN]\nclass = \"conflict\"\n[read]\ncode = \"code\"\n";
    let of = |toml: &str| BackoffLayer::new(dialect(&format!("{KEYED}{toml}"))).jitter(Jitter::None);
    let coded = of("[codes.E_TAKEN]\nclass = \"conflict\"\n[read]\ncode = \"code\"\n");
    let no = &[("x-should-retry", "false")][..];
    for (name, layer, method, failure, sends) in [
        ("409 with a key", keyed(), "POST", answer(409), 2),
        ("409 without one", keyed(), "PUT", answer(409), 1),
        ("409 without one", layer(), "POST", answer(409), 1),
        ("409 and a flag that says no", of(flags), "POST", with(409, no), 1),
        ("409 of which the vendor says more", of(own), "POST", answer(409), 1),
        ("409 of which the vendor makes a refusal", of("[status.409]\nclass = \"rejected\"\n"), "POST", answer(409), 1),
        ("409 that the vendor explains", of("[status.409]\nclass = \"conflict\"\n"), "POST", answer(409), 2),
        ("422 with a key", keyed(), "POST", answer(422), 1),
        ("422 without one", layer(), "POST", answer(422), 1),
    ] {
        let (outcome, times) =
            run(&layer, request(method), [failure, answer(200)].into_iter().take(sends).collect()).await;
        assert_eq!(times.len(), sends, "{name}");
        assert_eq!(outcome.expect("a response").status().as_u16() == 200, sends == 2, "{name}");
    }
    // A code has precedence over the status here, too.
    let (mock, handle) = mock([saying(409, "{\"code\":\"E_TAKEN\"}")]);
    let stack = coded.layer(redress_classify::ClassifyLayer::new(dialect(&format!("{KEYED}{own}"))).layer(mock));
    assert_eq!((stack.oneshot(request("POST")).await.expect("in hand").status().as_u16(), handle.calls()), (409, 1));
    let keys = sent(&keyed(), request("POST"), vec![answer(409), answer(409), answer(201)], "idempotency-key").await;
    assert_eq!(keys.iter().collect::<HashSet<_>>().len(), 1, "the same key each time");
}

/// A server that processes each key once, and loses the first response to each.
fn bank() -> (impl Fn(&Request<String>) -> Result<Response<String>, TransportError> + Clone, Arc<Mutex<u32>>) {
    let (effects, done) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(HashMap::<HeaderValue, u32>::new())));
    let counted = Arc::clone(&effects);
    let serve = move |request: &Request<String>| {
        let mut seen = 1;
        if let Some(key) = request.headers().get("idempotency-key") {
            seen = *done.lock().unwrap().entry(key.clone()).and_modify(|seen| *seen += 1).or_insert(1);
        }
        if seen == 1 {
            *counted.lock().unwrap() += 1;
            return Err(TransportError::body("the connection broke after the effect"));
        }
        Ok(Response::new("the first answer, kept".to_owned()))
    };
    (serve, effects)
}

#[tokio::test(start_paused = true)]
async fn an_effect_is_never_doubled() {
    for (name, layer, method, effects, succeeds) in [
        ("without a key it is not sent again", layer(), "POST", 1, false),
        ("with one the server does it once", keyed(), "POST", 1, true),
        ("with one the server does it once", keyed(), "PATCH", 1, true),
    ] {
        let (serve, counted) = bank();
        let mock = StrictMock::new(move |request: &Request<String>| {
            let answer = serve(request).map_err(redress_sandbox::strict_mock::BoxError::from);
            async move { answer }
        });
        let outcome = layer.layer(mock).oneshot(request(method)).await;
        assert_eq!((*counted.lock().unwrap(), outcome.is_ok()), (effects, succeeds), "{name}: {method}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_generated_key_is_not_printed() {
    let (mock, handle) = mock([answer(500), answer(200)]);
    keyed().layer(mock).oneshot(request("POST")).await.expect("a response").status();
    for got in handle.take() {
        let key = got.request.headers()["idempotency-key"].to_str().expect("ASCII").trim_matches('"').to_owned();
        assert!(!format!("{:?}", got.request).contains(&key));
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_key_header_does_not_count_as_a_key() {
    for blank in ["", " ", "\"\"", "\" \""] {
        let with_blank = || {
            let mut request = request("POST");
            request.headers_mut().insert("idempotency-key", HeaderValue::from_static(blank));
            request
        };
        let unkeyed = sent(&layer(), with_blank(), vec![answer(500), answer(200)], "idempotency-key").await;
        assert_eq!(unkeyed.len(), 1, "the server cannot tell the second one from another call: {blank:?}");
        let keys = sent(&keyed(), with_blank(), vec![answer(500), answer(200)], "idempotency-key").await;
        assert!(keys.len() == 2 && keys[0] == keys[1] && keys[0].as_deref() != Some(blank), "{blank:?}: {keys:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_is_sent_from_a_header_an_extension_or_the_setter() {
    let build = || Request::post("https://api.example/v1/things");
    let key = || IdempotencyKey::new("order-7");
    for (name, request) in [
        ("builder", build().idempotency_key("order-7").unwrap().body(String::new()).unwrap()),
        ("request", build().body(String::new()).unwrap().idempotency_key("order-7".to_owned()).unwrap()),
        ("extension", build().extension(key().unwrap()).body(String::new()).unwrap()),
        ("an option", build().extension(key().ok()).body(String::new()).unwrap()),
    ] {
        let keys = sent(&layer(), request, vec![answer(500), answer(200)], "idempotency-key").await;
        assert_eq!(keys, [Some("\"order-7\"".to_owned()), Some("\"order-7\"".to_owned())], "{name}");
    }
    let none = build().extension(IdempotencyKey::new("two words").ok()).body(String::new()).unwrap();
    assert_eq!(
        sent(&layer(), none, vec![answer(500)], "idempotency-key").await,
        [None],
        "without a key it is sent once"
    );
    assert!(build().idempotency_key("two words").is_err() && Request::new(()).idempotency_key("").is_err());
}
