//! Codes that do not tell an expired token from a dead one lead to one refresh. After it only what was rejected before it
//! was processed, or is safe to repeat, is sent again; else the response comes up, and the next call has the new token.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use redress::{
    Class, Code, Credentials, Dialect, EndReason, Failure, Idempotent, Recovery, RedressLayer, ResponseExt,
    SecretString, TokenSet, dialects,
};
use redress_sandbox::strict_mock::{Handle, StrictMock};
use tower::{Layer, ServiceExt};

const URL: &str = "https://api.example";

/// An issuer that gives `t1`, then `t2`, and so on.
#[derive(Clone, Default)]
struct Issuer(Arc<AtomicU64>);

impl Issuer {
    fn next(&self) -> Result<TokenSet, Failure> {
        let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(TokenSet::bearer(format!("t{number}"))?.refresh_token("r"))
    }
}

impl Credentials for Issuer {
    async fn login(&self) -> Result<TokenSet, Failure> {
        self.next()
    }

    async fn refresh(&self, _: &SecretString) -> Result<TokenSet, Failure> {
        self.next()
    }
}

type Api = StrictMock<Request<String>, Response<Full<Bytes>>>;

/// An API that does not take `t1`, and says so in these words.
fn api(status: u16, body: &'static str) -> (Api, Handle<Request<String>>) {
    let mock = StrictMock::new(move |request: &Request<String>| {
        let is_old = request.headers()["authorization"] == "Bearer t1";
        let (status, body) = if is_old { (status, body) } else { (200, r#"{"data":{"id":1},"ok":true}"#) };
        let builder = Response::builder().status(status).header("content-type", "application/json");
        std::future::ready(Ok(builder.body(Full::from(body)).unwrap()))
    })
    .allow_abandoned();
    let handle = mock.handle();
    (mock, handle)
}

fn request(method: &str) -> Request<String> {
    Request::builder().method(method).uri(format!("{URL}/graphql")).body("{}".to_owned()).unwrap()
}

fn tokens(handle: &Handle<Request<String>>) -> Vec<String> {
    handle.take().iter().map(|got| got.request.headers()["authorization"].to_str().unwrap().to_owned()).collect()
}

/// Sends one request to an API that says this to an old token; returns the response, and how often it was sent.
async fn first(
    dialect: &Dialect,
    request: Request<String>,
    status: u16,
    body: &'static str,
) -> (Response<()>, usize, u64) {
    let issuer = Issuer::default();
    let layer = RedressLayer::new(dialect.clone()).credentials(issuer.clone(), URL.parse().unwrap());
    let layer = layer.deadline(Duration::from_secs(60));
    let (mock, handle) = api(status, body);
    let response = layer.layer(mock).oneshot(request).await.unwrap().map(|_| ());
    (response, handle.calls(), issuer.0.load(Ordering::Relaxed) - 1)
}

fn named(name: &str) -> Dialect {
    dialects::by_name(name).unwrap()
}

const BEFORE: &str = r#"{"errors":[{"message":"x","extensions":{"code":"UNAUTHENTICATED"}}]}"#;
const BEGUN: &str = r#"{"data":null,"errors":[{"message":"x","extensions":{"code":"UNAUTHENTICATED"}}]}"#;
const NO_FIELD: &str = r#"{"errors":[{"message":"x","extensions":{"code":"UNAUTHENTICATED"}}],"data":{"pay":null}}"#;
const BATCH: &str = r#"[{"errors":[{"message":"x","extensions":{"code":"UNAUTHENTICATED"}}]},{"data":{"pay":1}}]"#;

#[tokio::test(start_paused = true)]
async fn each_doubtful_code_leads_to_one_refresh() {
    for (name, status, body) in [
        ("graphql", 200, BEFORE),
        ("graphql", 401, BEFORE),
        ("graphql", 401, BEGUN),
        (
            "graphql",
            200,
            r#"{"errors":[{"message":"Could not verify JWT: JWTExpired","extensions":{"code":"invalid-jwt"}}]}"#,
        ),
        ("okta", 401, r#"{"errorCode":"E0000011","errorSummary":"Invalid token provided"}"#),
        ("slack", 200, r#"{"ok":false,"error":"invalid_auth"}"#),
        ("slack", 200, r#"{"ok":false,"error":"token_expired"}"#),
        ("salesforce", 401, r#"[{"errorCode":"INVALID_SESSION_ID","message":"Session expired or invalid"}]"#),
        ("facebook", 400, r#"{"error":{"message":"x","type":"OAuthException","code":190}}"#),
        ("drf", 401, r#"{"detail":"x","code":"token_not_valid","messages":[{"token_type":"access","message":"x"}]}"#),
        ("drf", 401, r#"{"detail":"x","code":"token_not_valid","messages":[{"token_type":"sliding","message":"x"}]}"#),
        ("drf", 403, r#"{"detail":"Incorrect authentication credentials."}"#),
        ("github", 401, r#"{"message":"Bad credentials"}"#),
        ("kubernetes", 401, r#"{"kind":"Status","status":"Failure","reason":"Unauthorized","code":401}"#),
        ("google", 401, r#"{"error":{"code":401,"message":"x","status":"UNAUTHENTICATED"}}"#),
        ("azure", 401, r#"{"error":{"code":"InvalidAuthenticationToken","message":"The access token is invalid."}}"#),
        (
            "azure",
            401,
            r#"{"error":{"code":"InvalidAuthenticationToken","message":"Lifetime validation failed, the token is expired."}}"#,
        ),
        (
            "odata",
            401,
            r#"{"error":{"code":"InvalidAuthenticationToken","message":"Lifetime validation failed, the token is expired."}}"#,
        ),
        ("azure", 403, r#"{"error":{"code":"AuthenticationFailed","message":"x"}}"#),
        (
            "anthropic",
            401,
            r#"{"type":"error","error":{"type":"authentication_error","message":"OAuth token has expired."}}"#,
        ),
        ("aws-json", 403, r#"{"__type":"UnrecognizedClientException","message":"x"}"#),
        ("discord", 401, r#"{"code":50014,"message":"Invalid authentication token"}"#),
        ("paypal", 401, r#"{"name":"AUTHENTICATION_FAILURE","message":"x"}"#),
    ] {
        for method in ["POST", "GET"] {
            let (response, sent, refreshes) = first(&named(name), request(method), status, body).await;
            assert_eq!((sent, refreshes), (2, 1), "{name} {method} {status} {body}");
            assert!(response.verdict().is_none(), "{name} {method} {status} {body}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_code_that_is_known_to_be_final_leads_to_none() {
    for (name, status, body) in [
        ("slack", 200, r#"{"ok":false,"error":"token_revoked"}"#),
        ("slack", 200, r#"{"ok":false,"error":"account_inactive"}"#),
        ("oauth2", 401, r#"{"error":"invalid_client"}"#),
        ("oauth2", 400, r#"{"error":"invalid_grant"}"#),
        ("salesforce", 400, r#"{"error":"invalid_grant","error_description":"x"}"#),
        ("maleslab", 401, r#"{"success":false,"error":{"code":"TOKEN_INVALID","message":"x"}}"#),
        ("openai", 401, r#"{"error":{"code":"invalid_api_key","message":"x"}}"#),
        ("openai", 401, r#"{"error":{"code":"account_deactivated","message":"x"}}"#),
        ("drf", 401, r#"{"detail":"x","code":"user_inactive"}"#),
        ("facebook", 400, r#"{"error":{"message":"x","code":190,"error_subcode":460}}"#),
        ("plaid", 400, r#"{"error_type":"INVALID_INPUT","error_code":"INVALID_API_KEYS","error_message":"x"}"#),
        ("twilio", 401, r#"{"code":20003,"message":"Authenticate","status":401}"#),
        ("stripe", 401, r#"{"error":{"type":"invalid_request_error","code":"api_key_expired","message":"x"}}"#),
        (
            "google",
            400,
            r#"{"error":{"code":400,"status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#,
        ),
    ] {
        let (response, sent, refreshes) = first(&named(name), request("POST"), status, body).await;
        assert_eq!((sent, refreshes), (1, 0), "{name} {status} {body}");
        assert_ne!(response.verdict().unwrap().recovery(), Recovery::RefreshToken, "{name} {status} {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_code_of_a_users_own_dialect_is_doubtful_unless_it_says_more() {
    let file = |more: &str| {
        let text =
            format!("name = \"own\"\n[read]\ncode = \"code\"\n[codes.E_AUTH]\nclass = \"unauthenticated\"\n{more}");
        Dialect::from_toml("own.toml", &text).unwrap()
    };
    let by_code = dialects::generic().with_code(Code::new("E_AUTH", Class::Unauthenticated));
    let rule =
        "name = \"own\"\n[[rules]]\nwhen = { body = \"code\", body_is = \"E_AUTH\" }\nclass = \"unauthenticated\"\n";
    let by_rule = Dialect::from_toml("own.toml", rule).unwrap();
    for (dialect, expected) in [
        (file(""), (2, 1)),
        (by_code, (2, 1)),
        (by_rule, (2, 1)),
        (file("recovery = \"refresh_token\"\n"), (2, 1)),
        (file("recovery = \"reauthenticate\"\n"), (1, 0)),
        (file("recovery = \"stop\"\n"), (1, 0)),
    ] {
        for status in [401, 403, 400] {
            let (response, sent, refreshes) = first(&dialect, request("POST"), status, r#"{"code":"E_AUTH"}"#).await;
            assert_eq!((sent, refreshes), expected, "{dialect:?} {status}");
            if sent == 1 {
                assert_eq!(response.verdict().unwrap().class(), Class::Unauthenticated);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_refresh_only_requests_that_were_not_processed_or_are_safe_to_repeat_are_resent() {
    let expired = dialects::generic().with_code(Code::new("expired", Class::TokenExpired));
    const EXPIRED: &str = r#"{"code":"expired"}"#;
    let graphql = named("graphql");
    for (name, dialect, method, idempotent, status, body, expected) in [
        ("no data", &graphql, "POST", None, 200, BEFORE, (2, 1)),
        ("data that is null", &graphql, "POST", None, 200, BEGUN, (1, 1)),
        ("a field that is null", &graphql, "POST", None, 200, NO_FIELD, (1, 1)),
        ("data that is null, in a GET", &graphql, "GET", None, 200, BEGUN, (2, 1)),
        ("data that is null, repeatable", &graphql, "POST", Some(true), 200, BEGUN, (2, 1)),
        ("data that is null, in a GET with effects", &graphql, "GET", Some(false), 200, BEGUN, (1, 1)),
        ("data that is null, at 401", &graphql, "POST", None, 401, BEGUN, (2, 1)),
        ("data that is null, at 403", &graphql, "POST", None, 403, BEGUN, (1, 1)),
        ("a batch", &graphql, "POST", None, 200, BATCH, (1, 0)),
        ("a 500", &expired, "POST", None, 500, EXPIRED, (1, 1)),
        ("a 503", &expired, "PATCH", None, 503, EXPIRED, (1, 1)),
        ("a 500 to a GET", &expired, "GET", None, 500, EXPIRED, (2, 1)),
        ("a 403", &expired, "POST", None, 403, EXPIRED, (2, 1)),
    ] {
        let mut request = request(method);
        if let Some(is) = idempotent {
            request.extensions_mut().insert(Idempotent(is));
        }
        let (response, sent, refreshes) = first(dialect, request, status, body).await;
        assert_eq!((sent, refreshes), expected, "{name}");
        if expected == (1, 1) {
            let verdict = response.verdict().unwrap();
            assert_eq!(verdict.recovery(), Recovery::RefreshToken, "{name}");
            assert!(verdict.is_maybe_processed(), "{name}");
            assert_eq!(response.record().map(|record| record.end_reason()), Some(EndReason::NotIdempotent), "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_call_after_a_response_that_came_up_has_the_new_token() {
    let issuer = Issuer::default();
    let layer = RedressLayer::new(named("graphql")).credentials(issuer, URL.parse().unwrap());
    let (mock, handle) = api(200, BEGUN);
    let stack = layer.layer(mock);
    for (nth, is_error) in [(1, true), (2, false), (3, false)] {
        let response = stack.clone().oneshot(request("POST")).await.unwrap();
        assert_eq!(response.verdict().is_some(), is_error, "call {nth}");
    }
    assert_eq!(tokens(&handle), ["Bearer t1", "Bearer t2", "Bearer t2"]);
}

#[tokio::test(start_paused = true)]
async fn a_throttled_graphql_post_is_sent_again_unless_its_execution_began() {
    for code in ["THROTTLED", "RATE_LIMITED"] {
        let errors = format!(r#""errors":[{{"message":"x","extensions":{{"code":"{code}"}}}}]"#);
        for (body, expected) in [
            (format!("{{{errors}}}"), 2),
            (format!(r#"{{"data":null,{errors}}}"#), 1),
            (format!(r#"{{{errors},"data":{{"pay":null}}}}"#), 1),
        ] {
            let body: &'static str = body.leak();
            let issuer = Issuer::default();
            let layer = RedressLayer::new(named("graphql")).credentials(issuer.clone(), URL.parse().unwrap());
            // The first answer is throttled, the next one is not.
            let count = AtomicU64::new(0);
            let mock = StrictMock::new(move |_: &Request<String>| {
                let is_first = count.fetch_add(1, Ordering::Relaxed) == 0;
                let body = if is_first { body } else { r#"{"data":{"id":1}}"# };
                std::future::ready(Ok(Response::new(Full::<Bytes>::from(body))))
            })
            .allow_abandoned();
            let handle = mock.handle();
            let _ = layer.layer(mock).oneshot(request("POST")).await.unwrap();
            assert_eq!((handle.calls(), issuer.0.load(Ordering::Relaxed)), (expected, 1), "{body}");
        }
    }
}
