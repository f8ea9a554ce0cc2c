//! A JSON login for an API that this crate does not know: its requests, and where the tokens and the lifetime are read.

mod issuer;

use http::{HeaderMap, Request};
use issuer::{Api, Mock, call, s, stack, told};
use redress::dialects;
use redress::login::{InvalidLogin, JsonCall, JsonLogin, TokenPlace};
use redress_sandbox::strict_mock::{Handle, StrictMock};

const LOGIN: &str = "https://id.example/session";
const RENEW: &str = "https://id.example/session/renew";
/// The time of the server, 2023-11-14T22:13:20Z.
const DATE: (&str, &str) = ("date", "Tue, 14 Nov 2023 22:13:20 GMT");

/// A token endpoint with one answer for each path.
fn endpoint(session: &'static str, renewed: (u16, &'static str)) -> (Mock, Handle<Request<String>>) {
    let mock = StrictMock::new(move |request: &Request<String>| {
        let (status, text) = if request.uri().path() == "/session" { (200, session) } else { renewed };
        std::future::ready(Ok(told(status, Some(DATE), text)))
    });
    let handle = mock.handle();
    (mock, handle)
}

fn session() -> Result<JsonCall, InvalidLogin> {
    JsonCall::post(LOGIN)?.member("/user/name", "alice")?.secret("/user/password", "word")
}

