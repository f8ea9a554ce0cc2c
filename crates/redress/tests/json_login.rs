//! The logins by JSON: what follows from each failure of a refresh and of a login.

mod issuer;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

use issuer::{Api, Make, answers, call, cut, fails, s, stack};
use redress::{TokenSet, TransportError, login::JsonLogin};

const BASE: &str = "https://id.example";
const FIRST: &str = r#"{"data":{"accessToken":"t1","refreshToken":"r1","expiresIn":3600},"error_code":null}"#;
const PAIR: &str = r#"{"data":{"accessToken":"t2","refreshToken":"r2","expiresIn":3600},"error_code":null}"#;
const REFRESH: &str = "/api/credentials/RefreshToken";
const LOGIN: &str = "/api/credentials/Login";

/// The request of the next flight after a refresh that failed in this way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// The refresh again, after this number of seconds.
    Again(u64),
    /// A login: the token may be spent.
    Login,
    /// A login, in the same flight.
    LoginAtOnce,
}

fn failures() -> Vec<(&'static str, Arc<Make>, Then)> {
    let after = |seconds| Some(("retry-after", seconds));
    vec![
        ("connection refused", fails(|| TransportError::connect("refused")), Then::Again(1)),
        ("timeout after sending", fails(|| TransportError::timeout("late")), Then::Login),
        ("reset after sending", fails(|| TransportError::other("reset")), Then::Login),
        ("truncated body", Arc::new(|| Ok(cut(200, r#"{"data":{"accessTok"#))), Then::Login),
        ("bad gateway", answers(502, None, "<html>"), Then::Login),
        ("gateway timeout", answers(504, None, ""), Then::Login),
        ("throttled", answers(429, after("90"), ""), Then::Again(90)),
        ("unavailable with a hint", answers(503, after("75"), ""), Then::Again(75)),
        (
            "a dead grant, in a code of its own",
            answers(200, None, r#"{"data":null,"error_code":4012}"#),
            Then::LoginAtOnce,
        ),
        ("a code at unauthorized", answers(401, None, r#"{"data":null,"error_code":4012}"#), Then::LoginAtOnce),
        ("a proxy's unauthorized page", answers(401, None, "<html>"), Then::Again(60)),
        ("a proxy's forbidden page", answers(403, None, "<html>"), Then::Again(60)),
        ("moved", answers(307, Some(("location", "https://evil.test/")), ""), Then::Again(60)),
        ("no token", answers(200, None, r#"{"data":{},"error_code":null}"#), Then::Again(1)),
        (
            "a token that no header can carry",
            answers(200, None, r#"{"data":{"accessToken":"a\n"},"error_code":null}"#),
            Then::Again(1),
        ),
        ("the same token", answers(200, None, FIRST), Then::Again(1)),
    ]
}

fn first() -> TokenSet {
    let set = TokenSet::bearer("t1").and_then(|grant| grant.header("apikey", "key")).expect("legal");
    set.refresh_token("r1")
}

#[tokio::test(start_paused = true)]
async fn each_failure_of_a_refresh_has_its_consequence() {
    for (name, make, then) in failures() {
        let (mock, handle, mended) = issuer::endpoint(make, PAIR);
        let layer = stack(JsonLogin::vlens(mock, BASE, "key", "user", "password").expect("a URL"));
        layer.tokens().install(first());
        let api = Api::default();
        assert_eq!(call(&layer, &api).await.expect("the response in hand"), 401, "{name}");
        let start = Instant::now();
        assert_eq!(call(&layer, &api).await.expect("what is at hand is sent"), 401, "{name}");
        let paths: Vec<_> = handle.take().iter().map(|got| got.request.uri().path().to_owned()).collect();
        assert_eq!(paths.contains(&LOGIN.to_owned()), then == Then::LoginAtOnce, "{name}: {paths:?}");
        if then == Then::LoginAtOnce {
            continue;
        }
        if let Then::Again(seconds) = then {
            let asked = handle.calls();
            while handle.calls() == asked {
                tokio::time::sleep(Duration::from_millis(100)).await;
                let _ = call(&layer, &api).await;
            }
            let again = handle.instants().into_iter().find(|at| *at > start).expect("it was asked again");
            let wait = again - start;
            let longest = s(seconds.max(2)) + Duration::from_millis(200);
            assert!(wait >= s(seconds) && wait <= longest, "{name}: {wait:?}");
        }
        mended.store(true, Ordering::SeqCst);
        tokio::time::sleep(s(3600)).await;
        assert_eq!(call(&layer, &api).await.expect("a response"), 200, "{name}");
        let sent = handle.take().remove(0).request;
        let (path, shows) = (sent.uri().path(), sent.body().contains("r1"));
        let expected = if matches!(then, Then::Again(_)) { (REFRESH, true) } else { (LOGIN, false) };
        assert_eq!((path, shows), expected, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rotated_token_in_an_answer_without_a_usable_one_is_kept() {
    let only = r#"{"data":{"refreshToken":"r9"},"error_code":null}"#;
    let (mock, handle, mended) = issuer::endpoint(answers(200, None, only), PAIR);
    let layer = stack(JsonLogin::vlens(mock, BASE, "key", "user", "password").expect("a URL"));
    layer.tokens().install(first());
    assert_eq!(call(&layer, &Api::default()).await.expect("the response in hand"), 401);
    mended.store(true, Ordering::SeqCst);
    tokio::time::sleep(s(60)).await;
    assert_eq!(call(&layer, &Api::default()).await.expect("a response"), 200);
    let bodies: Vec<_> = handle.take().iter().map(|got| got.request.body().clone()).collect();
    assert!(bodies[0].contains("r1") && bodies[1].contains("r9"), "{bodies:?}");
}
