//! Every public type, printed with secrets in it.

use std::collections::BTreeSet;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use redress::backoff::Backoff;
use redress::classify::{Attempt, Classify, ClassifyLayer, Clock, TransportError};
use redress::envelope::{self, Envelope, Head, RetryHint, Signal};
use redress::login::JsonLogin;
use redress::refresh::{Refresh, SecretString};
use redress::transport::{Hyper, HyperFuture, Reqwest};
use redress::{
    BackoffLayer, BoxError, Budget, Class, Code, Dialect, Error, Failure, FieldError, Grant, Idempotent, Origin,
    Record, RedressLayer, RefreshLayer, ResponseExt, StaticHeaders, Stop, Verdict, dialects,
};
use redress_sandbox::strict_mock::{Answer, StrictMock};
use tower::{Layer, Service, ServiceExt};

use super::{BODY, assert_silent, both, chain, debug, request, response, types};

/// A type and all that it prints.
type Shown = (&'static str, String);

/// Words and numbers alone: no text of a request, of a response or of a credential fits in.
const HOLDS_NO_TEXT: [&str; 23] = [
    "redress-backoff::Budget",
    "redress-backoff::Idempotent",
    "redress-backoff::Jitter",
    "redress-backoff::Reservation",
    "redress-classify::Clock",
    "redress-classify::Deadline",
    "redress-classify::Phase",
    "redress-classify::Refreshed",
    "redress-classify::Stop",
    "redress-envelope::Basis",
    "redress-envelope::Class",
    "redress-envelope::Decision",
    "redress-envelope::Limit",
    "redress-envelope::Recovery",
    "redress-envelope::RetryAdvice",
    "redress-envelope::Schedule",
    "redress-envelope::Unit",
    "redress-envelope::Unreadable",
    "redress-envelope::When",
    "redress-refresh::InvalidOrigin",
    // Names of headers, of members and of routes, as a dialect has them.
    "redress-classify::WaitSource",
    "redress-envelope::HintSource",
    "redress-envelope::Origin",
];

/// Text of a dialect's file, which is code and holds no secret.
const HOLDS_A_DIALECTS_TEXT: [&str; 8] = [
    "redress-envelope::Code",
    "redress-envelope::DialectError",
    "redress-envelope::Mistake",
    "redress-envelope::Reason",
    "redress-envelope::Route",
    "redress-envelope::Rule",
    "redress-envelope::Status",
    "redress-envelope::UnknownWord",
];

/// What has neither a `Debug` nor a `Display`; and a name for any error whatsoever.
const DOES_NOT_PRINT: [&str; 4] = [
    "redress-backoff::ResponseFuture",
    "redress-classify::BoxError",
    "redress-classify::ResponseFuture",
    "redress::ResponseFuture",
];

type Bare = StrictMock<http::Request<String>, http::Response<http_body_util::Full<&'static [u8]>>>;

fn bare(status: u16) -> Bare {
    StrictMock::scripted([Answer::ok(response(status, BODY)), Answer::ok(response(status, BODY))]).allow_abandoned()
}

fn url() -> Origin {
    "https://api.example".parse().unwrap()
}

fn grant() -> Grant {
    let grant = Grant::bearer("c4n4ry-token").unwrap().header("x-api-key", "c4n4ry-key").unwrap();
    grant.refresh_token("c4n4ry-refresh").expires_in(Duration::from_secs(60))
}

fn keys() -> StaticHeaders {
    StaticHeaders::new().header("x-api-key", "c4n4ry-key").unwrap()
}

/// A dialect whose hooks have a secret in their path.
fn dialect() -> Dialect {
    let text = "name = \"hooks\"\n[secrets]\npaths = [\"/hooks/{id}/{secret}\"]\n";
    dialects::generic().extend("hooks.toml", text).unwrap().with_code(Code::new("refused", Class::Invalid))
}

/// What the reading of a response makes.
fn of_reading() -> Vec<Shown> {
    let response = response(400, BODY);
    let dialect = dialect();
    let mut head = Head::new(400, response.headers(), std::time::SystemTime::UNIX_EPOCH);
    head.path = "/hooks/42/c4n4ry-path?token=c4n4ry-query";
    let envelope = Envelope::read(&dialect, &head, [BODY.as_bytes()]);
    assert!(envelope.message.as_deref().is_some_and(|message| message.contains("c4n4ry")), "{envelope:?}");
    let field = FieldError { path: "email".into(), message: "c4n4ry-field is taken".into() };
    let mut signal = Signal::new(&dialects::maleslab(), &head);
    signal.feed(b"{\"message\":\"c4n4ry-message\",");
    let hint = RetryHint::retry_after(b"17", std::time::SystemTime::UNIX_EPOCH).unwrap();
    vec![
        ("redress-envelope::Dialect", debug(&dialect)),
        ("redress-envelope::Envelope", debug(&envelope)),
        ("redress-envelope::FieldError", debug(&field)),
        ("redress-envelope::Head", debug(&head)),
        ("redress-envelope::Meaning", debug(&dialect.meaning(&head, &envelope))),
        ("redress-envelope::RetryHint", debug(&hint)),
        ("redress-envelope::Signal", debug(&signal)),
    ]
}

/// What Classify and Backoff make of a response.
async fn of_response() -> Vec<Shown> {
    let layer = ClassifyLayer::new(dialect());
    let service: Classify<Bare> = layer.layer(bare(503));
    let classify = [debug(&service)].concat();
    let answered = service.oneshot(request("POST")).await.unwrap();
    let verdict: Verdict = answered.verdict().unwrap().clone();
    let error = verdict.api_error().unwrap().clone();
    assert!(error.message().is_some_and(|message| message.contains("c4n4ry")), "{error:?}");
    let body = answered.into_body();
    let record = Record::new(vec![Attempt::new(Some(503), Some(verdict.clone()), false)], Stop::NotIdempotent);
    let mut shown = vec![
        ("redress-classify::ApiError", both(&error) + &chain(&error)),
        ("redress-classify::Attempt", debug(&record.attempts()[0])),
        ("redress-classify::Body", debug(&body)),
        ("redress-classify::Classify", classify),
        ("redress-classify::ClassifyLayer", debug(&layer)),
        ("redress-classify::Record", both(&record)),
        ("redress-classify::Verdict", debug(&verdict)),
    ];
    let layer = BackoffLayer::new(dialect()).budget(Budget::new());
    let backoff: Backoff<Bare> = layer.layer(bare(503));
    shown.extend([("redress-backoff::Backoff", debug(&backoff)), ("redress-backoff::BackoffLayer", debug(&layer))]);
    assert!(body.collect().await.is_ok(), "what is handed up may show it: it is the server's");
    shown
}

/// What holds credentials.
fn of_credentials() -> Vec<Shown> {
    let layer = RefreshLayer::new(keys(), url());
    layer.tokens().install(grant());
    let mut service: Refresh<Bare> = layer.layer(bare(200));
    let ready = service.poll_ready(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    assert!(ready.is_ready());
    let future = service.call(request("GET"));
    let failures = [
        Failure::transient("c4n4ry-cause"),
        Failure::ambiguous("c4n4ry-cause"),
        Failure::grant_dead("c4n4ry-cause"),
        Failure::permanent("c4n4ry-cause"),
    ];
    let invalid = Grant::bearer("c4n4ry-token\n").unwrap_err();
    let not_an_origin = "https://user:c4n4ry-userinfo@api.example".parse::<Origin>().unwrap_err();
    assert_silent("redress-refresh::InvalidOrigin", &both(&not_an_origin));
    let all = failures.iter().map(|failure| both(failure) + &chain(failure)).collect::<String>();
    vec![
        ("redress-refresh::Failure", all + &both(&Failure::from(invalid.clone()))),
        ("redress-refresh::Grant", debug(&grant())),
        ("redress-refresh::InvalidHeader", both(&invalid) + &chain(&invalid)),
        ("redress-refresh::Origin", both(&url())),
        ("redress-refresh::Refresh", debug(&service)),
        ("redress-refresh::RefreshLayer", debug(&layer)),
        ("redress-refresh::ResponseFuture", debug(&future)),
        ("redress-refresh::SecretString", debug(&SecretString::from("c4n4ry-token"))),
        ("redress-refresh::StaticHeaders", debug(&keys())),
        ("redress-refresh::Tokens", debug(&layer.tokens())),
    ]
}

/// What the whole stack and its adapters are.
fn of_stack() -> Vec<Shown> {
    let login =
        JsonLogin::vlens(bare(200), "https://api.example/c4n4ry", "c4n4ry-key", "c4n4ry-user", "c4n4ry-password");
    let layer = RedressLayer::new(dialect()).credentials(keys(), url());
    layer.tokens().install(grant());
    let mut hyper: Hyper<_, String> = Hyper::new(Client::builder(TokioExecutor::new()).build_http());
    let mut headers = http::HeaderMap::new();
    headers.insert("x-api-key", http::HeaderValue::from_static("c4n4ry-default"));
    let mut reqwest = Reqwest::new(reqwest::Client::builder().default_headers(headers)).unwrap();
    let sending: HyperFuture = hyper.call(request("GET"));
    let asking = reqwest.call(request("GET"));
    vec![
        ("redress::Redress", debug(&layer.layer(bare(200)))),
        ("redress::RedressLayer", debug(&layer)),
        ("redress::login::JsonLogin", debug(&login.unwrap())),
        ("redress::transport::Hyper", debug(&hyper)),
        ("redress::transport::HyperFuture", debug(&sending)),
        ("redress::transport::Reqwest", debug(&reqwest)),
        ("redress::transport::ReqwestFuture", debug(&asking)),
    ]
}

/// Sends a request with secrets through a stack that fails; returns the error.
async fn failed<S, R>(transport: S) -> Error
where
    S: Service<http::Request<String>, Response = http::Response<R>> + Clone,
    S::Error: Into<BoxError>,
    R: http_body::Body + Unpin,
{
    let layer = RedressLayer::new(dialect()).backoff(|backoff| backoff.random(|| 0));
    let mut request = request("GET");
    // Nobody listens at a port that is bound and does not listen.
    *request.uri_mut() =
        format!("http://user:c4n4ry-userinfo@{}/c4n4ry-path?q=c4n4ry-query", silent_port()).parse().unwrap();
    layer.layer(transport).oneshot(request).await.map(drop).expect_err("nobody listens")
}

fn silent_port() -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// The errors of a call, over both adapters and of every kind.
async fn of_errors() -> Vec<Shown> {
    let hyper: Hyper<_, String> = Hyper::new(Client::builder(TokioExecutor::new()).build_http());
    let reqwest = Reqwest::new(reqwest::Client::builder()).unwrap();
    let mut errors = vec![failed(hyper.clone()).await, failed(reqwest.clone()).await];
    errors.push(Error::credentials(Class::Unauthenticated, Failure::permanent("c4n4ry-cause").into(), None));
    let mut transports = Vec::new();
    for uri in ["c4n4ry", "ftp://user:c4n4ry@api.example/c4n4ry?c4n4ry"] {
        let mut request = request("GET");
        *request.uri_mut() = uri.parse().unwrap();
        transports.push(hyper.clone().oneshot(request.clone()).await.expect_err("no URL for HTTP"));
        transports.push(reqwest.clone().oneshot(request).await.map(drop).expect_err("no URL for HTTP"));
    }
    let of = |error: &Error| both(error) + &chain(error);
    vec![
        ("redress-classify::Error", errors.iter().map(of).collect()),
        (
            "redress-classify::TransportError",
            transports.iter().map(|error: &TransportError| both(error) + &chain(error)).collect(),
        ),
    ]
}

async fn all() -> Vec<Shown> {
    let mut all = of_reading();
    all.extend(of_response().await);
    all.extend(of_credentials());
    all.extend(of_stack());
    all.extend(of_errors().await);
    // What holds no text prints its words all the same.
    let numbers = format!("{:?} {:?} {:?}", Budget::new(), Clock::system(), Idempotent(true));
    assert_silent("what holds no text", &format!("{numbers} {:?} {:?}", Class::ALL, envelope::Recovery::ALL));
    all
}

#[tokio::test]
async fn no_public_type_prints_a_secret() {
    for (name, text) in all().await {
        assert!(!text.trim().is_empty(), "{name} prints nothing");
        assert_silent(name, &text);
    }
}

#[tokio::test]
async fn every_public_type_is_looked_at() {
    let types = types::all();
    let shown: Vec<_> = all().await.into_iter().map(|(name, _)| name).collect();
    let lists = [&HOLDS_NO_TEXT[..], &HOLDS_A_DIALECTS_TEXT, &DOES_NOT_PRINT, &shown];
    let listed: BTreeSet<String> = lists.concat().into_iter().map(str::to_owned).collect();
    assert_eq!(listed.len(), lists.iter().map(|list| list.len()).sum::<usize>(), "a type stands in two lists");
    let missing: Vec<_> = types.public.difference(&listed).collect();
    assert!(missing.is_empty(), "public types that nobody looked at: {missing:?}");
    let gone: Vec<_> = listed.difference(&types.public).collect();
    assert!(gone.is_empty(), "no public types: {gone:?}");
    let printing: Vec<_> = DOES_NOT_PRINT.into_iter().filter(|name| types.printable.contains(*name)).collect();
    assert!(printing.is_empty(), "they print by now: {printing:?}");
    assert!(types.printable.len() > shown.len(), "what prints is found: {:?}", types.printable);
}