fn sent(handle: &Handle<Request<String>>) -> Vec<(String, HeaderMap, String)> {
    let calls = handle.take();
    let parts = |request: &Request<String>| {
        (request.uri().path().to_owned(), request.headers().clone(), request.body().clone())
    };
    calls.iter().map(|call| parts(&call.request)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_set_is_renewed_by_the_refresh_token_before_the_date_at_which_it_ends() {
    let first = r#"{"jwt":"a1","renewal":"r1","exp":"2023-11-14T22:23:20Z"}"#;
    let (mock, handle) = endpoint(first, (200, r#"{"jwt":"a2","renewal":"r2","exp":1700001800}"#));
    let renew = JsonCall::post(RENEW).unwrap().member("/grace", true).unwrap();
    let login = JsonLogin::new(mock, dialects::generic(), session().unwrap(), "/jwt").unwrap();
    let login = login.expires_at("/exp").unwrap();
    let layer = stack(login.refresh(renew, TokenPlace::Member("/token".to_owned()), "/renewal").unwrap());
    let api = Api::default();
    assert_eq!(call(&layer, &api).await.unwrap(), 200);
    tokio::time::sleep(s(500)).await;
    assert_eq!(layer.tokens().generation(), 1, "the token lasts for 600 s");
    tokio::time::sleep(s(75)).await;
    assert_eq!(call(&layer, &api).await.unwrap(), 200);
    tokio::time::sleep(s(1)).await;
    assert_eq!(call(&layer, &api).await.unwrap(), 200);
    assert_eq!(*api.0.lock().unwrap(), ["Bearer a1", "Bearer a1", "Bearer a2"]);
    let calls = sent(&handle);
    let bodies: Vec<_> = calls.iter().map(|(path, _, body)| (path.as_str(), body.as_str())).collect();
    let expected = [
        ("/session", r#"{"user":{"name":"alice","password":"word"}}"#),
        ("/session/renew", r#"{"grace":true,"token":"r1"}"#),
    ];
    assert_eq!(bodies, expected);
    assert_eq!(calls[0].1["content-type"], "application/json");
}

#[tokio::test(start_paused = true)]
async fn a_set_is_renewed_by_the_access_token_itself() {
    let (mock, handle) = endpoint(r#"{"t":"a1","ttl":"600"}"#, (200, r#"{"t":"a2","ttl":600}"#));
    let login = JsonLogin::new(mock, dialects::generic(), session().unwrap(), "/t").unwrap();
    let login = login.expires_in("/ttl").unwrap();
    let layer = stack(login.refresh_by_access_token(JsonCall::post(RENEW).unwrap(), TokenPlace::Bearer).unwrap());
    let api = Api::default();
    for pause in [0, 575, 1] {
        tokio::time::sleep(s(pause)).await;
        assert_eq!(call(&layer, &api).await.unwrap(), 200);
    }
    assert_eq!(*api.0.lock().unwrap(), ["Bearer a1", "Bearer a1", "Bearer a2"]);
    let calls = sent(&handle);
    assert_eq!((calls.len(), calls[1].0.as_str(), calls[1].2.as_str()), (2, "/session/renew", ""));
    assert_eq!(calls[1].1["authorization"], "Bearer a1");
    assert!(!calls[1].1.contains_key("content-type"), "there is no body");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_is_refused_leads_to_a_login() {
    let (mock, handle) = endpoint(r#"{"t":"a2","r":"r2"}"#, (401, r#"{"code":"gone"}"#));
    let login = JsonLogin::new(mock, dialects::generic(), session().unwrap(), "/t").unwrap();
    let place = TokenPlace::Member("/r".to_owned());
    let layer = stack(login.refresh(JsonCall::post(RENEW).unwrap(), place, "/r").unwrap());
    layer.tokens().install(redress::TokenSet::bearer("t1").unwrap().refresh_token("r1"));
    assert_eq!(call(&layer, &Api::default()).await.unwrap(), 200);
    let paths: Vec<_> = sent(&handle).into_iter().map(|(path, _, _)| path).collect();
    assert_eq!(paths, ["/session/renew", "/session"]);
}

#[tokio::test(start_paused = true)]
async fn the_token_and_a_key_are_sent_in_the_headers_that_were_named() {
    let (mock, handle) = endpoint(r#"{"t":"a1"}"#, (500, ""));
    let login = JsonLogin::new(mock, dialects::generic(), session().unwrap(), "/t").unwrap();
    let login = login.token_header("x-auth-token", "v1:").unwrap().header("x-api-key", "key").unwrap();
    let layer = stack(login);
    let seen: Mock = StrictMock::new(|_: &Request<String>| std::future::ready(Ok(told(200, None, ""))));
    let seen = seen.allow_abandoned();
    let api = seen.handle();
    let request = Request::get(format!("{}/v1", issuer::URL)).body(String::new()).unwrap();
    tower::ServiceExt::oneshot(tower::Layer::layer(&layer, seen), request).await.unwrap();
    let headers = &sent(&api)[0].1;
    assert_eq!((&headers["x-auth-token"], &headers["x-api-key"]), (&"v1:a1".parse().unwrap(), &"key".parse().unwrap()));
    assert!(!headers.contains_key("authorization"));
    assert_eq!(sent(&handle)[0].1["x-api-key"], "key");
}

#[tokio::test(start_paused = true)]
async fn a_vendor_s_login_is_the_same_with_its_names() {
    let (mock, handle) = endpoint("", (200, r#"{"access":"a1","refresh":"r1"}"#));
    let layer = stack(JsonLogin::simplejwt(mock, "https://id.example/", "alice", "word").unwrap());
    assert_eq!(call(&layer, &Api::default()).await.unwrap(), 200);
    let calls = sent(&handle);
    assert_eq!(
        (calls[0].0.as_str(), calls[0].2.as_str()),
        ("/api/token/", r#"{"password":"word","username":"alice"}"#)
    );
}

#[test]
fn a_wrong_setting_is_an_error_that_says_how_to_mend_it() {
    let login = || JsonLogin::new((), dialects::generic(), session().unwrap(), "/t").unwrap();
    let post = |url: &str| JsonCall::post(url).map(|_| ());
    let member = |pointer: &str| session().unwrap().member(pointer, 1).map(|_| ());
    let renew = || session().unwrap().header("authorization", "Basic YTpi").unwrap();
    let slash = "a JSON pointer must begin with a slash";
    for (result, expected) in [
        (post("https://id.example/#x"), "the URL of the login has a fragment"),
        (post("id.example/session"), "the URL of the login is not a URL"),
        (post("/session"), "the URL of the login must begin with https://"),
        (post("http://id.example"), "the URL of the login is not allowed: plain http is for loopback addresses only"),
        (member("user"), slash),
        (member("/a~x"), "a JSON pointer writes ~ as ~0 and / in a name as ~1"),
        (member("/user"), "the body has two values at /user"),
        (member("/user/name/first"), "the body has two values at /user/name/first"),
        (JsonLogin::new((), dialects::generic(), session().unwrap(), "t").map(|_| ()), slash),
        (login().expires_in("").map(|_| ()), slash),
        (login().expires_at("ttl").map(|_| ()), slash),
        (login().refresh(session().unwrap(), TokenPlace::Bearer, "r").map(|_| ()), slash),
        (
            login().refresh(session().unwrap(), TokenPlace::Member("/user".to_owned()), "/r").map(|_| ()),
            "the body has two values at /user",
        ),
        (
            login().refresh_by_access_token(renew(), TokenPlace::Bearer).map(|_| ()),
            "the header authorization is set twice",
        ),
        (login().header("authorization", "x").map(|_| ()), "the header authorization carries the access token"),
        (login().header("x-key", "k\n").map(|_| ()), "no value for the header x-key: a byte that is not visible ASCII"),
        (
            login().token_header("host", "").map(|_| ()),
            "the header host frames or routes the message: it cannot carry a credential",
        ),
    ] {
        assert_eq!(result.map_err(|error| error.to_string()), Err(expected.to_owned()));
    }
}
