//! The grants of OAuth 2.0: what is sent, what is read, and what follows from each failure of the token endpoint.

mod issuer;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::Request;
use issuer::{Api, Make, answers, call, cut, fails, form, s, stack, told};
use redress::TransportError;
use redress::login::{ClientAuthentication, OAuth2};
use redress_sandbox::strict_mock::Handle;

const TOKEN_URL: &str = "https://id.example/oauth/token";
const PAIR: &str = r#"{"access_token":"t2","token_type":"Bearer","expires_in":3600,"refresh_token":"r2"}"#;

fn endpoint(make: Arc<Make>) -> (issuer::Mock, Handle<Request<String>>, Arc<std::sync::atomic::AtomicBool>) {
    issuer::endpoint(make, PAIR)
}

#[tokio::test(start_paused = true)]
async fn client_credentials_are_sent_as_the_rfc_has_it() {
    for authentication in [ClientAuthentication::Basic, ClientAuthentication::Body] {
        let (mock, handle, _) = endpoint(Arc::new(|| Ok(told(200, None, PAIR))));
        let login = OAuth2::client_credentials(mock, TOKEN_URL, "my client:1", "s3cr&t +\u{e9}").expect("a URL");
        let login = login.scope("a b").parameter("audience", "https://api").authentication(authentication);
        let layer = stack(login);
        assert_eq!(call(&layer, &Api::default()).await.expect("a response"), 200);
        let sent = handle.take().remove(0).request;
        assert_eq!((sent.method().as_str(), sent.uri().to_string().as_str()), ("POST", TOKEN_URL));
        assert_eq!(sent.headers()["content-type"], "application/x-www-form-urlencoded");
        let form = form(&sent);
        let part = |name: &str| form.get(name).map(String::as_str);
        assert_eq!((part("grant_type"), part("scope")), (Some("client_credentials"), Some("a b")));
        assert_eq!((part("audience"), part("refresh_token")), (Some("https://api"), None));
        if authentication == ClientAuthentication::Basic {
            let value = &sent.headers()["authorization"];
            let encoded = value.to_str().expect("ASCII").strip_prefix("Basic ").expect("Basic");
            let pair = String::from_utf8(BASE64_STANDARD.decode(encoded).expect("base64")).expect("UTF-8");
            assert_eq!(pair, "my+client%3A1:s3cr%26t+%2B%C3%A9");
            assert!(value.is_sensitive() && part("client_secret").is_none() && part("client_id").is_none());
        } else {
            assert!(!sent.headers().contains_key("authorization"));
            assert_eq!((part("client_id"), part("client_secret")), (Some("my client:1"), Some("s3cr&t +\u{e9}")));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn client_credentials_log_in_again_and_use_no_refresh_token() {
    let (mock, handle, _) = endpoint(Arc::new(|| Ok(told(200, None, PAIR))));
    let layer = stack(OAuth2::client_credentials(mock, TOKEN_URL, "id", "secret").expect("a URL"));
    for _ in 0..2 {
        assert_eq!(call(&layer, &Api::default()).await.expect("a response"), 200);
        layer.tokens().clear();
    }
    let grants: Vec<_> = handle.take().iter().map(|got| form(&got.request)["grant_type"].clone()).collect();
    assert_eq!((grants.len(), layer.tokens().logins()), (2, 2));
    assert!(grants.iter().all(|grant| grant == "client_credentials"));
}

#[tokio::test(start_paused = true)]
async fn the_first_request_sends_the_refresh_token_and_later_ones_the_rotated_one() {
    let number = Arc::new(Mutex::new(0));
    let make = move || {
        let mut number = number.lock().expect("whole");
        *number += 1;
        let rotated = if *number == 2 { String::new() } else { format!(r#","refresh_token":"r{number}""#) };
        Ok(told(200, None, &format!(r#"{{"access_token":"a{number}","expires_in":"3600"{rotated}}}"#)))
    };
    let (mock, handle, _) = endpoint(Arc::new(make));
    let layer = stack(OAuth2::refresh_token(mock, TOKEN_URL, "public", "r0").expect("a URL"));
    let api = Api::default();
    for _ in 0..3 {
        assert_eq!(call(&layer, &api).await.expect("a response"), 200);
        tokio::time::sleep(s(3600)).await;
    }
    let forms: Vec<_> = handle.take().iter().map(|got| form(&got.request)).collect();
    let shown: Vec<_> = forms.iter().map(|form| form["refresh_token"].as_str()).collect();
    assert_eq!(shown, ["r0", "r1", "r1"], "an answer without one keeps the old one");
    assert!(forms.iter().all(|form| form["grant_type"] == "refresh_token" && form["client_id"] == "public"));
    assert_eq!(*api.0.lock().expect("whole"), ["Bearer a1", "Bearer a2", "Bearer a3"]);
}

/// The expected effect of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// A pause of this length, in seconds, and then the same refresh token again.
    Again(u64),
    /// A pause, and the token is never shown again.
    Spent,
    /// Nothing, ever: the refresh token is invalid, so that there is nothing to log in with.
    Dead,
    /// Nothing, ever: the client is refused.
    Refused,
}

fn failures() -> Vec<(&'static str, Arc<Make>, Then)> {
    let after = |seconds| Some(("retry-after", seconds));
    let (bearer, basic) = (("www-authenticate", "Bearer error=\"invalid_token\""), ("www-authenticate", "Basic"));
    vec![
        ("connection refused", fails(|| TransportError::connect("refused")), Then::Again(1)),
        ("an unprocessed stream", fails(|| TransportError::refused_stream("refused")), Then::Again(1)),
        ("timeout after sending", fails(|| TransportError::timeout("late")), Then::Spent),
        ("reset after sending", fails(|| TransportError::other("reset")), Then::Spent),
        ("no answer that is one of ours", fails(|| "anything"), Then::Spent),
        ("truncated body", Arc::new(|| Ok(cut(200, r#"{"access_token":"t2","refresh_t"#))), Then::Spent),
        ("a page instead of JSON", answers(200, None, "<html>ok</html>"), Then::Spent),
        ("bad gateway", answers(502, None, "<html>"), Then::Spent),
        ("gateway timeout", answers(504, None, ""), Then::Spent),
        ("its own fault", answers(500, None, "{}"), Then::Spent),
        ("unavailable without a hint", answers(503, None, ""), Then::Spent),
        ("throttled", answers(429, after("90"), ""), Then::Again(90)),
        (
            "throttled, in the words of a dead grant",
            answers(429, after("90"), r#"{"error":"invalid_grant"}"#),
            Then::Again(90),
        ),
        ("unavailable with a hint", answers(503, after("75"), "<html>"), Then::Again(75)),
        (
            "busy, in OAuth's words",
            answers(400, after("30"), r#"{"error":"temporarily_unavailable"}"#),
            Then::Again(30),
        ),
        ("polled too fast", answers(400, None, r#"{"error":"slow_down"}"#), Then::Again(1)),
        ("dead grant", answers(400, None, r#"{"error":"invalid_grant"}"#), Then::Dead),
        ("dead grant as unauthorized", answers(401, None, r#"{"error":"invalid_grant"}"#), Then::Dead),
        ("dead grant in a challenge", answers(401, Some(bearer), ""), Then::Dead),
        ("the user is asked for", answers(400, None, r#"{"error":"interaction_required"}"#), Then::Dead),
        ("client refused", answers(401, Some(basic), r#"{"error":"invalid_client"}"#), Then::Refused),
        ("client not allowed", answers(400, None, r#"{"error":"unauthorized_client"}"#), Then::Refused),
        ("grant type refused", answers(400, None, r#"{"error":"unsupported_grant_type"}"#), Then::Refused),
        ("scope refused", answers(400, None, r#"{"error":"invalid_scope"}"#), Then::Refused),
        ("request refused", answers(400, None, r#"{"error":"invalid_request"}"#), Then::Refused),
        ("a proxy's unauthorized page", answers(401, None, "<html>log in</html>"), Then::Again(60)),
        ("a proxy's forbidden page", answers(403, None, "<html>no</html>"), Then::Again(60)),
        ("a proxy's own challenge", answers(401, Some(basic), ""), Then::Again(60)),
        ("a code that OAuth does not know", answers(403, None, r#"{"error":"WAF_BLOCKED"}"#), Then::Again(60)),
        ("an unknown code as unauthorized", answers(401, None, r#"{"error":"who_are_you"}"#), Then::Again(60)),
        ("no such route", answers(404, None, "<html>"), Then::Again(60)),
        ("moved", answers(302, Some(("location", "https://evil.test/")), ""), Then::Again(60)),
        ("moved with the body", answers(307, Some(("location", "https://evil.test/")), ""), Then::Again(60)),
        ("dead grant at a success status", answers(200, None, r#"{"error":"invalid_grant"}"#), Then::Dead),
        ("client refused at a success status", answers(200, None, r#"{"error":"invalid_client"}"#), Then::Refused),
        (
            "an unknown code at a success status",
            answers(200, None, r#"{"error":"bad_refresh_token"}"#),
            Then::Again(60),
        ),
        ("no token", answers(200, None, "{}"), Then::Again(1)),
        ("an empty token", answers(200, None, r#"{"access_token":""}"#), Then::Again(1)),
        ("a number for a token", answers(200, None, r#"{"access_token":7}"#), Then::Again(1)),
        ("a token that no header can carry", answers(200, None, r#"{"access_token":"a\nb"}"#), Then::Again(1)),
        ("a token of another type", answers(200, None, r#"{"access_token":"t","token_type":"mac"}"#), Then::Again(1)),
        ("no object", answers(200, None, "[1]"), Then::Again(1)),
    ]
}

#[tokio::test(start_paused = true)]
async fn each_failure_of_the_token_endpoint_has_its_consequence() {
    for (name, make, then) in failures() {
        let (mock, handle, mended) = endpoint(make);
        let layer = stack(OAuth2::refresh_token(mock, TOKEN_URL, "public", "r1").expect("a URL"));
        let api = Api::default();
        let error = call(&layer, &api).await.expect_err(name);
        let failure = issuer::failure(&error);
        let wait = issuer::wait(&error, handle.instants()[0]);
        let is_kind = match then {
            Then::Again(seconds) => {
                let wait = wait.unwrap_or_else(|| panic!("{name}: {failure}"));
                let most = if seconds == 1 { s(2) } else { s(seconds) };
                assert!(wait >= s(seconds) && wait <= most, "{name}: {wait:?}");
                failure.is_transient() && !failure.is_ambiguous()
            }
            Then::Spent => failure.is_ambiguous() && wait.is_some(),
            // The login that follows a dead grant has nothing to show.
            Then::Dead | Then::Refused => {
                let asks_the_user = failure.to_string().contains("the user has to consent again");
                failure.is_permanent() && wait.is_none() && asks_the_user == (then == Then::Dead)
            }
        };
        assert!(is_kind, "{name}: {failure:?}");
        mended.store(true, Ordering::SeqCst);
        handle.take();
        tokio::time::sleep(s(3600)).await;
        let shown = call(&layer, &api).await.is_ok();
        assert_eq!(shown, matches!(then, Then::Again(_)), "{name}");
        assert_eq!(handle.calls(), usize::from(shown), "{name}: what is shown, and nothing else");
        if shown {
            assert_eq!(form(&handle.take()[0].request)["refresh_token"], "r1", "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_rotated_token_in_an_answer_without_a_usable_one_is_kept() {
    for text in [r#"{"refresh_token":"r9"}"#, r#"{"access_token":"a b","refresh_token":"r9"}"#] {
        let (mock, handle, mended) = endpoint(answers(200, None, text));
        let layer = stack(OAuth2::refresh_token(mock, TOKEN_URL, "public", "r1").expect("a URL"));
        assert!(call(&layer, &Api::default()).await.is_err());
        mended.store(true, Ordering::SeqCst);
        tokio::time::sleep(s(60)).await;
        assert_eq!(call(&layer, &Api::default()).await.expect("a response"), 200);
        let shown: Vec<_> = handle.take().iter().map(|got| form(&got.request)["refresh_token"].clone()).collect();
        assert_eq!(shown, ["r1", "r9"]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_token_again_is_not_installed() {
    let same = r#"{"access_token":"t1","refresh_token":"r1","expires_in":3600}"#;
    let (mock, handle, _) = endpoint(answers(200, None, same));
    let layer = stack(OAuth2::refresh_token(mock, TOKEN_URL, "public", "r1").expect("a URL"));
    let api = Api::default();
    assert_eq!(call(&layer, &api).await.expect("the response in hand"), 401);
    assert_eq!((handle.calls(), layer.tokens().generation()), (2, 1));
    assert_eq!(call(&layer, &api).await.expect("what is at hand is sent"), 401);
    assert_eq!((handle.calls(), api.0.lock().expect("whole").len()), (2, 2), "it cools down");
}

#[tokio::test(start_paused = true)]
async fn a_refused_connection_is_tried_again_inside_and_an_ambiguous_end_is_not() {
    for (make, calls) in [
        (fails(|| TransportError::connect("refused")), 3),
        (fails(|| TransportError::timeout("late")), 1),
        (answers(502, None, ""), 1),
        (answers(400, None, r#"{"error":"invalid_grant"}"#), 1),
    ] {
        let (mock, handle, _) = endpoint(make);
        let layer = stack(OAuth2::refresh_token(mock, TOKEN_URL, "public", "r1").expect("a URL"));
        assert!(call(&layer, &Api::default()).await.is_err());
        assert_eq!(handle.calls(), calls);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lifetime_counts_and_a_jwt_tells_its_own() {
    let payload = base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(r#"{"iat":1000,"exp":1600}"#);
    for (text, lasts) in [
        (r#"{"access_token":"t2","expires_in":600}"#.to_owned(), true),
        (format!(r#"{{"access_token":"e30.{payload}.x"}}"#), true),
        (r#"{"access_token":"t2"}"#.to_owned(), false),
        (r#"{"access_token":"t2","expires_in":9223372036854775807}"#.to_owned(), false),
        (r#"{"access_token":"t2","expires_in":-1}"#.to_owned(), false),
    ] {
        let answer = text.clone();
        let (mock, handle, _) = endpoint(Arc::new(move || Ok(told(200, None, &answer))));
        let layer = stack(OAuth2::client_credentials(mock, TOKEN_URL, "id", "secret").expect("a URL"));
        // Until ten minutes and more: a renewal begins 60 to 90 s before their end.
        for _ in 0..60 {
            let _ = call(&layer, &Api::default()).await;
            tokio::time::sleep(s(11)).await;
        }
        assert_eq!(handle.calls() > 1, lasts, "{text}");
    }
}

#[test]
fn a_token_url_is_https_or_of_this_machine() {
    let (mock, _handle, _) = endpoint(answers(200, None, ""));
    for (url, allowed) in [
        (TOKEN_URL, true),
        ("https://id.example/token?tenant=7", true),
        ("http://127.0.0.1:8080/token", true),
        ("http://id.example/token", false),
        ("https://id:secret@id.example/token", false),
        ("https://id.example/token#part", false),
        ("id.example/token", false),
        ("", false),
    ] {
        assert_eq!(OAuth2::client_credentials(mock.clone(), url, "id", "secret").is_ok(), allowed, "{url}");
    }
    let login = OAuth2::refresh_token(mock, TOKEN_URL, "canary", "canary").expect("a URL").client_secret("canary");
    assert!(!format!("{login:?}").contains("canary"));
}

#[tokio::test(start_paused = true)]
async fn a_byte_order_mark_before_the_answer_does_not_lose_a_rotated_token() {
    let (mock, handle, _) = endpoint(answers(200, None, "\u{feff}{\"access_token\":\"t2\",\"refresh_token\":\"r1\"}"));
    let layer = stack(OAuth2::refresh_token(mock, TOKEN_URL, "public", "r0").expect("a URL"));
    assert_eq!(call(&layer, &Api::default()).await.expect("a response"), 200);
    assert_eq!((handle.calls(), layer.tokens().generation()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_read_up_to_64_kib() {
    for (length, is_read) in [(60_000, true), (66_000, false)] {
        let text = format!(r#"{{"access_token":"{}"}}"#, "a".repeat(length));
        let (mock, _handle, _) = endpoint(answers(200, None, text.leak()));
        let layer = stack(OAuth2::client_credentials(mock, TOKEN_URL, "id", "secret").expect("a URL"));
        assert_eq!(call(&layer, &Api::default()).await.is_ok(), is_read, "{length}");
    }
}
