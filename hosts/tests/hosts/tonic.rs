//! tonic: a client over the stack, and the stack over a `Channel`. How a gRPC status is read is not the subject here.

use bytes::{Buf, BufMut, Bytes};
use redress::{Idempotent, ReplayBody, ReplayBodyLayer, dialects};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceBuilder, ServiceExt};

use crate::redress;
use crate::server::{Answer, Server};

type TonicService = BoxCloneSyncService<
    http::Request<tonic::body::Body>,
    http::Response<tonic::body::Body>,
    Box<dyn std::error::Error + Send + Sync>,
>;

/// The stack over a channel of tonic.
fn over_channel(server: &Server) -> TonicService {
    let (redress, channel) = (redress(dialects::generic()), channel(server));
    // docs: tonic
    let service = ServiceBuilder::new()
        .layer(ReplayBodyLayer::new())
        .layer(redress)
        .map_request(|request: http::Request<ReplayBody<_>>| request.map(tonic::body::Body::new))
        .service(channel);
    // docs: end
    boxed(service)
}

fn channel(server: &Server) -> Channel {
    Channel::from_shared(server.url()).unwrap().connect_lazy()
}

fn boxed<S, R>(service: S) -> TonicService
where
    S: Service<http::Request<tonic::body::Body>, Response = http::Response<R>> + Clone + Send + Sync + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::Future: Send + 'static,
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let service = service.map_response(|response: http::Response<R>| response.map(tonic::body::Body::new));
    BoxCloneSyncService::new(service.map_err(Into::into))
}

/// The codec of a service whose messages are bytes.
#[derive(Clone, Copy, Default)]
struct BytesCodec;

impl Codec for BytesCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

async fn call<S>(service: S, request: Request<Bytes>) -> Result<Bytes, Status>
where
    S: Service<http::Request<tonic::body::Body>, Response = http::Response<tonic::body::Body>>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut client = Grpc::new(service);
    client.ready().await.map_err(|error| Status::unknown(error.into().to_string()))?;
    let path = http::uri::PathAndQuery::from_static("/echo.Echo/Say");
    client.unary(request, path, BytesCodec).await.map(tonic::Response::into_inner)
}

/// A message in its frame of gRPC: not compressed, its length, its bytes.
fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0][..], &length, message].concat().into()
}

fn said(message: &[u8]) -> Answer {
    Answer::new(200).header("content-type", "application/grpc").body(framed(message)).trailer("grpc-status", "0")
}

fn is_idempotent(message: Bytes) -> Request<Bytes> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(Idempotent(true));
    request
}

#[tokio::test]
async fn a_429_is_repeated_after_its_retry_after() {
    let server = Server::start([Answer::retry_after(1), said(b"hello")]).await;
    let message = call(over_channel(&server), Request::new("hi".into())).await.unwrap();
    assert_eq!(message, "hello");
    assert_eq!((server.count(), server.pause()), (2, 1));
    assert!(server.arrivals().iter().all(|arrival| arrival.body == framed(b"hi")));
}

#[tokio::test]
async fn a_503_is_repeated_if_the_call_is_idempotent() {
    let server = Server::start([Answer::new(503), said(b"hello")]).await;
    assert_eq!(call(over_channel(&server), is_idempotent("hi".into())).await.unwrap(), "hello");
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn a_call_that_may_have_been_processed_arrives_once() {
    let server = Server::start([Answer::new(503)]).await;
    let status = call(over_channel(&server), Request::new("hi".into())).await.unwrap_err();
    assert_eq!((status.code(), server.count()), (Code::Unavailable, 1));
}

#[tokio::test]
async fn a_status_is_tonics_own_error_byte_for_byte() {
    let details = "CAMSBm5vIG9uZQ";
    let answers = Answer::new(200).header("content-type", "application/grpc");
    let answers = answers.header("grpc-status", "5").header("grpc-message", "no%20one");
    let server = Server::start([answers.header("grpc-status-details-bin", details)]).await;
    let status = call(over_channel(&server), Request::new("hi".into())).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::NotFound, "no one"));
    assert_eq!(status.details(), b"\x08\x03\x12\x06no one");
    assert_eq!(server.count(), 1);
}

/// grpc-rust #733 and #1463: tower's `Retry` needs a request that can be cloned, and tonic's cannot.
#[tokio::test]
async fn issue_733_a_call_is_retried_with_the_same_message() {
    let server = Server::start([Answer::new(503), said(b"hello")]).await;
    let alone = boxed(channel(&server));
    let status = call(alone, is_idempotent("hi".into())).await.unwrap_err();
    assert_eq!((status.code(), server.count()), (Code::Unavailable, 1), "tonic has no retries");

    let server = Server::start([Answer::new(503), said(b"hello")]).await;
    let long = Bytes::from(vec![b'm'; 60 * 1024]);
    assert_eq!(call(over_channel(&server), is_idempotent(long.clone())).await.unwrap(), "hello");
    assert_eq!(server.arrivals().iter().filter(|arrival| arrival.body == framed(&long)).count(), 2);
}

#[tokio::test]
async fn an_interceptor_lies_above_or_below_the_stack() {
    let server = Server::start([Answer::retry_after(0), said(b"hello")]).await;
    let add = |mut request: Request<()>| {
        request.metadata_mut().insert("x-call", "7".parse().unwrap());
        Ok::<_, Status>(request)
    };
    let service = tonic::service::interceptor::InterceptedService::new(over_channel(&server), add);
    assert_eq!(call(boxed(service), Request::new("hi".into())).await.unwrap(), "hello");
    assert!(server.arrivals().iter().all(|arrival| arrival.headers["x-call"] == "7"));
}
