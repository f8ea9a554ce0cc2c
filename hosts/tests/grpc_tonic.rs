//! gRPC over a channel of tonic to a server of tonic: every status in the three shapes that carry one.
#![allow(clippy::unwrap_used, reason = "what helps a test is a test")]

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use redress::grpc::{MethodConfig, RetryPolicy, ServiceConfig};
use redress::transport::hyper_error;
use redress::{
    BoxError, Credentials, Failure, Idempotent, Jitter, RedressLayer, ReplayBody, ReplayBodyLayer, TokenSet, dialects,
};
use tokio_stream as stream;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{NamedService, ServerStreamingService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status};
use tower::util::BoxCloneService;
use tower::{Service, ServiceBuilder, ServiceExt};

type Outgoing = BoxCloneService<http::Request<Body>, http::Response<Body>, BoxError>;

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

/// A service that fails with the code in the message: `Head` at once, `Trailers` as a stream without a message, `Message` as a
/// stream after one. A message `14 2` fails twice, and then succeeds; `16` succeeds with the second token.
#[derive(Clone, Default)]
struct Orders {
    calls: Arc<AtomicU32>,
}

impl Orders {
    /// Returns the status of a call; `None` for a success.
    fn status(&self, request: &Request<Bytes>) -> Option<Status> {
        let nth = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let text = String::from_utf8(request.get_ref().to_vec()).unwrap();
        let (code, failures) = text.split_once(' ').unwrap_or((&text, "1000"));
        let is_renewed = request.metadata().get("authorization").is_some_and(|token| token == "Bearer t2");
        let fails = nth <= failures.parse().unwrap() && !is_renewed;
        fails.then(|| {
            Status::with_details(Code::from_i32(code.parse().unwrap()), "no: 100%", Bytes::from_static(b"\x08\x01"))
        })
    }
}

impl UnaryService<Bytes> for Orders {
    type Response = Bytes;
    type Future = Ready<Result<Response<Bytes>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        ready(self.status(&request).map_or_else(|| Ok(Response::new(Bytes::from_static(b"done"))), Err))
    }
}

/// The stream of a method: with a first message or without.
#[derive(Clone)]
struct Streaming(Orders, bool);

type Items = stream::Iter<std::vec::IntoIter<Result<Bytes, Status>>>;

impl ServerStreamingService<Bytes> for Streaming {
    type Response = Bytes;
    type ResponseStream = Items;
    type Future = Ready<Result<Response<Items>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let status = self.0.status(&request);
        let first = (self.1 || status.is_none()).then(|| Ok(Bytes::from_static(b"done")));
        let items: Vec<_> = first.into_iter().chain(status.map(Err)).collect();
        ready(Ok(Response::new(stream::iter(items))))
    }
}

impl NamedService for Orders {
    const NAME: &'static str = "acme.Orders";
}

impl Service<http::Request<Body>> for Orders {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let orders = self.clone();
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(BytesCodec);
            Ok(match request.uri().path() {
                "/acme.Orders/Head" => grpc.unary(orders, request).await,
                "/acme.Orders/Trailers" => grpc.server_streaming(Streaming(orders, false), request).await,
                _ => grpc.server_streaming(Streaming(orders, true), request).await,
            })
        })
    }
}

async fn start() -> (String, Arc<AtomicU32>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let orders = Orders::default();
    let calls = Arc::clone(&orders.calls);
    tokio::spawn(Server::builder().add_service(orders).serve_with_incoming(TcpIncoming::from(listener)));
    (url, calls)
}

/// A stack that waits 1 ms before each of two retries.
fn layer() -> RedressLayer {
    let ms = std::time::Duration::from_millis(1);
    let wait = redress::Schedule { base: ms, factor: std::num::NonZeroU32::MIN, cap: ms };
    RedressLayer::new(dialects::grpc()).backoff(|backoff| backoff.transient_backoff(wait).jitter(Jitter::None))
}

fn over_channel(layer: RedressLayer, url: &str) -> Outgoing {
    let channel = Channel::from_shared(url.to_owned()).unwrap().connect_lazy();
    let service = ServiceBuilder::new()
        .map_response(|response: http::Response<redress::Body<Body>>| response.map(Body::new))
        .layer(ReplayBodyLayer::new())
        .layer(layer)
        .map_request(|request: http::Request<ReplayBody<_>>| request.map(Body::new))
        .map_err(hyper_error)
        .service(channel);
    BoxCloneService::new(service.map_err(Into::into))
}

