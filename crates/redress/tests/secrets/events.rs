//! Every event of a life with secrets in it.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Request, Response};
use http_body_util::Full;

use redress::login::{JsonLogin, OAuth2};
use redress::{
    BoxError, Budget, Budgets, Class, Code, IdempotencyHeader, IdempotencyKey, Limit, MemoryStore, RedressLayer,
    TransportError, dialects,
};
use redress_sandbox::Recorder;
use redress_sandbox::strict_mock::{Answer, StrictMock};
use redress_store::{NewRecord, Record, Version, Written};
use tower::{Layer, ServiceExt};

use super::{BODY, assert_silent, chain, request, response};

const EXPIRED: &str = r#"{"data":null,"error_code":4011,"error_message":"c4n4ry-message"}"#;
const SUCCESS: &str = r#"{"data":"c4n4ry-data","error_code":null}"#;
const OAUTH: &str =
    r#"{"access_token":"c4n4ry-token","token_type":"Bearer","refresh_token":"c4n4ry-rotated","expires_in":3600}"#;
const DEAD: &str = r#"{"error":"invalid_grant","error_description":"c4n4ry-description"}"#;
const LOGIN: &str =
    r#"{"data":{"accessToken":"c4n4ry-token","refreshToken":"c4n4ry-refresh","expiresIn":3600},"error_code":null}"#;
const REFRESH: &str =
    r#"{"data":{"accessToken":"c4n4ry-token2","refreshToken":"c4n4ry-refresh2","expiresIn":3600},"error_code":null}"#;

