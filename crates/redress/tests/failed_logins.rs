//! Errors of calls without credentials name the issuer and the reason; so do those of rejected calls.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

use std::error::Error as StdError;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use redress::login::{JsonLogin, OAuth2};
use redress::transport::{Hyper, Reqwest};
use redress::{
    BoxError, Class, Code, Credentials, EndReason, Error, Failure, Recovery, RedressLayer, ResponseExt, TokenSet,
    TransportError, Verdict, dialects,
};
use redress_sandbox::Recorder;
use redress_sandbox::strict_mock::{Answer, StrictMock};
use tower::{Layer, ServiceExt};

type Mock = StrictMock<Request<String>, Response<Full<&'static [u8]>>>;

const API: &str = "https://api.example";

fn answer(status: u16, body: &'static str) -> Answer<Response<Full<&'static [u8]>>> {
    Answer::ok(Response::builder().status(status).body(Full::new(body.as_bytes())).unwrap())
}

fn mock(answers: Vec<Answer<Response<Full<&'static [u8]>>>>) -> Mock {
    StrictMock::scripted(answers).allow_abandoned()
}

fn get() -> Request<String> {
    Request::get("https://api.example/things").body(String::new()).unwrap()
}

async fn failed(login: impl Credentials) -> Error {
    let layer = RedressLayer::new(dialects::vlens()).credentials(login, API.parse().unwrap());
    layer.layer(mock(vec![])).oneshot(get()).await.expect_err("there are no credentials")
}

fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text = format!("{text} | {error}");
        next = error.source();
    }
    text
}

/// A port on which nothing listens.
fn closed() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn vlens(answers: Vec<Answer<Response<Full<&'static [u8]>>>>) -> JsonLogin<Mock> {
    let login = JsonLogin::vlens(mock(answers), "https://id.example:8443", "s3cret-key", "user-name", "s3cret-word");
    login.unwrap().dialect(dialects::vlens().with_code(Code::new("E-42", Class::Unauthenticated)))
}

