//! Envelopes, verdicts, records and errors, made of responses.

use std::future::Future;
use std::task::{Context, Waker};

use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use redress::layers::{Backoff, Classify, Envelope, Head, Secrets, Signal, Upstream};
use redress::transport::{Hyper, Reqwest};
use redress::{
    Attempt, BackoffLayer, BoxError, Budget, Class, ClassifyLayer, Clock, EndReason, Error, Failure, FieldError,
    Record, RedressLayer, ResponseExt, RetryHint, SuccessHint, TransportError, Verdict, dialects,
};
use tower::{Layer, Service, ServiceExt};

use super::{Bare, Shown, bare, dialect};
use crate::{BODY, both, chain, debug, request, response};

/// The types that reading a response makes.
pub(super) fn of_reading() -> Vec<Shown> {
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

/// The types that Classify and Backoff make of a response.
pub(super) async fn of_response() -> Vec<Shown> {
    let layer = ClassifyLayer::new(dialect());
    let service: Classify<Bare> = layer.layer(bare(503));
    let classify = [debug(&service)].concat();
    let answered = service.oneshot(request("POST")).await.unwrap();
    let verdict: Verdict = answered.verdict().unwrap().clone();
    let error = verdict.api_error().unwrap().clone();
    assert!(error.message().is_some_and(|message| message.contains("c4n4ry")), "{error:?}");
    let body = answered.into_body();
    let mut service: Classify<Bare> = layer.layer(bare(503));
    let future = debug(&service.ready().await.unwrap().call(request("GET")));
    let record = Record::new(vec![Attempt::new(Some(503), Some(verdict.clone()), false)], EndReason::NotIdempotent);
    let mut shown = vec![
        ("redress-classify::ApiError", both(&error) + &chain(&error)),
        ("redress-classify::Attempt", debug(&record.attempts()[0])),
        ("redress-classify::Body", debug(&body)),
        ("redress-classify::Classify", classify),
        ("redress-classify::ClassifyLayer", debug(&layer)),
        ("redress-classify::Record", both(&record)),
        ("redress-classify::ResponseFuture", future),
        ("redress-classify::Secrets", debug(&Secrets::new(["Bearer c4n4ry-token"]))),
        ("redress-classify::SuccessHint", debug(&success_hint())),
        ("redress-classify::Upstream", both(&Upstream::new(request("GET").uri(), request("GET").headers()))),
        ("redress-classify::Verdict", debug(&verdict)),
    ];
    let layer = BackoffLayer::new(dialect()).budget(Budget::new());
    let mut backoff: Backoff<Bare> = layer.layer(bare(503));
    let mut retrying = Box::pin(backoff.ready().await.unwrap().call(request("GET")));
    let sending = debug(&retrying);
    assert!(retrying.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending(), "it waits for its retry");
    shown.extend([
        ("redress-backoff::Backoff", debug(&backoff)),
        ("redress-backoff::BackoffLayer", debug(&layer)),
        ("redress-backoff::ResponseFuture", sending + &debug(&retrying)),
    ]);
    assert!(body.collect().await.is_ok(), "what is handed up may show it: it is the server's");
    shown
}

/// The pause of a success whose body holds secrets.
fn success_hint() -> SuccessHint {
    let dialect = dialects::by_name("stackexchange").unwrap();
    let (head, ()) = http::Response::new(()).into_parts();
    let request = request("GET");
    let body: &[u8] = br#"{"items":["c4n4ry"],"backoff":10}"#;
    let hint = SuccessHint::from_response(&dialect, request.method(), request.uri(), &head, &Clock::system(), &[body]);
    hint.expect("it asks for a pause")
}

/// Sends a request with secrets through a stack that fails; returns the error.
async fn failed<S, R>(transport: S) -> Error
where
    S: Service<http::Request<String>, Response = http::Response<R>> + Clone,
    S::Error: Into<BoxError>,
    R: http_body::Body + Unpin,
    R::Error: Into<BoxError>,
{
    let layer = RedressLayer::new(dialect()).backoff(|backoff| backoff.random(|| 0));
    let mut request = request("GET");
    // A port that is bound and does not listen refuses connections.
    *request.uri_mut() =
        format!("http://user:c4n4ry-userinfo@{}/c4n4ry-path?q=c4n4ry-query", silent_port()).parse().unwrap();
    layer.layer(transport).oneshot(request).await.map(drop).expect_err("the port is closed")
}

fn silent_port() -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// The errors of a call, over both adapters and of every kind.
pub(super) async fn of_errors() -> Vec<Shown> {
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
