use std::convert::Infallible;

use http::header::{AUTHORIZATION, HeaderName};
use http::{Method, Uri};
use http_body_util::Empty;
use redress_classify::{ClassifyLayer, Clock, Code, Dialect, EndReason, Record, Verdict, dialects};
use tower_layer::Layer;

use super::*;
use crate::credentials::Credentials;
use crate::failure::Failure;
use crate::layer::RefreshLayer;
use crate::token_set::TokenSet;

type Services = Refresh<Classify<()>>;
type Answer = Response<Empty<&'static [u8]>>;

struct Issuer;

impl Credentials for Issuer {
    async fn login(&self) -> Result<TokenSet, Failure> {
        Ok(TokenSet::bearer("t2")?)
    }

    fn initial(&self) -> Option<TokenSet> {
        TokenSet::bearer("t1").ok()
    }
}

fn layer() -> RefreshLayer {
    RefreshLayer::new(Issuer, "https://api.example".parse().expect("an origin")).resend_above()
}

fn services(layer: &RefreshLayer) -> Services {
    layer.layer(ClassifyLayer::new(dialects::generic()).layer(()))
}

fn get(uri: &str) -> Request<String> {
    Request::get(uri).body(String::new()).expect("legal")
}

fn answer(status: u16) -> Answer {
    Response::builder().status(status).body(Empty::new()).expect("legal")
}

/// Sends a request; `None` if it must go through the futures.
fn send(services: &Services, request: &mut Request<String>) -> Option<Kept<()>> {
    let mut time = CallTime::default();
    let admitted = Straight::<String>::admit(services, request, &mut time)?;
    Some(services.send(admitted, request, &mut time))
}

fn is_plain(services: &Services, kept: &Kept<()>, response: &Answer) -> bool {
    Straight::<String>::is_plain(services, kept, response)
}

fn verdict(dialect: &Dialect, status: u16, header: Option<(&'static str, &'static str)>, body: &str) -> Verdict {
    let mut head = Response::builder().status(status);
    if let Some((name, value)) = header {
        head = head.header(HeaderName::from_static(name), value);
    }
    let (head, ()) = head.body(()).expect("legal").into_parts();
    let (uri, clock) = (Uri::from_static("/x"), Clock::system());
    Verdict::from_response(dialect, &Method::GET, &uri, &head, &clock, &[body.as_bytes()]).expect("an error")
}