/// Calls a method, and reads its stream to the end.
async fn call(service: Outgoing, url: &str, method: &str, message: &str, is_repeatable: bool) -> Result<Bytes, Status> {
    // Without the origin a request has a path alone, and no credentials are sent with it.
    let mut client = tonic::client::Grpc::with_origin(service, url.parse().unwrap());
    client.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
    let mut request = Request::new(Bytes::copy_from_slice(message.as_bytes()));
    if is_repeatable {
        request.extensions_mut().insert(Idempotent(true));
    }
    let path: PathAndQuery = format!("/acme.Orders/{method}").parse().unwrap();
    if method == "Head" {
        return client.unary(request, path, BytesCodec).await.map(Response::into_inner);
    }
    let mut stream = client.server_streaming(request, path, BytesCodec).await?.into_inner();
    let mut last = Bytes::new();
    while let Some(message) = stream.message().await? {
        last = message;
    }
    Ok(last)
}

#[tokio::test]
async fn each_code_comes_up_in_each_shape_as_tonic_reports_it() {
    for method in ["Head", "Trailers", "Message"] {
        for code in 1..=16 {
            let (url, calls) = start().await;
            let status = call(over_channel(layer(), &url), &url, method, &code.to_string(), true).await.unwrap_err();
            assert_eq!((status.code(), status.message()), (Code::from_i32(code), "no: 100%"), "{method} {code}");
            assert_eq!(status.details(), b"\x08\x01", "{method} {code}");
            let is_retried = Code::from_i32(code) == Code::Unavailable && method != "Message";
            assert_eq!(calls.load(Ordering::SeqCst), if is_retried { 3 } else { 1 }, "{method} {code}");
        }
    }
}

#[tokio::test]
async fn a_call_that_fails_twice_succeeds_if_it_may_be_repeated() {
    for (method, is_repeatable, expected) in
        [("Head", true, 3), ("Trailers", true, 3), ("Head", false, 1), ("Trailers", false, 1)]
    {
        let (url, calls) = start().await;
        let result = call(over_channel(layer(), &url), &url, method, "14 2", is_repeatable).await;
        assert_eq!(calls.load(Ordering::SeqCst), expected, "{method}");
        assert_eq!(result.is_ok(), is_repeatable, "{method}: {result:?}");
    }
}

#[tokio::test]
async fn a_service_config_declares_what_may_be_repeated() {
    let policy = RetryPolicy::new([std::time::Duration::from_millis(1); 2], [redress::grpc::GrpcCode::Aborted]);
    let config = ServiceConfig::new().service("acme.Orders", MethodConfig::new().retry_policy(policy));
    let layer = layer().backoff(|backoff| backoff.service_config(config));
    let (url, calls) = start().await;
    let message = call(over_channel(layer, &url), &url, "Head", "10 2", false).await.unwrap();
    assert_eq!((&*message, calls.load(Ordering::SeqCst)), (&b"done"[..], 3));
}

/// An issuer that gives `t1`, then `t2`, and so on.
#[derive(Clone, Default)]
struct Issuer(Arc<AtomicU32>);

impl Credentials for Issuer {
    async fn login(&self) -> Result<TokenSet, Failure> {
        Ok(TokenSet::bearer(format!("t{}", self.0.fetch_add(1, Ordering::SeqCst) + 1))?)
    }
}

#[tokio::test]
async fn unauthenticated_refreshes_the_token_and_the_call_is_sent_again() {
    for method in ["Head", "Trailers"] {
        let (url, calls) = start().await;
        let layer = layer().credentials(Issuer::default(), url.parse().unwrap());
        let message = call(over_channel(layer, &url), &url, method, "16", false).await.unwrap();
        assert_eq!((&*message, calls.load(Ordering::SeqCst)), (&b"done"[..], 2), "{method}");
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_tried_again() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = over_channel(layer(), &url)
        .oneshot(http::Request::post(format!("{url}/acme.Orders/Head")).body(Body::empty()).unwrap());
    let error = error.await.unwrap_err();
    let error = error.downcast_ref::<redress::Error>().unwrap();
    assert_eq!((error.phase(), error.record().unwrap().attempts().len()), (redress::Phase::NotSent, 3));
}
