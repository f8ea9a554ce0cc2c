//! Unary calls by tonic's client over tonic's channel: all that a program runs but the socket.

use bytes::{Buf, BufMut, Bytes};
use http::Uri;
use http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use redress::transport::hyper_error;
use redress::{BoxError, ReplayBody, ReplayBodyLayer};
use tokio::runtime::{Builder, Runtime};
use tonic::body::Body;
use tonic::client::{Grpc, GrpcService};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint, Error};
use tonic::{Request, Status};
use tower::ServiceExt;
use tower::util::{MapErr, MapRequest};
use tower_layer::Layer;

use super::{MESSAGE, wire};

/// The origin of the calls.
const ORIGIN: &str = "https://api.example";
/// The bytes between the ends of the connection.
const BUFFER: usize = 64 << 10;
/// The prefix of a message: a flag, and the length.
const PREFIX: usize = 5;

/// The body that the layers see: `ReplayBodyLayer` makes it of tonic's.
pub type Replayed = ReplayBody<Body>;

/// The transport of the layers: the channel, and what makes tonic's body of [`Replayed`] and tells how far a request got.
pub type Transport = MapErr<MapRequest<Channel, ToTonic>, fn(Error) -> BoxError>;

type ToTonic = fn(http::Request<Replayed>) -> http::Request<Body>;

/// tonic's client with layers over its channel to a server in the same thread, and the runtime of both.
#[derive(Debug)]
pub struct Connected<S> {
    runtime: Runtime,
    client: Grpc<S>,
}

/// The codec of messages that are bytes.
#[derive(Clone, Copy, Debug)]
struct BytesCodec;

/// Returns tonic's client over its channel alone.
///
/// # Panics
/// Never: there is a runtime, and the connection needs no network.
#[must_use]
pub fn bare() -> Connected<Channel> {
    Connected::new(|channel| channel)
}

/// Returns tonic's client over this layer, set up as in `docs/grpc.md`.
///
/// # Panics
/// Never, as [`bare`].
#[must_use]
pub fn under<L: Layer<Transport>>(layer: &L) -> Connected<<ReplayBodyLayer as Layer<L::Service>>::Service> {
    Connected::new(|channel| {
        let to_tonic: ToTonic = |request| request.map(Body::new);
        let transport = channel.map_request(to_tonic).map_err(hyper_error as fn(Error) -> BoxError);
        ReplayBodyLayer::new().layer(layer.layer(transport))
    })
}

impl<S> Connected<S> {
    fn new(stack: impl FnOnce(Channel) -> S) -> Self {
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let connector = tower::service_fn(|_: Uri| async {
            let (client, server) = tokio::io::duplex(BUFFER);
            tokio::spawn(wire::serve(server, MESSAGE));
            Ok::<_, std::io::Error>(TokioIo::new(client))
        });
        let endpoint = Endpoint::from_static(ORIGIN);
        let channel = runtime.block_on(endpoint.connect_with_connector(connector)).expect("a connection in memory");
        Self { runtime, client: Grpc::with_origin(stack(channel), Uri::from_static(ORIGIN)) }
    }
}

impl<S> Connected<S>
where
    S: GrpcService<Body, ResponseBody: Send + 'static>,
    <S::ResponseBody as http_body::Body>::Error: Into<BoxError>,
{
    /// Makes calls one after the other, and reads each response to its end.
    ///
    /// # Panics
    /// When a call fails, or its answer is not the message of the request.
    pub fn send(&mut self, calls: u64) {
        let message = MESSAGE.slice(PREFIX..);
        self.runtime.block_on(async {
            for _ in 0..calls {
                self.client.ready().await.map_err(Into::into).expect("the channel is ready");
                let path = PathAndQuery::from_static("/acme.Orders/Get");
                let answer = self.client.unary(Request::new(message.clone()), path, BytesCodec).await;
                assert_eq!(answer.expect("the server answers").into_inner(), message);
            }
        });
    }
}

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