#[tokio::test(start_paused = true)]
async fn a_request_goes_straight_if_there_are_credentials_for_it_or_it_needs_none() {
    let api = "https://api.example/x";
    let keeping_copies = RefreshLayer::new(Issuer, "https://api.example".parse().expect("an origin"));
    let without_a_set = layer();
    without_a_set.tokens().clear();
    for (name, layer, uri, expected) in [
        ("a fresh set", layer(), api, Some(Some("Bearer t1"))),
        ("another origin", layer(), "https://other.example/x", Some(None)),
        ("no credentials", RefreshLayer::none(), api, Some(None)),
        ("a layer that sends copies", keeping_copies, api, None),
        ("no set", without_a_set, api, None),
    ] {
        let mut request = get(uri);
        let kept = send(&services(&layer), &mut request);
        let token = request.headers().get(AUTHORIZATION).map(|value| value.to_str().expect("ASCII"));
        assert_eq!(kept.map(|_| token), expected, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_is_plain_if_it_neither_rejects_credentials_nor_may_quote_them() {
    let services = services(&layer());
    let generic = dialects::generic();
    let with_verdict = |status| {
        let mut response = answer(status);
        response.extensions_mut().insert(verdict(&generic, status, None, ""));
        response
    };
    let mut with_record = answer(200);
    with_record.extensions_mut().insert(Record::new(Vec::new(), EndReason::Success));
    for (name, uri, response, expected) in [
        ("a success", "https://api.example/x", answer(200), true),
        ("an error without a verdict", "https://api.example/x", answer(500), true),
        ("a rejection", "https://api.example/x", answer(401), false),
        ("a rejection with a verdict", "https://api.example/x", with_verdict(401), false),
        ("a verdict", "https://api.example/x", with_verdict(400), false),
        ("a record", "https://api.example/x", with_record, false),
        ("a 401 of another origin", "https://other.example/x", answer(401), true),
        ("a verdict of another origin", "https://other.example/x", with_verdict(400), true),
    ] {
        let kept = send(&services, &mut get(uri)).expect("admitted");
        assert_eq!(is_plain(&services, &kept, &response), expected, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_is_recorded_as_an_acceptance_of_the_credentials() {
    for (uri, status, expected) in [
        ("https://api.example/x", 200, true),
        ("https://api.example/x", 404, false),
        ("https://other.example/x", 200, false),
    ] {
        let services = services(&layer());
        let mut request = get(uri);
        let kept = send(&services, &mut request).expect("admitted");
        Straight::<String>::settle(&services, &kept, &SentRequest::new(&request), &mut answer(status));
        let is_accepted = services.handle.as_ref().is_some_and(|handle| handle.shared.latest().is_accepted());
        assert_eq!(is_accepted, expected, "{uri} {status}");
    }
}

/// Sends a request straight and adopts its response. Returns whether that is marked for a resend, and the generation.
async fn adopted(mut request: Request<String>, status: u16) -> (bool, u64) {
    let layer = layer();
    let services = services(&layer);
    let kept = send(&services, &mut request).expect("admitted");
    let sent = SentRequest::new(&request);
    let never = tower::service_fn(|_: Request<String>| std::future::pending::<Result<Answer, Infallible>>());
    let over = Straight::<String>::over(&services, never);
    // As the reader of the straight way returns it.
    let classified = ClassifyLayer::new(dialects::generic())
        .layer(tower::service_fn(move |_: Request<String>| std::future::ready(Ok::<_, Infallible>(answer(status)))));
    let response = tower::ServiceExt::oneshot(classified, get("https://api.example/x")).await;
    let response = over.adopt(kept, sent, response).await.expect("a response");
    assert_eq!(response.status(), status);
    (response.extensions().get::<Refreshed>().is_some(), layer.tokens().generation())
}

#[tokio::test(start_paused = true)]
async fn a_rejected_response_is_adopted_with_the_credentials_that_its_request_carried() {
    let resent = || {
        let mut request = get("https://api.example/x");
        request.extensions_mut().insert(Refreshed);
        request
    };
    for (name, request, status, expected) in [
        ("a rejection", get("https://api.example/x"), 401, (true, 2)),
        ("a rejection of the resend", resent(), 401, (false, 1)),
        ("another error", get("https://api.example/x"), 400, (false, 1)),
        ("a 401 of another origin", get("https://other.example/x"), 401, (false, 1)),
    ] {
        assert_eq!(adopted(request, status).await, expected, "{name}");
    }
}

#[test]
fn credentials_are_rejected_by_a_verdict_that_a_refresh_may_help_or_by_a_401_that_nothing_else_explains() {
    let openai = dialects::by_name("openai").expect("a dialect").with_code(Code::new("expired", Class::TokenExpired));
    let maleslab = dialects::maleslab();
    let (expired, flag) = (r#"{"error":{"code":"expired"}}"#, Some(("x-should-retry", "true")));
    let revoked = r#"{"success":false,"error":{"code":"TOKEN_INVALID"}}"#;
    for (name, dialect, status, header, body, expected) in [
        ("an expired token", &openai, 400, None, expired, true),
        ("an expired token and a flag to retry", &openai, 400, flag, expired, true),
        ("a flag to retry", &openai, 400, flag, "", false),
        ("a bare 401", &maleslab, 401, None, "", true),
        ("a bare 403", &maleslab, 403, None, "", false),
        ("a revoked token", &maleslab, 401, None, revoked, false),
    ] {
        let mut response = answer(status);
        response.extensions_mut().insert(verdict(dialect, status, header, body));
        assert_eq!(is_rejected(&response), expected, "{name}");
    }
    assert!(is_rejected(&answer(401)) && !is_rejected(&answer(403)), "without a verdict the status decides");
}

#[tokio::test(start_paused = true)]
async fn an_acceptance_is_news_for_a_new_set_and_for_each_route_once_a_route_has_rejected_good_credentials() {
    let services = services(&layer());
    let handle = services.handle.as_ref().expect("it has credentials");
    let sent = || {
        let sent = send(&services, &mut get("https://api.example/x")).and_then(|kept| kept.sent);
        let credentials = sent.expect("with credentials").credentials;
        (credentials.is_news, credentials.route.is_some())
    };
    assert_eq!(sent(), (true, false), "no server has accepted the set yet");
    handle.shared.latest().mark_accepted();
    assert_eq!(sent(), (false, false), "nothing is left to learn");
    handle.shared.update(|inner| inner.state.record_second_rejection(1, Route::numbered(1), Instant::now()));
    assert_eq!(sent(), (true, true), "the routes are told apart");
}
