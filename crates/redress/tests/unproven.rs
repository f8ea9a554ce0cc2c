//! Answers that leave open whether a request was processed: neither a refresh token nor a request that is not idempotent
//! is sent a second time after them.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

mod issuer;

use std::sync::atomic::Ordering;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::Full;
use issuer::{Api, answers, call, endpoint, form, s, stack};
use redress::login::{JsonLogin, OAuth2};
use redress::{Class, Code, RedressLayer, TokenSet, dialects};
use redress_sandbox::strict_mock::StrictMock;
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

const PAIR: &str = r#"{"access_token":"t2","token_type":"Bearer","expires_in":3600,"refresh_token":"r2"}"#;
const LOGIN: &str = r#"{"data":{"accessToken":"t2","refreshToken":"r2","expiresIn":3600},"error_code":null}"#;

/// Hints that are not `Retry-After`, and values of it that cannot be read.
const NO_PROOF: [(&str, &str); 11] = [
    ("ratelimit", r#""d";r=9;t=1"#),
    ("ratelimit", r#""d";r=0;t=1"#),
    ("ratelimit-reset", "1"),
    ("x-ratelimit-reset", "1"),
    ("x-ratelimit-reset-requests", "1s"),
    ("x-should-retry", "true"),
    ("grpc-retry-pushback-ms", "100"),
    ("retry-after", "soon"),
    ("retry-after", "-1"),
    ("retry-after", "99999999999999999999"),
    ("retry-after", "253402300799"),
];

#[tokio::test(start_paused = true)]
async fn a_refresh_token_is_shown_once_unless_the_answer_proves_that_nothing_was_done() {
    for status in [500, 502, 503, 504, 520, 529] {
        for (name, value) in NO_PROOF.into_iter().chain([("retry-after", "1")]) {
            if status == 503 && (name, value) == ("retry-after", "1") {
                continue;
            }
            for body in ["", r#"{"error":"temporarily_unavailable"}"#, r#"{"error":"slow_down"}"#] {
                let (mock, handle, mended) = endpoint(answers(status, Some((name, value)), body), PAIR);
                let login = OAuth2::refresh_token(mock, "https://id.example/token", "public", "r1").unwrap();
                let layer = stack(login);
                let error = call(&layer, &Api::default()).await.unwrap_err();
                let told = format!("{status} {name}: {value} {body}");
                assert!(issuer::failure(&error).is_ambiguous(), "{told}");
                mended.store(true, Ordering::SeqCst);
                tokio::time::sleep(s(90_000)).await;
                assert!(call(&layer, &Api::default()).await.is_err(), "{told}: the user has to consent again");
                let shown = handle.take().iter().filter(|got| form(&got.request)["refresh_token"] == "r1").count();
                assert_eq!(shown, 1, "{told}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_is_shown_again_after_an_answer_that_proves_it() {
    for (status, header) in
        [(429, None), (429, Some(("ratelimit", r#""d";r=0;t=1"#))), (425, None), (503, Some(("retry-after", "75")))]
    {
        let (mock, handle, mended) = endpoint(answers(status, header, ""), PAIR);
        let layer = stack(OAuth2::refresh_token(mock, "https://id.example/token", "public", "r1").unwrap());
        let error = call(&layer, &Api::default()).await.unwrap_err();
        assert!(!issuer::failure(&error).is_ambiguous(), "{status} {header:?}");
        mended.store(true, Ordering::SeqCst);
        tokio::time::sleep(s(3600)).await;
        handle.take();
        assert_eq!(call(&layer, &Api::default()).await.unwrap(), 200, "{status} {header:?}");
        assert_eq!(form(&handle.take()[0].request)["refresh_token"], "r1");
    }
}

#[tokio::test(start_paused = true)]
async fn a_password_and_a_refresh_token_of_a_json_login_are_not_sent_twice_in_one_flight() {
    for status in [500, 502, 503, 504] {
        for hint in NO_PROOF {
            for is_refresh in [false, true] {
                let (mock, handle, _) = endpoint(answers(status, Some(hint), ""), LOGIN);
                let layer = stack(JsonLogin::vlens(mock, "https://id.example", "key", "user", "password").unwrap());
                if is_refresh {
                    layer.tokens().install(TokenSet::bearer("t1").unwrap().refresh_token("r1"));
                }
                let _ = call(&layer, &Api::default()).await;
                tokio::time::sleep(s(30)).await;
                assert_eq!(handle.calls(), 1, "{status} {hint:?}, refresh: {is_refresh}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_date_in_seconds_that_makes_no_sense_is_not_a_hint_of_a_token_endpoint() {
    for value in ["1000000000", "1768480260", "253402300799", "31622401", "99999999999999999999"] {
        for status in [429, 503] {
            let (mock, handle, _) = endpoint(answers(status, Some(("retry-after", value)), ""), PAIR);
            let login = OAuth2::client_credentials(mock, "https://id.example/token", "client", "secret").unwrap();
            let layer = stack(login);
            let error = call(&layer, &Api::default()).await.unwrap_err();
            let wait = issuer::wait(&error, handle.instants()[0]).unwrap();
            assert!(wait <= s(60), "{status} {value}: {wait:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_5xx_in_the_words_of_an_expired_token_does_not_lead_to_a_second_sending() {
    for status in [500, 501, 502, 503, 504, 520, 529, 599, 401, 400, 403] {
        for method in ["POST", "PATCH"] {
            let (mock, handle, _) = endpoint(answers(200, None, PAIR), PAIR);
            let login = OAuth2::client_credentials(mock, "https://id.example/token", "client", "secret").unwrap();
            let dialect = dialects::generic().with_code(Code::new("expired", Class::TokenExpired));
            let layer = RedressLayer::new(dialect).credentials(login, issuer::URL.parse().unwrap());
            let layer = layer.deadline(Duration::from_secs(60));
            layer.tokens().install(TokenSet::bearer("t1").unwrap());
            tokio::time::sleep(s(600)).await;
            let api = StrictMock::new(move |_: &Request<String>| {
                let body = Full::new(r#"{"code":"expired"}"#.as_bytes());
                std::future::ready(Ok(Response::builder().status(status).body(body).unwrap()))
            });
            let sendings = api.handle();
            let request = Request::builder().method(method).uri(format!("{}/payments", issuer::URL));
            let start = Instant::now();
            let response = layer.layer(api).oneshot(request.body(String::new()).unwrap()).await.unwrap();
            assert_eq!(response.status(), status);
            let expected = if status >= 500 { (1, 1) } else { (2, 1) };
            assert_eq!((sendings.calls(), handle.calls()), expected, "{status} {method}");
            assert!(start.elapsed() <= s(2));
        }
    }
}