fn answer(status: u16, body: &'static str) -> Answer<Response<Full<&'static [u8]>>> {
    Answer::ok(response(status, body))
}

fn hinted(status: u16, seconds: &'static str) -> Answer<Response<Full<&'static [u8]>>> {
    let mut response = response(status, BODY);
    response.headers_mut().insert("retry-after", seconds.parse().unwrap());
    Answer::ok(response)
}

#[tokio::test(start_paused = true)]
async fn no_event_and_no_error_of_a_long_life_shows_a_secret() {
    let recorder = Recorder::with_target("redress").pretty();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    // Each line is a call: what it meets, and how it is made.
    let lives: [(&str, Vec<Answer<_>>); 9] = [
        ("POST", vec![answer(200, EXPIRED), answer(200, SUCCESS)]),
        ("GET", vec![answer(503, BODY), answer(200, SUCCESS)]),
        ("POST", vec![hinted(429, "3"), answer(200, SUCCESS)]),
        ("POST", vec![answer(500, BODY)]),
        ("GET", vec![hinted(503, "99999")]),
        ("GET", vec![answer(200, SUCCESS).after(Duration::from_secs(100))]),
        ("POST", vec![Answer::error(TransportError::body("broken"))]),
        ("GET", vec![answer(401, BODY), answer(401, BODY)]),
        ("GET", vec![answer(502, BODY), answer(502, BODY), answer(502, BODY)]),
    ];
    let logins =
        vec![answer(200, LOGIN), answer(200, REFRESH), answer(503, BODY), answer(401, BODY), answer(403, BODY)];
    let logins: StrictMock<Request<String>, _> = StrictMock::scripted(logins).allow_abandoned();
    let login =
        JsonLogin::vlens(logins, "https://api.example", "c4n4ry-key", "c4n4ry-user", "c4n4ry-password").unwrap();
    let dialect = dialects::vlens().with_code(Code::new("4011", Class::TokenExpired));
    let layer = RedressLayer::new(dialect).credentials(login, "https://api.example".parse().unwrap());
    let layer = layer.deadline(Duration::from_secs(20)).backoff(|backoff| backoff.budget(Budget::with_capacity(40)));
    for (method, answers) in lives {
        let calls = StrictMock::scripted(answers).allow_abandoned();
        let result = layer.layer(calls).oneshot(request(method)).await;
        if let Err(error) = result {
            assert_silent("an error", &chain(&error));
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    layer.tokens().clear();
    let calls: StrictMock<Request<String>, Response<Full<&'static [u8]>>> = StrictMock::scripted([]).allow_abandoned();
    let error = layer.layer(calls).oneshot(request("GET")).await.expect_err("it was logged out");
    assert_silent("an error", &chain(&error));
    let lines = recorder.lines();
    for line in &lines {
        assert_silent("an event", line);
    }
    for target in ["redress::backoff", "redress::refresh"] {
        assert!(lines.iter().filter(|line| line.contains(target)).count() >= 5, "{target}: {lines:#?}");
    }
}

/// A store that can be down, and then says more than it should.
#[derive(Clone)]
struct Store {
    records: MemoryStore,
    is_down: Arc<AtomicBool>,
}

impl Store {
    fn ask(&self) -> Result<&MemoryStore, BoxError> {
        if self.is_down.load(Ordering::Relaxed) { Err("c4n4ry-store".into()) } else { Ok(&self.records) }
    }
}

impl redress::Store for Store {
    async fn load(&self, key: &str) -> Result<Option<Record>, BoxError> {
        redress::Store::load(self.ask()?, key).await
    }

    async fn replace(&self, key: &str, seen: Option<Version>, record: &NewRecord<'_>) -> Result<Written, BoxError> {
        redress::Store::replace(self.ask()?, key, seen, record).await
    }
}

/// One process of a fleet: its token endpoint, its stack.
fn process(store: &Store, endpoint: Vec<Answer<Response<Full<&'static [u8]>>>>) -> RedressLayer {
    let endpoint: StrictMock<Request<String>, _> = StrictMock::scripted(endpoint).allow_abandoned();
    let url = "https://id.example/c4n4ry-path?q=c4n4ry-query";
    let login = OAuth2::refresh_token(endpoint, url, "c4n4ry-client", "c4n4ry-refresh").unwrap();
    let login = login.client_secret("c4n4ry-secret").scope("c4n4ry-scope").parameter("audience", "c4n4ry-audience");
    let limit = Limit::new("POST /hooks/42/c4n4ry-path".parse().unwrap(), NonZeroU32::MIN, Duration::from_secs(60));
    let dialect = dialects::vlens().with_code(Code::new("4011", Class::TokenExpired));
    RedressLayer::new(dialect)
        .credentials(login, "https://api.example".parse().unwrap())
        .refresh(|refresh| refresh.store(store.clone(), "c4n4ry-name"))
        .pace(|pace| pace.partition(|_, _, _| Some("c4n4ry-partition".to_owned())).limit(limit))
        .backoff(|backoff| {
            let backoff = backoff.budget(Budgets::keyed(40, |_, _, _| "c4n4ry-key".into()));
            backoff.idempotency_key(IdempotencyHeader::new("x-request-key".parse().unwrap()))
        })
}

#[tokio::test(start_paused = true)]
async fn no_event_of_keys_limits_and_a_shared_login_shows_a_secret() {
    let recorder = Recorder::with_target("redress").pretty();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let store = Store { records: MemoryStore::new(), is_down: Arc::default() };
    let first = process(&store, vec![answer(200, OAUTH), answer(400, DEAD)]);
    let second = process(&store, vec![answer(401, DEAD)]);
    let call = async |layer: &RedressLayer, method, answers| {
        let calls = StrictMock::scripted(answers).allow_abandoned();
        let mut request = request(method);
        request.extensions_mut().insert(IdempotencyKey::new("c4n4ry-call").unwrap());
        if let Err(error) = layer.layer(calls).oneshot(request).await {
            assert_silent("an error", &chain(&error));
        }
    };
    // The limit holds the second back, and the retry of the first.
    let limited = call(&first, "POST", vec![answer(503, BODY), answer(200, SUCCESS)]);
    tokio::join!(limited, call(&first, "POST", vec![answer(200, SUCCESS)]));
    let impatient = second.clone().deadline(Duration::from_secs(1));
    let late = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        call(&impatient, "GET", vec![]).await;
        call(&second, "GET", vec![answer(200, SUCCESS)]).await;
    };
    tokio::join!(call(&second, "GET", vec![hinted(429, "30"), answer(200, SUCCESS)]), late);
    store.is_down.store(true, Ordering::Relaxed);
    call(&first, "GET", vec![answer(200, EXPIRED)]).await;
    store.is_down.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(120)).await;
    call(&first, "GET", vec![answer(200, EXPIRED)]).await;
    call(&first, "GET", vec![answer(200, EXPIRED)]).await;
    let lines = recorder.lines();
    for line in &lines {
        assert_silent("an event", line);
    }
    let said = [
        ("redress::pace", "cool-down started"),
        ("redress::pace", "reason=\"limit\""),
        ("redress::pace", "reason=\"cooldown\""),
        ("redress::pace", "call rejected"),
        ("redress::refresh", "written to the store"),
        ("redress::refresh", "adopted"),
        ("redress::refresh", "store unavailable"),
        ("redress::refresh", "refresh token invalid"),
        ("redress::backoff", "message=retry"),
    ];
    for (target, words) in said {
        assert!(lines.iter().any(|line| line.contains(target) && line.contains(words)), "{words}: {lines:#?}");
    }
}

#[test]
fn the_recorder_would_see_a_secret() {
    let recorder = Recorder::with_target("redress").pretty();
    tracing::subscriber::with_default(recorder.clone(), || {
        tracing::trace!(target: "redress::backoff", token = "c4n4ry-token", "oops");
        tracing::trace_span!(target: "redress::backoff", "call", uri = %request("GET").uri()).in_scope(|| {});
    });
    let lines = recorder.lines();
    assert!(lines.len() == 2 && lines.iter().all(|line| line.contains("c4n4ry")), "{lines:?}");
}

/// hyper-util prints the URI of each connection that it makes, at TRACE.
#[tokio::test]
async fn no_event_of_a_client_shows_the_user_of_a_uri() {
    let recorder = Recorder::new().pretty();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
    let hyper: redress::transport::Hyper<_, String> = redress::transport::Hyper::new(client);
    let reqwest = redress::transport::Reqwest::new(reqwest::Client::builder().no_proxy()).unwrap();
    // A port that was bound and is free again refuses connections.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://user:c4n4ry-password@{}/", listener.local_addr().unwrap());
    drop(listener);
    let request = || Request::get(&uri).body(String::new()).unwrap();
    for error in
        [hyper.oneshot(request()).await.map(drop), reqwest.oneshot(request()).await.map(drop)].map(Result::unwrap_err)
    {
        assert_silent("an error", &chain(&error));
    }
    for line in recorder.lines() {
        assert_silent("an event", &line);
    }
}
