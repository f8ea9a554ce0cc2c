//! The layers together: on a paused clock, over a strict mock.

use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use redress::layers::Reservation;
use redress::login::JsonLogin;
use redress::{
    Budget, Class, Code, Dialect, EndReason, Error, Phase, Recovery, RedressLayer, ResponseExt, StaticHeaders, dialects,
};
use redress_sandbox::strict_mock::{Answer, Handle, StrictMock};
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};

type Mock = StrictMock<Request<String>, Response<Full<Bytes>>>;
const URL: &str = "https://api.example";

fn mock(answers: Vec<Answer<Response<Full<Bytes>>>>) -> (Mock, Handle<Request<String>>) {
    // A call that has to wait for a token gives its place back, on purpose.
    let mock = StrictMock::scripted(answers).allow_abandoned();
    let handle = mock.handle();
    (mock, handle)
}

fn answer(status: u16, body: &'static str) -> Answer<Response<Full<Bytes>>> {
    Answer::ok(Response::builder().status(status).body(Full::from(body)).expect("a legal status"))
}

fn request(method: &str) -> Request<String> {
    Request::builder().method(method).uri(format!("{URL}/v1/things")).body("text".to_owned()).expect("legal parts")
}

fn expiring() -> Dialect {
    dialects::vlens().with_code(Code::new("4011", Class::TokenExpired))
}

const EXPIRED: &str = r#"{"data":null,"error_code":4011,"error_message":"expired"}"#;
const LOGIN: &str = r#"{"data":{"accessToken":"first","refreshToken":"r1","expiresIn":3600},"error_code":null}"#;
const REFRESH: &str = r#"{"data":{"accessToken":"second","refreshToken":"r2","expiresIn":3600},"error_code":null}"#;
const SUCCESS: &str = r#"{"data":1,"error_code":null}"#;