#[tokio::test]
async fn a_refused_connection_behind_a_login_is_told_with_its_host() {
    let url = format!("http://127.0.0.1:{}", closed());
    let host = url.trim_start_matches("http://");
    let expected = format!("login at {host} failed: connection refused");
    let hyper: Hyper<_, String> = Hyper::new(Client::builder(TokioExecutor::new()).build_http());
    let reqwest = Reqwest::new(reqwest::Client::builder().no_proxy()).unwrap();
    let over_hyper = JsonLogin::vlens(hyper.clone(), &url, "key", "user", "word").unwrap();
    let over_reqwest = OAuth2::client_credentials(reqwest, &format!("{url}/token"), "client", "s3cret-word").unwrap();
    for error in [failed(over_hyper).await, failed(over_reqwest).await] {
        assert_eq!(
            error.to_string(),
            format!("api.example: could not obtain credentials (1 attempt, unavailable): {expected}")
        );
        assert_eq!(error.source().map(ToString::to_string), Some(expected.clone()));
        assert_eq!(error.record().map(redress::Record::end_reason), Some(EndReason::Credentials));
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_reads_as_that() {
    let wrong = r#"{"data":null,"error_code":"E-42","error_message":"s3cret-word is wrong"}"#;
    let error = failed(vlens(vec![answer(401, wrong)])).await;
    let expected = "the login was refused: 401 unauthenticated (E-42)";
    assert_eq!(
        error.to_string(),
        format!("api.example: could not obtain credentials (1 attempt, unauthenticated): {expected}")
    );
    assert!(chain(&error).ends_with(expected) && !chain(&error).contains("sent"), "{}", chain(&error));
    let cause = error.source().and_then(<dyn StdError>::downcast_ref::<Failure>).unwrap().cause();
    let shown = format!("{cause} {cause:?} {}", cause.downcast_ref::<redress::ApiError>().unwrap().report());
    assert!(shown.contains("*** is wrong") && !shown.contains("s3cret"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_token_says_so() {
    let error = failed(vlens(vec![answer(200, r#"{"data":{"accessToken":7},"error_code":null}"#)])).await;
    let expected = "login at id.example:8443 failed: the answer holds no access token";
    assert!(error.to_string().ends_with(expected), "{error}");
    let error = failed(vlens(vec![answer(200, "s3cret-word")])).await;
    assert!(error.to_string().ends_with("failed: the answer broke off or is not JSON"), "{error}");
    let error = failed(vlens(vec![answer(302, "")])).await;
    assert!(error.to_string().ends_with("failed: the endpoint redirects to another URL"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_registered_code_of_the_issuer_is_shown_and_another_is_not() {
    for (status, body, expected) in [
        (401, r#"{"error":"invalid_client"}"#, "the login was refused: 401 unauthenticated (invalid_client)"),
        (400, r#"{"error":"unsupported_grant_type"}"#, "the login was refused: 400 invalid (unsupported_grant_type)"),
        (400, r#"{"error":"s3cret-word"}"#, "login at id.example failed: 400 invalid"),
    ] {
        let issuer = mock(vec![answer(status, body)]);
        let login = OAuth2::client_credentials(issuer, "https://id.example/token", "client", "s3cret-word").unwrap();
        let error = failed(login).await;
        assert!(error.to_string().ends_with(expected), "{error}");
        assert!(!format!("{} {error:?}", chain(&error)).contains("s3cret"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_code_that_the_dialect_does_not_list_is_shown() {
    let error =
        failed(vlens(vec![answer(200, r#"{"data":null,"error_code":"E-99","error_message":"s3cret-word"}"#)])).await;
    let expected = "failed: 200 unknown (E-99, a code that the dialect does not list)";
    assert!(error.to_string().ends_with(expected), "{error}");
    assert!(!format!("{} {error:?}", chain(&error)).contains("s3cret"));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_url_of_a_token_endpoint_is_shown_with_its_path() {
    for (status, expected) in
        [(404, "login at id.example/tokn failed: 404 not_found"), (503, "login at id.example failed: 503 unavailable")]
    {
        let issuer = mock((0..3).map(|_| answer(status, "")).collect());
        let url = "https://id.example/tokn?key=s3cret-key";
        let login = OAuth2::client_credentials(issuer, url, "client", "s3cret-word").unwrap();
        let error = failed(login).await;
        assert!(error.to_string().ends_with(expected), "{error}");
        assert!(!format!("{} {error:?}", chain(&error)).contains("s3cret"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_rejection_and_the_age_of_the_credentials_are_told() {
    let expired = || answer(401, r#"{"error":{"code":"expired","message":"no"}}"#);
    let tokens = [
        r#"{"access_token":"t1","token_type":"Bearer"}"#,
        r#"{"access_token":"t2","token_type":"Bearer"}"#,
        r#"{"access_token":"t3","token_type":"Bearer"}"#,
        r#"{"access_token":"t4","token_type":"Bearer"}"#,
    ];
    let issuer = mock(tokens.into_iter().map(|token| answer(200, token)).collect());
    let login = OAuth2::client_credentials(issuer, "https://id.example/token", "client", "word");
    let dialect = dialects::generic().with_code(Code::new("expired", Class::TokenExpired));
    let layer = RedressLayer::new(dialect).credentials(login.unwrap(), API.parse().unwrap());
    let service = layer.layer(mock((0..9).map(|_| expired()).collect()));
    let call =
        || async { service.clone().oneshot(get()).await.unwrap().ok_or_api_error().expect_err("a 401").to_string() };
    let first = call().await;
    let expected = "401 expired (token_expired, refresh_token), not refreshed: rejected again after a refresh";
    assert!(first.ends_with(expected), "{first}");
    tokio::time::sleep(Duration::from_millis(1_400)).await;
    let mut later = Vec::new();
    for _ in 0..3 {
        later.push(call().await);
    }
    let last = later.last().unwrap();
    let expected = ["old, too new to be replaced: the next try is in ", "not refreshed: no new credentials for now: "];
    assert!(expected.iter().all(|part| last.contains(part)), "{later:#?}");
}

/// Credentials of a user's own, which say no more than what failed.
struct Own(&'static str);

impl Credentials for Own {
    async fn login(&self) -> Result<TokenSet, Failure> {
        let mock = mock(vec![answer(401, self.0)]);
        let layer = RedressLayer::new(dialects::vlens().with_code(Code::new("E-42", Class::Unauthenticated)));
        let response = layer.layer(mock).oneshot(get()).await.map_err(Failure::transient)?;
        Err(Failure::permanent(response.ok_or_api_error().expect_err("a 401")))
    }
}

#[tokio::test(start_paused = true)]
async fn credentials_of_ones_own_tell_the_same() {
    let error = failed(Own(r#"{"data":null,"error_code":"E-42","error_message":"s3cret"}"#)).await;
    let expected = "the login was refused: 401 unauthenticated (E-42)";
    assert_eq!(
        error.to_string(),
        format!("api.example: could not obtain credentials (1 attempt, unauthenticated): {expected}")
    );
    let error = failed(Own(r#"{"data":null,"error_code":"s3cret","error_message":"s3cret"}"#)).await;
    assert!(error.to_string().ends_with(": the login was refused: 401 unauthenticated"), "{error}");
}

/// Calls with a set whose token has run out, over an issuer that answers so.
async fn rejected(answers: Vec<Answer<Response<Full<&'static [u8]>>>>) -> (Verdict, Vec<String>) {
    let recorder = Recorder::with_target("redress");
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let login = OAuth2::refresh_token(mock(answers), "https://id.example/token", "client", "s3cret-refresh").unwrap();
    let dialect = dialects::generic().with_code(Code::new("expired", Class::TokenExpired));
    let layer = RedressLayer::new(dialect).credentials(login, API.parse().unwrap()).deadline(Duration::from_secs(60));
    layer.tokens().install(TokenSet::bearer("s3cret-access").unwrap().refresh_token("s3cret-refresh"));
    // The second is sent before the refresh and rejected after it.
    let call = async |seconds| {
        let rejection = answer(401, r#"{"code":"expired"}"#).after(Duration::from_secs(seconds));
        let response = layer.layer(mock(vec![rejection])).oneshot(get()).await.expect("the response in hand");
        let verdict = response.verdict().unwrap().clone();
        let error = response.ok_or_api_error().expect_err("a 401");
        assert_eq!(error.recovery(), verdict.recovery());
        (verdict, error.not_refreshed().map(str::to_owned))
    };
    let ((first, why), (_, late)) = tokio::join!(call(1), call(40));
    assert!(why.is_some() && late.is_some());
    (first, recorder.lines())
}

#[tokio::test(start_paused = true)]
async fn a_rejection_after_a_refused_refresh_tells_why_and_asks_for_a_new_login() {
    let (verdict, lines) = rejected(vec![answer(400, r#"{"error":"invalid_grant"}"#)]).await;
    assert_eq!((verdict.class(), verdict.recovery()), (Class::TokenExpired, Recovery::Reauthenticate));
    let error = verdict.api_error().unwrap();
    let why = error.not_refreshed().expect("the refresh was refused");
    for text in [why, &error.to_string(), &format!("{verdict:?}"), &error.report()] {
        assert!(text.contains("(invalid_grant)") && text.contains("the user has to consent again"), "{text}");
    }
    let told = |line: &&String| line.contains("redress::refresh") && line.contains("invalid_grant");
    assert!(lines.iter().filter(told).count() >= 3, "{lines:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_rejection_after_a_refresh_that_may_still_succeed_keeps_its_recovery() {
    let busy = || answer(503, "");
    let (verdict, _) = rejected(vec![busy(), busy(), busy(), busy(), busy(), busy()]).await;
    assert_eq!(verdict.recovery(), Recovery::RefreshToken);
    let why = verdict.api_error().unwrap().not_refreshed().unwrap();
    assert!(why.starts_with("refresh at id.example failed: 503 unavailable"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_rejection_without_a_refresh_says_nothing_of_one() {
    let keys = redress::StaticHeaders::new().header("x-api-key", "s3cret-key").unwrap();
    let layer = RedressLayer::new(dialects::generic()).credentials(keys, API.parse().unwrap());
    let response = layer.layer(mock(vec![answer(401, "{}")])).oneshot(get()).await.unwrap();
    assert!(response.verdict().unwrap().api_error().unwrap().not_refreshed().is_none());
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_transport_that_quotes_a_password_is_masked_in_the_cause_too() {
    let broken = || Answer::error(TransportError::other("goaway: s3cret-word, s3cret-key"));
    let error = failed(vlens(vec![broken(), broken(), broken(), broken()])).await;
    assert!(error.to_string().contains("login at id.example:8443 failed: "), "{error}");
    let failure = error.source().and_then(<dyn StdError>::downcast_ref::<Failure>).unwrap();
    let cause = failure.cause().downcast_ref::<Error>().unwrap();
    let shown = format!("{} {cause:?} {error:?}", chain(cause));
    assert!(!shown.contains("s3cret") && shown.contains("goaway: ***, ***"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn a_user_s_own_text_stays_hidden() {
    struct Silent;
    impl Credentials for Silent {
        async fn login(&self) -> Result<TokenSet, Failure> {
            Err(Failure::transient(BoxError::from("the server said s3cret")))
        }
    }
    let error = failed(Silent).await;
    assert_eq!(
        error.to_string(),
        "api.example: could not obtain credentials (1 attempt, unavailable): the login failed"
    );
    assert!(!format!("{} {error:?}", chain(&error)).contains("s3cret"));
}
