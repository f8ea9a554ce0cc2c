//! connectrpc: the stack as the service of a `ServiceTransport`.

use buffa_types::google::protobuf::{StringValue, StringValueView};
use connectrpc::client::{CallOptions, ClientConfig, ServiceTransport, call_unary, call_unary_get};
use connectrpc::{ConnectError, ErrorCode, Spec, StreamType};
use redress::{ReplayBodyLayer, dialects};
use tower::ServiceBuilder;

use crate::server::{Answer, Server};
use crate::{hyper, redress};

const SAY: Spec = Spec::client("/echo.Echo/Say", StreamType::Unary);

/// Calls a procedure by `POST`, or by `GET` as one without side effects.
async fn say(server: &Server, word: &str, by_get: bool) -> Result<String, ConnectError> {
    let redress = redress(dialects::by_name("connect").unwrap());
    // docs: connectrpc
    let service = ServiceBuilder::new().layer(ReplayBodyLayer::new()).layer(redress).service(hyper());
    let transport = ServiceTransport::new(service);
    // docs: end
    let config = ClientConfig::new(server.url().parse().unwrap()).json();
    let word = StringValue { value: word.to_owned(), ..StringValue::default() };
    let said = if by_get {
        call_unary_get::<_, _, StringValueView<'static>>(&transport, &config, SAY, word, CallOptions::default()).await?
    } else {
        call_unary::<_, _, StringValueView<'static>>(&transport, &config, SAY, word, CallOptions::default()).await?
    };
    Ok(said.into_owned().value)
}

fn said() -> Answer {
    Answer::new(200).json("\"hello\"")
}

fn error(status: u16, code: &str) -> Answer {
    Answer::new(status).json(&format!(r#"{{"code":"{code}","message":"told"}}"#))
}

#[tokio::test]
async fn a_429_is_repeated_after_its_retry_after() {
    let server = Server::start([error(429, "resource_exhausted").header("retry-after", "1"), said()]).await;
    assert_eq!(say(&server, "hi", false).await.unwrap(), "hello");
    assert_eq!((server.count(), server.pause()), (2, 1));
    assert!(server.arrivals().iter().all(|arrival| arrival.body == "\"hi\"" && arrival.method == "POST"));
}

#[tokio::test]
async fn a_503_is_repeated() {
    let server = Server::start([error(503, "unavailable"), said()]).await;
    assert_eq!(say(&server, "hi", true).await.unwrap(), "hello");
    assert!(server.count() == 2 && server.arrivals().iter().all(|arrival| arrival.method == "GET"));
}

#[tokio::test]
async fn a_call_that_may_have_been_processed_arrives_once() {
    let server = Server::start([error(503, "unavailable")]).await;
    let error = say(&server, "hi", false).await.unwrap_err();
    assert_eq!((error.code, server.count()), (ErrorCode::Unavailable, 1));
}

#[tokio::test]
async fn a_long_message_is_sent_again() {
    let server = Server::start([error(429, "resource_exhausted").header("retry-after", "0"), said()]).await;
    let word = "w".repeat(1 << 20);
    say(&server, &word, false).await.unwrap();
    assert!(server.count() == 2 && server.arrivals().iter().all(|arrival| arrival.body.len() == word.len() + 2));
}

#[tokio::test]
async fn an_error_body_is_connects_own_error() {
    let body =
        r#"{"code":"not_found","message":"no one","details":[{"type":"google.rpc.ErrorInfo","value":"CgNhYmM"}]}"#;
    let server = Server::start([Answer::new(404).json(body)]).await;
    let error = say(&server, "hi", false).await.unwrap_err();
    assert_eq!((error.code, error.message.as_deref()), (ErrorCode::NotFound, Some("no one")));
    assert_eq!(error.details.len(), 1);
}