fn tokens(handle: &Handle<Request<String>>) -> Vec<Option<String>> {
    let token = |request: &Request<String>| {
        request.headers().get("authorization").map(|value| value.to_str().expect("ASCII").to_owned())
    };
    handle.take().iter().map(|received| token(&received.request)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_success_of_a_healthy_upstream_pays_for_one_retry() {
    let budget = Budget::with_capacity(100);
    assert_eq!(budget.reserve(50).map(Reservation::spend), Some(50));
    let layer = RedressLayer::new(dialects::generic()).backoff(|backoff| backoff.budget(budget.clone()));
    let (calls, _handle) = mock(vec![answer(200, "")]);
    layer.layer(calls).oneshot(request("GET")).await.unwrap();
    assert_eq!(budget.level(), 50 + Budget::TRANSIENT_COST);
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_at_200_is_refreshed_and_the_post_sent_again() {
    let (calls, handle) = mock(vec![answer(200, EXPIRED), answer(200, SUCCESS)]);
    let (logins, _login_handle) = mock(vec![answer(200, LOGIN), answer(200, REFRESH)]);
    let login = JsonLogin::vlens(logins, URL, "key", "user", "password").unwrap();
    let budget = Budget::new();
    let layer = RedressLayer::new(expiring()).credentials(login, URL.parse().unwrap());
    let layer = layer.backoff(|backoff| backoff.budget(budget.clone()).max_attempts(NonZeroU32::MIN));
    let response = layer.layer(calls).oneshot(request("POST")).await.unwrap().ok_or_api_error().unwrap();
    let record = response.record().expect("it was sent twice");
    assert_eq!((record.attempts().len(), record.end_reason(), budget.level()), (2, EndReason::Success, 500));
    let sent = handle.requests_headers();
    assert_eq!(sent, [("Bearer first".to_owned(), "key".to_owned()), ("Bearer second".to_owned(), "key".to_owned())]);
    assert_eq!((layer.tokens().refreshes(), layer.tokens().logins(), layer.tokens().generation()), (1, 1, 2));
}

/// The two headers that stand together on each request.
trait Headers {
    fn requests_headers(&self) -> Vec<(String, String)>;
}

impl Headers for Handle<Request<String>> {
    fn requests_headers(&self) -> Vec<(String, String)> {
        let header =
            |request: &Request<String>, name: &str| request.headers()[name].to_str().expect("ASCII").to_owned();
        let pair = |request: &Request<String>| (header(request, "authorization"), header(request, "apikey"));
        self.take().iter().map(|received| pair(&received.request)).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_rejection_of_the_same_request_is_handed_up() {
    let (calls, handle) = mock(vec![answer(200, EXPIRED), answer(200, EXPIRED)]);
    let (logins, login_handle) = mock(vec![answer(200, LOGIN), answer(200, REFRESH)]);
    let login = JsonLogin::vlens(logins, URL, "key", "user", "password").unwrap();
    let layer = RedressLayer::new(expiring()).credentials(login, URL.parse().unwrap());
    let response = layer.layer(calls).oneshot(request("POST")).await.unwrap();
    let error = response.ok_or_api_error().unwrap_err();
    assert_eq!((error.class(), handle.calls(), login_handle.calls()), (Class::TokenExpired, 2, 2));
}

#[tokio::test(start_paused = true)]
async fn each_attempt_carries_the_newest_token() {
    let (calls, handle) = mock(vec![answer(500, ""), answer(200, EXPIRED), answer(503, ""), answer(200, SUCCESS)]);
    let (logins, _login_handle) = mock(vec![answer(200, LOGIN), answer(200, REFRESH)]);
    let login = JsonLogin::vlens(logins, URL, "key", "user", "password").unwrap();
    let layer = RedressLayer::new(expiring()).credentials(login, URL.parse().unwrap());
    let response = layer.layer(calls).oneshot(request("GET")).await.unwrap();
    assert_eq!(response.status(), 200);
    let bearer = |text: &str| Some(format!("Bearer {text}"));
    assert_eq!(tokens(&handle), [bearer("first"), bearer("first"), bearer("second"), bearer("second")]);
}

#[tokio::test(start_paused = true)]
async fn a_dead_refresh_token_leads_to_a_login() {
    let dead = r#"{"data":null,"error_code":4012,"error_message":"revoked"}"#;
    let (calls, handle) = mock(vec![answer(401, ""), answer(200, SUCCESS)]);
    let (logins, login_handle) = mock(vec![answer(200, LOGIN), answer(200, dead), answer(200, REFRESH)]);
    let login = JsonLogin::vlens(logins, URL, "key", "user", "password").unwrap();
    let layer = RedressLayer::new(dialects::vlens()).credentials(login, URL.parse().unwrap());
    let response = layer.layer(calls).oneshot(request("GET")).await.unwrap();
    assert_eq!((response.status().as_u16(), handle.calls(), login_handle.calls()), (200, 2, 3));
    let paths: Vec<_> = login_handle.take().iter().map(|received| received.request.uri().path().to_owned()).collect();
    assert_eq!(paths[1..], ["/api/credentials/RefreshToken", "/api/credentials/Login"]);
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_are_not_tried_again() {
    let refused = r#"{"success":false,"error":{"code":"INVALID_CREDENTIALS","message":"no"}}"#;
    let (calls, handle) = mock(vec![]);
    let (logins, login_handle) = mock(vec![answer(401, refused)]);
    let login = JsonLogin::maleslab(logins, URL, "user@example.com", "password").unwrap();
    let layer = RedressLayer::new(dialects::maleslab()).credentials(login, URL.parse().unwrap());
    for _ in 0..3 {
        let error: Error = layer.layer(calls.clone()).oneshot(request("GET")).await.unwrap_err();
        assert!(error.is_credentials(), "{error:?}");
        assert_eq!((error.phase(), error.recovery()), (Phase::NotSent, Recovery::Reauthenticate));
        assert!(!format!("{error:?} {error}").contains("password"));
    }
    assert_eq!((handle.calls(), login_handle.calls()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_login_refused_for_a_reason_unknown_is_tried_again_after_a_pause() {
    for (status, body) in [
        (200, r#"{"data":null,"error_code":5001,"error_message":"try again"}"#),
        (403, r#"{"error_code":"WAF"}"#),
        (404, r#"{"error_code":7}"#),
        (403, "<html>"),
    ] {
        let (calls, _handle) = mock(vec![answer(200, SUCCESS)]);
        let (logins, login_handle) = mock(vec![answer(status, body), answer(200, LOGIN)]);
        let login = JsonLogin::vlens(logins, URL, "key", "user", "password").expect("a legal URL");
        let layer = RedressLayer::new(dialects::vlens()).credentials(login, URL.parse().expect("a legal origin"));
        for _ in 0..3 {
            let error = layer.layer(calls.clone()).oneshot(request("GET")).await.expect_err("no credentials");
            assert!(error.is_credentials() && error.retry_at().is_some(), "{status} {body}");
        }
        assert_eq!(login_handle.calls(), 1, "{status} {body}");
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert_eq!(
            layer.layer(calls).oneshot(request("GET")).await.expect("a response").status(),
            200,
            "{status} {body}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_tenants_codes_reach_the_login() {
    let refused = r#"{"data":null,"error_code":4016,"error_message":"wrong password"}"#;
    let (calls, _handle) = mock(vec![]);
    let (logins, login_handle) = mock(vec![answer(200, refused)]);
    let dialect = dialects::vlens().with_code(Code::new("4016", Class::Unauthenticated));
    let login = JsonLogin::vlens(logins, URL, "key", "user", "password").expect("a legal URL").dialect(dialect.clone());
    let layer = RedressLayer::new(dialect).credentials(login, URL.parse().expect("a legal origin"));
    for _ in 0..3 {
        let error = layer.layer(calls.clone()).oneshot(request("GET")).await.expect_err("no credentials");
        assert_eq!(error.recovery(), Recovery::Reauthenticate);
        tokio::time::sleep(Duration::from_secs(600)).await;
    }
    assert_eq!(login_handle.calls(), 1, "a refused password is not tried again");
}

#[tokio::test(start_paused = true)]
async fn a_gateways_refusal_of_a_refresh_forces_no_login() {
    for (status, body) in [
        (403, r#"{"success":false,"error":{"code":"WAF_BLOCKED"}}"#),
        (403, r#"{"error":{"code":"AccessDenied"}}"#),
        (404, r#"{"error":{"code":"ROUTE_GONE"}}"#),
        (401, "<html>"),
    ] {
        let tokens = r#"{"success":true,"data":{"access_token":"a","refresh_token":"r","expires_in":3600}}"#;
        let (calls, _handle) = mock(vec![answer(401, "")]);
        let (logins, login_handle) = mock(vec![answer(200, tokens), answer(status, body)]);
        let login = JsonLogin::maleslab(logins, URL, "user", "password").expect("a legal URL");
        let layer = RedressLayer::new(dialects::maleslab()).credentials(login, URL.parse().expect("a legal origin"));
        let response = layer.layer(calls).oneshot(request("GET")).await.expect("the response in hand");
        assert_eq!((response.status().as_u16(), login_handle.calls()), (401, 2), "{status} {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_proxys_page_never_ends_a_session() {
    let page = "<html>403 Forbidden</html>";
    let (calls, _handle) = mock(vec![answer(401, "")]);
    let (logins, login_handle) = mock(vec![answer(200, LOGIN), answer(403, page)]);
    let login = JsonLogin::vlens(logins, URL, "key", "user", "password").unwrap();
    let layer = RedressLayer::new(dialects::vlens()).credentials(login, URL.parse().unwrap());
    let response = layer.layer(calls).oneshot(request("GET")).await.unwrap();
    assert_eq!((response.status().as_u16(), login_handle.calls()), (401, 2), "the response in hand, and no login");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_that_may_be_spent_is_not_shown_again() {
    for fault in [502, 504, 500, 503] {
        let (calls, _handle) = mock(vec![answer(401, ""), answer(200, SUCCESS), answer(401, ""), answer(200, SUCCESS)]);
        let (logins, login_handle) = mock(vec![
            answer(200, LOGIN),
            answer(200, REFRESH),
            answer(fault, "<html>gateway</html>"),
            answer(200, LOGIN),
        ]);
        let login = JsonLogin::vlens(logins, URL, "key", "user", "password").expect("a legal URL");
        let layer = RedressLayer::new(dialects::vlens()).credentials(login, URL.parse().expect("a legal origin"));
        for _ in 0..3 {
            // The first call rotates the pair, the second one's refresh fails, the third one comes after the pause.
            let _ = layer.layer(calls.clone()).oneshot(request("GET")).await;
            tokio::time::sleep(Duration::from_secs(120)).await;
        }
        let sent = login_handle.take();
        let shown = sent.iter().filter(|got| got.request.body().contains("r2")).count();
        assert_eq!((shown, sent[3].request.uri().path()), (1, "/api/credentials/Login"), "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_throttled_token_endpoint_is_left_alone_as_long_as_it_asks() {
    let limited =
        Response::builder().status(429).header("retry-after", "60").body(Full::from("")).expect("legal parts");
    let (calls, _handle) = mock(vec![answer(401, ""), answer(401, ""), answer(200, SUCCESS)]);
    let (logins, login_handle) = mock(vec![answer(200, LOGIN), Answer::ok(limited), answer(200, REFRESH)]);
    let login = JsonLogin::vlens(logins, URL, "key", "user", "password").expect("a legal URL");
    let layer = RedressLayer::new(dialects::vlens()).credentials(login, URL.parse().expect("a legal origin"));
    let start = Instant::now();
    let response = layer.layer(calls.clone()).oneshot(request("GET")).await.expect("the response in hand");
    assert_eq!((response.status().as_u16(), start.elapsed()), (401, Duration::ZERO), "nobody waits for it");
    let response = layer.layer(calls.clone()).oneshot(request("GET")).await.expect("what is at hand is sent");
    let why = response.ok_or_api_error().expect_err("a 401").not_refreshed().map(str::to_owned);
    assert!(why.is_some_and(|why| why.contains("429")), "the pause is not over");
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(layer.layer(calls).oneshot(request("GET")).await.expect("a response").status(), 200);
    let instants = login_handle.instants();
    assert!(instants[2] - instants[1] >= Duration::from_secs(60));
    assert!(login_handle.take()[2].request.body().contains("r1"), "a refresh, and no login");
}

#[tokio::test(start_paused = true)]
async fn credentials_go_to_their_origin_only() {
    let keys = StaticHeaders::new().header("x-api-key", "k").unwrap().header("x-api-secret", "s").unwrap();
    let layer = RedressLayer::new(dialects::ranex()).credentials(keys, URL.parse().unwrap());
    for (url, expected) in [
        ("https://api.example/v1", true),
        ("https://api.example:443/v1", true),
        ("https://API.example/v1", true),
        ("http://api.example/v1", false),
        ("https://api.example:8443/v1", false),
        ("https://api.example.evil/v1", false),
        ("https://evil.example/v1?api.example", false),
    ] {
        let (calls, handle) = mock(vec![answer(200, "{}")]);
        layer.layer(calls).oneshot(Request::get(url).body(String::new()).unwrap()).await.unwrap();
        let sent = handle.take().remove(0).request;
        let count = ["x-api-key", "x-api-secret"].iter().filter(|name| sent.headers().contains_key(**name)).count();
        assert_eq!(count, if expected { 2 } else { 0 }, "{url}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_covers_the_login_too() {
    let (calls, handle) = mock(vec![]);
    let (logins, _login_handle) = mock(vec![answer(200, LOGIN).after(Duration::from_secs(8))]);
    let login = JsonLogin::vlens(logins, URL, "key", "user", "password").unwrap();
    let layer =
        RedressLayer::new(dialects::vlens()).credentials(login, URL.parse().unwrap()).deadline(Duration::from_secs(3));
    let start = Instant::now();
    let error = layer.layer(calls).oneshot(request("GET")).await.unwrap_err();
    assert_eq!((error.is_deadline(), start.elapsed(), handle.calls()), (true, Duration::from_secs(3), 0));
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(layer.tokens().generation(), 1, "the login goes on for the others");
}

#[tokio::test(start_paused = true)]
async fn the_stack_keeps_towers_contract_on_one_place() {
    let layer = RedressLayer::new(dialects::ranex());
    for layer in [layer.clone(), layer.never_straight()] {
        let (calls, handle) = mock(vec![answer(500, ""), answer(500, ""), answer(200, "{}"), answer(200, "{}")]);
        let mut service = layer.layer(calls.limit(1));
        let first = service.ready().await.unwrap().call(request("GET"));
        let second = service.clone();
        let other =
            tokio::spawn(
                async move { second.oneshot(request("GET")).await.map(|response| response.status().as_u16()) },
            );
        assert_eq!(first.await.unwrap().status(), 200);
        assert_eq!(other.await.unwrap().unwrap(), 200, "nobody waits while holding the only place");
        handle.assert_idle();
    }
}

#[test]
fn nothing_shows_a_secret() {
    let (logins, _handle) = mock(vec![]);
    let login = JsonLogin::vlens(logins, "https://api.example/canary", "canary", "canary", "canary").unwrap();
    let shown = format!("{login:?}");
    let keys = StaticHeaders::new().header("x-api-key", "canary").unwrap();
    let layer = RedressLayer::new(dialects::vlens()).credentials(keys, URL.parse().unwrap());
    let (calls, _handle) = mock(vec![]);
    let service = layer.layer(calls);
    let mut headers = http::HeaderMap::new();
    headers.insert("x-api-key", http::HeaderValue::from_static("canary"));
    let client = redress::transport::Reqwest::new(reqwest::Client::builder().default_headers(headers));
    let shown = format!("{shown} {:?}", client.expect("a client"));
    let shown = format!("{shown} {layer:?} {service:?} {:#?}", layer.tokens());
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn a_password_is_sent_over_https_or_to_this_machine() {
    for (base, allowed) in [
        ("https://api.example", true),
        ("https://api.example/gateway/", true),
        ("http://127.0.0.1:8080", true),
        ("http://api.example", false),
        ("api.example", false),
        ("ftp://api.example", false),
        ("https://user:secret@api.example", false),
    ] {
        let (logins, _handle) = mock(vec![]);
        assert_eq!(JsonLogin::maleslab(logins, base, "user", "password").is_ok(), allowed, "{base}");
    }
}

#[test]
fn an_api_key_that_no_header_can_carry_is_refused_at_once() {
    for (key, allowed) in [("key", true), ("two\nlines", false), ("", false), (" key", false)] {
        let (logins, _handle) = mock(vec![]);
        let login = JsonLogin::vlens(logins, URL, key, "user", "password");
        assert_eq!(login.is_ok(), allowed, "{key:?}");
        assert!(!login.is_err_and(|error| error.to_string().contains("lines")), "the key is not repeated");
    }
}
